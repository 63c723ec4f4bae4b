package dev.usher.spring;

/** The application's own bean {@code usherStatusGate} is of a type that Spring Security does not apply. */
final class UnfitStatusGateException extends RuntimeException {

    private static final long serialVersionUID = 1;

    UnfitStatusGateException() {
        super("the bean 'usherStatusGate' replaces the status gate, but is not a Customizer<HttpSecurity>");
    }
}
