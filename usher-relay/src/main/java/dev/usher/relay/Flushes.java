package dev.usher.relay;

import dev.usher.RateLimitedLog;
import dev.usher.UserCaches;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Full flushes: one after each moment at which one was wanted. One that fails is done again, until the relay is closed. Thread-safe.
 */
final class Flushes {

    private static final Logger log = LoggerFactory.getLogger(Flushes.class);
    private static final RateLimitedLog reasonLog = new RateLimitedLog(log);

    private static final long RETRY_MILLIS = 1000;

    private final UserCaches caches;
    private final ScheduledExecutorService timer;
    private final AtomicLong wanted = new AtomicLong();
    private final LongAdder begun = new LongAdder();
    private final AtomicBoolean running = new AtomicBoolean();
    private volatile long done;
    private volatile @Nullable String lastError;

    /**
     * None yet.
     *
     * @param timer when it is shut down, no flush is begun any more
     */
    Flushes(UserCaches caches, ScheduledExecutorService timer) {
        this.caches = caches;
        this.timer = timer;
    }

    /**
     * Everything is to be flushed that was read before this call.
     *
     * @param why in words
     */
    void want(String why) {
        wanted.incrementAndGet();
        reasonLog.warn("Everything cached is flushed: {}", why);
        runIfWanted();
    }

    /** Whether each flush that was wanted has been confirmed. */
    boolean isDone() {
        return done >= wanted.get();
    }

    /** How many have been begun: one makes up for all that were wanted before it. */
    long count() {
        return begun.sum();
    }

    /** Why the latest attempt has failed, or {@code null} when it has not. */
    @Nullable String lastError() {
        return lastError;
    }

    private void runIfWanted() {
        if (isDone() || timer.isShutdown() || !running.compareAndSet(false, true)) {
            return;
        }
        long upTo = wanted.get();
        begun.increment();
        var unused = begin().whenComplete((flushed, failure) -> {
            if (failure == null) {
                done = upTo;
                lastError = null;
                log.info("Everything cached has been flushed");
            } else {
                lastError = "the flush failed: " + Texts.reasonOf(failure);
            }
            running.set(false);
            var unusedToo =
                    timer.schedule(this::runIfWanted, failure == null ? 0 : RETRY_MILLIS, TimeUnit.MILLISECONDS);
        });
    }

    private CompletableFuture<Void> begin() {
        try {
            return caches.flush();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }
}
