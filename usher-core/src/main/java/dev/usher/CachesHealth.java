package dev.usher;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * How the caches of an application are doing: what an operator asks first. Asking costs no call of Redis or of the source.
 *
 * <p>{@link UserCaches#health} makes it; the builder is for tests of what shows it. Later versions may report more. Immutable.
 */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY)
@JsonPropertyOrder({
    "redis",
    "lastError",
    "nearOpen",
    "watermarkAge",
    "pendingFences",
    "oldestPendingFence",
    "fencesOverflowed",
    "resp2Only",
    "topology",
    "primary",
    "primaries",
    "role",
    "replicas",
    "unfenced",
    "lag",
    "riskyEviction",
    "unfitServer",
    "sentinels",
    "riskyFailover",
    "source",
    "uncached",
    "well"
})
public final class CachesHealth {

    /** Within which an invalidation is confirmed when all is well, also after a connection has been restored. */
    private static final Duration SOON = Duration.ofSeconds(2);

    private final Redis redis;
    private final @Nullable String lastError;
    private final @Nullable Duration watermarkAge;
    private final long pendingFences;
    private final @Nullable Duration oldestPendingFence;
    private final boolean fencesOverflowed;
    private final boolean resp2Only;
    private final Topology topology;
    private final @Nullable String primary;
    private final Map<String, Redis> primaries;
    private final @Nullable Role role;
    private final @Nullable Integer replicas;
    private final @Nullable String unfenced;
    private final @Nullable Duration lag;
    private final @Nullable String riskyEviction;
    private final @Nullable String unfitServer;
    private final @Nullable String sentinels;
    private final @Nullable String riskyFailover;
    private final Map<String, String> source;
    private final Map<String, String> uncached;

    /** Whether Redis answers. */
    public enum Redis {
        /** It does. */
        ANSWERING,
        /** It does, but the last call has failed: it refuses, or is too slow now and then. */
        FAILING,
        /** It is connected and does not answer in time, so that no caller waits for it. */
        SILENT,
        /** It is not connected. */
        UNREACHABLE
    }

    /** How the primary is found. Later versions may know others. */
    public enum Topology {
        /** By its own address. */
        STANDALONE,
        /** By its Sentinels, most of which have to name it. */
        SENTINEL,
        /** By the servers of its Redis Cluster, in which there are several. */
        CLUSTER
    }

    /** What a server is. Only a primary can be the shared tier. */
    public enum Role {
        /** It takes writes. */
        PRIMARY,
        /** It copies a primary. */
        REPLICA,
        /** It has a part of the slots of a Redis Cluster. */
        CLUSTER_NODE,
        /** It watches a primary and its replicas. */
        SENTINEL
    }

    private CachesHealth(Builder builder) {
        this.redis = builder.redis;
        this.lastError = builder.lastError;
        this.watermarkAge = builder.watermarkAge;
        this.pendingFences = builder.pendingFences;
        this.oldestPendingFence = builder.oldestPendingFence;
        this.fencesOverflowed = builder.fencesOverflowed;
        this.resp2Only = builder.resp2Only;
        this.topology = builder.topology;
        this.primary = builder.primary;
        this.primaries = builder.primaries;
        this.role = builder.role;
        this.replicas = builder.replicas;
        this.unfenced = builder.unfenced;
        this.lag = builder.lag;
        this.riskyEviction = builder.riskyEviction;
        this.unfitServer = builder.unfitServer;
        this.sentinels = builder.sentinels;
        this.riskyFailover = builder.riskyFailover;
        this.source = builder.source;
        this.uncached = builder.uncached;
    }

    /** A builder of the health of caches with which all is well, and which have just seen every change. */
    public static Builder builder() {
        return new Builder();
    }

    /** Whether Redis answers. */
    public Redis redis() {
        return redis;
    }

    /**
     * What is wrong with Redis, in the words of the log and without any of a user, or {@code null} while Redis answers: why it cannot be
     * reached, or with which code it refuses, and which command.
     */
    public @Nullable String lastError() {
        return lastError;
    }

    /** Whether Redis tells this process of every change, so that it answers from memory. */
    @JsonProperty
    public boolean nearOpen() {
        return watermarkAge != null;
    }

    /**
     * How long ago the moment was up to which this process has provably seen every change, or {@code null} while it does not hear of
     * changes.
     */
    public @Nullable Duration watermarkAge() {
        return watermarkAge;
    }

    /** Invalidations that Redis has not confirmed yet. */
    public long pendingFences() {
        return pendingFences;
    }

    /** For how long the oldest of the pending invalidations has been waiting, or {@code null} when there is none. */
    public @Nullable Duration oldestPendingFence() {
        return oldestPendingFence;
    }

    /**
     * Whether there were more pending invalidations than are kept one by one: all entries of the facets concerned are dropped when Redis is
     * back.
     */
    public boolean fencesOverflowed() {
        return fencesOverflowed;
    }

    /** Whether Redis speaks RESP2 only, over which it cannot tell of changes: a server older than Redis 6, or a proxy. */
    public boolean resp2Only() {
        return resp2Only;
    }

    /** How the primary is found. */
    public Topology topology() {
        return topology;
    }

    /**
     * The server that is taken for the primary, as {@code host:port}; in a Cluster, the primary that does worst. {@code null} while no connection leads to one
     * that Sentinels have named.
     */
    public @Nullable String primary() {
        return primary;
    }

    /** In a Cluster, whether each of its primaries with slots answers, by its {@code host:port}; else empty. Unmodifiable. */
    public Map<String, Redis> primaries() {
        return primaries;
    }

    /** What that server is, or {@code null} while it has not said it. */
    public @Nullable Role role() {
        return role;
    }

    /** How many replicas are connected to it, as of ten seconds ago at most, or {@code null} while it has not said it. */
    public @Nullable Integer replicas() {
        return replicas;
    }

    /**
     * Why another server could take the place of the primary while processes go on believing it, in words, else {@code null}: it has replicas, and no Sentinels
     * name it. Then no ban is confirmed. It counts as no problem.
     */
    public @Nullable String unfenced() {
        return unfenced;
    }

    /**
     * For how long, beyond the staleness bound, a primary that has been replaced may be believed: zero; in a Cluster its {@code cluster-node-timeout} and half a
     * second; or {@code null} where that cannot be known, since it is {@linkplain #unfenced() unfenced} or has not said how it is replicated.
     */
    public @Nullable Duration lag() {
        return lag;
    }

    /** The {@code maxmemory-policy} of Redis if it is one that may take a guard too early, else {@code null}. */
    public @Nullable String riskyEviction() {
        return riskyEviction;
    }

    /**
     * Why the server cannot be the shared tier, in words that name what to use instead, else {@code null}: it is a Sentinel, a node of a Cluster, or
     * a replica.
     */
    public @Nullable String unfitServer() {
        return unfitServer;
    }

    /**
     * Behind Sentinels, what they have said last, else {@code null}: how many of them name which server as the primary, and which of them do not
     * answer, as in {@code 2 of 3 name 10.0.0.5:6379; 10.0.0.7:26379 does not answer}.
     */
    public @Nullable String sentinels() {
        return sentinels;
    }

    /**
     * Behind Sentinels, why a primary that is cut off may still take writes when they replace it, in words, else {@code null}; also {@code null}
     * where the account may not read the configuration of Redis.
     */
    public @Nullable String riskyFailover() {
        return riskyFailover;
    }

    /**
     * By the name of a facet, how the last call of its source has failed, ten seconds ago at most: the class of the exception and the
     * SQLSTATE, without its message. Empty while the sources answer. Unmodifiable.
     */
    public Map<String, String> source() {
        return source;
    }

    /**
     * By the name of a facet, why its values are not cached, and what is to be changed. Empty when all are cached. Unmodifiable.
     */
    public Map<String, String> uncached() {
        return uncached;
    }

    /**
     * Whether everything is as it should be. When it is not, users are still answered as far as they are known: by memory and Redis,
     * by the source, or with the last known answer.
     */
    public boolean isWell() {
        boolean fencesLand = oldestPendingFence == null || oldestPendingFence.compareTo(SOON) < 0;
        return redis == Redis.ANSWERING
                && nearOpen()
                && fencesLand
                && !fencesOverflowed
                && riskyEviction == null
                && unfitServer == null
                && riskyFailover == null
                && source.isEmpty()
                && uncached.isEmpty();
    }

    @Override
    public String toString() {
        return "CachesHealth[redis=" + redis + ", lastError=" + lastError + ", watermarkAge=" + watermarkAge
                + ", pendingFences=" + pendingFences + ", oldestPendingFence=" + oldestPendingFence
                + ", fencesOverflowed=" + fencesOverflowed + ", resp2Only=" + resp2Only + ", topology=" + topology
                + ", primary=" + primary + ", primaries=" + primaries + ", role=" + role + ", replicas=" + replicas
                + ", unfenced=" + unfenced
                + ", lag=" + lag + ", riskyEviction="
                + riskyEviction + ", unfitServer=" + unfitServer + ", sentinels=" + sentinels + ", riskyFailover="
                + riskyFailover + ", source=" + source + ", uncached=" + uncached + "]";
    }

    /** Collects what a {@link CachesHealth} reports; each method is named like the accessor it sets. Not thread-safe. */
    public static final class Builder {

        private Redis redis = Redis.ANSWERING;
        private @Nullable String lastError;
        private @Nullable Duration watermarkAge = Duration.ZERO;
        private long pendingFences;
        private @Nullable Duration oldestPendingFence;
        private boolean fencesOverflowed;
        private boolean resp2Only;
        private Topology topology = Topology.STANDALONE;
        private @Nullable String primary;
        private Map<String, Redis> primaries = Map.of();
        private @Nullable Role role = Role.PRIMARY;
        private @Nullable Integer replicas = 0;
        private @Nullable String unfenced;
        private @Nullable Duration lag = Duration.ZERO;
        private @Nullable String riskyEviction;
        private @Nullable String unfitServer;
        private @Nullable String sentinels;
        private @Nullable String riskyFailover;
        private Map<String, String> source = Map.of();
        private Map<String, String> uncached = Map.of();

        private Builder() {}

        /** Sets {@link CachesHealth#redis}. */
        public Builder redis(Redis redis) {
            this.redis = redis;
            return this;
        }

        /** Sets {@link CachesHealth#lastError}. */
        public Builder lastError(@Nullable String lastError) {
            this.lastError = lastError;
            return this;
        }

        /** Sets {@link CachesHealth#watermarkAge}, and {@link CachesHealth#nearOpen} with it. */
        public Builder watermarkAge(@Nullable Duration watermarkAge) {
            this.watermarkAge = watermarkAge;
            return this;
        }

        /** Sets {@link CachesHealth#pendingFences}. */
        public Builder pendingFences(long pendingFences) {
            this.pendingFences = pendingFences;
            return this;
        }

        /** Sets {@link CachesHealth#oldestPendingFence}. */
        public Builder oldestPendingFence(@Nullable Duration oldestPendingFence) {
            this.oldestPendingFence = oldestPendingFence;
            return this;
        }

        /** Sets {@link CachesHealth#fencesOverflowed}. */
        public Builder fencesOverflowed(boolean fencesOverflowed) {
            this.fencesOverflowed = fencesOverflowed;
            return this;
        }

        /** Sets {@link CachesHealth#resp2Only}. */
        public Builder resp2Only(boolean resp2Only) {
            this.resp2Only = resp2Only;
            return this;
        }

        /** Sets {@link CachesHealth#topology}. */
        public Builder topology(Topology topology) {
            this.topology = topology;
            return this;
        }

        /** Sets {@link CachesHealth#primary}. */
        public Builder primary(@Nullable String primary) {
            this.primary = primary;
            return this;
        }

        /** Sets {@link CachesHealth#primaries}. The map is copied. */
        public Builder primaries(Map<String, Redis> primaries) {
            this.primaries = Collections.unmodifiableMap(new TreeMap<>(primaries));
            return this;
        }

        /** Sets {@link CachesHealth#role}. */
        public Builder role(@Nullable Role role) {
            this.role = role;
            return this;
        }

        /** Sets {@link CachesHealth#replicas}. */
        public Builder replicas(@Nullable Integer replicas) {
            this.replicas = replicas;
            return this;
        }

        /** Sets {@link CachesHealth#unfenced}. */
        public Builder unfenced(@Nullable String unfenced) {
            this.unfenced = unfenced;
            return this;
        }

        /** Sets {@link CachesHealth#lag}. */
        public Builder lag(@Nullable Duration lag) {
            this.lag = lag;
            return this;
        }

        /** Sets {@link CachesHealth#riskyEviction}. */
        public Builder riskyEviction(@Nullable String riskyEviction) {
            this.riskyEviction = riskyEviction;
            return this;
        }

        /** Sets {@link CachesHealth#unfitServer}. */
        public Builder unfitServer(@Nullable String unfitServer) {
            this.unfitServer = unfitServer;
            return this;
        }

        /** Sets {@link CachesHealth#sentinels}. */
        public Builder sentinels(@Nullable String sentinels) {
            this.sentinels = sentinels;
            return this;
        }

        /** Sets {@link CachesHealth#riskyFailover}. */
        public Builder riskyFailover(@Nullable String riskyFailover) {
            this.riskyFailover = riskyFailover;
            return this;
        }

        /** Sets {@link CachesHealth#source}. The map is copied. */
        public Builder source(Map<String, String> source) {
            this.source = Collections.unmodifiableMap(new TreeMap<>(source));
            return this;
        }

        /** Sets {@link CachesHealth#uncached}. The map is copied. */
        public Builder uncached(Map<String, String> uncached) {
            this.uncached = Collections.unmodifiableMap(new TreeMap<>(uncached));
            return this;
        }

        /** The health. The builder can be used again. */
        public CachesHealth build() {
            return new CachesHealth(this);
        }
    }
}
