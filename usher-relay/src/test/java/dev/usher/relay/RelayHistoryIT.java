package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.RelayHistory;
import dev.usher.RelayHistory.Reader;
import dev.usher.RelayHistory.Verdict;
import dev.usher.relay.RelaySite.Node;
import dev.usher.testkit.MariaDbServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each answer is judged, while rows are changed by SQL alone, and relays, Redis and the database are killed: none is older than a relay may need, and no node
 * goes back.
 */
@Tag("thorough")
class RelayHistoryIT {

    /** Users whose names change all the time. */
    private static final int BUSY = 20;

    /** Those behind them change once, so that no later change makes up for one that was lost: every other one is disabled. */
    private static final int USERS = 800;

    private static final Duration BETWEEN_READS = Duration.ofNanos(50_000);
    private static final Duration BETWEEN_CHANGES = Duration.ofMillis(30);

    /** Another relay takes over within ten seconds, and what it cannot know it flushes, which takes five. */
    private static final Duration BOUND = Duration.ofSeconds(16);

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private enum Fault {
        /** One relay after the other is killed, the active one too. */
        RELAYS,
        /** The connections of all relays. */
        STREAM,
        DATABASE,
        REDIS
    }

    private final RelayHistory history = new RelayHistory(USERS);
    private final AtomicBoolean going = new AtomicBoolean(true);

    @ParameterizedTest
    @EnumSource(RelayKind.class)
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void noAnswerIsOlderThanARelayMayNeed(RelayKind kind, @TempDir Path folder) throws Exception {
        Assumptions.assumeTrue(kind.isPostgres() || MariaDbServer.isThere(), MariaDbServer.ABSENT);
        List<Thread> threads = new ArrayList<>();
        List<Process> relays = new ArrayList<>();
        List<Path> logs = List.of(folder.resolve("relay-0"), folder.resolve("relay-1"));
        try (RelaySite site = new RelaySite(kind)) {
            site.insertUsers(0, USERS - 1, "v0");
            for (Path log : logs) {
                relays.add(RelayProcess.start(site, log));
            }
            awaitOneActive(logs);
            for (int node = 0; node < 3; node++) {
                threads.add(reading(site.node(), node));
            }
            threads.add(new Thread(() -> write(site), "writer"));
            threads.forEach(Thread::start);
            long seed = System.nanoTime();
            Random random = new Random(seed);
            // Redis last: it is empty then, and everything is read anew.
            for (Fault fault :
                    List.of(Fault.RELAYS, Fault.STREAM, Fault.DATABASE, Fault.RELAYS, Fault.STREAM, Fault.REDIS)) {
                TimeUnit.MILLISECONDS.sleep(random.nextInt(3000)); // at any moment
                switch (fault) {
                    case STREAM -> site.sql(site.kind.disconnection());
                    case DATABASE -> site.restartDatabase();
                    case REDIS -> site.redis.restart();
                    case RELAYS -> {
                        for (int relay = 0; relay < 2; relay++) {
                            relays.get(relay).destroyForcibly().waitFor();
                            Files.delete(logs.get(relay));
                            relays.set(relay, RelayProcess.start(site, logs.get(relay)));
                            awaitOneActive(logs);
                        }
                    }
                }
                awaitOneActive(logs);
            }
            going.set(false);
            for (Thread thread : threads) {
                thread.join();
            }
            Verdict verdict = history.judge(BOUND);
            System.out.println(
                    "The history of " + kind + ": " + verdict.unavailable() + " unavailable; " + verdict.text());
            assertThat(verdict.violations())
                    .as("seed " + seed + ": " + verdict.text())
                    .isZero();
            assertThat(verdict.reads()).isGreaterThan(5_000);
        } finally {
            going.set(false);
            relays.forEach(Process::destroyForcibly);
        }
    }

    private Thread reading(Node node, int number) {
        Reader reader = history.reader(2_000_000);
        return new Thread(
                () -> {
                    Random random = new Random(number);
                    while (going.get()) {
                        int id = random.nextInt(4) == 0 ? random.nextInt(BUSY) : random.nextInt(USERS);
                        long asked = System.nanoTime();
                        try {
                            int version = isNamed(id)
                                    ? Integer.parseInt(node.name(id).substring(1))
                                    : node.isEnabled(id) ? 0 : 1;
                            reader.read(id, version, asked, System.nanoTime());
                        } catch (RuntimeException e) {
                            reader.unavailable(id, asked, System.nanoTime());
                        }
                        LockSupport.parkNanos(BETWEEN_READS.toNanos());
                    }
                },
                "reader-" + number);
    }

    private static boolean isNamed(int id) {
        return id < BUSY || id % 2 == 0;
    }

    /** Changes rows by SQL alone. */
    private void write(RelaySite site) {
        Random random = new Random(7);
        int[] versions = new int[USERS];
        int next = BUSY;
        while (going.get()) {
            int id = next == USERS || random.nextInt(3) == 0 ? random.nextInt(BUSY) : next++;
            versions[id]++;
            String sql = "UPDATE users SET " + (isNamed(id) ? "name = 'v" + versions[id] + "'" : "status = 0")
                    + " WHERE id = " + id;
            long started = System.nanoTime();
            // The same statement once more does no harm, where its commit was not confirmed.
            while (!isDone(site, sql)) {
                Thread.onSpinWait();
            }
            history.changed(id, versions[id], started, System.nanoTime());
            LockSupport.parkNanos(BETWEEN_CHANGES.toNanos());
        }
    }

    private static boolean isDone(RelaySite site, String sql) {
        try {
            site.sql(sql);
            return true;
        } catch (IllegalStateException e) {
            return false;
        }
    }

    private static void awaitOneActive(List<Path> logs) {
        await().atMost(PATIENCE)
                .until(() -> logs.stream().anyMatch(log -> last(log).contains("FOLLOWING")));
        await().atMost(PATIENCE)
                .until(() -> logs.stream().allMatch(log -> last(log).matches(".*(FOLLOWING|STANDBY).*")));
    }

    private static String last(Path log) {
        try {
            return Files.exists(log)
                    ? Files.readAllLines(log).stream()
                            .filter(line -> line.matches("\\d+ [A-Z]+ .*"))
                            .reduce("", (earlier, later) -> later)
                    : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
