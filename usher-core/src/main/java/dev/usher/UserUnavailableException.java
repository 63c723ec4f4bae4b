package dev.usher;

import org.jspecify.annotations.Nullable;

/**
 * Neither a tier of the cache nor the source could say what was asked of a user. It does not mean that the user is
 * absent or disabled.
 *
 * <p>The message names the facet and the id; the cause is what the source threw.
 */
public final class UserUnavailableException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * An answer that cannot be given. Public so that tests of an application can stand in for a cache that fails.
     *
     * @param message which user's which facet, and why
     * @param cause what went wrong, if anything was thrown
     */
    public UserUnavailableException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    static UserUnavailableException of(String whose, String why, @Nullable Throwable cause) {
        return new UserUnavailableException(whose + " is unavailable: " + why, cause);
    }
}
