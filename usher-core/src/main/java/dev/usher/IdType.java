package dev.usher;

import org.jspecify.annotations.Nullable;

/** What all ids of a cache are, and how the text of an id, as it stands in a key, becomes the id again. */
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
     * Takes an id for one of this type. The compiler sees to it, except where a caller casts, or hands on a type that only a
     * configuration says.
     *
     * @throws IllegalArgumentException when it is of another type; both are named, and the id is not
     */
    void require(Object id) {
        if (id.getClass() != type) {
            throw new IllegalArgumentException("an id of this cache is " + text() + ", not a value of the type "
                    + id.getClass().getName());
        }
    }

    /** What an id is, for people: {@code a Long}. */
    String text() {
        return (this == INTEGER ? "an " : "a ") + type.getSimpleName();
    }

    abstract Object parse(String text);

    /**
     * The id that has a text.
     *
     * @throws IllegalArgumentException when no id of this type has it; it is not quoted, for it may hold anything
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
