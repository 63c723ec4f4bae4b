package dev.usher;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Rows of longs, in memory or in a memory-mapped file. One thread appends, without allocating; others, also in other processes, read the
 * rows that have been appended so far.
 */
final class Rows {

    private final LongBuffer longs;
    private final int width;

    private Rows(LongBuffer longs, int width) {
        this.longs = longs;
        this.width = width;
    }

    static Rows inMemory(int width, int capacity) {
        return new Rows(LongBuffer.allocate(1 + width * capacity), width);
    }

    /** A new file, which takes up space only as it is filled. */
    static Rows create(Path file, int width, int capacity) {
        return map(file, width, Long.BYTES * (1L + (long) width * capacity));
    }

    static Rows open(Path file, int width) {
        return map(file, width, file.toFile().length());
    }

    private static Rows map(Path file, int width, long bytes) {
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
            return new Rows(
                    channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes)
                            .order(ByteOrder.nativeOrder())
                            .asLongBuffer(),
                    width);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot map " + file, e);
        }
    }

    int size() {
        int size = (int) longs.get(0);
        VarHandle.acquireFence();
        return size;
    }

    long get(int row, int column) {
        return longs.get(1 + row * width + column);
    }

    /** Where the next row begins; {@link #added} counts it. */
    private int next() {
        return 1 + size() * width;
    }

    private void added() {
        VarHandle.releaseFence();
        longs.put(0, longs.get(0) + 1);
    }

    void add(long first, long second, long third) {
        int at = next();
        longs.put(at, first);
        longs.put(at + 1, second);
        longs.put(at + 2, third);
        added();
    }

    void add(long[] row) {
        longs.put(next(), row);
        added();
    }
}
