package dev.usher;

import dev.usher.redis.Closing;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisSettings;
import dev.usher.redis.RedisState;
import dev.usher.redis.SharedTier;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.UUID;
import java.util.concurrent.Executor;
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

    private final @Nullable JsonMapper jsonMapper;
    private final Engine engine;

    private UserCaches(Engine engine, @Nullable JsonMapper jsonMapper) {
        this.engine = engine;
        this.jsonMapper = jsonMapper;
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
        engine.requireOpen();
        Facet<V> written = jsonMapper == null ? facet : facet.writtenBy(jsonMapper);
        CachedFacet<K, V> cached =
                CachedFacet.of(written, idType, engine.keyPrefix(), engine.countersOf(written.name()));
        TieredUserCache<K, V> cache = new TieredUserCache<>(engine, cached, source);
        engine.add(written.name(), cache, written.policy().longestAnswer());
        return cache;
    }

    /**
     * The caches of another prefix on the connections and threads of this one, such as those of a tenant. They are closed by themselves, or together
     * with these; each costs its caches in memory, and no connection, heartbeat or thread. They have no meters; {@link UserCache#stats} is
     * counted.
     *
     * <p>A receipt of theirs names the nodes of this prefix, which have to see every ban. Where other processes use the prefix in another way, as a key prefix
     * of their own or beside another prefix than this one, a receipt is confirmed after the staleness bound only.
     *
     * @param keyPrefix what all their keys begin with: see {@link Builder#keyPrefix}
     * @return the caches of that prefix, without a facet
     * @throws IllegalArgumentException when it is no prefix, or begins like another one that is in use, with a colon behind
     * @throws IllegalStateException when the prefix is in use here already, or these caches are closed
     */
    public UserCaches withPrefix(String keyPrefix) {
        return new UserCaches(engine.tenant(keyPrefix), jsonMapper);
    }

    /**
     * How the caches are doing. It asks neither Redis nor a source, so it can be called at any rate, also after they are closed.
     *
     * @return what is known at the moment
     */
    public CachesHealth health() {
        SharedTier shared = engine.shared();
        FenceOutbox fences = engine.fences();
        return CachesHealth.builder()
                .redis(redisIn(shared.state()))
                .lastError(shared.lastError())
                .watermarkAge(shared.watermarkAge())
                .pendingFences(fences.size())
                .oldestPendingFence(fences.oldest())
                .fencesOverflowed(fences.isOverflowed())
                .resp2Only(shared.isResp2Only())
                .riskyEviction(shared.riskyEviction())
                .source(engine.byFacet(Engine.FacetCache::sourceError))
                .uncached(engine.byFacet(Engine.FacetCache::misfit))
                .build();
    }

    private static CachesHealth.Redis redisIn(RedisState state) {
        return switch (state) {
            case ANSWERING -> CachesHealth.Redis.ANSWERING;
            case FAILING -> CachesHealth.Redis.FAILING;
            case SILENT -> CachesHealth.Redis.SILENT;
            case UNREACHABLE -> CachesHealth.Redis.UNREACHABLE;
        };
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
        engine.close();
    }

    /** What the caches share, for tests that look inside. */
    Engine engine() {
        return engine;
    }

    /** Settings of a {@link UserCaches}. Not thread-safe. */
    public static final class Builder {

        private static final Duration DEFAULT_COMMAND_TIMEOUT = Duration.ofMillis(100);
        private static final Duration LONGEST_COMMAND_TIMEOUT = Duration.ofHours(1);

        private String keyPrefix = "user";
        private Duration commandTimeout = DEFAULT_COMMAND_TIMEOUT;
        private ClientOptions clientOptions = ClientOptions.create();
        private InstantSource clock = InstantSource.system();
        private int maxFences = FenceOutbox.LIMIT;
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
         * meters of one {@link UserCaches}. The application brings {@code micrometer-core}, which usher does not.
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
         *     rejecting it, or a caller waits for it for ever. One that runs a task on the
         *     thread that hands it in makes callers wait that are answered from memory
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
        Builder maxFences(int maxFences) {
            this.maxFences = maxFences;
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
            RedisSettings settings = new RedisSettings(
                    uri,
                    clientOptions,
                    commandTimeout,
                    new RedisSettings.Times(timing.silence(), timing.registerLife(), timing.markLife()),
                    clock,
                    nanoTime);
            Meters meters = Meters.in(meterRegistry);
            Engine engine;
            try {
                engine = new Engine(new Engine.Settings(keyPrefix, settings, executor, timing, maxFences), meters);
            } catch (Throwable e) {
                Closing.after(e, meters::close);
                throw e;
            }
            try {
                engine.open();
                return new UserCaches(engine, jsonMapper);
            } catch (Throwable e) {
                Closing.after(e, engine::close);
                throw e;
            }
        }
    }
}
