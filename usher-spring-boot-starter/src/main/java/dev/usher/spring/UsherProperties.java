package dev.usher.spring;

import dev.usher.CachePolicy;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import dev.usher.redis.RedisUris;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/**
 * The settings under {@code usher}. Where Redis is, they say only for a Redis of usher's own; that of the application is under {@code
 * spring.data.redis}.
 *
 * @param enabled Whether usher configures its caches.
 * @param keyPrefix What all keys in Redis begin with. Applications that share a Redis differ in it.
 * @param redis Calls of Redis, and a Redis of usher's own.
 * @param profile Caching and loads of profiles.
 * @param status Caching and loads of statuses.
 */
@ConfigurationProperties("usher")
public record UsherProperties(
        @DefaultValue("true") boolean enabled,
        @DefaultValue("user") String keyPrefix,
        @DefaultValue Redis redis,
        @DefaultValue Profile profile,
        @DefaultValue Status status) {

    /**
     * Calls of Redis, and where a Redis of usher's own is: it has one when {@code url}, {@code host}, {@code port}, {@code sentinel} or {@code cluster} says
     * so, and takes nothing from {@code spring.data.redis} then.
     *
     * @param commandTimeout How long a call of Redis may take before the source answers instead.
     * @param requireResp3 Whether the start fails on a Redis that speaks RESP2 only, and so cannot push changes.
     * @param awaitReplicas Which writes wait for the replicas of Redis: auto for bans, by all that are connected; all for bans and
     *     heartbeats; or how many replicas a ban waits for.
     * @param url URL of a Redis of usher's own, beside that of the application; as redis://user:password@host:6379/0, rediss:// for TLS, or
     *     redis-sentinel://user:password@host:26379,host:26379/0#master behind Sentinel, or redis-cluster://user:password@host:7001,host:7001 of a
     *     Cluster.
     * @param host Host of a Redis of usher's own, beside that of the application.
     * @param port Port of a Redis of usher's own; 6379 by default.
     * @param database Database in a Redis of usher's own; 0 by default.
     * @param username User name in a Redis of usher's own.
     * @param password Password in a Redis of usher's own.
     * @param clientName Name by which a Redis of usher's own knows the connections.
     * @param ssl TLS with a Redis of usher's own, and with its Sentinels.
     * @param sentinel Sentinels of a Redis of usher's own.
     * @param cluster Cluster of usher's own.
     */
    public record Redis(
            @DefaultValue("100ms") Duration commandTimeout,
            @DefaultValue("true") boolean requireResp3,
            @DefaultValue("auto") String awaitReplicas,
            @Nullable String url,
            @Nullable String host,
            @Nullable Integer port,
            @Nullable Integer database,
            @Nullable String username,
            @Nullable String password,
            @Nullable String clientName,
            @Nullable Ssl ssl,
            @Nullable Sentinel sentinel,
            @Nullable Cluster cluster) {

        /** What the settings of a Redis of usher's own are under. */
        static final String PREFIX = "usher.redis";

        private static final String DEFAULT_HOST = "localhost";
        private static final int DEFAULT_PORT = 6379;

        /** An empty text is as good as none: so a Compose file sets the variables that its environment lacks. */
        public Redis {
            url = textOf(url);
            host = textOf(host);
            username = textOf(username);
            password = textOf(password);
            clientName = textOf(clientName);
            ssl = ssl == null || (ssl.enabled == null && ssl.bundle == null) ? null : ssl;
            sentinel = sentinel == null || sentinel.isEmpty() ? null : sentinel;
            cluster = cluster == null || cluster.nodes.isEmpty() ? null : cluster;
        }

        /**
         * Where the Redis of usher's own is, or {@code null} when usher uses that of the application.
         *
         * @throws InvalidConfigurationPropertyValueException when settings are missing, or exclude each other
         */
        @Nullable DataRedisSettings own() {
            boolean behindSentinels = sentinel != null && (sentinel.master != null || !sentinel.nodes.isEmpty());
            if (url == null && host == null && port == null && !behindSentinels && cluster == null) {
                refuseAlone("database", database);
                refuseAlone("username", username);
                refuseAlone("password", password);
                refuseAlone("client-name", clientName);
                refuseAlone("ssl", ssl);
                refuseAlone("sentinel", sentinel);
                return null;
            }
            if (url != null) {
                refuseBesideUrl("host", host);
                refuseBesideUrl("port", port);
                refuseBesideUrl("database", database);
                refuseBesideUrl("username", username);
                refuseBesideUrl("password", password);
                refuseBesideUrl("cluster.nodes", cluster);
            }
            if (cluster != null) {
                refuseBesideCluster("host", host, "cluster.nodes");
                refuseBesideCluster("port", port, "cluster.nodes");
                refuseBesideCluster("sentinel", sentinel, "cluster.nodes");
            } else if (url != null && RedisUris.isCluster(url)) {
                refuseBesideCluster("sentinel", sentinel, "url");
            }
            return new DataRedisSettings(
                    url,
                    host == null ? DEFAULT_HOST : host,
                    port == null ? DEFAULT_PORT : port,
                    database == null ? 0 : database,
                    username,
                    password,
                    clientName,
                    ssl == null
                            ? new DataRedisSettings.Ssl(null, null)
                            : new DataRedisSettings.Ssl(ssl.enabled, ssl.bundle),
                    cluster == null ? null : new DataRedisSettings.Nodes(cluster.nodes),
                    sentinel == null
                            ? null
                            : new DataRedisSettings.Sentinel(
                                    sentinel.master, sentinel.nodes, sentinel.username, sentinel.password),
                    null);
        }

        private static void refuseAlone(String setting, @Nullable Object value) {
            if (value != null) {
                throw new InvalidConfigurationPropertyValueException(
                        PREFIX + "." + setting,
                        null,
                        "It belongs to a Redis of usher's own, which no setting names: set usher.redis.url, usher.redis.host,"
                                + " usher.redis.sentinel.nodes or usher.redis.cluster.nodes as well. The application's Redis, which usher uses otherwise,"
                                + " is under spring.data.redis.");
            }
        }

        private static void refuseBesideUrl(String setting, @Nullable Object value) {
            if (value != null) {
                throw new InvalidConfigurationPropertyValueException(
                        PREFIX + "." + setting,
                        null,
                        "usher.redis.url is set too, and says the same. Set one of them.");
            }
        }

        private static void refuseBesideCluster(String setting, @Nullable Object value, String cluster) {
            if (value != null) {
                throw new InvalidConfigurationPropertyValueException(
                        PREFIX + "." + setting,
                        null,
                        "usher.redis." + cluster + " is set too, and names a Redis Cluster. Set one of them.");
            }
        }

        private UserCaches.Builder awaitReplicas(UserCaches.Builder builder) {
            return switch (awaitReplicas.strip().toLowerCase(Locale.ROOT)) {
                case "auto", "" -> builder;
                case "all" -> builder.awaitAllReplicas();
                default -> builder.awaitReplicas(numberOfReplicas());
            };
        }

        private int numberOfReplicas() {
            try {
                return Integer.parseInt(awaitReplicas.strip());
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("It has to be auto, all, or how many replicas a ban waits for", e);
            }
        }

        /** Without the URL and the password. */
        @Override
        public String toString() {
            return "Redis[commandTimeout=" + commandTimeout + ", requireResp3=" + requireResp3 + ", awaitReplicas="
                    + awaitReplicas + ", host=" + host
                    + ", port=" + port + "]";
        }
    }

    /**
     * TLS with a Redis of usher's own.
     *
     * @param enabled Whether TLS is used; by default when a bundle is named, or the URL says so.
     * @param bundle SSL bundle with the certificates and keys. Its new contents are used by new connections when it is reloaded.
     */
    public record Ssl(@Nullable Boolean enabled, @Nullable String bundle) {

        public Ssl {
            bundle = textOf(bundle);
        }
    }

    /**
     * Sentinels of a Redis of usher's own.
     *
     * @param master Name by which the Sentinels know the primary.
     * @param nodes Sentinels, each as host:port; an IPv6 address in brackets.
     * @param username User name at the Sentinels.
     * @param password Password at the Sentinels.
     */
    public record Sentinel(
            @Nullable String master,
            @DefaultValue List<String> nodes,
            @Nullable String username,
            @Nullable String password) {

        public Sentinel {
            master = textOf(master);
            username = textOf(username);
            password = textOf(password);
        }

        private boolean isEmpty() {
            return master == null && nodes.isEmpty() && username == null && password == null;
        }

        /** Without the password. */
        @Override
        public String toString() {
            return "Sentinel[master=" + master + ", nodes=" + nodes + "]";
        }
    }

    /**
     * Cluster of usher's own.
     *
     * @param nodes Servers of the Cluster that are asked where the others are, each as host:port; an IPv6 address in brackets.
     */
    public record Cluster(@DefaultValue List<String> nodes) {}

    /**
     * Caching and loads of profiles.
     *
     * @param ttl Longest TTL of a profile in Redis.
     * @param jitter Share of a TTL, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest TTL of an absent user's entry in Redis.
     * @param stalenessBound Greatest age of an answer from memory; with 0, each call asks Redis.
     * @param nearSize How many users the near tier holds; 0 turns the near tier off.
     * @param nearTtl Longest TTL of an answer in the near tier.
     * @param refreshAhead Last share of a TTL in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source itself.
     * @param serveStaleFor For how long the last known answer is given when neither Redis nor the source answers; 0 for never.
     * @param maxLoads How many queries of the source may be under way at a time.
     * @param maxWaitingLoads How many callers may wait at a time for a query or for the load of another. By default a quarter of the
     *     web server's threads, or 1000 where there are none or they are virtual.
     * @param maxWait How long a caller may wait for such loads before the user is unavailable.
     */
    public record Profile(
            @DefaultValue("30m") Duration ttl,
            @DefaultValue("0.1") double jitter,
            @DefaultValue("60s") Duration absentTtl,
            @DefaultValue("5s") Duration stalenessBound,
            @DefaultValue("10000") long nearSize,
            @DefaultValue("5m") Duration nearTtl,
            @DefaultValue("0.1") double refreshAhead,
            @DefaultValue("1s") Duration claimWait,
            @DefaultValue("5m") Duration serveStaleFor,
            @DefaultValue("4") int maxLoads,
            @Nullable Integer maxWaitingLoads,
            @DefaultValue("3s") Duration maxWait) {

        /** The policy, with a number of callers that may wait unless there is a setting for it. */
        CachePolicy policy(int maxWaitingLoads) {
            return policyOf(
                    "usher.profile", UserProfile.FACET.policy().toBuilder().maxWaitingLoads(maxWaitingLoads), this);
        }
    }

    /**
     * Caching and loads of statuses.
     *
     * @param ttl Longest TTL of a status in Redis.
     * @param jitter Share of a TTL, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest TTL of an absent user's entry in Redis.
     * @param stalenessBound Greatest age of an answer from memory; with 0, each call asks Redis.
     * @param nearSize How many users the near tier holds; 0 turns the near tier off.
     * @param nearTtl Longest TTL of an answer in the near tier.
     * @param refreshAhead Last share of a TTL in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source itself.
     * @param serveStaleFor For how long the last known answer is given when neither Redis nor the source answers; 0 for never.
     * @param maxLoads How many queries of the source may be under way at a time.
     * @param maxWaitingLoads How many callers may wait at a time for a query or for the load of another. By default a quarter of the
     *     web server's threads, or 1000 where there are none or they are virtual.
     * @param maxWait How long a caller may wait for such loads before the user is unavailable.
     */
    public record Status(
            @DefaultValue("60m") Duration ttl,
            @DefaultValue("0.1") double jitter,
            @DefaultValue("60s") Duration absentTtl,
            @DefaultValue("1s") Duration stalenessBound,
            @DefaultValue("10000") long nearSize,
            @DefaultValue("5m") Duration nearTtl,
            @DefaultValue("0.1") double refreshAhead,
            @DefaultValue("1s") Duration claimWait,
            @DefaultValue("0s") Duration serveStaleFor,
            @DefaultValue("4") int maxLoads,
            @Nullable Integer maxWaitingLoads,
            @DefaultValue("3s") Duration maxWait) {

        /** The policy, with a number of callers that may wait unless there is a setting for it. */
        CachePolicy policy(int maxWaitingLoads) {
            return policyOf(
                    "usher.status",
                    UserStatus.FACET.policy().toBuilder().maxWaitingLoads(maxWaitingLoads),
                    new Profile(
                            ttl,
                            jitter,
                            absentTtl,
                            stalenessBound,
                            nearSize,
                            nearTtl,
                            refreshAhead,
                            claimWait,
                            serveStaleFor,
                            maxLoads,
                            this.maxWaitingLoads,
                            maxWait));
        }
    }

    /** A builder with these settings, which still lacks a Redis. */
    UserCaches.Builder builder() {
        UserCaches.Builder builder = UserCaches.builder();
        accept("usher.key-prefix", keyPrefix, builder::keyPrefix);
        accept("usher.redis.command-timeout", redis.commandTimeout, builder::commandTimeout);
        accept("usher.redis.await-replicas", redis.awaitReplicas, any -> redis.awaitReplicas(builder));
        return builder;
    }

    private static @Nullable String textOf(@Nullable String text) {
        return text == null || text.isBlank() ? null : text;
    }

    private static CachePolicy policyOf(String under, CachePolicy.Builder policy, Profile settings) {
        accept(under + ".ttl", settings.ttl, policy::ttl);
        accept(under + ".jitter", settings.jitter, policy::jitter);
        accept(under + ".absent-ttl", settings.absentTtl, policy::absentTtl);
        accept(under + ".staleness-bound", settings.stalenessBound, policy::stalenessBound);
        accept(under + ".near-size", settings.nearSize, policy::nearSize);
        accept(under + ".near-ttl", settings.nearTtl, policy::nearTtl);
        accept(under + ".refresh-ahead", settings.refreshAhead, policy::refreshAhead);
        accept(under + ".claim-wait", settings.claimWait, policy::claimWait);
        accept(under + ".serve-stale-for", settings.serveStaleFor, policy::serveStaleFor);
        accept(under + ".max-loads", settings.maxLoads, policy::maxLoads);
        if (settings.maxWaitingLoads != null) {
            accept(under + ".max-waiting-loads", settings.maxWaitingLoads, policy::maxWaitingLoads);
        }
        accept(under + ".max-wait", settings.maxWait, policy::maxWait);
        return policy.build();
    }

    /** Passes a setting to the core, which validates it; the exception for an invalid one names the property. */
    private static <T> void accept(String property, T value, Function<T, ?> setter) {
        try {
            var unused = setter.apply(value);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(property, value, String.valueOf(e.getMessage()), e);
        }
    }
}
