package dev.usher;

import dev.usher.redis.Bookmarks;
import dev.usher.redis.Closing;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisPrimary;
import dev.usher.redis.RedisSettings;
import dev.usher.redis.RevokedKeys;
import dev.usher.redis.Session;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the caches of one {@link UserCaches} share: the shared tier, the outbox of fences, the threads, the clock, the meters, and whether
 * they are closed. It tells each facet's cache of changes. Thread-safe.
 *
 * <p>A {@linkplain #tenant tenant} is another prefix on the same connections and threads, with caches and an outbox of its own. Its {@linkplain #home
 * home} is the engine that owns what they share.
 */
final class Engine implements RedisPrimary.Listener, AutoCloseable {

    /** They wait more than they work. */
    private static final int WORKERS = 32;

    /** How many reads without a thread may be under way. */
    private static final int MAX_ASYNC_READS = 20_000;

    /** How long the end waits for Redis to confirm what the outboxes hold. */
    private static final Duration LAST_ROUND = Duration.ofSeconds(1);

    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private final RateLimitedLog pushLog = new RateLimitedLog(log);
    private final String keyPrefix;
    private final InstantSource clock;
    private final ScheduledThreadPoolExecutor scheduler;
    private final ThreadPoolExecutor workers;
    private final Executor executor;
    private final WorkerSteps steps;
    private final WorkerSteps stepsOfOwn;
    private final Semaphore asyncReads;
    private final Meters meters;
    private final BatchSizes batchSizes;
    private final SharedTier shared;
    private final FenceOutbox fences;
    private final ConcurrentMap<String, FacetCache> caches = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final SeenRevocations revocations;
    private final List<RevocationListener> listeners = new CopyOnWriteArrayList<>();

    /** Makes the tokens of this process unlike those of every other. */
    private final String node;

    private final AtomicLong tokens = new AtomicLong();

    /** The engine that owns what tenants share: this one, unless it is a tenant itself. */
    private final Engine home;

    private final int maxFences;
    private final Duration offersEnd;

    /** Of a home: when the next warning of an outbox is due. While Redis is away, each tenant has reason for one. */
    private final AtomicLong nextWarningAt = new AtomicLong(System.nanoTime());

    /** Of a home: itself and its tenants, by prefix. Changed under its lock, and read without. */
    private final ConcurrentMap<String, Engine> engines = new ConcurrentHashMap<>();

    /**
     * Of a home: the outboxes of tenants that have been closed, by prefix, while they are needed. They go on sending, and a tenant that is opened again does
     * not believe what Redis holds of their keys. Changed under the lock of the engines.
     */
    private final ConcurrentMap<String, FenceOutbox> outboxes = new ConcurrentHashMap<>();

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

        /** Users of some caches were revoked: what this cache knows of its own is forgotten, if it fails closed. */
        void revoked(RevokedKeys users);

        /** Adds the change of the user whose id has this text, of whatever type the ids of this cache are. */
        void announce(String idText, Announcement announcement);

        /** How the last call of the source has failed, or {@code null}. */
        @Nullable String sourceError();

        /** Why values are not cached, or {@code null} when they are. */
        @Nullable String misfit();

        /** How many users are being loaded, or what was loaded is being stored, about. */
        int underWay();

        /** Answers nothing from memory any more, and lets callers that wait see that the caches are closed. */
        void close();
    }

    /** Not yet connected. */
    Engine(Settings settings, Meters meters) {
        this.home = this;
        this.node = UUID.randomUUID().toString();
        this.keyPrefix = settings.keyPrefix();
        this.maxFences = settings.maxFences();
        this.offersEnd = settings.timing().offersEnd();
        engines.put(keyPrefix, this);
        this.clock = settings.redis().clock();
        this.scheduler = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "usher-timer");
            thread.setDaemon(true);
            return thread;
        });
        scheduler.setRemoveOnCancelPolicy(true);
        scheduler.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy()); // after close()
        this.workers =
                new ThreadPoolExecutor(WORKERS, WORKERS, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, "usher-worker");
                    thread.setDaemon(true);
                    return thread;
                });
        workers.allowCoreThreadTimeOut(true);
        this.executor = settings.executor() == null ? workers : settings.executor();
        this.steps = new WorkerSteps(executor, workers, scheduler);
        this.stepsOfOwn = new WorkerSteps(workers, workers, scheduler);
        this.asyncReads = new Semaphore(MAX_ASYNC_READS);
        this.meters = meters;
        this.batchSizes = meters.sharedBatchSizes();
        this.revocations = new SeenRevocations();
        this.shared = new SharedTier(settings.redis(), keyPrefix, nameOf(node), scheduler, workers, batchSizes, this);
        this.fences = outboxOf(keyPrefix);
    }

    /** A tenant. */
    private Engine(Engine home, String keyPrefix, FenceOutbox fences) {
        this.home = home;
        this.node = home.node;
        this.keyPrefix = keyPrefix;
        this.maxFences = home.maxFences;
        this.offersEnd = home.offersEnd;
        this.clock = home.clock;
        this.scheduler = home.scheduler;
        this.workers = home.workers;
        this.executor = home.executor;
        this.steps = home.steps;
        this.stepsOfOwn = home.stepsOfOwn;
        this.asyncReads = home.asyncReads;
        this.meters = home.meters;
        this.batchSizes = home.batchSizes;
        this.shared = home.shared;
        this.revocations = home.revocations;
        this.fences = fences;
    }

    /**
     * A tenant, closed by itself or together with its home.
     *
     * @throws IllegalArgumentException when the prefix is none, or cannot be told apart from another one
     * @throws IllegalStateException when the prefix is in use, or the engine or its home is closed
     */
    Engine tenant(String prefix) {
        KeySpace.requirePlainText(prefix, "the key prefix");
        requireOpen();
        home.requireOpen();
        Engine tenant = home.addTenant(prefix);
        if (home.isClosed()) {
            tenant.close(); // by this thread, or by the one that closes
            home.requireOpen();
        }
        return tenant;
    }

    private FenceOutbox outboxOf(String prefix) {
        return new FenceOutbox(shared, scheduler, prefix, maxFences, offersEnd, nextWarningAt);
    }

    /** All at once: of two prefixes that cannot be told apart, added at the same time, one is refused. */
    private Engine addTenant(String prefix) {
        synchronized (engines) {
            for (String other : engines.keySet()) {
                if (other.startsWith(prefix + ":") || prefix.startsWith(other + ":")) {
                    throw new IllegalArgumentException(
                            "the key prefixes '" + prefix + "' and '" + other + "' cannot be told apart in keys");
                }
            }
            if (engines.containsKey(prefix)) {
                throw new IllegalStateException("the key prefix '" + prefix + "' is in use already");
            }
            FenceOutbox left = outboxes.remove(prefix);
            Engine tenant = new Engine(this, prefix, left == null ? outboxOf(prefix) : left);
            engines.put(prefix, tenant);
            shared.addTenant(prefix);
            return tenant;
        }
    }

    /** All at once, too: the prefix may be added again at any moment. */
    private void removeTenant(Engine tenant) {
        synchronized (engines) {
            shared.removeTenant(tenant.keyPrefix);
            outboxes.values().removeIf(outbox -> !outbox.isNeeded());
            outboxes.put(tenant.keyPrefix, tenant.fences);
            engines.remove(tenant.keyPrefix);
        }
    }

    private boolean isTenant() {
        return home != this;
    }

    /** What an operator knows this process by. */
    private static String nameOf(String node) {
        return ManagementFactory.getRuntimeMXBean().getName().replaceAll("[\\s:#{}]", "-")
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
     * @throws IllegalStateException when there is a cache of a facet of this name already, or the engine is closed
     */
    void add(String facet, FacetCache cache, CachePolicy policy) {
        if (caches.putIfAbsent(facet, cache) != null) {
            throw new IllegalStateException("the facet '" + facet + "' has a cache already");
        }
        if (closed.get()) {
            cache.close(); // by this thread, or by the one that closes
            requireOpen();
        }
        shared.register().bound(policy.stalenessBound());
        if (policy.failsClosed()) {
            shared.register().limit(facet, policy.believedFor());
        }
    }

    /** Has a listener called from now on when users are revoked. */
    void onRevoked(RevocationListener listener) {
        listeners.add(listener);
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
        if (isTenant()) {
            new Closing()
                    .step(this::closeCaches)
                    .step(() -> fences.drain(System.nanoTime() + LAST_ROUND.toNanos()))
                    .step(() -> home.removeTenant(this))
                    .end();
            return;
        }
        Closing closing = new Closing().step(shared::endSessions);
        List<Engine> open = engines.values().stream()
                .filter(engine -> engine == this || engine.closed.compareAndSet(false, true))
                .toList();
        open.forEach(engine -> closing.step(engine::closeCaches));
        long until = System.nanoTime() + LAST_ROUND.toNanos();
        // Also of tenants that another thread is closing: it waits for what goes over this connection.
        engines.values().forEach(engine -> closing.step(() -> engine.fences.drain(until)));
        outboxes.values().forEach(outbox -> closing.step(() -> outbox.drain(until)));
        closing.step(meters::close).step(scheduler::shutdownNow).step(revocations::close);
        // What has not begun ends at once, for it finds the caches closed.
        workers.shutdownNow().forEach(closing::step);
        closing.step(shared.register()::leave).step(shared::close).end();
    }

    private void closeCaches() {
        Closing closing = new Closing();
        caches.values().forEach(cache -> closing.step(cache::close));
        closing.end();
    }

    boolean isClosed() {
        return closed.get();
    }

    void requireOpen() {
        if (closed.get()) {
            throw closedException();
        }
    }

    static IllegalStateException closedException() {
        return new IllegalStateException("the caches are closed");
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

    /** The steps of reads that no thread waits for. */
    Steps steps() {
        return steps;
    }

    /** The steps of what callers wait for that have nothing to do with the executor, which may be busy with other things. */
    Steps stepsOfOwn() {
        return stepsOfOwn;
    }

    /** The steps of a read that the calling thread waits for. */
    CallerSteps callerSteps() {
        return new CallerSteps(steps);
    }

    /** The places of reads without a thread. */
    Semaphore asyncReads() {
        return asyncReads;
    }

    ScheduledExecutorService scheduler() {
        return scheduler;
    }

    InstantSource clock() {
        return clock;
    }

    /** The counters of a facet. Those of tenants have no meters, of which there would be too many. */
    Counters countersOf(String facet) {
        return isTenant() ? new Counters() : meters.countersOf(facet);
    }

    CacheStats statsOf(Counters counters) {
        return counters.read(batchSizes, fences.size(), shared.watermarkAge());
    }

    /** How many users are being loaded, about. */
    int underWay() {
        return caches.values().stream().mapToInt(FacetCache::underWay).sum();
    }

    /** A token for a claim, unlike every other in whatever process. */
    String nextToken() {
        return node + '.' + home.tokens.incrementAndGet();
    }

    /** Changes of users in each facet: those whose ids have the same texts. */
    Announcement announcementOf(Collection<?> ids) {
        Announcement announcement = new Announcement(fences);
        ids.forEach(id -> caches.values().forEach(cache -> cache.announce(id.toString(), announcement)));
        return announcement;
    }

    /**
     * Fences all that Redis holds of the facets.
     *
     * @return failed when anything of it has, or what was confirmed may have been lost meanwhile
     * @throws IllegalStateException when the engine is closed
     */
    CompletableFuture<Void> flush() {
        requireOpen();
        Set<String> facets = facets();
        if (facets.isEmpty()) {
            return CompletableFuture.completedFuture(null);
        }
        long losses = fences.losses();
        long now = System.nanoTime();
        Overflow all = new Overflow(1, facets, now, now);
        CompletableFuture<?>[] flushes = shared.primaries().stream()
                .map(primary -> new FullFlush(shared, primary, scheduler, keyPrefix, all, offersEnd).run())
                .toArray(CompletableFuture[]::new);
        return CompletableFuture.allOf(flushes).thenRun(() -> {
            if (losses != fences.losses()) {
                throw new IllegalStateException("the connection to Redis was lost during the flush");
            }
        });
    }

    /** What processes remember in Redis beside what is cached. */
    Bookmarks bookmarks() {
        requireOpen();
        return shared.bookmarks(keyPrefix);
    }

    /** The names of the facets that have a cache. */
    Set<String> facets() {
        return Set.copyOf(caches.keySet());
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

    /**
     * The session in which what Redis answers may be cached in memory, or {@code null} when it may not be. To be asked for before the read.
     */
    @Nullable Session sessionOfReads(String key, boolean failsClosed) {
        Session session = shared.sessionOfReads(key, failsClosed);
        return session != null && session.isTracked() && isTenant() ? shared.sessionOfTenant(keyPrefix) : session;
    }

    /**
     * Whether every node that could answer for this prefix is in the register. To be asked after a fence has been confirmed.
     *
     * @param limit how long a node may answer that has been lost from the register
     * @throws SharedTierException when Redis does not say
     */
    boolean isAlone(Duration limit, Duration atMost) throws SharedTierException {
        return !isTenant() || shared.isAlone(keyPrefix, limit, atMost);
    }

    @Override
    public void changed(String key) {
        int idTo = key.lastIndexOf(':');
        // An id may have colons, and so may a prefix; but no prefix is the beginning of another one's key.
        for (int end = key.indexOf(':'); end >= 0 && end < idTo; end = key.indexOf(':', end + 1)) {
            Engine engine = engines.get(key.substring(0, end));
            if (engine != null) {
                FacetCache cache = engine.caches.get(key.substring(idTo + 1));
                if (cache != null) {
                    cache.changed(key.substring(end + 1, idTo));
                }
                return;
            }
        }
    }

    @Override
    public void notUnderstood(RuntimeException failure) {
        pushLog.error("A push message of Redis could not be parsed; the near tier is emptied", failure);
    }

    @Override
    public void revoked(RevokedKeys users, IntConsumer processed) {
        revocations.processed(users, engines.values(), processed);
    }

    /** Forgets what the caches of this prefix know of users. */
    void forget(RevokedKeys users) {
        caches.values().forEach(cache -> cache.revoked(users));
    }

    /** The listeners of this prefix. */
    List<RevocationListener> listeners() {
        return listeners;
    }

    @Override
    public void disconnected(RedisPrimary primary) {
        shared.lost(primary);
        engines.values().forEach(engine -> engine.fences.suspectRecent(primary));
        outboxes.values().forEach(outbox -> outbox.suspectRecent(primary));
    }

    @Override
    public void moved(Predicate<String> isMoved) {
        engines.values().forEach(engine -> engine.fences.moved(isMoved));
        outboxes.values().forEach(outbox -> outbox.moved(isMoved));
    }

    @Override
    public void identified(RedisPrimary primary, boolean hasAll) {
        engines.values().forEach(engine -> engine.fences.settle(primary, hasAll));
        outboxes.values().forEach(outbox -> outbox.settle(primary, hasAll));
    }
}
