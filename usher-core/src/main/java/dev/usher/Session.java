package dev.usher;

/**
 * A stretch of time in which what is read may be kept, for as long as the session has not ended.
 *
 * <p>In a <em>tracked</em> session this node hears of every change: it begins when Redis has begun to track the node's reads,
 * and ends with the connection, or when Redis forgets everything. What was read in it may be answered from memory as long as
 * its watermark is recent: the moment up to which the node has provably seen every change.
 *
 * <p>In an <em>untracked</em> one it hears of none: it lasts while there is no other. What was read in it may be answered for
 * a while, by its own age.
 *
 * <p>Thread-safe; reading takes no lock.
 */
final class Session {

    /** Further than any bound reaches, and still a distance that two {@code nanoTime}s can have. */
    private static final long FAR = 1L << 61;

    private final boolean tracked;
    private volatile long watermark;
    private boolean ended;

    /** The watermark at the end. */
    private long lastWatermark;

    private Session(boolean tracked, long watermark) {
        this.tracked = tracked;
        this.watermark = watermark;
    }

    /** Every change before this moment of {@link System#nanoTime()} has been seen, or was before anything that is read. */
    static Session tracked(long watermark) {
        return new Session(true, watermark);
    }

    static Session untracked() {
        return new Session(false, System.nanoTime() + FAR);
    }

    /** One that has ended, for what is read while nothing may be answered again. */
    static Session ended() {
        Session session = untracked();
        session.end();
        return session;
    }

    boolean isTracked() {
        return tracked;
    }

    /** The same watermark, for what is read from now on. */
    Session next() {
        return new Session(tracked, watermark);
    }

    /** Every change before this moment of {@link System#nanoTime()} has been seen. */
    synchronized void seenUpTo(long moment) {
        if (!ended && moment - watermark > 0) {
            watermark = moment;
        }
    }

    /** Nothing that was read in this session is answered any more. */
    synchronized void end() {
        if (!ended) {
            ended = true;
            lastWatermark = watermark;
        }
        watermark = System.nanoTime() - FAR;
    }

    /** Whether the session has not ended, and every change has been seen that is older than the bound. */
    boolean isWithin(long boundNanos, long now) {
        return now - watermark <= boundNanos;
    }

    /** The last moment at which what was read at a moment in this session, and not changed since, was known to be true. */
    synchronized long knownUntil(long readAt) {
        long seenUpTo = ended ? lastWatermark : watermark;
        return tracked && seenUpTo - readAt > 0 ? seenUpTo : readAt;
    }

    /** How old the watermark of a tracked session is. */
    long age(long now) {
        return now - watermark;
    }
}
