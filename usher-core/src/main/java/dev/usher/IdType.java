package dev.usher;

import org.jspecify.annotations.Nullable;

/** How the text of an id, as it stands in a key, becomes the id again. */
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
     * The type of an id.
     *
     * @throws IllegalArgumentException when ids are not of that type
     */
    static IdType of(Object id) {
        if (id instanceof Long) {
            return LONG;
        } else if (id instanceof String) {
            return STRING;
        }
        return of(id.getClass());
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

    /** What an id is, for people: {@code a Long}. */
    String text() {
        return (this == INTEGER ? "an " : "a ") + type.getSimpleName();
    }

    abstract Object parse(String text);

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
