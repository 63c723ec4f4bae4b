package dev.usher;

import dev.usher.FailoverCase.Servers;
import dev.usher.redis.KeySpace;
import dev.usher.redis.Rules;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.SlotHash;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The servers of a failover, and the nodes that use them, each a process of its own. Not thread-safe. */
final class FailoverSite implements AutoCloseable {

    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration LOOK = Duration.ofMillis(2);

    /** A key in the slot of the register. */
    private static final String REGISTER = "{user:nodes}";

    private final PostgresServer database;
    private final String schema = "site_" + System.nanoTime();
    private final @Nullable SentinelGroup group;
    private final @Nullable MovingEndpoint endpoint;
    private final @Nullable RedisCluster cluster;
    private final RedisClient client = RedisClient.create();

    private final FailoverRun run;

    /** By number; one that was killed is missing. */
    private final List<@Nullable JavaProcess> nodes = new ArrayList<>();

    /** Bans of these users, asked for and answered within a time, are to be confirmed although their slots are on the move. */
    private @Nullable BansToConfirm toConfirm;

    /**
     * Bans during a reshard.
     *
     * @param users whose slots were being moved
     * @param from in {@link System#nanoTime()}, as {@code to}
     */
    record BansToConfirm(Set<Integer> users, long from, long to) {}

    /** New servers of Redis, and a new schema in a database that is running. */
    FailoverSite(FailoverRun run, Servers servers, PostgresServer database) throws SQLException {
        this.run = run;
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
            case ENDPOINT, CLUSTER, CLUSTER_IN_PARTS, PROXIED_CLUSTER -> null;
        };
        this.cluster = switch (servers) {
            case CLUSTER -> RedisCluster.builder().start();
            case CLUSTER_IN_PARTS ->
                RedisCluster.builder()
                        .directives("cluster-require-full-coverage no")
                        .start();
            case PROXIED_CLUSTER ->
                RedisCluster.builder()
                        .proxied()
                        .replicas(2)
                        .nodeTimeout(FailoverCase.NODE_TIMEOUT)
                        .start();
            default -> null;
        };
    }

    /**
     * Starts the nodes, and has them know all users.
     *
     * @param out by node, the name of a rule that is taken out there
     */
    void startNodes(Path directory, Map<Integer, String> out) throws SQLException {
        CountingTable.create(databaseUrl(), "profiles", run.allUsers(), 0, 0);
        CountingTable.create(databaseUrl(), "gates", run.allUsers(), 0, 0);
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
        if (cluster != null && out.isEmpty()) {
            askAll("awaitConfirmed");
        }
        probe(run.firstProbe(), run.firstProbe());
    }

    private String redisUri(int node) {
        if (cluster != null) {
            return cluster.uri() + "?clientName=" + nameOf(node);
        }
        return endpoint == null ? group().uri() : endpoint.uri(node);
    }

    private static String nameOf(int node) {
        return "node-" + node;
    }

    /** Ends the connections of a node to a server, which it may reach at once again. */
    void disconnect(int node, RedisServer server) {
        MovingEndpoint.endConnections(client, server, nameOf(node), flags -> true);
    }

    private void probe(int profile, int gate) {
        askAll("probes " + profile + " " + gate);
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

    /** The Cluster, in a case that has one. */
    RedisCluster cluster() {
        if (cluster == null) {
            throw new IllegalStateException("there is no Cluster");
        }
        return cluster;
    }

    /** The primary of a Cluster that has the register of nodes. */
    RedisServer primaryOfRegister() {
        return cluster().primaryOf(REGISTER);
    }

    int slotOfRegister() {
        return SlotHash.getSlot(REGISTER);
    }

    /** Another primary of a Cluster than some. */
    RedisServer otherThan(RedisServer... some) {
        return cluster().primaries().stream()
                .filter(primary -> !List.of(some).contains(primary))
                .findFirst()
                .orElseThrow();
    }

    /** Every node has to see changes on this primary in the end. */
    void probeOn(RedisServer primary) {
        probeIn(cluster().slotsOf(primary)::contains);
    }

    private void probeIn(IntPredicate isOne) {
        probe(probeOf(run.profileProbes(), isOne), probeOf(run.gateProbes(), isOne));
    }

    private int probeOf(Facet<?> facet, IntPredicate isOne) {
        return IntStream.range(run.firstProbe(), run.rehearsed())
                .filter(id -> isOne.test(slotOf(facet, id)))
                .findFirst()
                .orElseThrow();
    }

    private static int slotOf(Facet<?> facet, int id) {
        return SlotHash.getSlot(keyOf(facet, id));
    }

    private static String keyOf(Facet<?> facet, int id) {
        return new KeySpace("user", facet.name()).keyOf(id);
    }

    /**
     * Some slots of a primary with users that are changed, in the order of their users, and with probes, which every node has to see in the end.
     *
     * @param users how many
     * @return by slot, the keys that may be there
     */
    Map<Integer, List<String>> slotsWithUsers(RedisServer primary, int users) {
        Set<Integer> owned = cluster().slotsOf(primary);
        Map<Integer, List<String>> slots = new LinkedHashMap<>();
        for (int id = 0; id < FailoverRun.CHANGED && slots.size() < users; id++) {
            for (Facet<?> facet : List.of(run.gates(), run.profiles())) {
                add(slots, owned, facet, id);
            }
        }
        probeIn(owned::contains);
        add(slots, owned, run.profileProbes(), probeOf(run.profileProbes(), owned::contains));
        add(slots, owned, run.gateProbes(), probeOf(run.gateProbes(), owned::contains));
        return slots;
    }

    private static void add(Map<Integer, List<String>> slots, Set<Integer> owned, Facet<?> facet, int id) {
        int slot = slotOf(facet, id);
        if (owned.contains(slot)) {
            String key = keyOf(facet, id);
            slots.computeIfAbsent(slot, none -> new ArrayList<>()).addAll(List.of(key, KeySpace.guardOf(key)));
        }
    }

    /** The bans of users in these slots are to be confirmed from a moment on until now. */
    void requireConfirmed(Set<Integer> slots, long from) {
        Set<Integer> users = IntStream.range(0, FailoverRun.CHANGED)
                .filter(id -> FailoverRun.isBanned(id) && slots.contains(slotOf(run.gates(), id)))
                .boxed()
                .collect(Collectors.toSet());
        toConfirm = new BansToConfirm(users, from, System.nanoTime());
    }

    @Nullable BansToConfirm toConfirm() {
        return toConfirm;
    }

    /** Goes on after some time, under load. */
    void pause(Duration duration) {
        long until = System.nanoTime() + duration.toNanos();
        for (long left = duration.toNanos(); left > 0; left = until - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    /** Has something happen to the primary behind Sentinels. Returns when another server said first that it is the primary. */
    long untilReplaced(Runnable something) {
        return untilReplaced(group().replicas(), something);
    }

    /** Has something happen to a primary. Returns when one of some others said first that it is the primary. */
    long untilReplaced(List<RedisServer> replicas, Runnable something) {
        List<StatefulRedisConnection<String, String>> others = replicas.stream()
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

    /** Servers of a Cluster that were killed come back, empty, as replicas of those that have taken their places. */
    void restartKilled() {
        cluster().servers().stream().filter(server -> !server.isRunning()).forEach(RedisServer::restart);
        cluster().awaitReplicas();
    }

    /** Has a replica of a Cluster get nothing more of what its primary writes, as where the network between them is slow. */
    void holdBack(RedisServer replica, RedisServer primary) {
        try (StatefulRedisConnection<String, String> there = client.connect(RedisURI.create(replica.uri()));
                StatefulRedisConnection<String, String> from = client.connect(RedisURI.create(primary.uri()))) {
            // A server without a password refuses one.
            there.sync().configSet("masterauth", "none");
            from.sync().clientKill(KillArgs.Builder.typeSlave());
        }
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

    private JavaProcess node(int node) {
        JavaProcess process = nodes.get(node);
        if (process == null) {
            throw new IllegalStateException("node " + node + " was killed");
        }
        return process;
    }

    String ask(int node, String line) {
        return node(node).ask(line);
    }

    void freezeNode(int node) {
        node(node).signal("STOP");
    }

    void thawNode(int node) {
        node(node).signal("CONT");
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
        if (cluster != null) {
            cluster.close();
        }
    }
}
