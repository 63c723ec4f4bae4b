package dev.usher;

import dev.usher.redis.KeySpace;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Neither a tier of the cache nor the source has answered for a user. It does not mean that the user is absent or disabled.
 *
 * <p>The message names the facet and an id; the cause is the exception of the source. {@link #ids} names all unavailable users of a list:
 * the other users can be asked for again without them.
 */
public final class UserUnavailableException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final Set<?> ids;

    /** The end of the message, behind the name of the user, or an empty text. */
    private final String why;

    /**
     * The exception for one user. Public, so that tests of an application can simulate a cache that fails.
     *
     * @param message names the user, the facet and the reason
     * @param cause the exception behind it, if there is one
     */
    public UserUnavailableException(String message, @Nullable Throwable cause) {
        this(message, Set.of(), cause);
    }

    /**
     * The exception for several users.
     *
     * @param message names a user, the facet and the reason
     * @param ids of the users that are unavailable
     * @param cause the exception behind it, if there is one
     */
    public UserUnavailableException(String message, Set<?> ids, @Nullable Throwable cause) {
        this(message, "", ids, cause, true);
    }

    private UserUnavailableException(
            String message, String why, Set<?> ids, @Nullable Throwable cause, boolean hasStackTrace) {
        super(message, cause, true, hasStackTrace);
        this.ids = Set.copyOf(ids);
        this.why = why;
        this.isRefusal = !hasStackTrace;
    }

    /** Whether this is without a stack trace. */
    private final boolean isRefusal;

    static UserUnavailableException of(KeySpace keys, Set<?> ids, String why, @Nullable Throwable cause) {
        return new UserUnavailableException(messageOf(keys, ids, why), why, ids, cause, true);
    }

    /** Without a stack trace: there may be many refused callers, so a refusal must be cheap. */
    static UserUnavailableException ofRefusal(KeySpace keys, Set<?> ids, String why) {
        return new UserUnavailableException(messageOf(keys, ids, why), why, ids, null, false);
    }

    /** The part of the message that counts the other users, which are unavailable for the same reason. */
    UserUnavailableException of(KeySpace keys, Set<?> others) {
        return new UserUnavailableException(messageOf(keys, others, why), why, others, getCause(), !isRefusal);
    }

    private static String messageOf(KeySpace keys, Set<?> ids, String why) {
        return keys.nameOf(ids) + " is unavailable: " + why;
    }

    /**
     * The ids of the users that are unavailable, as far as they are known.
     *
     * @return one for a single user, all that are unavailable for a list, in the type of the cache's ids; unmodifiable
     */
    public Set<?> ids() {
        return ids;
    }
}
