package dev.usher;

import dev.usher.redis.Timeouts;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Where the steps of a read run that may take long, or run the application's code: to decode what Redis holds, to query the source. Between
 * two steps a read needs no thread. A step that only sends something runs on the thread that has brought the answer before it.
 */
interface Steps extends Executor, Timeouts {

    /** Whether a thread waits for the read all the time. */
    boolean holdThread();

    /** Runs a step. The result fails with what the step throws, or with the reason why no thread runs it. */
    default <T extends @Nullable Object> CompletableFuture<T> run(Callable<T> step) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            execute(() -> {
                try {
                    result.complete(step.call());
                } catch (Throwable e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            result.completeExceptionally(e);
        }
        return result;
    }

    /** As {@link #run}, of a step that brings its result later. */
    default <T extends @Nullable Object> CompletableFuture<T> compose(Supplier<CompletableFuture<T>> step) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            execute(() -> Futures.relay(Futures.of(step), result));
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            result.completeExceptionally(e);
        }
        return result;
    }
}
