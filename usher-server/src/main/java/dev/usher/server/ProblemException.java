package dev.usher.server;

/** Ends a request with a problem. */
final class ProblemException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final transient Problem problem;

    ProblemException(ProblemType type, Problem.Field... errors) {
        super(type.title(), null, false, false);
        this.problem = Problem.of(type, errors);
    }

    Problem problem() {
        return problem;
    }
}
