package dev.usher.redis;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Completes a future exceptionally after a time. {@link CompletableFuture#orTimeout} uses a thread of the JDK that never ends, and that
 * holds the class loader of the application that has started it; this class uses the timer of the caches, which ends with them.
 */
public final class Deadline {

    private Deadline() {}

    /** Fails a future with a {@link TimeoutException}, unless it is complete by then; returns that future. */
    public static <T> CompletableFuture<T> of(
            CompletableFuture<T> future, Duration timeout, ScheduledExecutorService scheduler) {
        ScheduledFuture<?> end = scheduler.schedule(
                () -> future.completeExceptionally(new TimeoutException()), timeout.toNanos(), TimeUnit.NANOSECONDS);
        var unused = future.whenComplete((result, failure) -> end.cancel(false));
        return future;
    }
}
