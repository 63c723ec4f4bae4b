package dev.usher.server.user;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The fields that users may change in their own profiles. Their names in JSON are these in lower case. */
public enum ProfileField {
    NAME("name", String.class, "name"),
    PHOTO("photo", String.class, "profile_photo"),
    IS_MEDIA("isMedia", Boolean.class, "is_media"),
    INTRO("intro", String.class, "introduction"),
    CERTI("certi", String.class, "certificate");

    private final String property;
    private final Class<?> type;
    private final String column;

    ProfileField(String property, Class<?> type, String column) {
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

    /** Its name in a {@link Registration}, whose rules hold for a change too. */
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
