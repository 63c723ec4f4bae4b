package dev.usher;

import java.time.Duration;

/**
 * One look at the clock of the Redis server, from which the time that it showed later can be told without asking again.
 *
 * @param millis what the server's clock showed, in milliseconds since the epoch
 * @param receivedAt when the answer had come, in {@link System#nanoTime()}
 */
record ServerClock(long millis, long receivedAt) {

    private static final Duration FRESH_FOR = Duration.ofSeconds(30);

    /** Whether a moment after this look, but not long after it, can be told by it. */
    boolean covers(long nanoTime) {
        long since = nanoTime - receivedAt;
        return since >= 0 && since < FRESH_FOR.toNanos();
    }

    /** The least that the server's clock can have shown at a moment that this look covers. */
    long leastAt(long nanoTime) {
        // The server answered before the answer came, so at receivedAt its clock showed at least `millis`. Since then
        // it
        // may have run slower than ours: a clock that is being corrected is slewed by up to a twelfth.
        long since = (nanoTime - receivedAt) / 1_000_000L;
        return millis + since - since / 10 - 1;
    }
}
