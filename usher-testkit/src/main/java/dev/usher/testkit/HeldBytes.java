package dev.usher.testkit;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The bytes that one connection has sent in one direction and the proxy has not forwarded yet: a queue whose head is released
 * when it is due and the direction is not frozen. For one producer and one consumer thread.
 */
final class HeldBytes {
    private static final int CAPACITY = 8 * 1024 * 1024;

    private final Faults faults;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Parcel> parcels = new ArrayDeque<>();
    private int size;
    private boolean closed;

    HeldBytes(Faults faults) {
        this.faults = faults;
    }

    Faults faults() {
        return faults;
    }

    /** Adds bytes or an end of the stream, once there is room. After {@link #close} they are dropped. */
    void add(Kind kind, ByteBuffer bytes) throws InterruptedException {
        Parcel parcel = new Parcel(kind, bytes, faults.dueNanos());
        lock.lock();
        try {
            while (size >= CAPACITY && !closed) {
                changed.await();
            }
            parcels.add(parcel);
            size += bytes.remaining();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the head of the queue is released; null after {@link #close}. */
    @Nullable Parcel take() throws InterruptedException {
        lock.lock();
        try {
            while (!closed) {
                Parcel head = parcels.peek();
                if (head == null || faults.isFrozen()) {
                    changed.await();
                    continue;
                }
                long wait = head.dueNanos() - System.nanoTime();
                if (wait <= 0) {
                    parcels.remove();
                    size -= head.bytes().remaining();
                    changed.signalAll();
                    return head;
                }
                long ignored = changed.awaitNanos(wait);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Checks again whether the direction is frozen. */
    void wake() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void close() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** What a {@link Parcel} means to the side it goes to. */
    enum Kind {
        /** Some bytes. */
        BYTES,
        /** No more bytes come this way; the other way may go on. */
        END,
        /** The connection broke, or was never made. */
        BREAK
    }

    /**
     * Bytes that arrived together, or an end of the stream.
     *
     * @param bytes empty for an end
     * @param dueNanos not to be forwarded before this time, as of {@link System#nanoTime}
     */
    record Parcel(Kind kind, ByteBuffer bytes, long dueNanos) {}
}
