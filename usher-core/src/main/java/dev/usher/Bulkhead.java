package dev.usher;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * How many callers of a facet may wait in this process, and for how long: for a load of another caller, for a turn at the source, for a
 * load of another process. A caller that waits holds a thread, so these waits count together. Waits for an answer of Redis do not count:
 * they are short.
 *
 * <p>Each call of a cache is one {@link Call}. It takes a place when it first has to wait and gives the place back when it leads a query of
 * the source, which {@link BatchedLoads} bounds; all its waits together end at one deadline. Taking a place never waits, so no two calls
 * can wait for each other's places.
 *
 * <p>While the source answers, a call without a place may wait for it too, for {@link #GRACE}: many callers that miss at the same moment
 * are no sign of a source that hangs, and hold their threads for a moment only. Thread-safe, without a lock.
 */
final class Bulkhead {

    /** How long a call waits without a place, and how long a source may take before it counts as one that hangs. */
    static final Duration GRACE = Duration.ofMillis(100);

    private final Semaphore places;
    private final Duration maxWait;
    private final boolean hasGrace;
    private final LongSupplier nanoTime;
    private final AtomicInteger loading = new AtomicInteger();
    private volatile long loadingSince;
    private volatile long answeredAt;
    private volatile boolean hasFailed;

    Bulkhead(CachePolicy policy) {
        this(policy.maxWaitingLoads(), policy.maxWait(), System::nanoTime);
    }

    /**
     * A bulkhead.
     *
     * @param maxWaiting how many calls may wait at a time; with 0 none waits, not even for a moment
     * @param maxWait for how long after its beginning a call may wait
     * @param nanoTime as {@link System#nanoTime}
     */
    Bulkhead(int maxWaiting, Duration maxWait, LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.loadingSince = nanoTime.getAsLong();
        this.answeredAt = loadingSince;
        this.places = new Semaphore(maxWaiting);
        this.maxWait = maxWait;
        this.hasGrace = maxWaiting > 0;
    }

    /** A call that finds no place. It has no stack trace: a refusal has to cost less than what it refuses. */
    static final class CrowdedException extends Exception {

        private static final long serialVersionUID = 1L;

        private CrowdedException() {
            super("too many callers wait already (maxWaitingLoads)", null, false, false);
        }
    }

    /** A call that has waited for as long as it may; without a stack trace, too. */
    static final class OverdueException extends TimeoutException {

        private static final long serialVersionUID = 1L;

        OverdueException() {
            super("the call has waited for maxWait");
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

    /** Whether no further call finds a place now. */
    boolean isFull() {
        return places.availablePermits() <= 0;
    }

    /** Whether the source has not answered for a while, although it is asked, or has failed when it was asked last. */
    private boolean isStalled() {
        long now = nanoTime.getAsLong();
        return (loading.get() > 0 || hasFailed)
                && now - answeredAt > GRACE.toNanos()
                && now - loadingSince > GRACE.toNanos();
    }

    /** For how long a call may wait. */
    Duration maxWait() {
        return maxWait;
    }

    /** One call of a cache. Of the thread that calls. */
    final class Call implements AutoCloseable {

        private final long until = nanoTime.getAsLong() + maxWait.toNanos();
        private boolean holdsPlace;
        private long graceUntil;
        private boolean isInGrace;

        private Call() {}

        /** Takes a place, unless this call holds one already. */
        boolean takePlace() {
            if (!holdsPlace) {
                holdsPlace = places.tryAcquire();
            }
            return holdsPlace;
        }

        /**
         * Waits for the source, or for a load of another caller: in a place, or for a moment without one.
         *
         * @return the value of the future
         * @throws CrowdedException when there is no place, and the source does not answer at once
         * @throws OverdueException when this call may wait no longer
         */
        <T extends @Nullable Object> T await(CompletableFuture<T> coming)
                throws InterruptedException, ExecutionException, CrowdedException, OverdueException {
            if (coming.isDone()) {
                return coming.get();
            }
            requireMayWait();
            if (!holdsPlace && !isInGrace) {
                isInGrace = true;
                graceUntil = nanoTime.getAsLong() + GRACE.toNanos();
            }
            long left = holdsPlace ? nanosLeft() : Math.min(nanosLeft(), graceUntil - nanoTime.getAsLong());
            try {
                return coming.get(left, TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                if (!holdsPlace && takePlace()) {
                    return await(coming);
                }
                if (holdsPlace || nanosLeft() <= 0) {
                    throw new OverdueException();
                }
                throw new CrowdedException();
            }
        }

        /**
         * Takes a place, unless this call may wait for a moment without one.
         *
         * @throws CrowdedException when it may not
         */
        void requireMayWait() throws CrowdedException {
            if (!takePlace() && !isGraced()) {
                throw new CrowdedException();
            }
        }

        /** Notes that this call begins to query the source. */
        void loadBegins() {
            boolean isFirstSinceAnAnswer = answeredAt - loadingSince >= 0 || loading.get() == 0;
            if (isFirstSinceAnAnswer && !hasFailed) {
                loadingSince = nanoTime.getAsLong();
            }
            loading.incrementAndGet();
        }

        /** Notes that the source has answered the query. */
        void loadAnswered() {
            hasFailed = false;
            answeredAt = nanoTime.getAsLong();
            loading.decrementAndGet();
        }

        /**
         * Notes that the query has failed.
         *
         * @param isOfSource whether the source is the reason
         */
        void loadFailed(boolean isOfSource) {
            hasFailed |= isOfSource;
            loading.decrementAndGet();
        }

        /** Whether this call may wait for a moment without a place. */
        private boolean isGraced() {
            return hasGrace && !isStalled() && (!isInGrace || graceUntil - nanoTime.getAsLong() > 0);
        }

        /** Whether this call may not wait now: there is no place for it, or its time is over. */
        boolean isRefused() {
            return (!holdsPlace && isFull() && !isGraced()) || nanosLeft() <= 0;
        }

        /** How long this call may still wait, in nanoseconds; zero or less when it may not. */
        long nanosLeft() {
            return until - nanoTime.getAsLong();
        }

        /** Gives the place back, if this call holds one: it does not wait any more, or not now. */
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
