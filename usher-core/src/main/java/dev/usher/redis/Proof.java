package dev.usher.redis;

/** When the latest write was sent to a server that has been read back there over another connection. Thread-safe; asking takes no lock. */
final class Proof {

    private static final long LONG_AGO = 1L << 61;

    private volatile long at = System.nanoTime() - LONG_AGO;

    private volatile long lastAt = System.nanoTime();

    /** A write of this moment of {@link System#nanoTime()} has been read back: it may be an older one than another that was. */
    synchronized void readBack(long sentAt) {
        if (sentAt - at > 0) {
            at = sentAt;
            lastAt = sentAt;
        }
    }

    /** What was sent after this moment of {@link System#nanoTime()} does not count. */
    synchronized void noLaterThan(long moment) {
        if (at - moment > 0) {
            at = moment;
        }
    }

    /** The server may be another one than before. */
    synchronized void forget() {
        at = System.nanoTime() - LONG_AGO;
    }

    /** Whether the latest write was sent within the bound. */
    boolean isWithin(long boundNanos, long now) {
        return now - at <= boundNanos;
    }

    /** When the latest write was sent, also after {@link #forget}; or when this began if there has been none. */
    long lastAt() {
        return lastAt;
    }
}
