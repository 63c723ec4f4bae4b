package dev.usher;

import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A primary and its replica behind one name, as with a managed Redis: the replica is promoted, and new connections lead to it. Nothing tells the clients
 * that are connected, and the old primary goes on serving them. Each client has a proxy of its own, so that some move and others stay.
 */
final class MovingEndpoint implements AutoCloseable {

    private static final Pattern CLIENT =
            Pattern.compile("^id=(\\d+) .* name=(\\S*) .* flags=(\\S+) ", Pattern.MULTILINE);

    private final RedisServer old = RedisServer.start();
    private final RedisServer next = RedisServer.replicaOf(old);
    private final List<FaultProxy> proxies = new ArrayList<>();
    private final RedisClient client = RedisClient.create();

    MovingEndpoint(int clients) {
        for (int i = 0; i < clients; i++) {
            proxies.add(FaultProxy.inFrontOf(old.host(), old.port()));
        }
    }

    /** The endpoint as a client sees it. */
    String uri(int index) {
        FaultProxy proxy = proxies.get(index);
        return "redis://" + proxy.host() + ":" + proxy.port() + "?clientName=" + nameOf(index);
    }

    private static String nameOf(int index) {
        return "client-" + index;
    }

    /** Promotes the replica, and has new connections lead to it. Returns when it took writes. */
    long move() {
        try (StatefulRedisConnection<String, String> connection = client.connect(RedisURI.create(next.uri()))) {
            connection.sync().replicaofNoOne();
            connection.sync().set("promoted", "");
        }
        long promoted = System.nanoTime();
        proxies.forEach(proxy -> proxy.pointTo(next.host(), next.port()));
        return promoted;
    }

    /** Ends all connections of a client. */
    void cut(int index) {
        proxies.get(index).cut();
    }

    /** Ends all connections of a client to the old primary but the one whose reads are tracked. */
    void cutAllButTracked(int index) {
        endConnections(client, old, nameOf(index), flags -> !flags.contains("t"));
    }

    /**
     * Ends connections to a server.
     *
     * @param client by which the server is asked for that
     * @param name of the client whose connections they are
     * @param isOne says by its flags whether a connection is one of those
     */
    static void endConnections(RedisClient client, RedisServer server, String name, Predicate<String> isOne) {
        try (StatefulRedisConnection<String, String> connection = client.connect(RedisURI.create(server.uri()))) {
            RedisCommands<String, String> redis = connection.sync();
            Matcher each = CLIENT.matcher(redis.clientList());
            while (each.find()) {
                if (each.group(2).equals(name) && isOne.test(each.group(3))) {
                    redis.clientKill(KillArgs.Builder.id(Long.parseLong(each.group(1))));
                }
            }
        }
    }

    @Override
    public void close() {
        client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        proxies.forEach(FaultProxy::close);
        next.close();
        old.close();
    }
}
