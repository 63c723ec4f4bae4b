package dev.usher.redis;

/** Runs tasks after a time, unless they are cancelled before. Thread-safe. */
@FunctionalInterface
public interface Timeouts {

    /**
     * Runs a task once a time has passed.
     *
     * @return cancels the task; may be called at any time, by any thread
     */
    Runnable after(long nanos, Runnable task);
}
