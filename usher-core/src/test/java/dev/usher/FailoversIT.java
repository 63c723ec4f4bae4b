package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Primaries that are replaced while three nodes in processes of their own read, change and ban users, over a database that answers 500 queries a second: no
 * call is without an answer, and {@link CoherenceChecker} checks every single answer. Where nothing tells the nodes that the primary has been replaced, wrong
 * answers are counted; but none is older than a change whose receipt is confirmed.
 *
 * <p>The long form, {@code ./usher dev failovers}, also requires the times of the design; {@code ./usher dev failovers PRIMARY_KILLED,PRIMARY_ALONE 60} takes
 * some of them, each under load for a minute. The results are also in {@code target/failovers.txt}.
 */
@Tag("servers")
@EnabledOnOs(OS.LINUX) // one clock for all processes, and servers with addresses of their own
class FailoversIT {

    private static final Path REPORT = Path.of("target", "failovers.txt");

    private static final String CHOSEN = System.getProperty("usher.failovers", "");
    private static final Duration MAX_P99 = Duration.ofMillis(150);
    private static final Duration MAX_TIME = Duration.ofSeconds(1);
    private static final Duration MAX_CLOSED = Duration.ofSeconds(2);

    /** One call of so many may stay without an answer beside the tests of another module, where a query can be late by a second; none in the long form. */
    private static final long FEW = 100;

    /** Longer than the bound of profiles. */
    private static final Duration QUIET = Duration.ofMillis(5100);

    private static final FailoverRun THOROUGH_FORM =
            new FailoverRun(Duration.ofSeconds(1), Duration.ofSeconds(3), QUIET, 500, 2000);

    /** Long enough for a node that believes the wrong server to do so. */
    private static final FailoverRun WITHOUT_A_RULE =
            new FailoverRun(Duration.ofSeconds(1), Duration.ofSeconds(8), QUIET, 500, 2000);

    private static final FaultReport report = new FaultReport(FailoverVerdict.heading());
    private static PostgresServer database;
    private static FaultProgress progress;

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path directory;

    static List<FailoverCase> cases() {
        return switch (CHOSEN) {
            case "" -> Thorough.pick(List.of(FailoverCase.values()), List.of(FailoverCase.PRIMARY_FROZEN));
            case "ALL" -> List.of(FailoverCase.values());
            default ->
                Arrays.stream(CHOSEN.split(",")).map(FailoverCase::valueOf).toList();
        };
    }

    private static FailoverRun run() {
        if (CHOSEN.isEmpty()) {
            return Thorough.pick(
                    THOROUGH_FORM,
                    new FailoverRun(Duration.ofMillis(500), Duration.ofSeconds(1), Duration.ofMillis(1100), 300, 2000));
        }
        Duration after = Duration.ofSeconds(Integer.getInteger("usher.failovers.seconds", 20));
        return new FailoverRun(Duration.ofSeconds(5), after, QUIET, 2000, 10_000);
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
        try (FailoverTrial trial = new FailoverTrial(run(), what, Map.of(), database, directory)) {
            FailoverVerdict verdict = trial.verdict();
            report.add(verdict.line(), verdict.details());
            SoftAssertions softly = new SoftAssertions();
            softly.assertThat(verdict.failed)
                    .as("calls without an answer: %s", verdict.details())
                    .isLessThanOrEqualTo(CHOSEN.isEmpty() ? verdict.reads / FEW : 0);
            softly.assertThat(verdict.unsent)
                    .as("changes that were not announced")
                    .isZero();
            softly.assertThat(verdict.broken(Grade.CONFIRMED))
                    .as("answers older than a confirmed receipt: %s", verdict.details())
                    .isZero();
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
            if (!CHOSEN.isEmpty() && what.isFenced()) {
                softly.assertThat(verdict.times.p99()).as("p99").isLessThanOrEqualTo(MAX_P99);
                softly.assertThat(verdict.times.longest()).as("longest").isLessThanOrEqualTo(MAX_TIME);
                softly.assertThat(verdict.profilesOpen).as("memory closed").isLessThanOrEqualTo(MAX_CLOSED);
            }
            softly.assertAll();
        } finally {
            progress.step();
        }
    }

    /** A rule that keeps these answers right, taken out: then some answers are wrong. */
    @Tag("thorough")
    @Test
    void aRuleThatIsTakenOut() throws Exception {
        Map<Integer, String> out = Map.of(2, "READ_BACK");
        try (FailoverTrial trial =
                new FailoverTrial(WITHOUT_A_RULE, FailoverCase.ENDPOINT_HALF_MOVED, out, database, directory)) {
            FailoverVerdict verdict = trial.verdict();
            report.add(out + " is out: " + verdict.line(), List.of());
            assertThat(verdict.gateViolations).as("%s", verdict.details()).isNotEmpty();
        }
    }
}
