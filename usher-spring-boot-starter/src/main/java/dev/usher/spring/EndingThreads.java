package dev.usher.spring;

import dev.usher.RateLimitedLog;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.LoggerFactory;
import org.springframework.scheduling.concurrent.CustomizableThreadFactory;

/**
 * The threads that end what is open for revoked users. A peer that does not read can hold one of them for as long as its server
 * waits; nothing else waits for it longer than a listener has. At rest there are none.
 */
final class EndingThreads implements AutoCloseable {

    /** How long a listener waits for what it ends. There are two, and all listeners have half a second together. */
    private static final Duration PATIENCE = Duration.ofMillis(240);

    private static final int MAX = 32;

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(EndingThreads.class));
    private final ThreadPoolExecutor threads;
    private final Duration patience;

    EndingThreads() {
        this(PATIENCE);
    }

    /**
     * As those of an application, but for the time that listeners have.
     *
     * @param patience how long a listener waits for what it ends
     */
    EndingThreads(Duration patience) {
        this.patience = patience;
        CustomizableThreadFactory named = new CustomizableThreadFactory("usher-end-");
        named.setDaemon(true);
        threads = new ThreadPoolExecutor(MAX, MAX, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named);
        threads.allowCoreThreadTimeOut(true);
    }

    /** Something that may fail. */
    @FunctionalInterface
    interface Step {

        void run() throws Exception;
    }

    /** How long a listener waits for what it ends. */
    Duration patience() {
        return patience;
    }

    /** Runs a step on a thread of these. A failure is logged, and completes it all the same. */
    CompletableFuture<Void> run(Step step) {
        try {
            return CompletableFuture.runAsync(() -> attempt(step), threads);
        } catch (RejectedExecutionException e) {
            // The application is closing, and everything that is open with it.
            return CompletableFuture.completedFuture(null);
        }
    }

    void attempt(Step step) {
        try {
            step.run();
        } catch (Exception | LinkageError e) {
            log.warn("Something that was open for a revoked user could not be ended: {}", e.toString());
        }
    }

    /** Runs a step later. */
    void runLater(Duration delay, Step step) {
        Executor later = CompletableFuture.delayedExecutor(delay.toNanos(), TimeUnit.NANOSECONDS, task -> {
            try {
                threads.execute(task);
            } catch (RejectedExecutionException e) {
                // As above.
            }
        });
        later.execute(() -> attempt(step));
    }

    /**
     * Waits for steps.
     *
     * @param deadline of {@link System#nanoTime}
     * @return whether they have come to their end
     */
    static boolean await(Collection<CompletableFuture<Void>> steps, long deadline) {
        try {
            CompletableFuture.allOf(steps.toArray(CompletableFuture[]::new))
                    .get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
