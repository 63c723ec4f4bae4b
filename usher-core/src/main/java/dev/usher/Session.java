package dev.usher;

/**
 * A stretch of time in which this node hears of every change: it begins when Redis has begun to track the node's reads, and
 * ends with the connection, or when Redis forgets everything.
 *
 * <p>What was read in a session may be answered from memory as long as the session's watermark is recent: the moment up to
 * which the node has provably seen every change. A session that has ended has none.
 *
 * <p>Thread-safe; reading takes no lock.
 */
final class Session {

    /** So long ago that no bound reaches back to it, and still at a distance that two {@code nanoTime}s can have. */
    private static final long NEVER = 1L << 61;

    private volatile long watermark;
    private boolean ended;

    Session(long watermark) {
        this.watermark = watermark;
    }

    /** The same watermark, for what is read from now on. */
    Session next() {
        return new Session(watermark);
    }

    /** Every change before this moment of {@link System#nanoTime()} has been seen. */
    synchronized void seenUpTo(long moment) {
        if (!ended && moment - watermark > 0) {
            watermark = moment;
        }
    }

    /** Nothing that was read in this session is answered any more. */
    synchronized void end() {
        ended = true;
        watermark = System.nanoTime() - NEVER;
    }

    /** Whether every change has been seen that is older than the bound. */
    boolean isWithin(long boundNanos, long now) {
        return now - watermark <= boundNanos;
    }

    long age(long now) {
        return now - watermark;
    }
}
