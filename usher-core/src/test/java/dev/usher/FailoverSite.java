package dev.usher;

import dev.usher.FailoverCase.Servers;
import dev.usher.redis.Rules;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.SentinelGroup;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The servers of a failover, and the nodes that use them, each a process of its own. Not thread-safe. */
final class FailoverSite implements AutoCloseable {

    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(2);

    private final PostgresServer database;
    private final String schema = "site_" + System.nanoTime();
    private final @Nullable SentinelGroup group;
    private final @Nullable MovingEndpoint endpoint;
    private final RedisClient client = RedisClient.create();

    /** By number; one that was killed is missing. */
    private final List<@Nullable JavaProcess> nodes = new ArrayList<>();

    /** New servers of Redis, and a new schema in a database that is running. */
    FailoverSite(Servers servers, PostgresServer database) throws SQLException {
        this.database = database;
        try (Connection connection = DriverManager.getConnection(databaseUrl());
                Statement statement = connection.createStatement()) {
            statement.execute("create schema " + schema);
        }
        this.endpoint = servers == Servers.ENDPOINT ? new MovingEndpoint(FailoverRun.NODES) : null;
        this.group = switch (servers) {
            case SENTINELS -> SentinelGroup.builder().start();
            case PROXIED_SENTINELS -> SentinelGroup.builder().proxied().start();
            case SLOW_SENTINELS ->
                SentinelGroup.builder()
                        .proxied()
                        .downAfter(Duration.ofSeconds(2))
                        .start();
            case ENDPOINT -> null;
        };
    }

    /**
     * Starts the nodes, and has them know all users.
     *
     * @param out by node, the name of a rule that is taken out there
     */
    void startNodes(FailoverRun run, Path directory, Map<Integer, String> out) throws SQLException {
        CountingTable.create(databaseUrl(), "profiles", run.users() + 1, 0, 0);
        CountingTable.create(databaseUrl(), "gates", run.users() + 1, 0, 0);
        for (int node = 0; node < FailoverRun.NODES; node++) {
            List<String> arguments = new ArrayList<>(
                    List.of(Integer.toString(node), redisUri(node), databaseUrl(), directory.toString()));
            arguments.addAll(run.toArguments());
            nodes.add(JavaProcess.start(
                    FailoverNode.class,
                    Rules.OUT,
                    out.getOrDefault(node, ""),
                    directory.resolve("log-" + node),
                    arguments));
        }
        nodes().forEach(JavaProcess::requireOneClock);
        // One after the other, so that what one has loaded the next finds in Redis; and again, as each fill is a
        // change.
        nodes().forEach(node -> node.ask("warm"));
        askAll("warm");
    }

    private String redisUri(int node) {
        return endpoint == null ? group().uri() : endpoint.uri(node);
    }

    private String databaseUrl() {
        return "jdbc:postgresql://" + database.host() + ":" + database.port() + "/postgres?user=" + database.username()
                + "&password=" + database.password() + "&currentSchema=" + schema;
    }

    /** The primary, its replicas and their Sentinels, in a case that has them. */
    SentinelGroup group() {
        if (group == null) {
            throw new IllegalStateException("there are no Sentinels");
        }
        return group;
    }

    /** The name that moves, in a case that has one. */
    MovingEndpoint endpoint() {
        if (endpoint == null) {
            throw new IllegalStateException("there is no name that moves");
        }
        return endpoint;
    }

    /** Has something happen to the primary. Returns when another server said first that it is the primary. */
    long untilReplaced(Runnable something) {
        List<StatefulRedisConnection<String, String>> others = group().replicas().stream()
                .map(replica -> client.connect(RedisURI.create(replica.uri())))
                .toList();
        CompletableFuture<Void> begun = CompletableFuture.runAsync(something);
        long givesUpAt = System.nanoTime() + LIMIT.toNanos();
        while (others.stream().noneMatch(FailoverSite::isPrimary)) {
            if (begun.isCompletedExceptionally() || System.nanoTime() - givesUpAt > 0) {
                begun.join();
                throw new IllegalStateException("the primary was not replaced within " + LIMIT);
            }
            LockSupport.parkNanos(LOOK.toNanos());
        }
        long replacedAt = System.nanoTime();
        begun.join();
        others.forEach(StatefulRedisConnection::close);
        return replacedAt;
    }

    private static boolean isPrimary(StatefulRedisConnection<String, String> server) {
        try {
            return server.sync().role().get(0).equals("master");
        } catch (RedisException e) {
            return false; // a Sentinel that promotes a server ends its connections
        }
    }

    /** The nodes that run. */
    List<JavaProcess> nodes() {
        List<JavaProcess> running = new ArrayList<>();
        for (JavaProcess node : nodes) {
            if (node != null) {
                running.add(node);
            }
        }
        return running;
    }

    String ask(int node, String line) {
        JavaProcess process = nodes.get(node);
        if (process == null) {
            throw new IllegalStateException("node " + node + " was killed");
        }
        return process.ask(line);
    }

    /** The answers of all nodes that run. */
    List<String> askAll(String line) {
        tellAll(line);
        return answers();
    }

    void tellAll(String line) {
        nodes().forEach(node -> node.tell(line));
    }

    List<String> answers() {
        return nodes().stream().map(JavaProcess::answer).toList();
    }

    void killNode(int node) {
        JavaProcess process = nodes.set(node, null);
        if (process != null) {
            process.kill();
        }
    }

    @Override
    public void close() {
        nodes().forEach(JavaProcess::close);
        client.shutdown(0, 1, TimeUnit.SECONDS);
        if (endpoint != null) {
            endpoint.close();
        }
        if (group != null) {
            group.close();
        }
    }
}
