package dev.usher;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The callers that wait for a load of another process. The push of its fill, or of another change of the key, wakes them. Thread-safe.
 */
final class WakeUps<K> {

    private final ConcurrentMap<K, CompletableFuture<Void>> waiting = new ConcurrentHashMap<>();

    /** A wake-up for each, which will come at the next {@link #wake} of its id. */
    List<CompletableFuture<Void>> of(List<K> ids) {
        return ids.stream()
                .map(id -> waiting.computeIfAbsent(id, any -> new CompletableFuture<>()))
                .toList();
    }

    /** Waits for any of these wake-ups, at most for a time. */
    static void awaitAny(List<CompletableFuture<Void>> wakeUps, long nanos) throws InterruptedException {
        try {
            CompletableFuture.anyOf(wakeUps.toArray(CompletableFuture[]::new)).get(nanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            // The time is over: the caller decides what to do.
        } catch (ExecutionException e) {
            throw new IllegalStateException("a wake-up is never completed with an exception", e);
        }
    }

    void wake(K id) {
        CompletableFuture<Void> wakeUp = waiting.remove(id);
        if (wakeUp != null) {
            wakeUp.complete(null);
        }
    }

    void wakeAll() {
        waiting.keySet().forEach(this::wake);
    }
}
