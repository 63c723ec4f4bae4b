package dev.usher;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sends fences, and keeps those that Redis has not confirmed until it has. Thread-safe. */
final class FenceOutbox {

    private static final Logger log = LoggerFactory.getLogger(FenceOutbox.class);

    private static final Duration RETRY = Duration.ofMillis(100);

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
     * Sends a fence.
     *
     * @return whether Redis has confirmed it; otherwise it is kept
     */
    boolean send(String key) {
        // Pending from the start: until Redis has confirmed, this node may not believe what Redis says of the key.
        Object mark = new Object();
        pending.put(key, mark);
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

    private void retryLater() {
        if (retrying.compareAndSet(false, true)) {
            var unused = scheduler.schedule(this::retry, RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void retry() {
        retrying.set(false);
        for (Map.Entry<String, Object> change : pending.entrySet()) {
            String key = change.getKey();
            Object mark = change.getValue();
            try {
                shared.fence(key);
                pending.remove(key, mark);
                log.info("The invalidation of {} has been sent at last", key);
            } catch (SharedTierException e) {
                retryLater();
                return;
            }
        }
    }
}
