package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.FaultRun.Group;
import dev.usher.testkit.PostgresServer;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * One fault: nodes that read and change are warmed up, then the fault lasts for a while. Afterwards the recovery time of every node is
 * measured, and when all is quiet, the records of the nodes and the entries in Redis are checked.
 */
final class FaultTrial implements AutoCloseable {

    /** Queries that a node may have under way for one facet. */
    private static final int MAX_QUERIES = 4;

    static final Duration LONGEST_RECOVERY = Duration.ofSeconds(2);

    /** Beside other tests, a busy machine starts nodes' threads late; the long run, which names its faults, has the machine for itself. */
    private static final Duration JUDGED_RECOVERY =
            System.getProperty("usher.faults", "").isEmpty() ? Duration.ofSeconds(5) : LONGEST_RECOVERY;

    private static final Duration WARM_UP = Duration.ofMillis(200);
    private static final Duration AFTERMATH = Duration.ofMillis(100);

    private final FaultRun run;
    private final Fault fault;
    private final Path directory;
    private final FaultVerdict verdict;
    private final FaultSite site;
    private final List<Obedient> nodes = new ArrayList<>();
    private final List<Runnable> ends = new ArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    /** A node, in this process or in another one. */
    @FunctionalInterface
    private interface Obedient {
        String ask(String line) throws Exception;
    }

    FaultTrial(FaultRun run, Fault fault, PostgresServer database, Path directory) throws SQLException {
        this.run = run;
        this.fault = fault;
        this.directory = directory;
        this.verdict = new FaultVerdict(fault);
        this.site = new FaultSite(database, run.nodes());
    }

    FaultVerdict verdict() throws Exception {
        open();
        askAll(fault.takesDatabase() ? "begin singles" : "begin lists");
        site.letPass(WARM_UP);
        long from = System.nanoTime();
        fault.happen(site, fault == Fault.FLAPPING ? run.flapping() : run.fault());
        long to = System.nanoTime();
        recover(to);
        site.letPass(AFTERMATH);
        quiet();
        site.letPass(run.bound().plusMillis(100));
        askAll("readLast");
        countQueries();
        countUnavailable();
        FaultJudge judge = new FaultJudge(run, fault, directory, from, to, verdict);
        judge.judgeProfiles();
        judge.judgeStatuses(site);
        judge.judgeWhatIsStored(site);
        judge.measure();
        return verdict;
    }

    private void open() throws Exception {
        CountingTable.prepare(site.databaseUrl());
        CountingTable.create(
                site.databaseUrl(), "profiles", FaultRun.users(), Group.ABSENT.first(), Group.ABSENT.end());
        CountingTable.create(site.databaseUrl(), "statuses", FaultRun.STATUSES, 0, 0);
        for (int node = FaultRun.LOCAL_NODES; node < run.nodes(); node++) {
            JavaProcess process = JavaProcess.start(FaultNode.class, directory.resolve("log-" + node), arguments(node));
            ends.add(process::close);
            nodes.add(process::ask);
        }
        for (int node = FaultRun.LOCAL_NODES - 1; node >= 0; node--) {
            FaultNode local = new FaultNode(run, node, site.redisUri(node), site.databaseUrl(node), directory);
            ends.add(local::close);
            nodes.add(0, local::obey);
        }
        for (Obedient node : nodes) {
            compareClocks(node);
        }
    }

    private List<String> arguments(int node) {
        List<String> arguments = new ArrayList<>(
                List.of(Integer.toString(node), site.redisUri(node), site.databaseUrl(node), directory.toString()));
        arguments.addAll(run.toArguments());
        return arguments;
    }

    /** Checks that {@link System#nanoTime()} means the same in all processes: on Linux it does, elsewhere that is not guaranteed. */
    private static void compareClocks(Obedient node) throws Exception {
        long before = System.nanoTime();
        long there = Long.parseLong(node.ask("clock"));
        assertThat(there).as("one clock for all processes").isBetween(before, System.nanoTime());
    }

    private void recover(long restoredAt) throws Exception {
        List<Future<String>> recovered = tellAll("awaitProbe 1");
        // Counted from the commit, whose own time is no part of the recovery.
        long committedAt = Long.parseLong(nodes.get(0).ask("changeProbe 1"));
        for (Future<String> node : recovered) {
            long at = Long.parseLong(node.get());
            Duration took = at < 0 ? Duration.ofDays(1) : Duration.ofNanos(at - Math.max(restoredAt, committedAt));
            if (took.compareTo(verdict.recovery) > 0) {
                verdict.recovery = took;
            }
        }
        if (verdict.recovery.compareTo(JUDGED_RECOVERY) > 0) {
            verdict.violation(
                    "SLOW_RECOVERY",
                    "a node took " + verdict.recovery + ", the database " + Duration.ofNanos(committedAt - restoredAt));
        }
    }

    private void quiet() throws Exception {
        for (String unsent : askAll("quiet")) {
            if (!unsent.equals("0")) {
                verdict.violation("UNSENT", unsent + " changes that Redis was not told of");
            }
        }
    }

    private void countQueries() throws Exception {
        for (String max : askAll("maxQueries")) {
            verdict.maxQueries = Math.max(verdict.maxQueries, Integer.parseInt(max));
        }
        if (verdict.maxQueries > MAX_QUERIES) {
            verdict.violation("TOO_MANY_QUERIES", verdict.maxQueries + " at once");
        }
    }

    private void countUnavailable() throws Exception {
        for (String kinds : askAll("unavailable")) {
            for (String kind : kinds.split(";")) {
                if (!kind.isEmpty()) {
                    int at = kind.lastIndexOf('=');
                    verdict.unavailable.merge(kind.substring(0, at), Long.parseLong(kind.substring(at + 1)), Long::sum);
                }
            }
        }
    }

    private List<String> askAll(String line) throws Exception {
        List<String> answers = new ArrayList<>();
        for (Future<String> answer : tellAll(line)) {
            answers.add(answer.get());
        }
        return answers;
    }

    private List<Future<String>> tellAll(String line) {
        List<Future<String>> answers = new ArrayList<>();
        nodes.forEach(node -> answers.add(threads.submit(() -> node.ask(line))));
        return answers;
    }

    @Override
    public void close() {
        try (site) {
            threads.shutdownNow();
            ends.forEach(Runnable::run);
        }
    }
}
