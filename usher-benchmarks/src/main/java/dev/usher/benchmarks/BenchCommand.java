package dev.usher.benchmarks;

import dev.usher.testkit.RedisServer;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command {@code usher bench}: measures usher and its peers on the same work in one run and writes a report. */
@Command(
        name = "usher bench",
        mixinStandardHelpOptions = true,
        description = "Measures usher beside what people would use instead, and writes report.md and report.html.",
        footer = {
            "",
            "It starts the servers that it needs, on loopback, and ends them. Let nothing else",
            "run meanwhile. It takes about 4 GiB of memory.",
            "Exit codes: 0 success, 1 a contender that is wrong or a failure, 2 a command that",
            "cannot be read."
        })
final class BenchCommand implements Callable<Integer> {

    private static final int LAST_ON_A_CLUSTER = Row.STAMPEDES.number();
    private static final String TESTKIT_REDIS = "usher.testkit.redis";

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--quick",
            description = "All rows in less than ten minutes on two cores, with fewer peers and wider spreads.")
    private boolean quick;

    @Option(
            names = "--rows",
            split = ",",
            paramLabel = "ROW",
            description = "Only these rows, by their numbers from 1 to 11, as in --rows 1,2.")
    private Set<Integer> rows = new TreeSet<>();

    @Option(
            names = "--cluster",
            description =
                    "Rows 1 to 4 on one server, on a Redis Cluster of one primary and on one of three, beside raw Lettuce and Caffeine, all on Redis 7.0.")
    private boolean cluster;

    @Option(
            names = "--output",
            paramLabel = "DIRECTORY",
            description = "Where the report goes: ${DEFAULT-VALUE}.",
            defaultValue = "${sys:usher.bench.output:-target/bench}")
    @SuppressWarnings("NullAway.Init")
    private Path output;

    private final PrintStream progress;

    private BenchCommand(PrintStream progress) {
        this.progress = progress;
    }

    /** Runs the command, and ends the JVM with its exit code. */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new BenchCommand(System.out)).execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        for (int row : rows) {
            if (row < 1 || row > Row.values().length) {
                throw new ParameterException(
                        spec.commandLine(), "there is no row " + row + "; they go from 1 to " + Row.values().length);
            }
        }
        if (cluster && rows.stream().anyMatch(row -> row > LAST_ON_A_CLUSTER)) {
            throw new ParameterException(
                    spec.commandLine(), "on a Cluster there are the rows from 1 to " + LAST_ON_A_CLUSTER);
        }
        if (cluster && System.getProperty(TESTKIT_REDIS) == null) {
            System.setProperty(TESTKIT_REDIS, "7.0"); // that of the Clusters
        }
        List<Topology> topologies = cluster ? List.of(Topology.values()) : List.of(Topology.SERVER);
        Plan plan = quick ? Plan.quick() : Plan.full();
        Instant begun = Instant.now();
        String redis;
        try (RedisServer server = RedisServer.start()) {
            redis = RedisFigures.of(server.uri()).version();
            if (!isRight(server, cluster ? plan.on(Topology.SERVER) : plan)) {
                return CommandLine.ExitCode.SOFTWARE;
            }
        }
        List<Section> sections = new ArrayList<>();
        for (Row row : Row.values()) {
            if ((cluster && row.number() > LAST_ON_A_CLUSTER) || !(rows.isEmpty() || rows.contains(row.number()))) {
                continue;
            }
            for (Topology topology : topologies) {
                Instant rowBegun = Instant.now();
                Section section = cluster
                        ? row.measurement().measure(plan.on(topology)).on(topology)
                        : row.measurement().measure(plan);
                progress.printf(
                        Locale.ROOT,
                        "%2d. %s: %d s%n",
                        section.row().number(),
                        section.title(),
                        Duration.between(rowBegun, Instant.now()).toSeconds());
                sections.add(section);
                // After each row: a row that fails does not lose the rows before it.
                Duration soFar = Duration.between(begun, Instant.now());
                new Report(output).write(head(plan, redis, begun, soFar), sections);
            }
        }
        Duration taken = Duration.between(begun, Instant.now());
        progress.printf(
                Locale.ROOT,
                "%s, in %d min %d s%n",
                output.resolve("report.html"),
                taken.toMinutes(),
                taken.toSecondsPart());
        return CommandLine.ExitCode.OK;
    }

    /** Whether every contender keeps its promises: a contender that answers wrongly is not timed. */
    private boolean isRight(RedisServer server, Plan plan) {
        List<String> violations = new ArrayList<>();
        for (Peer peer : plan.peers()) {
            Contract.violations(peer, server.uri())
                    .forEach(violation -> violations.add(
                            peer.title() + " breaks \"" + violation.promise().title() + "\": " + violation.how()));
        }
        violations.forEach(progress::println);
        if (violations.isEmpty()) {
            progress.println("All " + plan.peers().size() + " contenders answer as they should");
        }
        return violations.isEmpty();
    }

    private static String head(Plan plan, String redis, Instant begun, Duration taken) {
        return "# usher beside what people would use instead\n\nMeasured on "
                + DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm 'UTC'", Locale.ROOT)
                        .withZone(ZoneOffset.UTC)
                        .format(begun)
                + " in a " + plan.name() + " run of " + taken.toMinutes() + " min " + taken.toSecondsPart() + " s:\n\n"
                + Machine.facts(redis).stream().collect(Collectors.joining("\n- ", "- ", "\n"))
                + "\nA ratio is taken within a round, in which each contender has its turn, and stands with what nine in ten"
                + " rounds lie above and below.\nTimes are those of this machine, on that day; ratios travel better.\n";
    }
}
