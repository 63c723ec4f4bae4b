package dev.usher.spring;

/** What the ids of users are is not known, or said in two ways. */
final class IdTypesException extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final String action;

    /**
     * A failure of the start.
     *
     * @param message what says which type
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
