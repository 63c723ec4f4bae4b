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

    UserUnavailableException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
