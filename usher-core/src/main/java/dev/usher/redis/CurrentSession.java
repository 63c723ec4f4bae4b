package dev.usher.redis;

/** The session under way: there is always one, an untracked one at first. Thread-safe; asking takes no lock. */
final class CurrentSession {

    private volatile Session session = Session.untracked();
    private boolean closed;

    Session get() {
        return session;
    }

    /** Ends the session under way, and begins another. */
    synchronized void replace(Session next) {
        if (closed) {
            return;
        }
        Session ended = session;
        session = next;
        ended.end();
    }

    /**
     * As {@link #replace}, if the session under way is still the one that the caller knows: otherwise the caller's knowledge of the
     * connection is outdated.
     */
    synchronized boolean replace(Session known, Session next) {
        if (closed || session != known) {
            return false;
        }
        replace(next);
        return true;
    }

    /** Ends the session under way, and begins one like it. */
    synchronized void renew() {
        replace(session.next());
    }

    /**
     * Notes that time has passed which this machine has not counted: earlier answers are not given until they are known to be true
     * again.
     */
    synchronized void distrust(long now) {
        if (session.isTracked()) {
            session.closeUntilSeen(now);
        } else {
            replace(Session.untracked());
        }
    }

    /** Ends the session under way, and lets no other one begin. */
    synchronized void close() {
        replace(Session.ended());
        closed = true;
    }
}
