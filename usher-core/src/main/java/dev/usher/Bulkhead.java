package dev.usher;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;

/**
 * How many callers of a facet may wait in this process, and for how long: for a load of another caller, for a turn at the source, for a
 * load of another process. A caller that waits holds a thread, so these waits count together. Waits for an answer of Redis do not count:
 * they are short.
 *
 * <p>Each call of a cache is one {@link Call}. It takes a place when it first has to wait and gives the place back when it leads a query of
 * the source, which {@link BatchedLoads} bounds; all its waits together end at one deadline. Taking a place never waits, so no two calls
 * can wait for each other's places. Thread-safe, without a lock.
 */
final class Bulkhead {

    private final Semaphore places;
    private final Duration maxWait;

    Bulkhead(CachePolicy policy) {
        this(policy.maxWaitingLoads(), policy.maxWait());
    }

    /**
     * A bulkhead.
     *
     * @param maxWaiting how many calls may wait at a time
     * @param maxWait for how long one call may wait, all its waits together
     */
    Bulkhead(int maxWaiting, Duration maxWait) {
        this.places = new Semaphore(maxWaiting);
        this.maxWait = maxWait;
    }

    /** A call that finds no place. It has no stack trace: a refusal has to cost less than what it refuses. */
    static final class CrowdedException extends Exception {

        private static final long serialVersionUID = 1L;

        private CrowdedException() {
            super("too many callers wait already (maxWaitingLoads)", null, false, false);
        }
    }

    /** A call that may wait no longer; without a stack trace, too. */
    static final class OverdueException extends TimeoutException {

        private static final long serialVersionUID = 1L;

        OverdueException() {
            super("the call has waited as long as it may (maxWait)");
        }

        @Override
        @SuppressWarnings("UnsynchronizedOverridesSynchronized") // it only returns this
        public Throwable fillInStackTrace() {
            return this;
        }
    }

    /** Begins a call, and the time for which it may wait. It is to be closed. */
    Call begin() {
        return new Call();
    }

    /** Whether no further call may wait now. */
    private boolean isFull() {
        return places.availablePermits() <= 0;
    }

    /** For how long a call may wait. */
    Duration maxWait() {
        return maxWait;
    }

    /** One call of a cache. Of the thread that calls. */
    final class Call implements AutoCloseable {

        private final long until = System.nanoTime() + maxWait.toNanos();
        private boolean holdsPlace;

        private Call() {}

        /** Takes a place, unless this call holds one already. */
        boolean mayWait() {
            if (!holdsPlace) {
                holdsPlace = places.tryAcquire();
            }
            return holdsPlace;
        }

        /**
         * As {@link #mayWait}.
         *
         * @throws CrowdedException when there is no place
         */
        void requirePlace() throws CrowdedException {
            if (!mayWait()) {
                throw new CrowdedException();
            }
        }

        /** Whether this call may not wait now: there is no place for it, or its time is over. */
        boolean isRefused() {
            return (!holdsPlace && isFull()) || nanosLeft() <= 0;
        }

        /** How long this call may still wait, in nanoseconds; zero or less when it may not. */
        long nanosLeft() {
            return until - System.nanoTime();
        }

        /** Gives the place back, if this call holds one: it waits no more, or not now. */
        void leave() {
            if (holdsPlace) {
                holdsPlace = false;
                places.release();
            }
        }

        @Override
        public void close() {
            leave();
        }
    }
}
