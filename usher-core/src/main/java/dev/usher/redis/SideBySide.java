package dev.usher.redis;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/** A call that waits for a server, beside others of its kind: on another thread, or on the calling one where no other has begun it. */
final class SideBySide<T> implements Runnable {

    private final Supplier<T> call;
    private final AtomicBoolean begun = new AtomicBoolean();
    private final CompletableFuture<T> result = new CompletableFuture<>();

    private SideBySide(Supplier<T> call) {
        this.call = call;
    }

    /**
     * Makes all calls, and returns when all have ended.
     *
     * @param others threads that may be busy: the calling thread makes what they have not begun
     * @return the results, in the order of the calls
     */
    static <T> List<T> all(List<Supplier<T>> calls, Executor others) {
        List<SideBySide<T>> all = new ArrayList<>(calls.size());
        calls.forEach(call -> all.add(new SideBySide<>(call)));
        for (SideBySide<T> other : all.subList(1, all.size())) {
            try {
                others.execute(other);
            } catch (RejectedExecutionException e) {
                // The calling thread makes it.
            }
        }
        all.forEach(SideBySide::run);
        try {
            return all.stream().map(one -> one.result.join()).toList();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException known ? known : e;
        }
    }

    @Override
    public void run() {
        if (begun.compareAndSet(false, true)) {
            try {
                result.complete(call.get());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        }
    }
}
