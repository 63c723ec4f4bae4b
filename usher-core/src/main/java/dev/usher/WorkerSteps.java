package dev.usher;

import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The steps of reads that no thread waits for: they run on an executor. A step often comes from an event loop of Redis, which must not run it; so
 * what the executor rejects, or would run on the thread that hands it in, runs on a thread of the engine. Once the engine is closed, no step
 * runs. Thread-safe.
 */
final class WorkerSteps implements Steps {

    private final Executor executor;
    private final Executor workers;
    private final ScheduledExecutorService scheduler;

    /**
     * Steps on an executor.
     *
     * @param executor of the application, or the workers themselves
     * @param workers the threads of the engine
     */
    WorkerSteps(Executor executor, Executor workers, ScheduledExecutorService scheduler) {
        this.executor = executor;
        this.workers = workers;
        this.scheduler = scheduler;
    }

    @Override
    public boolean holdThread() {
        return false;
    }

    @Override
    public void execute(Runnable step) {
        Handover handover = new Handover(step);
        try {
            executor.execute(handover);
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            handover.isRefused = true;
        }
        handover.isOver = true;
        if (handover.isRefused) {
            workers.execute(handover);
        }
    }

    /** A step that is handed to an executor. It runs once, even where the executor has kept what it seemed to reject. */
    private static final class Handover implements Runnable {

        private final AtomicReference<@Nullable Runnable> step;
        private final Thread from = Thread.currentThread();

        // Of the thread that hands the step in.
        private boolean isOver;
        private boolean isRefused;

        private Handover(Runnable step) {
            this.step = new AtomicReference<>(step);
        }

        @Override
        public void run() {
            if (Thread.currentThread() == from && !isOver) {
                isRefused = true;
                return;
            }
            Runnable mine = step.getAndSet(null);
            if (mine != null) {
                mine.run();
            }
        }
    }

    @Override
    public Runnable after(long nanos, Runnable task) {
        ScheduledFuture<?> timeout = scheduler.schedule(task, nanos, TimeUnit.NANOSECONDS);
        return () -> timeout.cancel(false);
    }
}
