package dev.usher;

import dev.usher.NearTier.CachedAnswer;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;

/**
 * When an entry in memory is loaded again, so that no caller has to wait when it expires in Redis; only a few are loaded at a time.
 *
 * <p>Memory does not know the TTL that an entry has left in Redis. So an entry that is still asked for is looked at a moment after it was read,
 * which tells. Thread-safe.
 */
final class RefreshAhead {

    private static final Duration FIRST_LOOK = Duration.ofSeconds(1);
    private static final int MAX_AT_A_TIME = 8;

    private final Executor executor;
    private final Duration window;
    private final Duration afterRead;
    private final Duration afterFill;
    private final Semaphore places = new Semaphore(MAX_AT_A_TIME);

    RefreshAhead(CachePolicy policy, Executor executor) {
        this.executor = executor;
        this.window = policy.refreshWindow();
        boolean never = window.isZero();
        this.afterRead = never ? NearTier.NEVER : Collections.min(List.of(again(), FIRST_LOOK));
        this.afterFill =
                never ? NearTier.NEVER : policy.jittered(policy.ttl(), 1).minus(window);
    }

    /** How long before its end in Redis an entry is loaded again; zero for never. */
    Duration window() {
        return window;
    }

    /** After which an entry is due that was found in Redis. */
    Duration afterRead() {
        return afterRead;
    }

    /** After which an entry is due that this process has stored in Redis. */
    Duration afterFill() {
        return afterFill;
    }

    /** After which an entry is due again whose refresh came to nothing. */
    Duration again() {
        return window.dividedBy(4);
    }

    /**
     * Submits the refresh of an entry that is due. The caller, which has its answer, does not wait; nothing is thrown.
     *
     * @param refresh returns at once, and throws nothing
     */
    void submit(CachedAnswer<?> due, Supplier<CompletableFuture<?>> refresh) {
        // Many may be due at once; they can wait, and what else the executor has to do cannot.
        if (!places.tryAcquire()) {
            due.dueIn(Duration.ofMillis(ThreadLocalRandom.current().nextLong(1, 100)));
            return;
        }
        due.dueIn(again());
        try {
            executor.execute(() -> {
                var unused = refresh.get().whenComplete((done, failure) -> places.release());
            });
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            places.release();
        }
    }
}
