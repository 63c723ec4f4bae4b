package dev.usher.redis;

import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.output.ValueOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads, batched when many come at once (natural batching): up to {@value #MAX_UNDER_WAY} calls are under way at a time, each {@code GET} by
 * itself; reads that come meanwhile go with the next one, as one {@code MGET}.
 *
 * <p>So a few callers wait for no other, and many share the cost of a call. Thread-safe, without a lock.
 */
final class BatchedReads {

    private static final int MAX_UNDER_WAY = 16;
    private static final int MAX_BATCH = 256;

    private final StatefulRedisConnection<String, byte[]> connection;
    private final RedisAsyncCommands<String, byte[]> redis;

    /** Whether keys may be in several slots, which one command may not name. */
    private final boolean ofSlots;

    private final IntConsumer sizes;
    private final Semaphore places = new Semaphore(MAX_UNDER_WAY);
    private final Queue<Read> waiting = new ConcurrentLinkedQueue<>();

    /**
     * Over a connection.
     *
     * @param ofSlots whether keys may be in several slots: then a batch is one {@code GET} for each, sent at once
     * @param sizes is told of how many reads are in each call
     */
    BatchedReads(StatefulRedisConnection<String, byte[]> connection, boolean ofSlots, IntConsumer sizes) {
        this.connection = connection;
        this.ofSlots = ofSlots;
        this.redis = connection.async();
        this.sizes = sizes;
    }

    /** A read, until it is answered. To cancel it withdraws it, if it has not been sent yet. */
    private final class Read extends CompletableFuture<byte @Nullable []> {

        private final String key;

        private Read(String key) {
            this.key = key;
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            boolean cancelled = super.cancel(mayInterruptIfRunning);
            if (cancelled) {
                // The read of a caller that has given up is not to be kept while Redis hangs.
                waiting.remove(this);
            }
            return cancelled;
        }
    }

    /**
     * The bytes under a key, or {@code null} where there are none, or something else than a string; completed on Redis' event
     * loop. It may be sent with others; to cancel it withdraws it, if it has not been sent yet.
     */
    CompletableFuture<byte @Nullable []> get(String key) {
        Read read = new Read(key);
        if (places.tryAcquire()) {
            send(List.of(read));
            return read;
        }
        waiting.add(read);
        // The last call under way may have ended just before the read was added.
        if (places.tryAcquire()) {
            sendWaiting();
        }
        return read;
    }

    /** As {@link #get} for each key. They are a batch already, and are sent at once. A key that is refused alone fails no other one. */
    CompletableFuture<List<StoredValue>> getAll(List<String> keys) {
        if (keys.size() > MAX_BATCH) {
            return getAll(keys.subList(0, MAX_BATCH))
                    .thenCombine(getAll(keys.subList(MAX_BATCH, keys.size())), BatchedReads::joined);
        }
        sizes.accept(keys.size());
        try {
            if (ofSlots) {
                return getEach(keys);
            }
            return redis.mget(keys.toArray(String[]::new)).toCompletableFuture().thenApply(BatchedReads::valuesOf);
        } catch (RuntimeException e) {
            // The connection is closed for good.
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<List<StoredValue>> getEach(List<String> keys) {
        List<AsyncCommand<String, byte[], byte[]>> commands = new ArrayList<>(keys.size());
        for (String key : keys) {
            commands.add(new AsyncCommand<>(new Command<>(
                    CommandType.GET,
                    new ValueOutput<>(TextKeysCodec.INSTANCE),
                    new CommandArgs<>(TextKeysCodec.INSTANCE).addKey(key))));
        }
        var unused = connection.dispatch(commands);
        return CompletableFuture.allOf(commands.stream()
                        .map(command -> command.handle((value, failure) -> null))
                        .map(CompletionStage::toCompletableFuture)
                        .toArray(CompletableFuture[]::new))
                .thenApply(done -> commands.stream().map(BatchedReads::valueOf).toList());
    }

    /** The answer of a command that is done. */
    private static StoredValue valueOf(AsyncCommand<String, byte[], byte[]> command) {
        try {
            return StoredValue.of(command.join());
        } catch (CompletionException e) {
            if (isWrongType(e.getCause())) {
                return StoredValue.of(null);
            }
            if (RedisLink.isAnswer(e.getCause())) {
                return new StoredValue(null, e.getCause());
            }
            throw e; // the connection is lost, for all of them
        }
    }

    private static List<StoredValue> valuesOf(List<KeyValue<String, byte[]>> values) {
        List<StoredValue> stored = new ArrayList<>(values.size());
        for (KeyValue<String, byte[]> value : values) {
            stored.add(StoredValue.of(value.getValueOrElse(null)));
        }
        return stored;
    }

    private static List<StoredValue> joined(List<StoredValue> some, List<StoredValue> others) {
        List<StoredValue> all = new ArrayList<>(some);
        all.addAll(others);
        return all;
    }

    /** Sends what waits, or ends a call: the place of one under way is this method's to give back. */
    private void sendWaiting() {
        do {
            List<Read> batch = takeWaiting();
            if (!batch.isEmpty()) {
                send(batch);
                return;
            }
            places.release();
        } while (!waiting.isEmpty() && places.tryAcquire());
    }

    private List<Read> takeWaiting() {
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<Read> batch = new ArrayList<>();
        for (Read next = waiting.poll(); next != null; next = batch.size() < MAX_BATCH ? waiting.poll() : null) {
            if (!next.isDone()) {
                batch.add(next);
            }
        }
        return batch;
    }

    private void send(List<Read> batch) {
        if (batch.size() > 1) {
            sendTogether(batch);
            return;
        }
        Read read = batch.get(0);
        sizes.accept(1);
        try {
            var unused = redis.get(read.key).whenComplete((value, failure) -> {
                sendWaiting();
                complete(read, value, isWrongType(failure) ? null : failure);
            });
        } catch (RuntimeException e) {
            // The connection is closed for good; nothing is under way, and nothing ever will be.
            read.completeExceptionally(e);
            sendWaiting();
        }
    }

    private void sendTogether(List<Read> batch) {
        var unused = getAll(batch.stream().map(read -> read.key).toList()).whenComplete((values, failure) -> {
            sendWaiting();
            for (int i = 0; i < batch.size(); i++) {
                StoredValue value = failure == null ? values.get(i) : new StoredValue(null, failure);
                complete(batch.get(i), value.bytes(), value.refusal());
            }
        });
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
