package dev.usher.benchmarks;

/** How a contender has broken a promise. */
final class BrokenPromiseException extends RuntimeException {

    private static final long serialVersionUID = 1;

    BrokenPromiseException(String message) {
        super(message);
    }

    /** Throws one unless the condition holds. */
    static void unless(boolean holds, String message) {
        if (!holds) {
            throw new BrokenPromiseException(message);
        }
    }
}
