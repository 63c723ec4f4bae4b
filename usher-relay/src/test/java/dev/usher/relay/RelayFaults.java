package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelaySite.Node;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever fails, at the end every node agrees with the table: for each feed in a class of its own. */
@Tag("thorough")
abstract class RelayFaults {

    static final Duration PATIENCE = Duration.ofSeconds(60);
    static final int USERS = 50;

    /** By {@code ./usher dev relay} more relays are killed, and times are measured that nothing is judged by. */
    static final boolean IS_LONG = Integer.getInteger("usher.relay.seconds", 10) >= 60;

    private static final int KILLS = IS_LONG ? 15 : 5;

    RelaySite site;
    Node one;
    Node other;
    Node third;

    private final RelayKind kind;

    RelayFaults(RelayKind kind) {
        this.kind = kind;
    }

    @BeforeEach
    void start() {
        site = new RelaySite(kind);
        site.insertUsers(1, USERS, "old");
        one = site.node();
        other = site.node();
        third = site.node();
    }

    @AfterEach
    void stop() {
        site.close();
    }

    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    @Test
    void relaysThatAreKilledAtAnyMomentLoseNothing(@TempDir Path folder) throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path log = folder.resolve("relays.log");
        List<Process> relays = new ArrayList<>();
        AtomicBoolean writing = new AtomicBoolean(true);
        AtomicLong written = new AtomicLong();
        Thread writer = new Thread(() -> {
            Random rows = new Random(seed);
            while (writing.get()) {
                site.sql("UPDATE users SET name = 'v" + written.incrementAndGet() + "', status = "
                        + (rows.nextInt(20) == 0 ? 0 : 1) + " WHERE id = " + (1 + rows.nextInt(USERS)));
                readAll();
            }
        });
        try {
            relays.add(RelayProcess.start(site, log));
            relays.add(RelayProcess.start(site, log));
            writer.start();
            for (int kills = 0; kills < KILLS; kills++) {
                // Also during its start.
                TimeUnit.MILLISECONDS.sleep(random.nextInt(16_000));
                int which = random.nextInt(2);
                relays.get(which).destroyForcibly().waitFor();
                relays.set(which, RelayProcess.start(site, log));
            }
            writing.set(false);
            writer.join();
            awaitAgreement("seed " + seed + " after " + written + " changes");
            System.out.println("Relays of " + kind + " killed " + KILLS + " times: " + written + " changes, "
                    + times(log, "FOLLOWING") + " times active, " + times(log, "is flushed") + " flushes");
        } finally {
            writing.set(false);
            relays.forEach(Process::destroyForcibly);
        }
    }

    @Test
    void aDatabaseThatIsKilledAndRestartedLosesNothing() {
        ChangeRelay relay = following();
        for (int round = 0; round < 3; round++) {
            readAll();
            site.sql("UPDATE users SET name = 'before " + round + "' WHERE id <= 25");
            site.restartDatabase();
            site.sql("UPDATE users SET name = 'after " + round + "' WHERE id > 20");
            awaitAgreement("round " + round);
        }
        await().atMost(PATIENCE).until(() -> relay.health().isActive());
    }

    @Test
    void aDatabaseWhoseFilesArePutBackHasEverythingFlushed(@TempDir Path folder) {
        ChangeRelay relay = following();
        site.sql("UPDATE users SET name = 'as it was' WHERE id = 5");
        awaitAgreement("as it was");
        site.keepFiles(folder.resolve("older"));
        await().atMost(PATIENCE).until(() -> relay.health().isActive());
        for (int id = 5; id < 10; id++) {
            site.sql("UPDATE users SET name = 'undone' WHERE id = " + id);
        }
        awaitAgreement("undone");
        relay.close();

        site.putBack(folder.resolve("older"));
        // The same number of bytes, and more than the bookmark knows.
        for (int id = 15; id < 30; id++) {
            site.sql("UPDATE users SET name = 'redone' WHERE id = " + id);
        }
        assertThat(other.name(5)).isEqualTo("undone");
        long flushes = relay.health().flushes();
        ChangeRelay next = site.relay(one);
        awaitAgreement("put back");
        assertThat(next.health().flushes()).isEqualTo(1);
        assertThat(flushes).isLessThanOrEqualTo(1);
    }

    @Test
    void howSoonAChangeIsNewOnTheLastOfThreeNodes() {
        following();
        int rounds = IS_LONG ? 500 : 50;
        long[] micros = new long[rounds];
        for (int round = 0; round < rounds; round++) {
            long id = 1L + round % USERS;
            String name = "round " + round;
            for (Node node : List.of(one, other, third)) {
                assertThat(node.name(id)).isNotEqualTo(name);
            }
            site.sql("UPDATE users SET name = '" + name + "' WHERE id = " + id);
            long committed = System.nanoTime();
            for (Node node : List.of(one, other, third)) {
                while (!node.name(id).equals(name)) {
                    Thread.onSpinWait();
                }
            }
            micros[round] = (System.nanoTime() - committed) / 1000;
        }
        Arrays.sort(micros);
        System.out.println(kind + ": from the commit until the last of 3 nodes answers new, of " + rounds + ": p50 "
                + micros[rounds / 2] / 1000.0 + " ms, p99 " + micros[rounds * 99 / 100] / 1000.0 + " ms, max "
                + micros[rounds - 1] / 1000.0 + " ms");
    }

    @Test
    void whatARelayCostsAtRest(@TempDir Path folder) throws Exception {
        Assumptions.assumeTrue(IS_LONG, "it takes half a minute: ./usher dev relay");
        Path log = folder.resolve("relay.log");
        long begun = System.nanoTime();
        Process relay = RelayProcess.start(site, log);
        try {
            await().atMost(PATIENCE).until(() -> says(log, "FOLLOWING"));
            long started = millisSince(begun);
            TimeUnit.SECONDS.sleep(10);
            long before = relay.info().totalCpuDuration().orElse(Duration.ZERO).toMillis();
            long from = System.nanoTime();
            TimeUnit.SECONDS.sleep(20);
            long used = relay.info().totalCpuDuration().orElse(Duration.ZERO).toMillis() - before;
            System.out.printf(
                    Locale.ROOT,
                    "%s: a relay follows %d ms after the start of its JVM; at rest it takes %.1f %% of a processor%n",
                    kind,
                    started,
                    used * 100.0 / millisSince(from));
        } finally {
            relay.destroyForcibly();
        }
    }

    ChangeRelay following() {
        ChangeRelay relay = site.relay(one);
        await().atMost(PATIENCE).until(() -> site.isSettled(relay, one));
        return relay;
    }

    void readAll() {
        for (Node node : List.of(one, other, third)) {
            for (long id = 1; id <= USERS; id++) {
                node.name(id);
                node.isEnabled(id);
            }
        }
    }

    void awaitAgreement(String when) {
        await(when).atMost(PATIENCE).untilAsserted(() -> {
            Map<Long, String> rows = site.rows();
            for (long id = 1; id <= USERS; id++) {
                String row = rows.getOrDefault(id, "none false");
                for (Node node : List.of(one, other, third)) {
                    assertThat(node.name(id) + " " + node.isEnabled(id)).isEqualTo(row);
                }
            }
        });
    }

    static boolean says(Path log, String text) {
        return times(log, text) > 0;
    }

    /** How many lines hold a text. */
    static long times(Path log, String text) {
        try {
            return Files.exists(log)
                    ? Files.readString(log)
                            .lines()
                            .filter(line -> line.contains(text))
                            .count()
                    : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static long millisSince(long moment) {
        return (System.nanoTime() - moment) / 1_000_000;
    }
}
