package dev.usher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * One queue for the queries of several processes, as if their database answered so many a second, and no more. It is a file that all of them map. Thread-safe.
 */
final class QueryCap {

    private static final VarHandle LONGS = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final int LAST_TURN = 0;
    private static final int COUNT = Long.BYTES;

    private final MappedByteBuffer shared;
    private final long interval;

    private QueryCap(MappedByteBuffer shared, long interval) {
        this.shared = shared;
        this.interval = interval;
    }

    /** The queue of all that name this file. */
    static QueryCap in(Path file, int queriesPerSecond) {
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            return new QueryCap(
                    channel.map(FileChannel.MapMode.READ_WRITE, 0, 2 * Long.BYTES),
                    Duration.ofSeconds(1).toNanos() / queriesPerSecond);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot map " + file, e);
        }
    }

    /** Waits for the turn of a query. */
    void awaitTurn() {
        var unused = (long) LONGS.getAndAdd(shared, COUNT, 1L);
        long last;
        long turn;
        do {
            last = (long) LONGS.getVolatile(shared, LAST_TURN);
            turn = Math.max(System.nanoTime(), last + interval);
        } while (!LONGS.compareAndSet(shared, LAST_TURN, last, turn));
        for (long left = turn - System.nanoTime();
                left > 0 && !Thread.currentThread().isInterrupted();
                left = turn - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    /** How many queries there have been. */
    long count() {
        return (long) LONGS.getVolatile(shared, COUNT);
    }
}
