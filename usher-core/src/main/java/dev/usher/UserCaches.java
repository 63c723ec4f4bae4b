package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.redis.Closing;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisSettings;
import dev.usher.redis.RedisSettings.AwaitReplicas;
import dev.usher.redis.RedisState;
import dev.usher.redis.RedisUris;
import dev.usher.redis.ServerRole;
import dev.usher.redis.ServerStanding;
import dev.usher.redis.SharedTier;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisCredentialsProvider;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
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
        engine.add(written.name(), cache, written.policy());
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
     * Has a listener called from now on, on this node, when users of these caches are revoked: by any node, this one included. Of several {@link
     * #withPrefix prefixes}, each has listeners of its own.
     *
     * @param listener ends what is open for them
     */
    public void onRevoked(RevocationListener listener) {
        engine.onRevoked(requireNonNull(listener, "the listener"));
    }

    /**
     * The names of the facets that have a cache here at the moment.
     *
     * @return a copy
     */
    public Set<String> facets() {
        return engine.facets();
    }

    /**
     * Makes every node forget everything that is cached under this prefix in the facets that have a cache here, although it is not known what has
     * changed: for a process that has lost track of the changes in the source. It goes through all keys of Redis twice, without waiting on a thread, and takes
     * about five seconds, for a row that was read before this call may be offered for that long. What changes meanwhile is to be announced as ever.
     *
     * @return completed when whatever was read from the source before this call can be answered from Redis no more, and stored no more. It fails when Redis
     *     has not confirmed all of it, or was disconnected meanwhile; then all is to be done again. Cancelling it stops nothing
     * @throws IllegalStateException when the caches are closed
     */
    public CompletableFuture<Void> flush() {
        return engine.flush();
    }

    /**
     * What {@link #bookmark(String, Map)} has stored under this name, on whatever node.
     *
     * @param name as there
     * @return the texts, by their names: none where nothing was stored, or Redis has lost it. It fails when Redis does not answer within the command
     *     timeout
     * @throws IllegalArgumentException when it is no such name
     * @throws IllegalStateException when the caches are closed
     */
    public CompletableFuture<Map<String, String>> bookmark(String name) {
        return engine.bookmarks().read(name);
    }

    /**
     * Stores in Redis how far a process has come with announcing the changes of the source, beside what is cached. A Redis that loses its last writes loses this
     * not before the invalidations that it has confirmed earlier; in a Cluster that is true of those that are on the same primary only. It has no end; texts that were stored under other names stay.
     *
     * @param name a text without braces, white space and control characters, of up to 128 characters
     * @param texts some, by their names; nothing of a user
     * @return completed when Redis has stored them. It fails when Redis has not confirmed that within the command timeout; it may have stored them
     * @throws IllegalArgumentException when it is no such name, or there are no texts
     * @throws IllegalStateException when the caches are closed
     */
    public CompletableFuture<Void> bookmark(String name, Map<String, String> texts) {
        return engine.bookmarks().write(name, texts);
    }

    /**
     * How the caches are doing. It asks neither Redis nor a source, so it can be called at any rate, also after they are closed.
     *
     * @return what is known at the moment
     */
    public CachesHealth health() {
        SharedTier shared = engine.shared();
        ServerStanding standing = shared.standing();
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
                .topology(topologyOf(standing.topology()))
                .primary(standing.address())
                .role(roleOf(standing.role()))
                .replicas(standing.replicas())
                .unfenced(standing.unfenced())
                .lag(standing.lag())
                .primaries(primariesIn(shared))
                .unfitServer(shared.unfitServer())
                .sentinels(shared.sentinels())
                .riskyFailover(shared.riskyFailover())
                .source(engine.byFacet(Engine.FacetCache::sourceError))
                .uncached(engine.byFacet(Engine.FacetCache::misfit))
                .build();
    }

    private static CachesHealth.Topology topologyOf(ServerStanding.Topology topology) {
        return switch (topology) {
            case STANDALONE -> CachesHealth.Topology.STANDALONE;
            case SENTINEL -> CachesHealth.Topology.SENTINEL;
            case CLUSTER -> CachesHealth.Topology.CLUSTER;
        };
    }

    private static CachesHealth.@Nullable Role roleOf(@Nullable ServerRole role) {
        return role == null
                ? null
                : switch (role) {
                    case PRIMARY -> CachesHealth.Role.PRIMARY;
                    case REPLICA -> CachesHealth.Role.REPLICA;
                    case CLUSTER_NODE -> CachesHealth.Role.CLUSTER_NODE;
                    case SENTINEL -> CachesHealth.Role.SENTINEL;
                };
    }

    private static Map<String, CachesHealth.Redis> primariesIn(SharedTier shared) {
        Map<String, CachesHealth.Redis> primaries = new TreeMap<>();
        shared.primaryStates().forEach((address, state) -> primaries.put(address, redisIn(state)));
        return primaries;
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
        private List<RedisURI> seeds = List.of();
        private AwaitReplicas awaitReplicas = AwaitReplicas.AUTO;
        private final List<RevocationListener> listeners = new ArrayList<>();
        private @Nullable RedisCredentialsProvider credentials;

        private Builder() {}

        /**
         * The Redis that is the shared tier. Required.
         *
         * @param uri as in {@code redis://user:password@host:6379/0}, or {@code rediss://} for TLS; behind Sentinel as in {@code
         *     redis-sentinel://user:password@host:26379,other:26379/0#primary}, or {@code rediss-sentinel://} for TLS with Redis and the Sentinels; of
         *     a Cluster as in {@code redis-cluster://user:password@host:7001,other:7001}, or {@code rediss-cluster://} for TLS. User and password are
         *     those of Redis
         * @return this builder
         * @throws IllegalArgumentException when it is no such URI, or that of a Cluster with a database other than 0; it is not quoted, for it may hold a password
         */
        public Builder redis(String uri) {
            List<RedisURI> servers;
            try {
                servers = RedisUris.isCluster(uri) ? RedisUris.cluster(uri) : List.of(RedisUris.parse(uri));
            } catch (IllegalArgumentException e) {
                // Without its cause, which quotes the URI.
                throw new IllegalArgumentException(
                        "the Redis URI cannot be read; it should look like redis://host:6379,"
                                + " redis-sentinel://host:26379,host:26379#primary or redis-cluster://host:7001,host:7001");
            }
            return RedisUris.isCluster(uri) ? redisCluster(servers) : redis(servers.get(0));
        }

        /**
         * The Redis that is the shared tier. Required.
         *
         * @param uri where it is, and how to authenticate there. With Sentinels in it, a majority of them names the primary; each has its own account
         *     and TLS in {@link RedisURI#getSentinels()}, and those that are learned from them have those of the first
         * @return this builder
         */
        public Builder redis(RedisURI uri) {
            this.redis = uri;
            this.seeds = List.of();
            return this;
        }

        /**
         * The Redis Cluster that is the shared tier, instead of {@link #redis}.
         *
         * @param nodes those of its servers that are asked where the others are, at least one. All servers of the Cluster have the account and the TLS of
         *     the first one
         * @return this builder
         * @throws IllegalArgumentException when there are none, or one names a database other than 0
         */
        public Builder redisCluster(List<RedisURI> nodes) {
            if (nodes.isEmpty()) {
                throw new IllegalArgumentException("name at least one node of the Redis Cluster");
            }
            if (nodes.stream().anyMatch(node -> node.getDatabase() != 0)) {
                throw new IllegalArgumentException(
                        "a Redis Cluster has no database but 0: leave the database out of its settings");
            }
            this.redis = nodes.get(0);
            this.seeds = List.copyOf(nodes);
            return this;
        }

        /**
         * Where the account in Redis comes from, instead of the URI: for passwords and tokens that are renewed. Each new connection asks for it; a
         * provider that {@linkplain RedisCredentialsProvider#supportsStreaming() streams} authenticates the connections that stand as well. The account
         * at Sentinels is another: see {@link #redis(RedisURI)}.
         *
         * @param credentials must not block; what it says is not logged
         * @return this builder
         */
        public Builder credentials(RedisCredentialsProvider credentials) {
            this.credentials = credentials;
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
         * Lettuce's own settings, for what is rarely needed: TLS material, which each new connection reads anew, socket options. How it connects and reconnects, and
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
         * Where the work is done that no caller does on its own thread: the queries and the decoding of {@link
         * UserCache#findAsync}, and the loading of what will soon be missing. A query holds its thread while the source answers, so an executor
         * of virtual threads is a good one; nothing else waits there. By default it is up to 32 threads of usher's own.
         *
         * @param executor stays open when the caches are closed. A step of {@code findAsync} that it rejects, or runs on the thread that hands it
         *     in, goes to usher's own threads; what will soon be missing is then not loaded ahead. It must not drop a task without rejecting it, or a
         *     caller waits for it for ever. While all of its threads wait in {@link UserCache#find} and its like, none is left for the
         *     steps of {@code findAsync} that these may wait for: they are refused after {@code maxWait}
         * @return this builder
         */
        public Builder executor(Executor executor) {
            this.executor = executor;
            return this;
        }

        /**
         * How many replicas of Redis a ban waits for; by default all that are connected at that moment. With fewer than all, a receipt is {@linkplain
         * RevocationReceipt.Grade#CONFIRMED confirmed} only when the others have acknowledged the ban by chance; with more, it is not.
         *
         * @param awaitReplicas zero or more
         * @return this builder
         * @throws IllegalArgumentException when it is negative
         */
        public Builder awaitReplicas(int awaitReplicas) {
            if (awaitReplicas < 0) {
                throw new IllegalArgumentException("awaitReplicas must be zero or more, but is " + awaitReplicas);
            }
            this.awaitReplicas = new AwaitReplicas(awaitReplicas, false);
            return this;
        }

        /**
         * Has heartbeats wait for all replicas of Redis, as bans do. This node then answers from memory, and believes Redis in facets that fail closed, only as
         * of a moment at which no replica had taken the place of the primary: also across a failover, no answer is older than its {@linkplain
         * CachePolicy#stalenessBound bound}. The price: while a replica does not acknowledge in time, memory is closed, and such facets are read from
         * the source. One that is lost still counts for an hour.
         *
         * @return this builder
         */
        public Builder awaitAllReplicas() {
            this.awaitReplicas = AwaitReplicas.ALL;
            return this;
        }

        /**
         * Has a listener called, on this node, when users are revoked: see {@link UserCaches#onRevoked}. Each call adds one.
         *
         * @param listener ends what is open for them
         * @return this builder
         */
        public Builder onRevoked(RevocationListener listener) {
            listeners.add(requireNonNull(listener, "the listener"));
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
            if (redis == null) {
                throw new IllegalStateException("name a Redis: UserCaches.builder().redis(\"redis://host:6379\")");
            }
            RedisURI uri = RedisUris.copyOf(redis);
            if (credentials != null) {
                uri.setCredentialsProvider(credentials);
            }
            RedisSettings settings = new RedisSettings(
                    uri,
                    seeds,
                    clientOptions,
                    commandTimeout,
                    new RedisSettings.Times(
                            timing.silence(), timing.registerLife(), timing.markLife(), timing.suspicion()),
                    clock,
                    nanoTime,
                    awaitReplicas);
            Meters meters = Meters.in(meterRegistry);
            Engine engine;
            try {
                engine = new Engine(new Engine.Settings(keyPrefix, settings, executor, timing, maxFences), meters);
            } catch (Throwable e) {
                Closing.after(e, meters::close);
                throw e;
            }
            try {
                listeners.forEach(engine::onRevoked);
                engine.open();
                return new UserCaches(engine, jsonMapper);
            } catch (Throwable e) {
                Closing.after(e, engine::close);
                throw e;
            }
        }
    }
}
