package dev.usher;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

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
