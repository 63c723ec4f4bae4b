package dev.usher.spring;

import java.util.Locale;
import java.util.UUID;

/** The types of users' ids. */
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

    /** The class of ids of this type. */
    Class<?> javaType() {
        return javaType;
    }

    /** An example id, which may belong to no user. */
    Object example() {
        return switch (this) {
            case LONG -> 0L;
            case INTEGER -> 0;
            case UUID -> new UUID(0, 0);
            case STRING -> "0";
        };
    }

    /** The value of the setting: {@code long}. */
    String setting() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The type in a message: {@code a Long}. */
    String text() {
        return (this == INTEGER ? "an " : "a ") + javaType.getSimpleName();
    }

    /**
     * The type of ids of a class.
     *
     * @throws IllegalArgumentException if the class is none of these types
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
