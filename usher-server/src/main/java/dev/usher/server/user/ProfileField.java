package dev.usher.server.user;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a profile that may be changed: some by the user, and those that the platform grants by administrators alone. Their names in JSON
 * are these in lower case.
 */
public enum ProfileField {
    NAME(Registration.class, "name", String.class, "name"),
    PHOTO(Registration.class, "photo", String.class, "profile_photo"),
    IS_MEDIA(Grants.class, "isMedia", Boolean.class, "is_media"),
    INTRO(Registration.class, "intro", String.class, "introduction"),
    CERTI(Grants.class, "certi", String.class, "certificate");

    private final Class<?> rules;
    private final String property;
    private final Class<?> type;
    private final String column;

    ProfileField(Class<?> rules, String property, Class<?> type, String column) {
        this.rules = rules;
        this.property = property;
        this.type = type;
        this.column = column;
    }

    /** The field with a name in JSON, or empty when no field that may be changed has it. */
    static Optional<ProfileField> of(String json) {
        return Stream.of(values()).filter(field -> field.json().equals(json)).findAny();
    }

    /** Its name in JSON. */
    public String json() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether the platform grants it. */
    public boolean isGranted() {
        return rules == Grants.class;
    }

    /** The request whose rules hold for a change as well: {@link Registration} or {@link Grants}. */
    Class<?> rules() {
        return rules;
    }

    /** Its name there. */
    String property() {
        return property;
    }

    Class<?> type() {
        return type;
    }

    /** The assignment in SQL, of a value as {@link #stored} returns it. */
    String assignment() {
        return column + " = ?";
    }

    /** A new value as the column holds it: a text that is empty is null, except for the name, and a flag that is removed is false. */
    @Nullable Object stored(@Nullable Object value) {
        return switch (this) {
            case NAME -> value;
            case IS_MEDIA -> Boolean.TRUE.equals(value);
            case PHOTO, INTRO, CERTI -> "".equals(value) ? null : value;
        };
    }
}
