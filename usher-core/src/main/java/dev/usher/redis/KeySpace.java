package dev.usher.redis;

import java.util.Set;

/**
 * The names of keys in Redis: {@code user:42:profile}, and {@code {user:42:profile}:guard} in the same slot.
 *
 * @param prefix what all keys begin with
 * @param facet what all keys of values end with
 */
public record KeySpace(String prefix, String facet) {

    private static final int MAX_ID_LENGTH = 128;
    private static final String GUARD = "}:guard";

    public static String guardOf(String key) {
        return "{" + key + GUARD;
    }

    /** The key to which a guard belongs; a key that is no guard's stays what it is. */
    public static String guarded(String key) {
        return key.startsWith("{") && key.endsWith(GUARD) ? key.substring(1, key.length() - GUARD.length()) : key;
    }

    /** The facet of a value's key. */
    public static String facetOf(String key) {
        return key.substring(key.lastIndexOf(':') + 1);
    }

    /** Whether this is the key of a user's value. */
    public boolean contains(String key) {
        int idFrom = prefix.length() + 1;
        int idTo = key.length() - facet.length() - 1;
        return idFrom < idTo
                && key.startsWith(prefix + ":")
                && key.endsWith(":" + facet)
                && isPlainText(key.substring(idFrom, idTo));
    }

    /**
     * The key of a user's value.
     *
     * @throws IllegalArgumentException when the id is none; its text is not quoted, for it may hold anything
     */
    public String keyOf(Object id) {
        requireId(id);
        return prefix + ":" + id + ":" + facet;
    }

    /** One user's key, and how many others, for a message. */
    public String nameOf(Set<?> ids) {
        String first = keyOf(ids.iterator().next());
        return ids.size() == 1 ? first : first + " (and " + (ids.size() - 1) + " others)";
    }

    /** As {@link #keyOf}, where the key is not needed yet. */
    public static void requireId(Object id) {
        if (id instanceof String text) {
            requirePlainText(text, "a user's id");
        }
    }

    public static void requirePlainText(String text, String what) {
        if (text.isBlank()) {
            throw new IllegalArgumentException(what + " may not be blank");
        }
        if (text.length() > MAX_ID_LENGTH) {
            throw new IllegalArgumentException(
                    what + " may have " + MAX_ID_LENGTH + " characters at most, but has " + text.length());
        }
        if (!isPlainText(text)) {
            throw new IllegalArgumentException(
                    what + " may not contain braces, white space, control characters or half a surrogate pair");
        }
    }

    private static boolean isPlainText(String text) {
        return text.length() <= MAX_ID_LENGTH && text.codePoints().allMatch(KeySpace::isPlain);
    }

    private static boolean isPlain(int c) {
        return switch (Character.getType(c)) {
            // Half a surrogate pair would be sent as '?', and so be another user's id.
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE -> false;
            case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            default -> c != '{' && c != '}' && !Character.isWhitespace(c);
        };
    }
}
