package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Change.Announcement;
import dev.usher.CoherenceRun.Group;
import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.PostgresServer;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/**
 * Several nodes, in processes of their own and in this one, that read and change the same users; a foreign program that
 * changes some of them as well; and {@link CoherenceChecker} checks every single read afterwards.
 *
 * <p>There is a fault every few seconds; the long form, {@code ./usher dev coherence}, goes on for five minutes.
 */
@Tag("thorough") // FaultsIT asks the same judge in mvn verify
class CoherenceIT {

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path directory;

    private final CoherenceRun run = CoherenceRun.fromProperties();
    private final boolean withFaults = Boolean.parseBoolean(System.getProperty("usher.coherence.faults", "true"));

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES) // for the long run
    void noNodeAnswersOlderThanTheBoundOrGoesBackOrStaysBehind() throws Exception {
        List<RedisWay> ways = new ArrayList<>();
        List<CoherenceNode> local = new ArrayList<>();
        List<JavaProcess> processes = new ArrayList<>();
        try (TestRedis server = TestRedis.start();
                PostgresServer postgres = PostgresServer.start();
                VersionTable table = new VersionTable(url(postgres))) {
            RedisClusterCommands<String, String> redis = server.commands();
            table.create(CoherenceRun.existing());
            // The first node has no proxy: while others are cut off, its changes reach Redis at once.
            List<String> addresses = new ArrayList<>(List.of(server.uri()));
            for (int node = 1; node < run.nodes(); node++) {
                if (withFaults) {
                    RedisWay way = server.way();
                    ways.add(way);
                    addresses.add(way.uri());
                } else {
                    addresses.add(server.uri());
                }
            }
            for (int node = CoherenceRun.LOCAL_NODES; node < run.nodes(); node++) {
                List<String> arguments = new ArrayList<>(
                        List.of(Integer.toString(node), addresses.get(node), url(postgres), directory.toString()));
                arguments.addAll(run.toArguments());
                processes.add(JavaProcess.start(CoherenceNode.class, directory.resolve("log-" + node), arguments));
            }
            for (int node = 0; node < CoherenceRun.LOCAL_NODES; node++) {
                local.add(new CoherenceNode(run, node, addresses.get(node), url(postgres), directory));
            }
            processes.forEach(JavaProcess::answer);
            processes.forEach(JavaProcess::requireOneClock);

            processes.forEach(process -> process.ask("begin"));
            local.forEach(CoherenceNode::begin);
            try (ForeignWriter foreigner =
                    new ForeignWriter(server, table, CoherenceRun.changes(directory, Change.FOREIGN))) {
                FaultSchedule faults = withFaults ? new FaultSchedule(server, redis, ways, run.bound()) : null;
                processes.forEach(process -> process.tell("awaitReads"));
                for (CoherenceNode node : local) {
                    node.awaitReads();
                }
                processes.forEach(JavaProcess::answer);
                if (faults != null) {
                    System.out.printf(Locale.ROOT, "faults: %s%n", faults.stop());
                }
                foreigner.quiet();
            }
            processes.forEach(process -> process.tell("quiet"));
            for (CoherenceNode node : local) {
                node.quiet();
            }
            processes.forEach(JavaProcess::answer);

            List<Change> changes = new ArrayList<>();
            List<Range> users = new ArrayList<>(List.of(new Range(0, Group.MIXED.first())));
            for (int writer = Change.FOREIGN; writer < run.nodes(); writer++) {
                List<Change> byOne = Change.Log.read(CoherenceRun.changes(directory, writer));
                changes.addAll(byOne);
                users.add(registered(writer, byOne));
            }
            CoherenceChecker checker = new CoherenceChecker(run.bound(), CoherenceRun.BRIEF_TTL, run.users(), changes);
            List<String> oldInRedis = new ArrayList<>();
            letPass(run.bound().plusMillis(100));
            readLast(local, processes, users);
            noteOld(redis, checker, users, oldInRedis);
            // Redis cannot know of a change by DEL during a load: those entries have to expire.
            List<Range> mixed = List.of(new Range(Group.MIXED.first(), CoherenceRun.existing()));
            letPass(CoherenceRun.BRIEF_TTL);
            readLast(local, processes, mixed);
            noteOld(redis, checker, mixed, oldInRedis);
            long nearHits = local.stream().mapToLong(CoherenceNode::nearHits).sum()
                    + processes.stream()
                            .mapToLong(process -> Long.parseLong(process.ask("readLast 0 0")))
                            .sum();

            long checkedFrom = System.nanoTime();
            for (int node = 0; node < run.nodes(); node++) {
                int reading = node;
                checker.check(
                        node,
                        IntStream.rangeClosed(0, CoherenceRun.READERS)
                                .mapToObj(reader -> ReadLog.open(CoherenceRun.reads(directory, reading, reader)))
                                .toList());
                checker.checkLast(node, ReadLog.open(CoherenceRun.last(directory, node)));
            }
            report(checker, changes, nearHits, Duration.ofNanos(System.nanoTime() - checkedFrom));
            SoftAssertions softly = new SoftAssertions();
            softly.assertThat(checker.violations()).as(checker.toString()).isEmpty();
            softly.assertThat(oldInRedis).as("old at the end in Redis").isEmpty();
            softly.assertThat(checker.unavailable()).as("unavailable").isZero();
            softly.assertThat(checker.reads()).isGreaterThanOrEqualTo(run.reads());
            softly.assertThat(nearHits).as("answered from memory").isGreaterThan(run.reads() / 2);
            softly.assertAll();
        } finally {
            local.forEach(CoherenceNode::close);
            processes.forEach(JavaProcess::close);
            ways.forEach(RedisWay::close);
        }
    }

    private static void readLast(List<CoherenceNode> local, List<JavaProcess> processes, List<Range> ranges) {
        for (Range range : ranges) {
            processes.forEach(process -> process.tell("readLast " + range.from() + " " + range.to()));
            local.forEach(node -> node.readLast(range.from(), range.to()));
            processes.forEach(JavaProcess::answer);
        }
    }

    private static void noteOld(
            RedisClusterCommands<String, String> redis,
            CoherenceChecker checker,
            List<Range> ranges,
            List<String> old) {
        for (Range range : ranges) {
            for (int id = range.from(); id < range.to(); id++) {
                String json = redis.get(CoherenceRun.keyOf(id));
                int version = json == null ? -1 : json.equals("null") ? 0 : VersionTable.versionIn(id, json);
                if (json != null && version != checker.lastOf(id)) {
                    old.add(id + " is in version " + checker.lastOf(id) + ", but Redis holds " + json);
                }
            }
        }
    }

    private void report(CoherenceChecker checker, List<Change> changes, long nearHits, Duration took) {
        System.out.printf(
                Locale.ROOT,
                "%,d reads on %d nodes checked in %d ms, %,d of them answered from memory, %d unavailable%n",
                checker.reads(),
                run.nodes(),
                took.toMillis(),
                nearHits,
                checker.unavailable());
        System.out.printf(Locale.ROOT, "violations: %s%n", checker.violations());
        for (Announcement by : Announcement.values()) {
            long number = changes.stream().filter(change -> change.by() == by).count();
            System.out.printf(
                    Locale.ROOT,
                    "%,d changes by %s; from commit to the last older answer on %d nodes: %s%n",
                    number,
                    by,
                    run.nodes(),
                    checker.visibility(change -> change.by() == by));
        }
        System.out.printf(
                Locale.ROOT,
                "%,d reads were older than what had been announced, by %d ms at most; %,d more by a DEL that met a load%n",
                checker.older(),
                checker.oldest().toMillis(),
                checker.withinGrace());
        checker.examples().forEach(System.out::println);
    }

    /** Users from one id to another, exclusive. */
    private record Range(int from, int to) {}

    /** The users that were registered on a node. */
    private static Range registered(int node, List<Change> changes) {
        int from = CoherenceRun.registered(Math.max(node, 0), 0);
        int to = changes.stream().mapToInt(change -> change.id() + 1).max().orElse(from);
        return new Range(from, Math.max(from, to));
    }

    private static void letPass(Duration duration) throws InterruptedException {
        assertThat(new CountDownLatch(1).await(duration.toMillis(), TimeUnit.MILLISECONDS))
                .isFalse();
    }

    private static String url(PostgresServer postgres) {
        return postgres.jdbcUrl() + "?user=" + postgres.username() + "&password=" + postgres.password();
    }
}
