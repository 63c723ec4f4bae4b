package dev.usher;

import java.time.Duration;

/**
 * Notices that this machine has stood still, as a virtual machine that was paused or a computer that slept: another clock has gone on
 * meanwhile, and {@link System#nanoTime} has not.
 *
 * <p>A clock that is set forward looks the same. Thread-safe.
 */
final class PauseDetector {

    /** Shorter pauses go unnoticed: two clocks, and two readings of one, always differ a little. */
    private static final long TOLERANCE = Duration.ofMillis(50).toNanos();

    /** A clock that is being corrected runs slower or faster by a twelfth at most. */
    private static final int SLEW = 10;

    private boolean isKnown;
    private long millis;
    private long from;

    /**
     * Looks at the other clock.
     *
     * @param shown what it showed, in milliseconds
     * @param askedAt a moment before, by the clock of this machine in nanoseconds
     * @param answeredAt a moment after
     * @return whether this machine has stood still since the look before
     */
    synchronized boolean look(long shown, long askedAt, long answeredAt) {
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

    /** Forgets the look before: the next one may be at another clock. */
    synchronized void forget() {
        isKnown = false;
    }
}
