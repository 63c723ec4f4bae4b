package dev.usher.relay;

import org.jspecify.annotations.Nullable;

/**
 * The log of a database cannot be followed. The message is for an operator: it says what is missing, and the exact SQL or setting that gives it. It holds no
 * password and nothing of a user.
 */
public class ChangeFeedException extends Exception {

    private static final long serialVersionUID = 1;

    /**
     * Something is missing, or the database refuses.
     *
     * @param message what, and what to do
     */
    public ChangeFeedException(String message) {
        super(message);
    }

    /**
     * A call of the database has failed.
     *
     * @param message what, and what to do
     * @param cause how it has failed, or {@code null}
     */
    public ChangeFeedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
