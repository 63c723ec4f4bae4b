package dev.usher.testkit;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** The current faults in one direction of a {@link FaultProxy}. Thread-safe. */
final class Faults {
    private static final long NEVER = Long.MAX_VALUE;

    private final AtomicLong bytesUntilCut = new AtomicLong(NEVER);
    private volatile long delayNanos;
    private volatile boolean frozen;

    void delay(Duration delay) {
        delayNanos = delay.toNanos();
    }

    /** The time, as of {@link System#nanoTime}, before which a byte that has just arrived must not pass. */
    long dueNanos() {
        return System.nanoTime() + delayNanos;
    }

    void freeze() {
        frozen = true;
    }

    void thaw() {
        frozen = false;
    }

    boolean isFrozen() {
        return frozen;
    }

    void cutAfter(long bytes) {
        bytesUntilCut.set(bytes);
    }

    void neverCut() {
        bytesUntilCut.set(NEVER);
    }

    /** Decides on the next {@code wanted} bytes, and counts those that pass. */
    Passage pass(int wanted) {
        while (true) {
            long left = bytesUntilCut.get();
            if (left == NEVER) {
                return new Passage(wanted, false);
            }
            boolean last = left <= wanted;
            if (bytesUntilCut.compareAndSet(left, last ? NEVER : left - wanted)) {
                return new Passage(last ? (int) left : wanted, last);
            }
        }
    }

    /**
     * How many bytes may pass, and whether the connection is to be cut after them.
     *
     * @param bytes between zero and the number wanted
     */
    record Passage(int bytes, boolean thenCut) {}
}
