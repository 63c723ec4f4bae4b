package dev.usher.spring;

/** The type of users' ids is unknown, or declared in two ways. */
final class IdTypesException extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final String action;

    /**
     * A failure of the start.
     *
     * @param message the declarations and their types
     * @param action what to do
     */
    IdTypesException(String message, String action) {
        super(message);
        this.action = action;
    }

    String action() {
        return action;
    }
}
