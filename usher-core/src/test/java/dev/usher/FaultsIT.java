package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.redis.TestRedis;
import dev.usher.testkit.PostgresServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * All faults of a real Redis, a real PostgreSQL, and the network between them and several nodes: no answer is older than the bound, no
 * disabled user is let in, no change is lost, no wrong value is stored, users that can be answered are answered, the number of queries is
 * limited, and the nodes recover when the fault is over.
 *
 * <p>The thorough form takes all faults, the long one, {@code ./usher dev faults}, each of them for ten seconds; {@code
 * ./usher dev faults REDIS_FROZEN,OOM} takes some. The results are also in {@code target/faults.txt}.
 */
@Tag("servers")
@Tag("load")
class FaultsIT {

    private static final Path REPORT = Path.of("target", "faults.txt");

    private static final FaultRun RUN = FaultRun.fromProperties();
    private static final FaultReport report = new FaultReport(FaultVerdict.heading());
    private static PostgresServer database;
    private static FaultProgress progress;

    @TempDir(cleanup = CleanupMode.ON_SUCCESS)
    private Path directory;

    /** A connection that fails in the midst of an answer, and all servers at once; the other kinds are among the slow tests. */
    private static final List<Fault> SHORT_FORM = List.of(Fault.REPLIES_CUT, Fault.BOTH_KILLED);

    static List<Fault> faults() {
        String chosen = System.getProperty("usher.faults", "");
        return switch (chosen) {
            case "" -> Thorough.pick(all(), SHORT_FORM);
            case "ALL" -> all();
            default -> Arrays.stream(chosen.split(",")).map(Fault::valueOf).toList();
        };
    }

    private static List<Fault> all() {
        return Arrays.stream(Fault.values())
                .filter(fault -> !TestRedis.isCluster() || fault.isOfClusters())
                .toList();
    }

    @BeforeAll
    static void startDatabase() {
        database = PostgresServer.start();
        progress = FaultProgress.of("faults", faults().size());
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
    void everyPromiseHoldsWhen(Fault fault) throws Exception {
        progress.begin(fault);
        try (FaultTrial trial = new FaultTrial(RUN, fault, database, directory)) {
            FaultVerdict verdict = trial.verdict();
            report.add(verdict.line(), verdict.details());
            assertThat(verdict.violations()).as("%s", verdict.details()).isEmpty();
        } finally {
            progress.step();
        }
    }
}
