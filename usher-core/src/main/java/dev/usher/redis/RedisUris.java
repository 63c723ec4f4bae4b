package dev.usher.redis;

import io.lettuce.core.RedisURI;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The client library's {@link RedisURI}, for what it does not do by itself: lists of Sentinels with IPv6 addresses, ports that are no numbers, and copies
 * with the Sentinels in them. No exception quotes a URI, which may hold a password.
 */
public final class RedisUris {

    /** The port that a Sentinel listens on, unless another is named. */
    public static final int SENTINEL_PORT = 26_379;

    private static final Pattern SENTINELS =
            Pattern.compile("(rediss?)-sentinel://(?:([^/?#]*)@)?([^/?#@]+)(/[^?#]*)?(\\?[^#]*)?(?:#(.*))?");

    /** The port that a server listens on, unless another is named. */
    private static final int REDIS_PORT = 6_379;

    /** Of one account: a second one, before another node, would be taken for a part of the password. */
    private static final Pattern CLUSTER =
            Pattern.compile("(rediss?)-cluster://(?:([^/?#@]*)@)?([^/?#@]+)(?:/(\\d{0,5}))?(\\?[^#]*)?");

    private RedisUris() {}

    /** Whether a text begins as the URI of a Cluster does. */
    public static boolean isCluster(String text) {
        return text.strip().matches("(?s)rediss?-cluster:.*");
    }

    /**
     * Parses {@code redis-cluster://user:password@host:7001,[::1]:7001}, or {@code rediss-cluster://} for TLS.
     *
     * @return each of the servers, with the account; and with a database, which a Cluster does not have
     * @throws IllegalArgumentException when it is none of these
     */
    public static List<RedisURI> cluster(String text) {
        Matcher parts = CLUSTER.matcher(text.strip());
        if (!parts.matches()) {
            throw new IllegalArgumentException("no nodes of a Cluster");
        }
        String account = parts.group(2) == null ? "" : parts.group(2) + "@";
        String database = parts.group(4) == null || parts.group(4).isEmpty() ? "" : "/" + parts.group(4);
        String query = parts.group(5) == null ? "" : parts.group(5);
        RedisURI all = parse(parts.group(1) + "://" + account + "node" + database + query);
        return cluster(all, List.of(parts.group(3).split(",", -1)));
    }

    /**
     * Servers of a Cluster.
     *
     * @param redis everything but the addresses: account, TLS and name of the client
     * @param nodes the servers, each as {@code host}, {@code host:port} or {@code [::1]:port}
     * @throws IllegalArgumentException when a node is no such address
     */
    public static List<RedisURI> cluster(RedisURI redis, List<String> nodes) {
        return nodes.stream()
                .map(node -> {
                    ServerAddress address = ServerAddress.parse(node, REDIS_PORT);
                    RedisURI copy = copyOf(redis);
                    copy.setHost(address.host());
                    copy.setPort(address.port());
                    return copy;
                })
                .toList();
    }

    /**
     * Parses {@code redis://user:password@host:6379/0}, {@code rediss://} for TLS, or {@code
     * redis-sentinel://user:password@host:26379,[::1]:26379/0#primary}, {@code rediss-sentinel://} for TLS. User and password are those of
     * Redis, not of its Sentinels.
     *
     * @throws IllegalArgumentException when it is none of these
     */
    public static RedisURI parse(String text) {
        Matcher sentinels = SENTINELS.matcher(text.strip());
        if (sentinels.matches()) {
            return ofSentinels(sentinels);
        }
        if (text.strip().matches("(?s)rediss?-sentinel:.*")) {
            throw new IllegalArgumentException("no Sentinels");
        }
        RedisURI uri;
        try {
            uri = RedisURI.create(text.strip());
            String host = uri.getHost();
            // The client library takes a port that is no number for a part of the host.
            if (host == null || !host.contains(":") || URI.create(text.strip()).getHost() != null) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("no URI of a Redis"); // without the cause, which quotes it
        }
        throw new IllegalArgumentException("no host and port");
    }

    private static RedisURI ofSentinels(Matcher parts) {
        String account = parts.group(2) == null ? "" : parts.group(2) + "@";
        String path = parts.group(4) == null ? "" : parts.group(4);
        String query = parts.group(5) == null ? "" : parts.group(5);
        RedisURI all = parse(parts.group(1) + "://" + account + "sentinel" + path + query);
        String primary = parts.group(6) == null
                ? all.getSentinelMasterId()
                : URLDecoder.decode(parts.group(6), StandardCharsets.UTF_8);
        return sentinels(all, primary, List.of(parts.group(3).split(",", -1)));
    }

    /**
     * The Redis whose primary is named by Sentinels.
     *
     * @param redis everything but the address: account, database, TLS and name of the client
     * @param primary the name by which the Sentinels know it
     * @param nodes the Sentinels, each as {@code host}, {@code host:port} or {@code [::1]:port}
     * @throws IllegalArgumentException when the primary has no name, or a node is no such address
     */
    public static RedisURI sentinels(RedisURI redis, @Nullable String primary, List<String> nodes) {
        if (primary == null || primary.isBlank()) {
            throw new IllegalArgumentException("the primary has no name");
        }
        RedisURI.Builder named = like(redis).withSentinelMasterId(primary);
        for (String node : nodes) {
            ServerAddress address = ServerAddress.parse(node, SENTINEL_PORT);
            named.withSentinel(like(address, redis));
        }
        if (redis.getClientName() != null) {
            named.withClientName(redis.getClientName());
        }
        return named.build();
    }

    /** A Sentinel that is reached like Redis, without an account. */
    private static RedisURI like(ServerAddress address, RedisURI redis) {
        RedisURI sentinel = RedisURI.create(address.host(), address.port());
        sentinel.applySsl(redis);
        return sentinel;
    }

    private static RedisURI.Builder like(RedisURI redis) {
        return RedisURI.builder()
                .withSsl(redis)
                .withAuthentication(redis)
                .withDatabase(redis.getDatabase())
                .withTimeout(redis.getTimeout());
    }

    /** A copy, Sentinels included. */
    public static RedisURI copyOf(RedisURI uri) {
        if (uri.getSentinels().isEmpty()) {
            return RedisURI.builder(uri).build();
        }
        RedisURI.Builder copy = like(uri).withSentinelMasterId(uri.getSentinelMasterId());
        uri.getSentinels()
                .forEach(
                        sentinel -> copy.withSentinel(RedisURI.builder(sentinel).build()));
        RedisURI copied = copy.build();
        if (uri.getClientName() != null) {
            copied.setClientName(uri.getClientName());
        }
        return copied;
    }
}
