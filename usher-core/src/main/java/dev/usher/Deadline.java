package dev.usher;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The time by which something is to be complete. {@link CompletableFuture#orTimeout} has a thread of the JDK's that never ends, and holds
 * the class loader of the application by which it was started; this has the timer that ends with the caches.
 */
final class Deadline {

    private Deadline() {}

    /** Fails a future with a {@link TimeoutException}, unless it is complete by then; returns that future. */
    static <T> CompletableFuture<T> of(
            CompletableFuture<T> future, Duration timeout, ScheduledExecutorService scheduler) {
        ScheduledFuture<?> end = scheduler.schedule(
                () -> future.completeExceptionally(new TimeoutException()), timeout.toNanos(), TimeUnit.NANOSECONDS);
        var unused = future.whenComplete((result, failure) -> end.cancel(false));
        return future;
    }
}
