package dev.usher.redis;

import io.lettuce.core.RedisCommandExecutionException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a server of a Cluster answers that does not have a key.
 *
 * @param kind {@code MOVED}, or {@code ASK} for this key only, while its slot is being moved
 * @param address of the server that has it
 */
record Redirect(String kind, int slot, ServerAddress address) {

    static final String MOVED = "MOVED";
    static final String ASK = "ASK";

    /** A script on two keys of a slot that is being moved, of which one is not there. */
    static final String TRY_AGAIN = "TRYAGAIN";

    private static final String DOWN = "CLUSTERDOWN";

    private static final Set<String> KINDS = Set.of(MOVED, ASK, TRY_AGAIN, DOWN, "CROSSSLOT");

    /** Whether it says that a key is not, or not only, where it was asked for. */
    static boolean isRedirect(@Nullable Throwable failure) {
        String kind = kindOf(failure);
        return kind != null && KINDS.contains(kind);
    }

    /** Whether it says so of this key alone: the server is well, and has other keys. */
    static boolean isOfKey(@Nullable Throwable failure) {
        return isRedirect(failure) && !isDown(failure);
    }

    /** Whether it says that a slot is on another server than it was, or on none: one that is being moved is still where it was. */
    static boolean isOfMap(@Nullable Throwable failure) {
        return MOVED.equals(kindOf(failure)) || isDown(failure);
    }

    /** Whether it says that no server has the slot, as far as this one knows. */
    static boolean isDown(@Nullable Throwable failure) {
        return DOWN.equals(kindOf(failure));
    }

    static boolean isTryAgain(@Nullable Throwable failure) {
        return TRY_AGAIN.equals(kindOf(failure));
    }

    /**
     * The server to ask instead, or {@code null} when the answer names none.
     *
     * @param asked the server that has answered: one that does not know its host means the same
     */
    static @Nullable Redirect in(@Nullable Throwable failure, ServerAddress asked) {
        String message = messageOf(failure);
        String[] words = message == null ? new String[0] : message.split(" ", -1);
        if (words.length < 3 || !(words[0].equals(MOVED) || words[0].equals(ASK)) || !words[1].matches("\\d{1,5}")) {
            return null;
        }
        int colon = words[2].lastIndexOf(':');
        try {
            String host = words[2].substring(0, Math.max(0, colon));
            int port = Integer.parseInt(words[2].substring(colon + 1));
            return new Redirect(
                    words[0],
                    Integer.parseInt(words[1]),
                    new ServerAddress(host.isEmpty() ? asked.host() : host, port));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static @Nullable String kindOf(@Nullable Throwable failure) {
        String message = messageOf(failure);
        return message == null ? null : message.split(" ", 2)[0];
    }

    private static @Nullable String messageOf(@Nullable Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof RedisCommandExecutionException) {
                return cause.getMessage();
            }
        }
        return null;
    }
}
