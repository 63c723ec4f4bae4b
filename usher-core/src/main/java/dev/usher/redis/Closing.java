package dev.usher.redis;

import org.jspecify.annotations.Nullable;

/** Runs all steps of a shutdown, even when some of them throw. Not thread-safe. */
public final class Closing {

    private @Nullable Throwable failure;

    /** Runs a step, and remembers its exception. */
    @SuppressWarnings("ReferenceEquality") // nothing can be suppressed in itself
    public Closing step(Runnable step) {
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

    /** Throws the first exception of the steps; the later ones are suppressed in it. */
    public void end() {
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

    /** Closes resources that a failure would leave open. Their exceptions are suppressed in the failure. */
    public static void after(Throwable failure, Runnable step) {
        new Closing().with(failure).step(step);
    }

    private Closing with(Throwable first) {
        failure = first;
        return this;
    }
}
