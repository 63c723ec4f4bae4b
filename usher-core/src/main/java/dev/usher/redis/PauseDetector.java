package dev.usher.redis;

import java.time.Duration;

/**
 * Detects that this machine was paused, such as a virtual machine that was stopped or a computer that slept: another clock has advanced
 * meanwhile, and {@link System#nanoTime} has not.
 *
 * <p>A clock that is set forward has the same effect. Thread-safe.
 */
final class PauseDetector {

    /** Shorter pauses are ignored: two clocks, and two readings of one clock, always differ a little. */
    private static final long TOLERANCE = Duration.ofMillis(50).toNanos();

    /** A clock that is being corrected runs slower or faster by a twelfth at most. */
    private static final int SLEW = 10;

    private boolean isKnown;
    private long millis;
    private long from;

    /**
     * Compares a reading of the other clock with the reading before.
     *
     * @param shown the time of the other clock, in milliseconds
     * @param askedAt a moment before the reading, by the clock of this machine in nanoseconds
     * @param answeredAt a moment after the reading
     * @return whether this machine was paused between the two readings
     */
    synchronized boolean detect(long shown, long askedAt, long answeredAt) {
        long mostPassed = answeredAt - from;
        boolean stoodStill = isKnown
                && Duration.ofMillis(shown - millis)
                                .minusNanos(mostPassed + Math.max(0, mostPassed) / SLEW + TOLERANCE)
                                .compareTo(Duration.ZERO)
                        > 0;
        isKnown = true;
        millis = shown;
        from = askedAt;
        return stoodStill;
    }

    /** Drops the reading before: the next one may be of another clock. */
    synchronized void forget() {
        isKnown = false;
    }
}
