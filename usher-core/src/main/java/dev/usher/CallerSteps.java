package dev.usher;

import java.util.Iterator;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The steps of a caller that waits: they run on its own thread, so that a source sees the caller's transaction and thread-locals, and no other
 * thread has to be woken. Made and awaited by one thread; steps and timeouts may be added by any.
 */
final class CallerSteps implements Steps {

    private static final long NEVER = Long.MAX_VALUE;

    private final Thread caller = Thread.currentThread();
    private final Executor afterwards;
    private final long begun = System.nanoTime();
    private final Queue<Runnable> ready = new ConcurrentLinkedQueue<>();
    private final Queue<Timeout> timeouts = new ConcurrentLinkedQueue<>();

    /** Until when the caller is parked, in nanoseconds since the beginning. */
    private volatile long parkedUntil = NEVER;

    private volatile boolean isOver;
    private boolean isInterrupted;

    /**
     * Of the calling thread.
     *
     * @param afterwards runs what comes after the caller has its answer
     */
    CallerSteps(Executor afterwards) {
        this.afterwards = afterwards;
    }

    private static final class Timeout {

        private final long at;
        private final Runnable task;
        private volatile boolean isCancelled;

        private Timeout(long at, Runnable task) {
            this.at = at;
            this.task = task;
        }
    }

    @Override
    public boolean holdThread() {
        return true;
    }

    @Override
    public void execute(Runnable step) {
        ready.add(step);
        if (isOver) {
            runAfterwards();
        } else {
            wake();
        }
    }

    /** Wakes the caller, unless it is the one that runs: its next wait would begin with a wake-up for nothing. */
    private void wake() {
        if (Thread.currentThread() != caller) {
            LockSupport.unpark(caller);
        }
    }

    private void runAfterwards() {
        for (Runnable step = ready.poll(); step != null; step = ready.poll()) {
            afterwards.execute(step);
        }
    }

    @Override
    public Runnable after(long nanos, Runnable task) {
        Timeout timeout = new Timeout(elapsed() + Math.max(nanos, 0), task);
        timeouts.add(timeout);
        if (timeout.at < parkedUntil) {
            wake();
        }
        return () -> timeout.isCancelled = true;
    }

    private long elapsed() {
        return System.nanoTime() - begun;
    }

    /**
     * Runs the steps until there is an answer. An interrupt does not end that, but is passed on afterwards.
     *
     * @param interrupted called once when the caller is interrupted, or has been before
     * @return the answer
     * @throws CompletionException with what the answer has failed with
     */
    <T extends @Nullable Object> T await(CompletableFuture<T> answer, Runnable interrupted) {
        if (!answer.isDone()) {
            var unused = answer.whenComplete((result, failure) -> wake());
        }
        while (true) {
            runReady();
            if (answer.isDone()) {
                break;
            }
            if (Thread.interrupted()) {
                isInterrupted = true;
                interrupted.run();
            } else {
                park(answer);
            }
        }
        isOver = true;
        runAfterwards();
        if (isInterrupted) {
            caller.interrupt();
        }
        return answer.join();
    }

    private void runReady() {
        for (Runnable step = ready.poll(); step != null; step = ready.poll()) {
            run(step);
        }
        long now = elapsed();
        for (Iterator<Timeout> each = timeouts.iterator(); each.hasNext(); ) {
            Timeout timeout = each.next();
            if (timeout.isCancelled || timeout.at <= now) {
                each.remove();
                if (!timeout.isCancelled) {
                    run(timeout.task);
                }
            }
        }
    }

    /** A source is to see that its caller has been interrupted. */
    private void run(Runnable step) {
        if (isInterrupted) {
            caller.interrupt();
        }
        step.run();
        if (isInterrupted) {
            var unused = Thread.interrupted();
        }
    }

    private void park(CompletableFuture<?> answer) {
        parkedUntil = firstTimeout();
        // Again: a timeout that was added in between has not seen how long the caller is parked.
        long until = firstTimeout();
        if (ready.isEmpty() && !answer.isDone()) {
            if (until == NEVER) {
                LockSupport.park(this);
            } else if (until - elapsed() > 0) {
                LockSupport.parkNanos(this, until - elapsed());
            }
        }
        parkedUntil = NEVER;
    }

    private long firstTimeout() {
        long first = NEVER;
        for (Timeout timeout : timeouts) {
            if (!timeout.isCancelled) {
                first = Math.min(first, timeout.at);
            }
        }
        return first;
    }
}
