package dev.usher;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What {@link CompletableFuture} lacks. */
final class Futures {

    private Futures() {}

    /** What a stage has failed with: a dependent stage sees it wrapped. */
    static Throwable causeOf(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /** The result of a call that returns a future, or throws. */
    static <T extends @Nullable Object> CompletableFuture<T> of(Supplier<CompletableFuture<T>> call) {
        try {
            return call.get();
        } catch (Throwable e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * What comes after a stage, however that has ended.
     *
     * @param next takes the result, or {@code null}, and the failure, unwrapped, or {@code null}
     */
    static <T extends @Nullable Object, U extends @Nullable Object> CompletableFuture<U> then(
            CompletableFuture<T> stage, BiFunction<@Nullable T, @Nullable Throwable, CompletableFuture<U>> next) {
        Then<T, U> then = new Then<>(next);
        var unused = stage.whenComplete(then);
        return then;
    }

    /** One future where {@link CompletableFuture#handle} and {@link CompletableFuture#thenCompose} are two. */
    private static final class Then<T extends @Nullable Object, U extends @Nullable Object> extends CompletableFuture<U>
            implements BiConsumer<@Nullable T, @Nullable Throwable> {

        private final BiFunction<@Nullable T, @Nullable Throwable, CompletableFuture<U>> next;

        private Then(BiFunction<@Nullable T, @Nullable Throwable, CompletableFuture<U>> next) {
            this.next = next;
        }

        @Override
        public void accept(@Nullable T result, @Nullable Throwable failure) {
            try {
                relay(next.apply(result, failure == null ? null : causeOf(failure)), this);
            } catch (Throwable e) {
                completeExceptionally(e);
            }
        }
    }

    /** Completes a future as another one is. */
    static <T extends @Nullable Object> void relay(CompletableFuture<T> from, CompletableFuture<T> to) {
        var unused = from.whenComplete((result, failure) -> {
            if (failure == null) {
                to.complete(result);
            } else {
                to.completeExceptionally(failure);
            }
        });
    }

    /** Throws what a call has failed with, which declares no checked exceptions. */
    static RuntimeException thrown(Throwable failure) {
        Throwable cause = causeOf(failure);
        if (cause instanceof Error error) {
            throw error;
        }
        return cause instanceof RuntimeException known ? known : new IllegalStateException(cause);
    }
}
