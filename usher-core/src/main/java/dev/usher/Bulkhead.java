package dev.usher;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How many callers of a facet may wait in this process, and for how long: for a load of another caller, for a turn at the source, for a
 * load of another process. A caller that waits holds a thread, so these waits count together; a caller that {@linkplain Steps#holdThread holds
 * none} does not count. Waits for an answer of Redis do not count: they are short.
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

    /** What ends the waits of calls without a thread, once the caches are closed and their timer with them. */
    private final Set<Runnable> ends = ConcurrentHashMap.newKeySet();

    private volatile boolean isOver;
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
    Call begin(Steps steps) {
        return new Call(steps);
    }

    /** Ends the waits of calls without a thread. The other callers have an eye on the time themselves. */
    void close() {
        isOver = true;
        ends.forEach(Runnable::run);
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

    /**
     * One call of a cache. Its steps come one after the other, on whichever thread; an interrupt and the end of a wait may come beside them. A
     * call that holds no thread needs no place.
     */
    final class Call implements AutoCloseable {

        private final Steps steps;
        private final long until = nanoTime.getAsLong() + maxWait.toNanos();

        /** They end the waits; {@code null} before the first one, which most calls have not. */
        private @Nullable Set<Runnable> interrupts;

        private volatile boolean isInterrupted;
        private boolean isClosed;
        private boolean holdsPlace;
        private long graceUntil;
        private boolean isInGrace;

        private Call(Steps steps) {
            this.steps = steps;
        }

        /** Where the steps of this call run. */
        Steps steps() {
            return steps;
        }

        /** Takes a place, unless this call holds one already, or needs none. */
        synchronized boolean takePlace() {
            if (!steps.holdThread()) {
                return true;
            }
            if (!holdsPlace && !isClosed) {
                holdsPlace = places.tryAcquire();
            }
            return holdsPlace;
        }

        /**
         * Waits for the source, or for a load of another caller: in a place, or for a moment without one.
         *
         * @return what comes. It fails with a {@link CrowdedException} when there is no place, and the source does not answer at once, with
         *     an {@link OverdueException} when this call may wait no longer, and with an {@link InterruptedException} when its thread has
         *     been interrupted
         */
        <T extends @Nullable Object> CompletableFuture<T> within(CompletableFuture<T> coming) {
            if (coming.isDone()) {
                return coming;
            }
            try {
                requireMayWait();
            } catch (CrowdedException e) {
                return CompletableFuture.failedFuture(e);
            }
            Wait<T> wait = new Wait<>();
            wait.begin(coming);
            return interruptible(wait);
        }

        /** Fails a wait of this call when its thread is interrupted, or, where it has none, when the caches are closed. */
        <T extends @Nullable Object> CompletableFuture<T> interruptible(CompletableFuture<T> wait) {
            if (wait.isDone()) {
                return wait;
            }
            return steps.holdThread()
                    ? endedBy(interrupts(), wait, InterruptedException::new, () -> isInterrupted)
                    : endedBy(ends, wait, Engine::closedException, () -> isOver);
        }

        private <T extends @Nullable Object> CompletableFuture<T> endedBy(
                Set<Runnable> all, CompletableFuture<T> wait, Supplier<Exception> failure, BooleanSupplier hasCome) {
            Runnable end = () -> wait.completeExceptionally(failure.get());
            all.add(end);
            var unused = wait.whenComplete((result, ended) -> all.remove(end));
            if (hasCome.getAsBoolean()) {
                end.run();
            }
            return wait;
        }

        /** The thread that waits for this call has been interrupted: it waits for other callers and for the source no more. */
        void interrupt() {
            isInterrupted = true;
            interrupts().forEach(Runnable::run);
        }

        private synchronized Set<Runnable> interrupts() {
            Set<Runnable> all = interrupts;
            if (all == null) {
                all = ConcurrentHashMap.newKeySet();
                interrupts = all;
            }
            return all;
        }

        private final class Wait<T extends @Nullable Object> extends CompletableFuture<T> {

            private volatile Runnable timeout = () -> {};
            private volatile boolean isInPlace;

            private void begin(CompletableFuture<T> coming) {
                isInPlace = !needsPlace();
                timeout = steps.after(patience(), this::end);
                Futures.relay(coming, this);
                var unused = whenComplete((result, failure) -> timeout.run());
            }

            private void end() {
                if (isDone()) {
                    return;
                }
                if (isInPlace || nanosLeft() <= 0) {
                    completeExceptionally(new OverdueException());
                } else if (takePlace()) {
                    isInPlace = true;
                    timeout = steps.after(nanosLeft(), this::end);
                    if (isDone()) {
                        timeout.run();
                    }
                } else {
                    completeExceptionally(new CrowdedException());
                }
            }
        }

        /** How long a wait that begins now may take. */
        private synchronized long patience() {
            if (holdsPlace || !steps.holdThread()) {
                return nanosLeft();
            }
            if (!isInGrace) {
                isInGrace = true;
                graceUntil = nanoTime.getAsLong() + GRACE.toNanos();
            }
            return Math.min(nanosLeft(), graceUntil - nanoTime.getAsLong());
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
        private synchronized boolean isGraced() {
            return hasGrace && !isStalled() && (!isInGrace || graceUntil - nanoTime.getAsLong() > 0);
        }

        /** Whether this call may not wait now: there is no place for it, or its time is over. */
        boolean isRefused() {
            return nanosLeft() <= 0 || (needsPlace() && isFull() && !isGraced());
        }

        private synchronized boolean needsPlace() {
            return steps.holdThread() && !holdsPlace;
        }

        /** How long this call may still wait, in nanoseconds; zero or less when it may not. */
        long nanosLeft() {
            return until - nanoTime.getAsLong();
        }

        /** Gives the place back, if this call holds one: it does not wait any more, or not now. */
        synchronized void leave() {
            if (holdsPlace) {
                holdsPlace = false;
                places.release();
            }
        }

        @Override
        public synchronized void close() {
            isClosed = true;
            leave();
        }
    }
}
