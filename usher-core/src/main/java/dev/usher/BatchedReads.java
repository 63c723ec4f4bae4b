package dev.usher;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
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
    private final Semaphore places = new Semaphore(MAX_UNDER_WAY);
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

    /**
     * The bytes under each key, or {@code null} where there are none, or something else than a string; completed on Redis'
     * event loop. One key rides with others, several are company enough. Who cancels the answer withdraws what has not been
     * sent yet.
     */
    CompletableFuture<List<byte @Nullable []>> getAll(List<String> keys) {
        if (keys.size() == 1) {
            Read read = get(keys.get(0));
            return withdrawnWithItsAnswer(List.of(read), read.thenApply(Collections::singletonList));
        }
        List<Read> reads = keys.stream().map(Read::new).toList();
        for (int from = 0; from < reads.size(); from += MAX_BATCH) {
            send(reads.subList(from, Math.min(from + MAX_BATCH, reads.size())), () -> {});
        }
        return withdrawnWithItsAnswer(
                reads,
                CompletableFuture.allOf(reads.toArray(CompletableFuture[]::new))
                        .thenApply(done ->
                                reads.stream().map(CompletableFuture::join).toList()));
    }

    /** Who has given up is not to be sent, nor to be kept, while Redis hangs. */
    private <T> CompletableFuture<T> withdrawnWithItsAnswer(List<Read> reads, CompletableFuture<T> answer) {
        var unused = answer.whenComplete((values, failure) -> {
            if (failure != null && answer.isCancelled()) {
                reads.stream().filter(read -> read.cancel(false)).forEach(waiting::remove);
            }
        });
        return answer;
    }

    private Read get(String key) {
        Read read = new Read(key);
        if (places.tryAcquire()) {
            send(List.of(read), this::sendWaiting);
            return read;
        }
        waiting.add(read);
        // The last call under way may have ended just before the read was added.
        if (places.tryAcquire()) {
            sendWaiting();
        }
        return read;
    }

    /** Sends what waits, or ends a call: the place of one under way is this method's to give back. */
    private void sendWaiting() {
        while (true) {
            List<Read> batch = new ArrayList<>();
            for (Read next = waiting.poll(); next != null; next = batch.size() < MAX_BATCH ? waiting.poll() : null) {
                if (!next.isDone()) {
                    batch.add(next);
                }
            }
            if (!batch.isEmpty()) {
                send(batch, this::sendWaiting);
                return;
            }
            places.release();
            if (waiting.isEmpty() || !places.tryAcquire()) {
                return;
            }
        }
    }

    private void send(List<Read> batch, Runnable next) {
        sizes.accept(batch.size());
        try {
            if (batch.size() == 1) {
                Read read = batch.get(0);
                var unused = redis.get(read.key).whenComplete((value, failure) -> {
                    next.run();
                    complete(read, value, isWrongType(failure) ? null : failure);
                });
            } else {
                String[] keys = batch.stream().map(read -> read.key).toArray(String[]::new);
                var unused = redis.mget(keys).whenComplete((values, failure) -> {
                    next.run();
                    for (int i = 0; i < batch.size(); i++) {
                        complete(batch.get(i), failure == null ? values.get(i).getValueOrElse(null) : null, failure);
                    }
                });
            }
        } catch (RuntimeException e) {
            // The connection is closed for good; nothing is under way, and nothing ever will be.
            batch.forEach(read -> read.completeExceptionally(e));
            next.run();
        }
    }

    /** As an {@code MGET}, which knows no other types. */
    private static boolean isWrongType(@Nullable Throwable failure) {
        return failure instanceof RedisCommandExecutionException
                && String.valueOf(failure.getMessage()).startsWith("WRONGTYPE");
    }

    private static void complete(Read read, byte @Nullable [] value, @Nullable Throwable failure) {
        if (failure == null) {
            read.complete(value);
        } else {
            read.completeExceptionally(failure);
        }
    }
}
