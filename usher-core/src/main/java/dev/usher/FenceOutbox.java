package dev.usher;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sends fences, and keeps those that Redis has not confirmed until it has. Thread-safe. */
final class FenceOutbox {

    private static final Logger log = LoggerFactory.getLogger(FenceOutbox.class);

    private static final Duration RETRY = Duration.ofMillis(100);
    private static final Duration LAST_ROUND = Duration.ofSeconds(1);
    private static final int ROUND_SIZE = 1000;

    /** Until then a silent Redis is not sent the same again: it may still have what was sent before. */
    private static final Duration LONGEST_ROUND = Duration.ofSeconds(30);

    private final SharedTier shared;
    private final ScheduledExecutorService scheduler;

    /** By key, a mark of the latest change: a fence that was sent before that change does not strike it off. */
    private final ConcurrentMap<String, Object> pending = new ConcurrentHashMap<>();

    private final AtomicBoolean retrying = new AtomicBoolean();

    FenceOutbox(SharedTier shared, ScheduledExecutorService scheduler) {
        this.shared = shared;
        this.scheduler = scheduler;
    }

    /**
     * Announces a fence: from now on, until Redis has confirmed one that is sent later, this node does not believe what
     * Redis says of the key.
     *
     * @return the mark of this change
     */
    Object announce(String key) {
        Object mark = new Object();
        pending.put(key, mark);
        return mark;
    }

    /**
     * Sends an announced fence.
     *
     * @return whether Redis has confirmed it; otherwise it is kept
     */
    boolean send(String key, Object mark) {
        try {
            shared.fence(key);
            pending.remove(key, mark);
            return true;
        } catch (SharedTierException e) {
            log.warn("The invalidation of {} could not be sent, and is kept: {}", key, e.getMessage());
            retryLater();
            return false;
        }
    }

    /** Whether Redis may still hold what a change on this node has made old. */
    boolean isPending(String key) {
        return !pending.isEmpty() && pending.containsKey(key);
    }

    int size() {
        return pending.size();
    }

    /** Sends what is kept, a last time. */
    void drain() {
        if (pending.isEmpty()) {
            return;
        }
        try {
            sendPending().get(LAST_ROUND.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            // What is left is said below.
        }
        if (!pending.isEmpty()) {
            log.error(
                    "{} invalidations could not be sent before the end: Redis may hold old values of {}{}",
                    pending.size(),
                    pending.keySet().stream().limit(20).toList(),
                    pending.size() > 20 ? " and others" : "");
        }
    }

    private void retryLater() {
        if (retrying.compareAndSet(false, true)) {
            var unused = scheduler.schedule(this::retry, RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void retry() {
        var unused = sendPending()
                .orTimeout(LONGEST_ROUND.toMillis(), TimeUnit.MILLISECONDS)
                .whenComplete((done, failure) -> {
                    retrying.set(false);
                    if (pending.isEmpty()) {
                        log.info("All invalidations that were kept have been sent");
                    } else {
                        retryLater();
                    }
                });
    }

    /** Sends without waiting, so that nobody's renewal waits behind it. */
    private CompletableFuture<?> sendPending() {
        List<CompletableFuture<?>> sent = new ArrayList<>();
        for (Map.Entry<String, Object> change : pending.entrySet()) {
            if (sent.size() == ROUND_SIZE) {
                break;
            }
            String key = change.getKey();
            Object mark = change.getValue();
            sent.add(shared.sendFence(key).thenRun(() -> pending.remove(key, mark)));
        }
        return CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new));
    }
}
