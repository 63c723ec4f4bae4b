package dev.usher.redis;

import org.jspecify.annotations.Nullable;

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
 * <p>One <em>within</em> another ends with that one, and has seen no more; but it can be held and ended by itself.
 *
 * <p>Thread-safe; reading takes no lock.
 */
public final class Session {

    /** Further than any bound reaches, and still a distance that two {@code nanoTime}s can have. */
    private static final long FAR = 1L << 61;

    private final boolean tracked;

    /** The session that this one is within, or {@code null}. */
    private final @Nullable Session outer;

    /** Another session that this one is within, or {@code null}: never without an outer one. */
    private final @Nullable Session also;

    /** Whether changes of what was read while it was missing may go unseen. */
    private final boolean ofSlots;

    /** Every change before this moment has been seen. */
    private volatile long seen;

    /** The same while what was read may be answered, else a moment that is within no bound. */
    private volatile long watermark;

    private boolean ended;
    private boolean closed;
    private long closedAt;

    private Session(boolean tracked, @Nullable Session outer, @Nullable Session also, boolean ofSlots, long watermark) {
        this.tracked = tracked;
        this.outer = outer;
        this.also = also;
        this.ofSlots = ofSlots;
        this.seen = watermark;
        this.watermark = watermark;
    }

    /** Every change before this moment of {@link System#nanoTime()} has been seen, or was before anything that is read. */
    public static Session tracked(long watermark) {
        return new Session(true, null, null, false, watermark);
    }

    /**
     * As {@link #tracked}, on a primary whose slots may move: no push tells that a key which was missing when it was read has come to be on another
     * primary.
     */
    static Session trackedOfSlots(long watermark) {
        return new Session(true, null, null, true, watermark);
    }

    /** One that has seen what both of two tracked sessions have seen, and ends with the first of them; for the rest, it is as the first one. */
    static Session withinBoth(Session one, Session other) {
        return new Session(true, one, other, one.ofSlots, System.nanoTime() + FAR);
    }

    /** One that has seen what a tracked session has seen, until it is held or ended by itself. */
    static Session within(Session outer) {
        return new Session(true, outer, null, outer.ofSlots, System.nanoTime() + FAR);
    }

    public static Session untracked() {
        return new Session(false, null, null, false, System.nanoTime() + FAR);
    }

    /** One that has ended, for what is read while nothing may be answered again. */
    public static Session ended() {
        Session session = untracked();
        session.end();
        return session;
    }

    public boolean isTracked() {
        return tracked;
    }

    /** Whether it may not be told of a user that was missing and has come to be: then an absence is answered for the staleness bound at most. */
    public boolean hearsOfNoNewcomers() {
        return ofSlots && !Rule.ABSENT_FOR_BOUND.isOut();
    }

    /** The same watermark, for what is read from now on. */
    public synchronized Session next() {
        Session next = new Session(tracked, outer, also, ofSlots, seen);
        if (closed) {
            next.closeUntilSeen(closedAt);
        }
        return next;
    }

    /** Every change before this moment of {@link System#nanoTime()} has been seen. */
    public synchronized void seenUpTo(long moment) {
        if (ended || moment - seen <= 0) {
            return;
        }
        seen = moment;
        if (closed && moment - closedAt <= 0) {
            return;
        }
        closed = false;
        watermark = moment;
    }

    /** What was seen after this moment of {@link System#nanoTime()} does not count. An untracked session has seen nothing, and stays as it is. */
    synchronized void seenNoLaterThan(long moment) {
        if (tracked && !ended && seen - moment > 0) {
            seen = moment;
            if (!closed) {
                watermark = moment;
            }
        }
    }

    /** From now until {@link #release}, what the outer session sees does not count. */
    synchronized void hold() {
        if (!ended && outer != null && seen - outer.seen > 0) {
            seen = outer.seen;
            watermark = seen;
        }
    }

    /** Everything that the outer session has seen counts again. */
    synchronized void release() {
        if (!ended && outer != null) {
            seen = System.nanoTime() + FAR;
            watermark = seen;
        }
    }

    /** Nothing that was read in this session is answered, until every change before this moment has been seen. */
    synchronized void closeUntilSeen(long moment) {
        closed = true;
        closedAt = moment;
        watermark = moment - FAR;
    }

    /** Nothing that was read in this session is answered any more. */
    public synchronized void end() {
        hold();
        ended = true;
        watermark = System.nanoTime() - FAR;
    }

    /** Whether the session has not ended, and every change has been seen that is older than the bound. */
    public boolean isWithin(long boundNanos, long now) {
        return now - watermark <= boundNanos
                && (outer == null
                        || (outer.isWithin(boundNanos, now) && (also == null || also.isWithin(boundNanos, now))));
    }

    /** The last moment at which what was read at a moment in this session, and not changed since, was known to be true. */
    public long knownUntil(long readAt) {
        long seenUpTo = seen();
        return tracked && seenUpTo - readAt > 0 ? seenUpTo : readAt;
    }

    /** How old the watermark of a tracked session is. */
    long age(long now) {
        return now - seen();
    }

    private long seen() {
        long mine = seen;
        if (outer == null) {
            return mine;
        }
        long least = mine - outer.seen <= 0 ? mine : outer.seen;
        return also == null || least - also.seen <= 0 ? least : also.seen;
    }
}
