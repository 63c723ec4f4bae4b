package dev.usher.redis;

import org.jspecify.annotations.Nullable;

/**
 * A call of Redis has failed: Redis cannot be reached, was too slow, or refused.
 *
 * <p>It has no stack trace: while Redis is away, each call gets one, and the cache handles it.
 */
public final class SharedTierException extends Exception {

    private static final long serialVersionUID = 1L;

    private final @Nullable String errorCode;

    /**
     * A failure.
     *
     * @param errorCode of the answer of Redis, or {@code null} when it has not answered
     */
    public SharedTierException(String message, @Nullable String errorCode) {
        super(message, null, false, false);
        this.errorCode = errorCode;
    }

    /** Why a call of Redis has failed, in words that quote nothing of what was asked. */
    public static String reasonOf(Throwable failure) {
        return RedisErrorLog.reasonOf(failure);
    }

    /** The error code of the answer of Redis, or {@code null} when it has not answered. */
    public @Nullable String errorCode() {
        return errorCode;
    }

    /** Of an answer that has come while this node did not believe Redis any more. */
    public static SharedTierException ofDisbelief(String key) {
        return new SharedTierException("Redis is not believed about " + key + ": its source is asked", null);
    }
}
