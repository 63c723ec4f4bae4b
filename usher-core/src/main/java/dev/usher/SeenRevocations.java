package dev.usher;

import dev.usher.redis.KeySpace;
import dev.usher.redis.RevokedKeys;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this node does about revocations that it has seen, one after the other: it forgets the users, and lets listeners end what is open for them. Thread-safe.
 */
final class SeenRevocations implements AutoCloseable {

    /** How long the node waits for listeners before it confirms. */
    private static final Duration LISTENERS = Duration.ofMillis(500);

    private static final Logger log = LoggerFactory.getLogger(SeenRevocations.class);

    private final RateLimitedLog slowLog = new RateLimitedLog(log);
    private final RateLimitedLog failureLog = new RateLimitedLog(log);
    private final ExecutorService forgetting = oneThread("usher-revocations");
    private final ExecutorService listening = oneThread("usher-revocation-listeners");

    private static ExecutorService oneThread(String name) {
        ThreadPoolExecutor executor =
                new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, name);
                    thread.setDaemon(true);
                    return thread;
                });
        executor.allowCoreThreadTimeOut(true);
        return executor;
    }

    /**
     * Processes some users, without waiting.
     *
     * @param processed is called at the end, unless this is closed before
     */
    void processed(RevokedKeys users, Collection<Engine> engines, IntConsumer processed) {
        try {
            forgetting.execute(() -> {
                engines.forEach(engine -> engine.forget(users));
                processed.accept(end(users, engines));
            });
        } catch (RejectedExecutionException e) {
            // Nothing is answered any more.
        }
    }

    private int end(RevokedKeys users, Collection<Engine> engines) {
        List<Engine> listened =
                engines.stream().filter(engine -> !engine.listeners().isEmpty()).toList();
        if (listened.isEmpty()) {
            return 0;
        }
        Future<Integer> ended = listening.submit(
                () -> listened.stream().mapToInt(engine -> end(users, engine)).sum());
        try {
            return ended.get(LISTENERS.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            slowLog.warn(
                    "The listeners of revocations have not returned within {} ms; the revocation is confirmed without them",
                    LISTENERS.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            failureLog.warn("A listener of revocations has failed", e.getCause());
        }
        return 0;
    }

    private int end(RevokedKeys users, Engine engine) {
        RevokedUsers asked = users.isEveryone()
                ? RevokedUsers.everyone()
                : new RevokedUsers((facet, id) -> users.contains(new KeySpace(engine.keyPrefix(), facet).keyOf(id)));
        int sum = 0;
        for (RevocationListener listener : engine.listeners()) {
            try {
                sum += Math.max(0, listener.revoked(asked));
            } catch (RuntimeException e) {
                failureLog.warn("A listener of revocations has failed", e);
            }
        }
        return sum;
    }

    @Override
    public void close() {
        forgetting.shutdownNow();
        listening.shutdownNow();
    }
}
