package dev.usher;

import org.jspecify.annotations.Nullable;

/** The steps of an end, each of which is taken whatever the others throw. Not thread-safe. */
final class Closing {

    private @Nullable Throwable failure;

    /** Takes a step, and keeps what it throws. */
    @SuppressWarnings("ReferenceEquality") // nothing can be suppressed in itself
    Closing step(Runnable step) {
        try {
            step.run();
        } catch (Throwable e) {
            if (failure == null) {
                failure = e;
            } else if (failure != e) {
                failure.addSuppressed(e);
            }
        }
        return this;
    }

    /** Throws what a step has thrown first; what later ones have thrown is suppressed in it. */
    void end() {
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure instanceof RuntimeException exception) {
            throw exception;
        }
        if (failure != null) {
            throw new IllegalStateException(failure); // a checked exception that was not declared
        }
    }

    /** Closes what a failure would leave open. What that throws is suppressed in the failure. */
    static void after(Throwable failure, Runnable step) {
        new Closing().with(failure).step(step);
    }

    private Closing with(Throwable first) {
        failure = first;
        return this;
    }
}
