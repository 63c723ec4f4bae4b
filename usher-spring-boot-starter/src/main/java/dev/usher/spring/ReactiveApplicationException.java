package dev.usher.spring;

/** The application is a reactive one, which has no current user and no status gate from usher. */
final class ReactiveApplicationException extends RuntimeException {

    private static final long serialVersionUID = 1;

    ReactiveApplicationException() {
        super("usher supports neither @CurrentUser nor the status gate in a reactive web application");
    }
}
