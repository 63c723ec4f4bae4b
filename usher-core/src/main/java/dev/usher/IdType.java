package dev.usher;

import org.jspecify.annotations.Nullable;

/** The type of all ids of a cache, which parses the text of an id, as it is part of a key. */
enum IdType {
    LONG(Long.class) {
        @Override
        Object parse(String text) {
            return Long.valueOf(text);
        }
    },
    INTEGER(Integer.class) {
        @Override
        Object parse(String text) {
            return Integer.valueOf(text);
        }
    },
    UUID(java.util.UUID.class) {
        @Override
        Object parse(String text) {
            return java.util.UUID.fromString(text);
        }
    },
    STRING(String.class) {
        @Override
        Object parse(String text) {
            return text;
        }
    };

    private final Class<?> type;

    IdType(Class<?> type) {
        this.type = type;
    }

    /**
     * The type of the ids of a class.
     *
     * @throws IllegalArgumentException when ids are not of that class
     */
    static IdType of(Class<?> type) {
        for (IdType known : values()) {
            if (known.type == type) {
                return known;
            }
        }
        throw new IllegalArgumentException(
                "a user's id is a Long, an Integer, a UUID or a String, not a " + type.getName());
    }

    /**
     * Checks that an id is of this type. The compiler checks it too, except where a caller casts, or where only the configuration
     * declares the type.
     *
     * @throws IllegalArgumentException when it is of another type; both are named, and the id is not
     */
    void require(Object id) {
        if (id.getClass() != type) {
            throw new IllegalArgumentException("an id of this cache is " + text() + ", not a value of the type "
                    + id.getClass().getName());
        }
    }

    /** The type in words, for messages: {@code a Long}. */
    String text() {
        return (this == INTEGER ? "an " : "a ") + type.getSimpleName();
    }

    abstract Object parse(String text);

    /**
     * Parses an id.
     *
     * @throws IllegalArgumentException when the text is not that of an id of this type; the message does not quote the text, which may
     *     hold anything
     */
    Object idOf(String text) {
        Object id = parseOrNull(text);
        if (id == null) {
            throw new IllegalArgumentException("the text is not that of " + text());
        }
        return id;
    }

    /** The id, or {@code null} when no id of this type has that text. */
    @Nullable Object parseOrNull(String text) {
        try {
            Object id = parse(text);
            return id.toString().equals(text) ? id : null;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
