package dev.usher;

import io.lettuce.core.api.async.RedisAsyncCommands;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads that ride together when many come at once (natural batching): up to {@value #MAX_UNDER_WAY} calls are under way at
 * a time, each {@code GET} by itself; what comes while they are goes with the next one, as one {@code MGET}.
 *
 * <p>So a few callers wait for nobody, and many share the cost of a call. Thread-safe, without a lock.
 */
final class BatchedReads {

    private static final int MAX_UNDER_WAY = 16;
    private static final int MAX_BATCH = 256;

    private final RedisAsyncCommands<String, byte[]> redis;
    private final IntConsumer sizes;
    private final AtomicInteger underWay = new AtomicInteger();
    private final Queue<Read> waiting = new ConcurrentLinkedQueue<>();

    /**
     * Over a connection.
     *
     * @param sizes is told of how many reads are in each call
     */
    BatchedReads(RedisAsyncCommands<String, byte[]> redis, IntConsumer sizes) {
        this.redis = redis;
        this.sizes = sizes;
    }

    /** A read and who waits for it. */
    private static final class Read extends CompletableFuture<byte @Nullable []> {

        private final String key;

        private Read(String key) {
            this.key = key;
        }
    }

    /** The bytes under a key, or {@code null} when there are none; completed on Redis' event loop. */
    CompletableFuture<byte @Nullable []> get(String key) {
        if (tryBegin()) {
            Read read = new Read(key);
            send(List.of(read));
            return read;
        }
        Read read = new Read(key);
        waiting.add(read);
        // The last call under way may have ended just before the read was added.
        if (tryBegin()) {
            sendWaiting();
        }
        return read;
    }

    /** The bytes under several keys, in one call of its own. */
    CompletableFuture<List<byte @Nullable []>> getAll(List<String> keys) {
        sizes.accept(keys.size());
        return redis.mget(keys.toArray(String[]::new))
                .<List<byte @Nullable []>>thenApply(values ->
                        values.stream().map(value -> value.getValueOrElse(null)).toList())
                .toCompletableFuture();
    }

    private boolean tryBegin() {
        int now = underWay.get();
        while (now < MAX_UNDER_WAY) {
            if (underWay.compareAndSet(now, now + 1)) {
                return true;
            }
            now = underWay.get();
        }
        return false;
    }

    /** Sends what waits, or ends a call: the place of one under way is this method's to give back. */
    private void sendWaiting() {
        while (true) {
            List<Read> batch = new ArrayList<>();
            for (Read next = waiting.poll(); next != null; next = batch.size() < MAX_BATCH ? waiting.poll() : null) {
                batch.add(next);
            }
            if (!batch.isEmpty()) {
                send(batch);
                return;
            }
            underWay.decrementAndGet();
            if (waiting.isEmpty() || !tryBegin()) {
                return;
            }
        }
    }

    private void send(List<Read> batch) {
        sizes.accept(batch.size());
        try {
            if (batch.size() == 1) {
                Read read = batch.get(0);
                var unused = redis.get(read.key).whenComplete((value, failure) -> {
                    sendWaiting();
                    complete(read, value, failure);
                });
            } else {
                String[] keys = batch.stream().map(read -> read.key).toArray(String[]::new);
                var unused = redis.mget(keys).whenComplete((values, failure) -> {
                    sendWaiting();
                    for (int i = 0; i < batch.size(); i++) {
                        complete(batch.get(i), failure == null ? values.get(i).getValueOrElse(null) : null, failure);
                    }
                });
            }
        } catch (RuntimeException e) {
            // The connection is closed for good; nothing is under way, and nothing ever will be.
            batch.forEach(read -> read.completeExceptionally(e));
            sendWaiting();
        }
    }

    private static void complete(Read read, byte @Nullable [] value, @Nullable Throwable failure) {
        if (failure == null) {
            read.complete(value);
        } else {
            read.completeExceptionally(failure);
        }
    }
}
