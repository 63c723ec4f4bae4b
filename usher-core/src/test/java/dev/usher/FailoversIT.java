package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Primaries that are replaced, and slots of a Cluster that move, while three nodes in processes of their own read, change and ban users, over a database that answers 500 queries a second: no
 * call is without an answer, and {@link CoherenceChecker} checks every single answer. Where nothing tells the nodes that the primary has been replaced, wrong
 * answers are counted; but none is older than a change whose receipt is confirmed.
 *
 * <p>The long form, {@code ./usher dev failovers}, also requires the times of the design; {@code ./usher dev failovers PRIMARY_KILLED,PRIMARY_ALONE 60} takes
 * some of them, each under load for a minute, and {@code ./usher dev failovers cluster} those on a Cluster. The results are also in {@code target/failovers.txt}.
 */
@Tag("servers")
@EnabledOnOs(OS.LINUX) // one clock for all processes, and servers with addresses of their own
class FailoversIT {

    private static final Path REPORT = Path.of("target", "failovers.txt");

    private static final String CHOSEN = System.getProperty("usher.failovers", "");
    /** The only rule to be taken out, or {@code ALL} of them. */
    private static final String RULE = System.getProperty("usher.failovers.rule", "");

    private static final int SECONDS = Integer.getInteger("usher.failovers.seconds", 20);

    /** Whether it is done in the thorough form at most, and times are not required. */
    private static final boolean IS_SHORT = CHOSEN.isEmpty() || SECONDS == 0;

    private static final Duration MAX_P99 = Duration.ofMillis(150);
    private static final Duration MAX_TIME = Duration.ofSeconds(1);
    private static final Duration MAX_CLOSED = Duration.ofSeconds(2);

    /** The staleness bound of the gate. */
    private static final Duration MAX_BAN = Duration.ofSeconds(1);

    /** One call of so many may stay without an answer beside the tests of another module, where a query can be late by a second; none in the long form. */
    private static final long FEW = 100;

    /** Longer than the bound of profiles. */
    private static final Duration QUIET = Duration.ofMillis(5100);

    private static final FailoverRun THOROUGH_FORM =
            new FailoverRun(Duration.ofSeconds(1), Duration.ofSeconds(3), QUIET, 500, 2000);

    private static final FailoverRun ON_A_CLUSTER =
            new FailoverRun(Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofMillis(1100), 500, 2000);

    /** Long enough for a node that believes the wrong server to do so. */
    private static final FailoverRun WITHOUT_A_RULE =
            new FailoverRun(Duration.ofSeconds(1), Duration.ofSeconds(8), QUIET, 500, 2000);

    /** Those of a Cluster that the thorough profile runs; {@code ./usher dev failovers cluster} runs all. */
    private static final List<FailoverCase> ON_A_CLUSTER_IN_EACH_BUILD = List.of(
            FailoverCase.SLOTS_MOVED,
            FailoverCase.SLOTS_TAKEN,
            FailoverCase.CLUSTER_PRIMARY_KILLED,
            FailoverCase.CLUSTER_FAILOVER);

    private static final FaultReport report = new FaultReport(FailoverVerdict.heading());
    private static PostgresServer database;
    private static FaultProgress progress;

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path directory;

    static List<FailoverCase> cases() {
        return switch (CHOSEN) {
            case "" ->
                Thorough.pick(
                        Stream.concat(casesOnCluster(false).stream(), ON_A_CLUSTER_IN_EACH_BUILD.stream())
                                .toList(),
                        List.of(FailoverCase.PRIMARY_FROZEN));
            case "ONE_PRIMARY" -> casesOnCluster(false);
            case "CLUSTER" -> casesOnCluster(true);
            default ->
                Arrays.stream(CHOSEN.split(",")).map(FailoverCase::valueOf).toList();
        };
    }

    private static List<FailoverCase> casesOnCluster(boolean isOnCluster) {
        return Arrays.stream(FailoverCase.values())
                .filter(what -> what.isOnCluster() == isOnCluster)
                .toList();
    }

    private static FailoverRun run(FailoverCase what) {
        if (IS_SHORT) {
            return Thorough.pick(
                    what.isOnCluster() ? ON_A_CLUSTER : THOROUGH_FORM,
                    new FailoverRun(Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofMillis(1100), 300, 2000));
        }
        return new FailoverRun(Duration.ofSeconds(5), Duration.ofSeconds(SECONDS), QUIET, 2000, 10_000);
    }

    @BeforeAll
    static void startDatabase() {
        database = PostgresServer.start();
        progress = FaultProgress.of("failovers", cases().size());
    }

    @AfterAll
    static void publish() throws IOException {
        progress.close();
        database.close();
        report.publish(REPORT);
    }

    @Tag("load")
    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    @Timeout(value = 30, unit = TimeUnit.MINUTES) // for the long run
    void everyPromiseHoldsWhen(FailoverCase what) throws Exception {
        progress.begin(what);
        try (FailoverTrial trial = new FailoverTrial(run(what), what, Map.of(), database, directory)) {
            FailoverVerdict verdict = trial.verdict();
            report.add(verdict.line(), verdict.details());
            SoftAssertions softly = new SoftAssertions();
            softly.assertThat(verdict.failed)
                    .as("calls without an answer: %s", verdict.details())
                    .isLessThanOrEqualTo(IS_SHORT ? verdict.reads / FEW : 0);
            softly.assertThat(verdict.unsent)
                    .as("changes that were not announced")
                    .isZero();
            softly.assertThat(verdict.broken(Grade.CONFIRMED))
                    .as("answers older than a confirmed receipt: %s", verdict.details())
                    .isZero();
            // On a busy machine an answer may be late.
            softly.assertThat(verdict.duringReshard)
                    .as("bans during a reshard: %s", verdict.details())
                    .allMatch(receipt -> FailoverVerdict.isConfirmed(receipt)
                            || (IS_SHORT && receipt.reason() != Reason.REDIS_REFUSED));
            if (what.isGateFenced()) {
                softly.assertThat(verdict.gateViolations)
                        .as("%s", verdict.details())
                        .isEmpty();
            }
            if (what.isFenced()) {
                softly.assertThat(verdict.profileViolations)
                        .as("%s", verdict.details())
                        .isEmpty();
            }
            if (!IS_SHORT && what.isJudgedByTime()) {
                softly.assertThat(verdict.times.p99()).as("p99").isLessThanOrEqualTo(MAX_P99);
                softly.assertThat(verdict.times.longest()).as("longest").isLessThanOrEqualTo(MAX_TIME);
                softly.assertThat(verdict.longestDuringReshard())
                        .as("bans during a reshard")
                        .isLessThanOrEqualTo(MAX_BAN);
                softly.assertThat(verdict.profilesOpen).as("memory closed").isLessThanOrEqualTo(MAX_CLOSED);
            }
            softly.assertAll();
        } finally {
            progress.step();
        }
    }

    /**
     * A rule that is taken out on some nodes.
     *
     * @param isOfGate whether it is answers of the gate that are wrong then, or profiles
     */
    record Out(String rule, List<Integer> nodes, FailoverCase in, FailoverRun run, boolean isOfGate) {}

    static List<Out> out() {
        List<Integer> all = List.of(0, 1, 2);
        return Stream.of(
                        new Out("READ_BACK", List.of(2), FailoverCase.ENDPOINT_HALF_MOVED, WITHOUT_A_RULE, true),
                        new Out("SLOT_LOOK", all, FailoverCase.SLOTS_TAKEN, WITHOUT_A_RULE, false),
                        new Out("MOVED_AGAIN", all, FailoverCase.SLOTS_GIVEN_BACK, WITHOUT_A_RULE, false),
                        new Out("MOVED_SUSPECT", all, FailoverCase.SLOTS_GIVEN_BACK, WITHOUT_A_RULE, true),
                        new Out("MAP_ENDS_SESSION", all, FailoverCase.CLUSTER_PRIMARY_ALONE, WITHOUT_A_RULE, false))
                .filter(out -> switch (RULE) {
                    case "" -> out.in() == FailoverCase.ENDPOINT_HALF_MOVED;
                    case "ALL" -> true;
                    default -> RULE.equals(out.rule());
                })
                .toList();
    }

    /** A rule that keeps these answers right, taken out: then some answers are wrong. */
    @Tag("thorough")
    @ParameterizedTest(name = "{0}")
    @MethodSource("out")
    void aRuleThatIsTakenOut(Out out) throws Exception {
        Map<Integer, String> byNode =
                out.nodes().stream().collect(Collectors.toMap(Function.identity(), node -> out.rule()));
        try (FailoverTrial trial = new FailoverTrial(out.run(), out.in(), byNode, database, directory)) {
            FailoverVerdict verdict = trial.verdict();
            report.add(out.rule() + " is out: " + verdict.line(), List.of());
            assertThat(out.isOfGate() ? verdict.gateViolations : verdict.profileViolations)
                    .as("%s", verdict.details())
                    .isNotEmpty();
        }
    }
}
