package dev.usher;

import org.jspecify.annotations.Nullable;

/**
 * Redis did not do what it was asked: it cannot be reached, was too slow, or refused.
 *
 * <p>It has no stack trace: while Redis is away, each call meets one, and the cache handles it.
 */
final class SharedTierException extends Exception {

    private static final long serialVersionUID = 1L;

    private final @Nullable String errorCode;

    /**
     * A failure.
     *
     * @param errorCode with which Redis has refused, or {@code null} when it has not answered
     */
    SharedTierException(String message, @Nullable String errorCode) {
        super(message, null, false, false);
        this.errorCode = errorCode;
    }

    /** The code of the error with which Redis has refused, or {@code null} when it has not answered. */
    @Nullable String errorCode() {
        return errorCode;
    }
}
