package dev.usher.redis;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Whether a Redis answers often enough to be waited for: a window over the last ten calls. A missed call opens the breaker when at
 * least five calls are in the window and half of them were missed. No call closes it again, only {@link #close}.
 *
 * <p>Thread-safe, and without a lock. While all of the last ten calls were answered, another answer writes nothing.
 */
final class CircuitBreaker {

    private static final int WINDOW = 10;
    private static final int MIN_CALLS = 5;
    private static final int MISSES = (1 << WINDOW) - 1;
    private static final int OPEN = -1;

    /** {@link #OPEN}, or a bit for each call in the window, set if it was missed, and above these bits the number of calls. */
    private final AtomicInteger state = new AtomicInteger();

    boolean isOpen() {
        return state.get() == OPEN;
    }

    /** Notes a call that was answered in time. */
    void answered() {
        note(0);
    }

    /** Notes a call that was not answered in time. */
    void missed() {
        note(1);
    }

    /** Closes the breaker, with an empty window. Without effect while it is closed. */
    void close() {
        state.compareAndSet(OPEN, 0);
    }

    private void note(int missed) {
        int before;
        int after;
        do {
            before = state.get();
            after = after(before, missed);
        } while (after != before && !state.compareAndSet(before, after));
    }

    private static int after(int state, int missed) {
        if (state == OPEN) {
            return OPEN;
        }
        int calls = Math.min(WINDOW, (state >> WINDOW) + 1);
        int misses = (state << 1 | missed) & MISSES;
        boolean opens = missed == 1 && calls >= MIN_CALLS && 2 * Integer.bitCount(misses) >= calls;
        return opens ? OPEN : calls << WINDOW | misses;
    }
}
