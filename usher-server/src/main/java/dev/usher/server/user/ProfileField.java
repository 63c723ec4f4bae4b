package dev.usher.server.user;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** The fields that users may change in their own profiles. Their names in JSON are these in lower case. */
public enum ProfileField {
    NAME("name", String.class, "name = ?"),
    PHOTO("photo", String.class, "profile_photo = NULLIF(?, '')"),
    IS_MEDIA("isMedia", Boolean.class, "is_media = COALESCE(?, false)"),
    INTRO("intro", String.class, "introduction = NULLIF(?, '')"),
    CERTI("certi", String.class, "certificate = NULLIF(?, '')");

    private final String property;
    private final Class<?> type;
    private final String assignment;

    ProfileField(String property, Class<?> type, String assignment) {
        this.property = property;
        this.type = type;
        this.assignment = assignment;
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

    /** The assignment in SQL. */
    String assignment() {
        return assignment;
    }
}
