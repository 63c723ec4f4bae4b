package dev.usher.spring;

import java.util.Locale;
import java.util.UUID;

/** What the ids of users are. */
enum UserIdType {
    /** A whole number of up to 64 bits. */
    LONG(Long.class),
    /** A whole number of up to 32 bits. */
    INTEGER(Integer.class),
    /** A UUID. */
    UUID(UUID.class),
    /** A text. */
    STRING(String.class);

    private final Class<?> javaType;

    UserIdType(Class<?> javaType) {
        this.javaType = javaType;
    }

    /** The class of such ids. */
    Class<?> javaType() {
        return javaType;
    }

    /** One of them, perhaps no user's. */
    Object example() {
        return switch (this) {
            case LONG -> 0L;
            case INTEGER -> 0;
            case UUID -> new UUID(0, 0);
            case STRING -> "0";
        };
    }

    /** As a setting says it: {@code long}. */
    String setting() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What such an id is, for people: {@code a Long}. */
    String text() {
        return (this == INTEGER ? "an " : "a ") + javaType.getSimpleName();
    }

    /**
     * The type of ids of a class.
     *
     * @throws IllegalArgumentException when ids are not of that class
     */
    static UserIdType of(Class<?> javaType) {
        for (UserIdType type : values()) {
            if (type.javaType == javaType) {
                return type;
            }
        }
        throw new IllegalArgumentException(
                "a user's id is a Long, an Integer, a UUID or a String, not a " + javaType.getName());
    }
}
