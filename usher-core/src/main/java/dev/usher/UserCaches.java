package dev.usher;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.MeterRegistry;
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
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * The caches of one application: owns the connections to Redis and makes a {@link UserCache} for each {@link Facet}.
 *
 * <pre>{@code
 * try (UserCaches caches = UserCaches.builder().redis("redis://127.0.0.1:6379").build()) {
 *     var profiles = new UserProfileCache<>(caches.cache(UserProfile.FACET, Long.class, source));
 *     profiles.find(42L).ifPresent(profile -> System.out.println(profile.name()));
 * }
 * }</pre>
 *
 * <p>An application has one of these. It is safe for use by many threads; closing it closes its connections, and the
 * caches made by it then refuse to work.
 */
public final class UserCaches implements AutoCloseable {

    /** They wait more than they work. */
    private static final int WORKERS = 32;

    private static final int MOST_WAITING = 10_000;

    private final String keyPrefix;
    private final @Nullable JsonMapper jsonMapper;
    private final InstantSource clock;
    private final ScheduledThreadPoolExecutor scheduler;
    private final ThreadPoolExecutor workers;
    private final Executor executor;
    private final Meters meters;
    private final BatchSizes batchSizes;
    private final SharedTier shared;
    private final FenceOutbox fences;
    private final ConcurrentMap<String, TieredUserCache<?, ?>> caches = new ConcurrentHashMap<>();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Makes the tokens of this process unlike those of every other. */
    private final String node = UUID.randomUUID().toString();

    /** What an operator knows this process by. */
    private final String name = ManagementFactory.getRuntimeMXBean().getName().replaceAll("\\s", "-")
            + '-'
            + node.substring(0, node.indexOf('-'));

    private final AtomicLong tokens = new AtomicLong();

    private UserCaches(Builder builder, RedisURI redis, Meters meters) {
        this.keyPrefix = builder.keyPrefix;
        this.jsonMapper = builder.jsonMapper;
        this.clock = builder.clock;
        this.scheduler = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "usher-timer");
            thread.setDaemon(true);
            return thread;
        });
        scheduler.setRemoveOnCancelPolicy(true);
        scheduler.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy()); // after close()
        this.workers = new ThreadPoolExecutor(
                WORKERS, WORKERS, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(MOST_WAITING), task -> {
                    Thread thread = new Thread(task, "usher-worker");
                    thread.setDaemon(true);
                    return thread;
                });
        workers.allowCoreThreadTimeOut(true);
        this.executor = builder.executor == null ? workers : builder.executor;
        this.meters = meters;
        this.batchSizes = meters.sharedBatchSizes();
        this.shared = new SharedTier(
                redis,
                builder.clientOptions,
                builder.commandTimeout,
                scheduler,
                keyPrefix,
                name,
                this::changed,
                this::disconnected,
                batchSizes,
                builder.timing,
                clock,
                builder.nanoTime);
        this.fences = new FenceOutbox(shared, scheduler, keyPrefix, builder.mostFences, builder.timing.offersEnd());
    }

    private void open() {
        meters.watermarkOf(shared);
        meters.pendingOf(fences);
        shared.open();
    }

    /** A builder with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Makes the cache of a facet.
     *
     * @param facet what it holds
     * @param idClass the class of a user's id: {@link Long}, {@link Integer}, {@link UUID} or {@link String}
     * @param source where the truth is
     * @param <K> the type of a user's id
     * @param <V> the type of the facet's value
     * @return the cache, which lives as long as this object
     * @throws IllegalArgumentException when ids are not of that class
     * @throws IllegalStateException when there is a cache of a facet of this name already, or this object is closed
     */
    public <K, V> UserCache<K, V> cache(Facet<V> facet, Class<K> idClass, UserSource<K, V> source) {
        IdType idType = IdType.of(idClass);
        requireOpen();
        Facet<V> written = jsonMapper == null ? facet : facet.writtenBy(jsonMapper);
        KeySpace keys = new KeySpace(keyPrefix, facet.name());
        TieredUserCache<K, V> cache = new TieredUserCache<>(this, keys, written, idType, source);
        if (caches.putIfAbsent(facet.name(), cache) != null) {
            throw new IllegalStateException("the facet '" + facet.name() + "' has a cache already");
        }
        if (closed.get()) {
            cache.close(); // by this thread, or by the one that closes
            requireOpen();
        }
        shared.register().limit(facet.name(), facet.policy().longestAnswer());
        return cache;
    }

    /**
     * How the caches are doing. It asks nobody, so it can be called as often as one likes, also after they are closed.
     *
     * @return what is known at the moment
     */
    public CachesHealth health() {
        Session session = shared.session();
        Eviction eviction = shared.eviction();
        return CachesHealth.builder()
                .redis(shared.state())
                .lastError(shared.trouble())
                .watermarkAge(session == null ? null : Duration.ofNanos(session.age(System.nanoTime())))
                .pendingFences(fences.size())
                .oldestPendingFence(fences.oldest())
                .fencesOverflowed(fences.isOverflowed())
                .resp2Only(shared.isResp2Only())
                .riskyEviction(eviction == null || !eviction.takesYoungGuards() ? null : eviction.policy())
                .source(byFacet(TieredUserCache::sourceTrouble))
                .uncached(byFacet(TieredUserCache::misfit))
                .build();
    }

    /** What is said of the caches, by facet, of those of which something is said. */
    private Map<String, String> byFacet(Function<TieredUserCache<?, ?>, @Nullable String> said) {
        Map<String, String> all = new TreeMap<>();
        caches.forEach((facet, cache) -> {
            String what = said.apply(cache);
            if (what != null) {
                all.put(facet, what);
            }
        });
        return all;
    }

    /**
     * Closes the connections, after a last attempt, of a second at most, to send the invalidations that Redis has not
     * confirmed; those that are left are logged. Nothing is answered from memory any more before this node leaves the register
     * of nodes, so that a receipt need not wait for it. The meters are removed. Calls under way may fail. Closing a second time
     * does nothing.
     *
     * <p>When a step of this throws, such as the removal of a meter, the others are taken all the same, and what was thrown first
     * is thrown at the end.
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

    SharedTier shared() {
        return shared;
    }

    Meters meters() {
        return meters;
    }

    CacheStats statsOf(Counters counters) {
        Session session = shared.session();
        return counters.read(
                batchSizes, fences.size(), session == null ? null : Duration.ofNanos(session.age(System.nanoTime())));
    }

    FenceOutbox fences() {
        return fences;
    }

    /** Of users in each facet: those whose ids have the same texts. */
    Announcement announcementOf(Collection<?> ids) {
        Announcement announcement = new Announcement(fences);
        ids.forEach(id -> caches.values().forEach(cache -> cache.announce(id.toString(), announcement)));
        return announcement;
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

    String nextToken() {
        return node + '.' + tokens.incrementAndGet();
    }

    boolean isClosed() {
        return closed.get();
    }

    void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the caches are closed");
        }
    }

    /** Tells the cache of a key that it has changed. Called on an event loop. */
    private void changed(String key) {
        int idFrom = keyPrefix.length() + 1;
        int idTo = key.lastIndexOf(':');
        if (idTo > idFrom && key.startsWith(keyPrefix) && key.charAt(idFrom - 1) == ':') {
            TieredUserCache<?, ?> cache = caches.get(key.substring(idTo + 1));
            if (cache != null) {
                cache.changed(key.substring(idFrom, idTo));
            }
        }
    }

    /** What has been announced may have been lost with the connection. Called on an event loop. */
    private void disconnected() {
        fences.doubtRecent();
    }

    /** Settings of a {@link UserCaches}. Not thread-safe. */
    public static final class Builder {

        private static final Duration DEFAULT_COMMAND_TIMEOUT = Duration.ofMillis(100);
        private static final Duration LONGEST_COMMAND_TIMEOUT = Duration.ofHours(1);

        private String keyPrefix = "user";
        private Duration commandTimeout = DEFAULT_COMMAND_TIMEOUT;
        private ClientOptions clientOptions = ClientOptions.create();
        private InstantSource clock = InstantSource.system();
        private int mostFences = FenceOutbox.LIMIT;
        private Timing timing = Timing.STANDARD;
        private LongSupplier nanoTime = System::nanoTime;
        private @Nullable MeterRegistry meterRegistry;
        private @Nullable JsonMapper jsonMapper;
        private @Nullable Executor executor;
        private @Nullable RedisURI redis;

        private Builder() {}

        /**
         * The Redis that is the shared tier. Required.
         *
         * @param uri as in {@code redis://user:password@host:6379/0}, or {@code rediss://} for TLS
         * @return this builder
         * @throws IllegalArgumentException when it is no such URI; it is not quoted, for it may hold a password
         */
        public Builder redis(String uri) {
            try {
                return redis(RedisURI.create(uri));
            } catch (IllegalArgumentException e) {
                // Without its cause, which quotes the URI.
                throw new IllegalArgumentException(
                        "the Redis URI cannot be read; it should look like redis://host:6379");
            }
        }

        /**
         * The Redis that is the shared tier. Required.
         *
         * @param uri where it is, and how to authenticate there
         * @return this builder
         */
        public Builder redis(RedisURI uri) {
            this.redis = uri;
            return this;
        }

        /**
         * What all keys begin with, {@code user} by default. Applications and tenants that share a Redis differ in it, and
         * no prefix may be another one followed by a colon and more.
         *
         * @param keyPrefix a text of up to 128 characters without braces, white space and control characters
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder keyPrefix(String keyPrefix) {
            KeySpace.requirePlainText(keyPrefix, "the key prefix");
            this.keyPrefix = keyPrefix;
            return this;
        }

        /**
         * How long a call of Redis may take before it is given up, 100 ms by default.
         *
         * @param commandTimeout a positive duration of at most one hour
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder commandTimeout(Duration commandTimeout) {
            if (commandTimeout.isNegative()
                    || commandTimeout.isZero()
                    || commandTimeout.compareTo(LONGEST_COMMAND_TIMEOUT) > 0) {
                throw new IllegalArgumentException(
                        "commandTimeout must be positive and at most one hour, but is " + commandTimeout);
            }
            this.commandTimeout = commandTimeout;
            return this;
        }

        /**
         * Lettuce's own settings, for what is rarely needed: TLS material, socket options. How it connects and reconnects, and
         * what it does while it is not connected, usher decides. With RESP2 as the protocol, Redis cannot tell of changes:
         * what was read is then answered from memory for the staleness bound only.
         *
         * @param clientOptions the settings
         * @return this builder
         */
        public Builder clientOptions(ClientOptions clientOptions) {
            this.clientOptions = clientOptions;
            return this;
        }

        /**
         * Where the caches show their meters until they are closed; by default they show none. One registry takes the
         * meters of one {@link UserCaches}.
         *
         * @param meterRegistry the registry
         * @return this builder
         */
        public Builder meterRegistry(MeterRegistry meterRegistry) {
            this.meterRegistry = meterRegistry;
            return this;
        }

        /**
         * The mapper, with its modules, that writes and reads the values of the application's own facets whose codec is {@link
         * FacetCodec#json(Class)}. By default they are written by a mapper of usher's. The JSON of {@link UserProfile} and {@link UserStatus}
         * is the specification's, whatever the mapper.
         *
         * @param jsonMapper it is copied; a later change of the original is not noticed
         * @return this builder
         */
        public Builder jsonMapper(JsonMapper jsonMapper) {
            this.jsonMapper = jsonMapper;
            return this;
        }

        /**
         * Where the work is done that no caller does on its own thread: {@link UserCache#findAsync}, and the loading of what
         * will soon be missing. It waits more than it computes, so an executor of virtual threads is a good one. By default
         * it is up to 32 threads of usher's own, for which up to 10,000 tasks may wait.
         *
         * @param executor stays open when the caches are closed. What it rejects is not done; it must not drop a task without
         *     rejecting it, or somebody waits for it for ever. One that runs a task on the
         *     thread that hands it in makes callers wait who are answered from memory
         * @return this builder
         */
        public Builder executor(Executor executor) {
            this.executor = executor;
            return this;
        }

        /** The clock by which the age of an offered row is judged, and a sleep of this machine is noticed. */
        Builder clock(InstantSource clock) {
            this.clock = clock;
            return this;
        }

        /** The clock that may stand still while this machine does, where a pause is looked for. */
        Builder nanoTime(LongSupplier nanoTime) {
            this.nanoTime = nanoTime;
            return this;
        }

        /** How long the engine waits where only a test would have it wait less. */
        Builder timing(Timing timing) {
            this.timing = timing;
            return this;
        }

        /** How many invalidations that Redis has not confirmed are kept, each by itself. */
        Builder mostFences(int mostFences) {
            this.mostFences = mostFences;
            return this;
        }

        /**
         * Connects, for two seconds at most. A Redis that cannot be reached does not prevent it: the source answers until it
         * can.
         *
         * @return the caches, to be closed when the application stops
         * @throws IllegalStateException when no Redis was named
         */
        public UserCaches build() {
            RedisURI uri = redis;
            if (uri == null) {
                throw new IllegalStateException("name a Redis: UserCaches.builder().redis(\"redis://host:6379\")");
            }
            Meters meters = new Meters(meterRegistry);
            UserCaches caches;
            try {
                caches = new UserCaches(this, uri, meters);
            } catch (Throwable e) {
                Closing.after(e, meters::close);
                throw e;
            }
            try {
                caches.open();
                return caches;
            } catch (Throwable e) {
                Closing.after(e, caches::close);
                throw e;
            }
        }
    }
}
