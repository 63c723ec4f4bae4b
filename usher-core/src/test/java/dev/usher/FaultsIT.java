package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever goes wrong, on a real Redis, a real PostgreSQL, and the network between them and several nodes: nobody is answered
 * older than the bound, no disabled user is let in, no change is lost, nothing wrong is stored, who can be answered is, the
 * database is not overrun, and it is over when the fault is.
 *
 * <p>The long form:
 *
 * <pre>{@code
 * mvn verify -Pfast -pl usher-core -am -Dit.test=FaultsIT -Dtest=None -Dsurefire.failIfNoSpecifiedTests=false \
 *     -Dfailsafe.failIfNoSpecifiedTests=false -Dusher.faults=ALL -Dusher.faults.millis=10000 \
 *     -Dusher.faults.flapping=60000 -Dusher.faults.bound=1000 -Dusher.faults.processes=1
 * }</pre>
 *
 * <p>Some faults only: {@code -Dusher.faults=REDIS_FROZEN,OOM}. What came of them is also in {@code target/faults.txt}.
 */
class FaultsIT {

    private static final Path REPORT = Path.of("target", "faults.txt");

    private static final FaultRun RUN = FaultRun.fromProperties();
    private static final FaultReport report = new FaultReport();
    private static PostgresServer database;
    private static FaultProgress progress;

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path directory;

    /** Much like others, and left to the long form. */
    private static final Set<Fault> LONG_FORM_ONLY = Set.of(
            Fault.NOTHING,
            Fault.REDIS_BACK_IN_TIME,
            Fault.COMMANDS_CUT,
            Fault.SILENCE,
            Fault.MAXCLIENTS,
            Fault.BOTH_CUT_OFF);

    static List<Fault> faults() {
        String chosen = System.getProperty("usher.faults", "");
        return switch (chosen) {
            case "" ->
                Arrays.stream(Fault.values())
                        .filter(fault -> !LONG_FORM_ONLY.contains(fault))
                        .toList();
            case "ALL" -> List.of(Fault.values());
            default -> Arrays.stream(chosen.split(",")).map(Fault::valueOf).toList();
        };
    }

    @BeforeAll
    static void startDatabase() {
        database = PostgresServer.start();
        progress = FaultProgress.of(faults());
    }

    @AfterAll
    static void publish() throws IOException {
        progress.close();
        database.close();
        report.publish(REPORT);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("faults")
    @Timeout(value = 10, unit = TimeUnit.MINUTES) // for the long run
    void everyPromiseIsKeptWhen(Fault fault) throws Exception {
        progress.begin(fault);
        try (FaultTrial trial = new FaultTrial(RUN, fault, database, directory)) {
            FaultVerdict verdict = trial.verdict();
            report.add(verdict);
            assertThat(verdict.violations()).as("%s", verdict.details()).isEmpty();
        } finally {
            progress.step();
        }
    }
}
