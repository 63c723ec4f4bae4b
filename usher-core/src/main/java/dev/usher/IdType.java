package dev.usher;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** How the text of an id, as it stands in a key, becomes the id again. */
enum IdType {
    LONG {
        @Override
        Object parse(String text) {
            return Long.valueOf(text);
        }
    },
    INTEGER {
        @Override
        Object parse(String text) {
            return Integer.valueOf(text);
        }
    },
    UUID {
        @Override
        Object parse(String text) {
            return java.util.UUID.fromString(text);
        }
    },
    STRING {
        @Override
        Object parse(String text) {
            return text;
        }
    };

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
        } else if (id instanceof UUID) {
            return UUID;
        } else if (id instanceof Integer) {
            return INTEGER;
        }
        throw new IllegalArgumentException("a user's id is a Long, an Integer, a UUID or a String, not a "
                + id.getClass().getName());
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
