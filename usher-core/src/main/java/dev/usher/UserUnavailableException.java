package dev.usher;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Neither a tier of the cache nor the source could say what was asked of a user. It does not mean that the user is
 * absent or disabled.
 *
 * <p>The message names the facet and an id; the cause is what the source threw. {@link #ids} names all users of a list that are
 * unavailable: the others are not, and can be asked for again without them.
 */
public final class UserUnavailableException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final Set<?> ids;

    /** What the message says behind the name of the user, or nothing. */
    private final String why;

    /**
     * An answer that cannot be given. Public so that tests of an application can stand in for a cache that fails.
     *
     * @param message which user's which facet, and why
     * @param cause what went wrong, if anything was thrown
     */
    public UserUnavailableException(String message, @Nullable Throwable cause) {
        this(message, Set.of(), cause);
    }

    /**
     * Answers that cannot be given.
     *
     * @param message which user's which facet, and why
     * @param ids of the users that are unavailable
     * @param cause what went wrong, if anything was thrown
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

    /** Without a stack trace: a caller that is refused at once must cost next to nothing, for there are many. */
    static UserUnavailableException ofRefusal(KeySpace keys, Set<?> ids, String why) {
        return new UserUnavailableException(messageOf(keys, ids, why), why, ids, null, false);
    }

    /** That others are unavailable for the same reason. */
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
