package dev.usher;

import dev.usher.redis.Closing;
import dev.usher.redis.RedisPrimary;
import dev.usher.redis.RedisSettings;
import dev.usher.redis.SharedTier;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the caches of one {@link UserCaches} share: the shared tier, the outbox of fences, the threads, the clock, the meters, and whether
 * they are closed. It tells each facet's cache of changes. Thread-safe.
 */
final class Engine implements RedisPrimary.Listener, AutoCloseable {

    /** They wait more than they work. */
    private static final int WORKERS = 32;

    private static final int MAX_WAITING = 10_000;

    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private final RateLimitedLog pushLog = new RateLimitedLog(log);
    private final String keyPrefix;
    private final InstantSource clock;
    private final ScheduledThreadPoolExecutor scheduler;
    private final ThreadPoolExecutor workers;
    private final Executor executor;
    private final Meters meters;
    private final BatchSizes batchSizes;
    private final SharedTier shared;
    private final FenceOutbox fences;
    private final ConcurrentMap<String, FacetCache> caches = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Makes the tokens of this process unlike those of every other. */
    private final String node = UUID.randomUUID().toString();

    private final AtomicLong tokens = new AtomicLong();

    /**
     * What the engine needs to know.
     *
     * @param keyPrefix what all keys begin with
     * @param executor for work that no caller does on its own thread, or {@code null} for the engine's own threads
     * @param maxFences how many unconfirmed invalidations are kept, each by itself
     */
    record Settings(
            String keyPrefix, RedisSettings redis, @Nullable Executor executor, Timing timing, int maxFences) {}

    /** What the engine asks of a facet's cache. */
    interface FacetCache {

        /** What Redis holds for the user with this id has changed. Called on an event loop. */
        void changed(String idText);

        /** Adds the change of the user whose id has this text, of whatever type the ids of this cache are. */
        void announce(String idText, Announcement announcement);

        /** How the last call of the source has failed, or {@code null}. */
        @Nullable String sourceTrouble();

        /** Why values are not cached, or {@code null} when they are. */
        @Nullable String misfit();

        /** Answers nothing from memory any more, and lets callers that wait see that the caches are closed. */
        void close();
    }

    /** Not yet connected. */
    Engine(Settings settings, Meters meters) {
        this.keyPrefix = settings.keyPrefix();
        this.clock = settings.redis().clock();
        this.scheduler = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "usher-timer");
            thread.setDaemon(true);
            return thread;
        });
        scheduler.setRemoveOnCancelPolicy(true);
        scheduler.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy()); // after close()
        this.workers = new ThreadPoolExecutor(
                WORKERS, WORKERS, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(MAX_WAITING), task -> {
                    Thread thread = new Thread(task, "usher-worker");
                    thread.setDaemon(true);
                    return thread;
                });
        workers.allowCoreThreadTimeOut(true);
        this.executor = settings.executor() == null ? workers : settings.executor();
        this.meters = meters;
        this.batchSizes = meters.sharedBatchSizes();
        this.shared = new SharedTier(settings.redis(), keyPrefix, nameOf(node), scheduler, batchSizes, this);
        this.fences = new FenceOutbox(
                shared,
                scheduler,
                keyPrefix,
                settings.maxFences(),
                settings.timing().offersEnd());
    }

    /** What an operator knows this process by. */
    private static String nameOf(String node) {
        return ManagementFactory.getRuntimeMXBean().getName().replaceAll("\\s", "-")
                + '-'
                + node.substring(0, node.indexOf('-'));
    }

    /** Connects. */
    void open() {
        meters.watermarkOf(shared);
        meters.pendingOf(fences);
        shared.open();
    }

    /**
     * Adds the cache of a facet.
     *
     * @param longestAnswer how long it may answer after the last sign of life of this node
     * @throws IllegalStateException when there is a cache of a facet of this name already, or the engine is closed
     */
    void add(String facet, FacetCache cache, Duration longestAnswer) {
        if (caches.putIfAbsent(facet, cache) != null) {
            throw new IllegalStateException("the facet '" + facet + "' has a cache already");
        }
        if (closed.get()) {
            cache.close(); // by this thread, or by the one that closes
            requireOpen();
        }
        shared.register().limit(facet, longestAnswer);
    }

    /**
     * Ends the session first, so that a receipt need not wait for this node; then closes the caches, sends what the outbox still holds,
     * and ends the threads and the connections. Each step is taken whatever the others throw. A second call does nothing.
     */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        Closing closing = new Closing().step(shared::endSessions);
        caches.values().forEach(cache -> closing.step(cache::close));
        closing.step(fences::drain).step(meters::close).step(scheduler::shutdownNow);
        // What has not begun ends at once, for it finds the caches closed.
        workers.shutdownNow().forEach(closing::step);
        closing.step(shared.register()::leave).step(shared::close).end();
    }

    boolean isClosed() {
        return closed.get();
    }

    void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the caches are closed");
        }
    }

    String keyPrefix() {
        return keyPrefix;
    }

    SharedTier shared() {
        return shared;
    }

    FenceOutbox fences() {
        return fences;
    }

    Executor executor() {
        return executor;
    }

    ScheduledExecutorService scheduler() {
        return scheduler;
    }

    InstantSource clock() {
        return clock;
    }

    Counters countersOf(String facet) {
        return meters.countersOf(facet);
    }

    CacheStats statsOf(Counters counters) {
        return counters.read(batchSizes, fences.size(), shared.watermarkAge());
    }

    /** A token for a claim, unlike every other in whatever process. */
    String nextToken() {
        return node + '.' + tokens.incrementAndGet();
    }

    /** Changes of users in each facet: those whose ids have the same texts. */
    Announcement announcementOf(Collection<?> ids) {
        Announcement announcement = new Announcement(fences);
        ids.forEach(id -> caches.values().forEach(cache -> cache.announce(id.toString(), announcement)));
        return announcement;
    }

    /** What is said of the facets, by name, of those of which something is said. */
    Map<String, String> byFacet(Function<FacetCache, @Nullable String> said) {
        Map<String, String> all = new TreeMap<>();
        caches.forEach((facet, cache) -> {
            String text = said.apply(cache);
            if (text != null) {
                all.put(facet, text);
            }
        });
        return all;
    }

    @Override
    public void changed(String key) {
        int idFrom = keyPrefix.length() + 1;
        int idTo = key.lastIndexOf(':');
        if (idTo > idFrom && key.startsWith(keyPrefix) && key.charAt(idFrom - 1) == ':') {
            FacetCache cache = caches.get(key.substring(idTo + 1));
            if (cache != null) {
                cache.changed(key.substring(idFrom, idTo));
            }
        }
    }

    @Override
    public void notUnderstood(RuntimeException failure) {
        pushLog.error("A push message of Redis could not be parsed; the near tier is emptied", failure);
    }

    @Override
    public void disconnected(RedisPrimary primary) {
        fences.resendRecent(primary);
    }
}
