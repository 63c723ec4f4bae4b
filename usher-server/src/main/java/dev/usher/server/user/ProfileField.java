package dev.usher.server.user;

import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** What users may change of their own profile. In JSON it is called as here, in small letters. */
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

    /** The field of that name, or empty when there is none that may be changed. */
    static Optional<ProfileField> of(String json) {
        return Stream.of(values()).filter(field -> field.json().equals(json)).findAny();
    }

    /** Its name in JSON. */
    public String json() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Its name in a {@link Registration}, whose rules are those of a change too. */
    String property() {
        return property;
    }

    Class<?> type() {
        return type;
    }

    /** How it is set in the table of users. */
    String assignment() {
        return assignment;
    }
}
