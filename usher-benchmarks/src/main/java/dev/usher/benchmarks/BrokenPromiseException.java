package dev.usher.benchmarks;

/** Says how a contender has not kept a promise. */
final class BrokenPromiseException extends RuntimeException {

    private static final long serialVersionUID = 1;

    BrokenPromiseException(String message) {
        super(message);
    }

    /** Throws one if what must hold does not. */
    static void unless(boolean holds, String message) {
        if (!holds) {
            throw new BrokenPromiseException(message);
        }
    }
}
