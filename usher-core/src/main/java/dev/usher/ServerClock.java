package dev.usher;

import java.time.Duration;

/**
 * One look at the clock of the Redis server, from which its time can be told without asking again.
 *
 * @param millis what the server's clock showed, in milliseconds since the epoch
 * @param receivedAt when the answer had come, in {@link System#nanoTime()}
 */
record ServerClock(long millis, long receivedAt) {

    /** After this long a look is out of date: quartz clocks drift apart, and clocks are slewed. */
    private static final Duration FRESH_FOR = Duration.ofSeconds(30);

    /** More than two clocks can drift apart while a look is fresh, at the 500 parts per million of a slewed clock. */
    private static final long MAX_DRIFT_MILLIS = 50;

    boolean isFresh(long nanoTime) {
        return nanoTime - receivedAt < FRESH_FOR.toNanos();
    }

    /** The least that the server's clock can have shown at a moment of {@link System#nanoTime()}, past or to come. */
    long leastAt(long nanoTime) {
        // The server answered before the answer came, so at receivedAt its clock showed at least `millis`.
        return millis + Math.floorDiv(nanoTime - receivedAt, 1_000_000L) - MAX_DRIFT_MILLIS;
    }
}
