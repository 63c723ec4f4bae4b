package dev.usher;

import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/**
 * The environment of the faults: a Redis, a database, and the network between them and each node. The first node's connections always
 * work: while others are disturbed, its changes are made and announced.
 *
 * <p>Not thread-safe.
 */
final class FaultSite implements AutoCloseable {

    private static final String OPERATOR = "operator";
    private static final int BALLAST = 30;
    private static final int BALLAST_BYTES = 2_100_000;

    private final TestRedis redis = TestRedis.start("user " + OPERATOR + " on nopass ~* &* +@all");
    private final PostgresServer database;
    private final String schema = "site_" + System.nanoTime();
    private final List<RedisWay> waysToRedis = new ArrayList<>();
    private final List<FaultProxy> proxiesOfDatabase = new ArrayList<>();
    private final RedisClient client;
    private final Map<RedisServer, StatefulRedisConnection<String, String>> operators = new HashMap<>();

    /**
     * A new Redis, and a new schema in a database that is running.
     *
     * @param nodes the number of nodes
     */
    FaultSite(PostgresServer server, int nodes) throws SQLException {
        this.database = server;
        try (Connection connection = DriverManager.getConnection(databaseUrl());
                Statement statement = connection.createStatement()) {
            statement.execute("create schema " + schema);
        }
        for (int node = 0; node < nodes; node++) {
            waysToRedis.add(redis.way());
            proxiesOfDatabase.add(FaultProxy.inFrontOf(server.host(), server.port()));
        }
        // An operator's client, which no password and no ACL rule of a fault keeps out.
        client = RedisClient.create();
        // A command of a broken connection must not be repeated over the next one.
        client.setOptions(ClientOptions.builder().autoReconnect(false).build());
    }

    /** All servers of Redis. */
    List<RedisServer> redis() {
        return redis.servers();
    }

    PostgresServer database() {
        return database;
    }

    String redisUri(int node) {
        return waysToRedis.get(node).uri();
    }

    String databaseUrl(int node) {
        return databaseUrlAt(proxiesOfDatabase.get(node).port());
    }

    /** The address past all proxies. */
    String databaseUrl() {
        return databaseUrlAt(database.port());
    }

    private String databaseUrlAt(int port) {
        return "jdbc:postgresql://" + database.host() + ":" + port + "/postgres?user=" + database.username()
                + "&password=" + database.password() + "&currentSchema=" + schema
                + "&connectTimeout=3&socketTimeout=3";
    }

    /** The proxies between Redis and the disturbed nodes. */
    List<FaultProxy> proxiesOfRedis() {
        return waysToRedis.subList(1, waysToRedis.size()).stream()
                .flatMap(way -> way.proxies().stream())
                .toList();
    }

    /** The proxies between the database and the disturbed nodes. */
    List<FaultProxy> proxiesOfDatabase() {
        return proxiesOfDatabase.subList(1, proxiesOfDatabase.size());
    }

    /** Commands of an operator without restrictions, on each server of Redis. */
    List<RedisCommands<String, String>> operators() {
        return redis.servers().stream().map(this::operator).toList();
    }

    private RedisCommands<String, String> operator(RedisServer server) {
        StatefulRedisConnection<String, String> connection = operators.get(server);
        if (connection == null || !connection.isOpen()) {
            connection = client.connect(RedisURI.builder()
                    .withHost(server.host())
                    .withPort(server.port())
                    .withAuthentication(OPERATOR, "any")
                    .build());
            awaitConnected(connection);
            operators.put(server, connection);
        }
        return connection.sync();
    }

    /** Waits for the connection: the client library returns it a moment before it accepts commands. */
    private static void awaitConnected(StatefulRedisConnection<String, String> connection) {
        await().pollInSameThread().until(() -> {
            try {
                connection.sync().ping();
                return true;
            } catch (RedisCommandExecutionException e) {
                return true; // an answer, such as that it is loading
            } catch (RedisException e) {
                return false;
            }
        });
    }

    /** Ends the connections of all nodes; they may come back if Redis lets them. */
    void killClients() {
        operators()
                .forEach(each -> each.clientKill(KillArgs.Builder.typeNormal().skipme()));
    }

    /** Restarts a standalone Redis with its entries of the changed users, which takes about that time. */
    void restartLoading(Duration length) {
        RedisServer server = redis.servers().get(0);
        RedisCommands<String, String> commands = operator(server);
        commands.del(LongStream.range(FaultRun.Group.COLD.first(), FaultRun.Group.COLD.end())
                .mapToObj(id -> "user:" + id + ":profile")
                .toArray(String[]::new));
        // While it loads, Redis serves its clients once in 2 MB.
        commands.configSet("rdbcompression", "no");
        for (int i = 0; i < BALLAST; i++) {
            commands.setrange("ballast:" + i, BALLAST_BYTES, "end");
        }
        long microsForEach = length.toNanos() / 1000 / commands.dbsize();
        commands.configSet("key-load-delay", Long.toString(microsForEach));
        commands.configRewrite();
        try {
            commands.shutdown(true);
        } catch (RedisException e) {
            // Redis closes the connection without an answer.
        }
        server.restart();
        operator(server).configSet("key-load-delay", "0");
    }

    /** Repeats an action, with a pause after each time, for about that time. */
    void again(Duration length, Duration pause, Runnable what) {
        long until = System.nanoTime() + length.toNanos();
        while (System.nanoTime() - until < 0) {
            what.run();
            letPass(pause);
        }
    }

    void letPass(Duration duration) {
        try {
            if (new CountDownLatch(1).await(duration.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new IllegalStateException("the latch is never counted down");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while something was going wrong", e);
        }
    }

    @Override
    public void close() {
        client.shutdown(0, 1, TimeUnit.SECONDS);
        waysToRedis.forEach(RedisWay::close);
        proxiesOfDatabase.forEach(FaultProxy::close);
        redis.close();
    }
}
