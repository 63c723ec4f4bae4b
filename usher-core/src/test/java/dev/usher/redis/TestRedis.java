package dev.usher.redis;

import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The Redis of a test, empty: a standalone server, or with the system property {@value #TOPOLOGY} a Cluster of three primaries, which have a third of the keys
 * each.
 */
public final class TestRedis implements AutoCloseable {

    /** Names the topology of tests: a standalone server, unless it is {@value #CLUSTER}. */
    public static final String TOPOLOGY = "usher.test.topology";

    public static final String CLUSTER = "cluster";

    /** The name of the connections of tests. */
    public static final String CLIENT = "test";

    private static final boolean ON_CLUSTER = CLUSTER.equals(System.getProperty(TOPOLOGY));

    /** Commands that are of a server, and not of its keys: each server gets them. */
    private static final Set<String> OF_SERVERS = Set.of(
            "aclDeluser",
            "aclSetuser",
            "bgsave",
            "clientKill",
            "clientList",
            "clientPause",
            "configGet",
            "configResetstat",
            "configSet",
            "dispatch",
            "info",
            "save",
            "scriptFlush");

    private final List<RedisServer> servers;
    private final @Nullable RedisCluster cluster;
    private final List<AutoCloseable> clients = new ArrayList<>();

    private TestRedis(List<RedisServer> servers, @Nullable RedisCluster cluster) {
        this.servers = servers;
        this.cluster = cluster;
    }

    /**
     * Starts it.
     *
     * @param directives further lines of the {@code redis.conf} of every server
     */
    public static TestRedis start(String... directives) {
        if (!ON_CLUSTER) {
            return new TestRedis(List.of(RedisServer.start(directives)), null);
        }
        RedisCluster cluster =
                RedisCluster.builder().replicas(0).directives(directives).start();
        return new TestRedis(cluster.primaries(), cluster);
    }

    /** Whether these tests run on a Cluster. */
    public static boolean isCluster() {
        return ON_CLUSTER;
    }

    /** By which a node finds it. */
    public String uri() {
        return cluster == null ? servers.get(0).uri() : cluster.uri();
    }

    /**
     * By which a node finds it.
     *
     * @param account as it stands in an URI, as in {@code user:password}
     */
    public String uriAs(String account) {
        return uri().replace("://", "://" + account + "@");
    }

    /** All servers, which are primaries. */
    public List<RedisServer> servers() {
        return servers;
    }

    /** The server that has a key. */
    public RedisServer serverOf(String key) {
        // The slots stay where they are: thirds of them.
        int slot = SlotHash.getSlot(key);
        int last = 0;
        while (slot >= RedisCluster.SLOTS * (last + 1) / servers.size()) {
            last++;
        }
        return servers.get(last);
    }

    /** The way of a node that has it for itself. */
    public RedisWay way() {
        return cluster == null
                ? new RedisWay(
                        "redis://",
                        List.of(FaultProxy.inFrontOf(
                                servers.get(0).host(), servers.get(0).port())))
                : new RedisWay("redis-cluster://", cluster.proxiesForOneClient());
    }

    /** A client that finds the servers of keys. */
    public RedisClusterCommands<String, String> commands() {
        return commands(StringCodec.UTF8);
    }

    /** A client that finds the servers of keys. */
    public <V> RedisClusterCommands<String, V> commands(RedisCodec<String, V> codec) {
        return commands(codec, RedisURI.DEFAULT_TIMEOUT_DURATION);
    }

    /**
     * A client that finds the servers of keys.
     *
     * @param timeout of each command
     */
    @SuppressWarnings("unchecked")
    public <V> RedisClusterCommands<String, V> commands(RedisCodec<String, V> codec, Duration timeout) {
        RedisClient client = RedisClient.create();
        clients.add(client::shutdown);
        List<RedisCommands<String, V>> each = servers.stream()
                .map(server -> client.connect(codec, named(server, timeout)).sync())
                .toList();
        if (cluster == null) {
            return each.get(0);
        }
        RedisClusterClient routing = RedisClusterClient.create(
                servers.stream().map(server -> named(server, timeout)).toList());
        clients.add(routing::shutdown);
        RedisClusterCommands<String, V> routed = routing.connect(codec).sync();
        return (RedisClusterCommands<String, V>) Proxy.newProxyInstance(
                TestRedis.class.getClassLoader(),
                new Class<?>[] {RedisClusterCommands.class},
                (proxy, method, arguments) -> {
                    try {
                        if (!OF_SERVERS.contains(method.getName())) {
                            return method.invoke(routed, arguments);
                        }
                        List<@Nullable Object> answers = new ArrayList<>();
                        for (RedisCommands<String, V> one : each) {
                            answers.add(method.invoke(one, arguments));
                        }
                        return answers.stream().allMatch(String.class::isInstance)
                                ? answers.stream().map(String::valueOf).collect(Collectors.joining())
                                : answers.get(0);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static RedisURI named(RedisServer server, Duration timeout) {
        RedisURI uri = RedisURI.create(server.uri());
        uri.setClientName(CLIENT);
        uri.setTimeout(timeout);
        return uri;
    }

    @Override
    public void close() {
        clients.forEach(client -> {
            try {
                client.close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        if (cluster == null) {
            servers.forEach(RedisServer::close);
        } else {
            cluster.close();
        }
    }
}
