package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelayHealth.State;
import dev.usher.relay.RelaySite.Node;
import dev.usher.testkit.FaultProxy;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever fails, at the end every node agrees with the table. */
@Tag("thorough")
class RelayFaultsIT {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final int USERS = 50;

    private RelaySite site;
    private Node one;
    private Node other;
    private Node third;

    @BeforeEach
    void start() {
        site = new RelaySite();
        site.sql("INSERT INTO users (id, name) SELECT n, 'old' FROM generate_series(1, " + USERS + ") n");
        one = site.node();
        other = site.node();
        third = site.node();
    }

    @AfterEach
    void stop() {
        site.close();
    }

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
            relays.add(RelayProcess.start(site.redis.uri(), site.url, log));
            relays.add(RelayProcess.start(site.redis.uri(), site.url, log));
            writer.start();
            for (int kills = 0; kills < 15; kills++) {
                // Also during its start.
                TimeUnit.MILLISECONDS.sleep(random.nextInt(16_000));
                int which = random.nextInt(2);
                relays.get(which).destroyForcibly().waitFor();
                relays.set(which, RelayProcess.start(site.redis.uri(), site.url, log));
            }
            writing.set(false);
            writer.join();
            awaitAgreement("seed " + seed + " after " + written + " changes");
            String said = Files.readString(log);
            System.out.println("Relays killed 15 times: " + written + " changes, "
                    + said.lines().filter(line -> line.contains("FOLLOWING")).count() + " times active, "
                    + said.lines().filter(line -> line.contains("is flushed")).count() + " flushes");
        } finally {
            writing.set(false);
            relays.forEach(Process::destroyForcibly);
        }
    }

    @Test
    void aStandbyTakesOverFromARelayThatIsKilledOrStandsStill(@TempDir Path folder) throws Exception {
        Path log = folder.resolve("relay.log");
        Process active = RelayProcess.start(site.redis.uri(), site.url, log);
        try {
            await().atMost(PATIENCE).until(() -> says(log, "FOLLOWING"));
            ChangeRelay standby = site.relay(one);
            await().atMost(PATIENCE).until(() -> standby.health().state() == State.STANDBY);
            new ProcessBuilder("kill", "-STOP", Long.toString(active.pid()))
                    .start()
                    .waitFor();
            long frozen = System.nanoTime();
            site.sql("UPDATE users SET name = 'while it stood still'");
            await().atMost(PATIENCE).until(() -> standby.health().isActive());
            System.out.println("Taken over from a relay that stands still after " + millisSince(frozen) + " ms");
            awaitAgreement("standing still");
            new ProcessBuilder("kill", "-CONT", Long.toString(active.pid()))
                    .start()
                    .waitFor();
            await().atMost(PATIENCE).until(() -> says(log, "STANDBY"));
            site.sql("UPDATE users SET name = 'after it'");
            awaitAgreement("after it stood still");
            standby.close();
            await().atMost(PATIENCE)
                    .until(() -> site.number(
                                    "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'usher' AND active")
                            == 1);
            ChangeRelay next = site.relay(one);
            await().atMost(PATIENCE).until(() -> next.health().state() == State.STANDBY);
            active.destroyForcibly().waitFor();
            long killed = System.nanoTime();
            await().atMost(PATIENCE).until(() -> next.health().isActive());
            System.out.println("Taken over from a relay that was killed after " + millisSince(killed) + " ms");
            site.sql("UPDATE users SET name = 'the last'");
            awaitAgreement("taken over");
        } finally {
            active.destroyForcibly();
        }
    }

    @Test
    void aDatabaseThatIsKilledAndRestartedLosesNothing() {
        ChangeRelay relay = following();
        for (int round = 0; round < 3; round++) {
            readAll();
            site.sql("UPDATE users SET name = 'before " + round + "' WHERE id <= 25");
            site.postgres.restart();
            site.sql("UPDATE users SET name = 'after " + round + "' WHERE id > 20");
            awaitAgreement("round " + round);
        }
        await().atMost(PATIENCE).until(() -> relay.health().isActive());
    }

    @Test
    void tenThousandRowsInOneStatement() {
        site.sql("INSERT INTO users (id, name) SELECT n, 'old' FROM generate_series(1001, 11000) n");
        ChangeRelay relay = following();
        one.profiles().findAll(LongStream.rangeClosed(1001, 11000).boxed().toList());
        other.profiles().findAll(LongStream.rangeClosed(1001, 11000).boxed().toList());
        long fences = relay.health().fences();
        long begun = System.nanoTime();
        site.sql("UPDATE users SET name = 'new' WHERE id > 1000");
        await().atMost(PATIENCE).until(() -> relay.health().fences() - fences >= 10_000);
        System.out.println("10,000 rows of one statement are fenced after " + millisSince(begun) + " ms");
        for (Node node : List.of(one, other)) {
            assertThat(node.profiles()
                            .findAll(LongStream.rangeClosed(1001, 11000).boxed().toList())
                            .values())
                    .hasSize(10_000)
                    .allMatch(profile -> profile.name().equals("new"));
        }
    }

    @Test
    void aTableThatIsEmptied() {
        ChangeRelay relay = following();
        readAll();
        site.sql("TRUNCATE users");
        awaitAgreement("emptied");
        assertThat(relay.health().flushes()).isEqualTo(2);
    }

    @Test
    void thePositionMovesOnWhenOtherTablesChange() {
        ChangeRelay relay = following();
        for (int i = 0; i < 20; i++) {
            site.sql("INSERT INTO others SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n");
        }
        long end = site.end();
        await().atMost(PATIENCE).until(() -> site.slot() >= end - (2L << 20));
        assertThat(relay.health().flushes()).isEqualTo(1);
    }

    @Test
    void aRelayThatTheDatabaseKeepsTooMuchLogForGivesUpItsPosition() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf(site.redis.host(), site.redis.port())) {
            Node away = site.node("redis://" + proxy.host() + ":" + proxy.port());
            ChangeRelay relay = ChangeRelay.builder()
                    .feed(site.feed())
                    .caches(away.caches(), away.statuses())
                    .maxRetained(20_000_000)
                    .start();
            await().atMost(PATIENCE)
                    .until(() -> relay.health().isActive() && !relay.health().isFlushing());
            readAll();
            proxy.refuse();
            site.sql("UPDATE users SET name = 'unannounced' WHERE id = 1");
            for (int i = 0; i < 10; i++) {
                site.sql("INSERT INTO others SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n");
            }
            await().atMost(PATIENCE).until(() -> site.slot() < 0);
            await().atMost(PATIENCE).until(() -> relay.health().state() == State.BROKEN);
            site.sql("UPDATE users SET name = 'without a slot' WHERE id = 2");
            assertThat(one.name(2)).isEqualTo("old");
            proxy.restore();
            awaitAgreement("given up");
            relay.close();
        }
    }

    @Test
    void aRelayThatAloneHasLostRedisLeavesTheLogToAnother() {
        try (FaultProxy proxy = FaultProxy.inFrontOf(site.redis.host(), site.redis.port())) {
            ChangeRelay cutOff = site.relay(site.node("redis://" + proxy.host() + ":" + proxy.port()));
            await().atMost(PATIENCE).until(() -> site.isSettled(cutOff, one));
            ChangeRelay standby = site.relay(one);
            await().atMost(PATIENCE).until(() -> standby.health().state() == State.STANDBY);
            readAll();
            proxy.refuse();
            site.sql("UPDATE users SET name = 'cut off' WHERE id = 4");
            awaitAgreement("cut off");
            assertThat(standby.health().isActive()).isTrue();
            assertThat(standby.health().flushes()).isZero();
            proxy.restore();
            await().atMost(PATIENCE).until(() -> cutOff.health().state() == State.STANDBY);
            site.closeAll();
        }
    }

    @Test
    void aPositionThatAnotherProgramHasMovedIsNotTrusted() {
        ChangeRelay relay = following();
        readAll();
        relay.close();
        site.sql("UPDATE users SET name = 'skipped' WHERE id = 3");
        await().atMost(PATIENCE)
                .until(() -> site.number("SELECT count(*) FROM pg_replication_slots WHERE NOT active") == 1);
        site.sql("SELECT pg_replication_slot_advance('usher', pg_current_wal_lsn())");
        assertThat(other.name(3)).isEqualTo("old");
        ChangeRelay next = site.relay(one);
        awaitAgreement("moved");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Test
    void aPublicationThatIsWithoutTheTableForAWhileLosesNothing() {
        ChangeRelay relay = following();
        readAll();
        site.sql("ALTER PUBLICATION usher DROP TABLE users");
        site.sql("UPDATE users SET name = 'not in the log' WHERE id = 5");
        site.sql("ALTER PUBLICATION usher ADD TABLE users");
        awaitAgreement("a table added again");
        assertThat(relay.health().flushes()).isEqualTo(2);
        await().atMost(PATIENCE).until(() -> site.isSettled(relay, one));
        readAll();
        site.sql("ALTER PUBLICATION usher SET (publish = 'insert')");
        site.sql("UPDATE users SET name = 'not in the log either' WHERE id = 6");
        site.sql("ALTER PUBLICATION usher SET (publish = 'insert, update, delete, truncate')");
        awaitAgreement("all operations again");
    }

    @Test
    void aTableThatIsPutInPlaceOfTheOldOneLosesNothing() {
        ChangeRelay relay = following();
        readAll();
        site.sql("CREATE TABLE newer (LIKE users INCLUDING ALL)");
        site.sql("INSERT INTO newer SELECT id, 'newer', status FROM users");
        site.sql("GRANT SELECT ON newer TO relay");
        site.sql("ALTER TABLE users RENAME TO older");
        site.sql("ALTER TABLE newer RENAME TO users");
        await().atMost(PATIENCE).until(() -> relay.health().state() == State.BROKEN);
        await().atMost(PATIENCE)
                .until(() -> String.valueOf(relay.health().lastError())
                        .contains("ALTER PUBLICATION usher ADD TABLE users;"));
        site.sql("ALTER PUBLICATION usher ADD TABLE users");
        awaitAgreement("swapped");
    }

    @Test
    void aPublicationThatIsMadeAnewIsFollowed() {
        ChangeRelay relay = following();
        readAll();
        site.sql("DROP PUBLICATION usher");
        site.sql("UPDATE users SET name = 'without a publication' WHERE id = 7");
        site.sql("CREATE PUBLICATION usher FOR TABLE users");
        awaitAgreement("made anew");
        await().atMost(PATIENCE).until(() -> site.isSettled(relay, one));
        readAll();
        long flushes = relay.health().flushes();
        site.sql("UPDATE users SET name = 'with the new one' WHERE id = 8");
        awaitAgreement("followed again");
        site.sql("VACUUM FREEZE pg_publication");
        site.sql("VACUUM FREEZE pg_publication_rel");
        site.sql("TRUNCATE others");
        site.sql("UPDATE users SET name = 'frozen' WHERE id = 9");
        awaitAgreement("frozen");
        assertThat(relay.health().flushes()).isEqualTo(flushes);
    }

    @Test
    void aPublicationThatLeavesColumnsOutIsRefused() throws Exception {
        site.sql("CREATE SCHEMA apart");
        site.sql("CREATE TABLE apart.people (id bigint PRIMARY KEY, able boolean, seen timestamptz, name text,"
                + " shown text GENERATED ALWAYS AS (name) STORED)");
        site.sql("CREATE PUBLICATION people FOR TABLE apart.people (id, seen)");
        WatchedTable people = WatchedTable.of("apart.people", "id");
        PostgresChangeFeed withStatus = peopleFeed(people.status("able", "true"));
        assertThat(message(withStatus)).contains("GRANT USAGE ON SCHEMA apart TO relay;");
        site.sql("GRANT USAGE ON SCHEMA apart TO relay; GRANT SELECT ON apart.people TO relay");
        assertThat(message(withStatus)).contains("ALTER PUBLICATION people SET TABLE apart.people;");
        site.sql("ALTER PUBLICATION people SET TABLE apart.people (id, able)");
        try (ChangeFeed.Session session = withStatus.open()) {
            session.check();
        }
        assertThat(message(peopleFeed(people.status("able", "true").ignoring("seen"))))
                .contains("ALTER PUBLICATION people SET TABLE apart.people;");
        site.sql("ALTER PUBLICATION people SET TABLE apart.people (id, able, name)");
        try (ChangeFeed.Session session =
                peopleFeed(people.status("able", "true").ignoring("seen")).open()) {
            session.check();
        }
        assertThat(message(peopleFeed(people.status("shown", "true")))).contains("shown of apart.people is generated");
    }

    private PostgresChangeFeed peopleFeed(WatchedTable table) {
        return PostgresChangeFeed.builder()
                .url(site.url)
                .user("relay")
                .slot("people")
                .publication("people")
                .watch(table)
                .build();
    }

    @Test
    void thePreflightSaysWhatToRunAndThatIsEnough() throws Exception {
        site.sql("CREATE TABLE members (member bigint, able boolean)");
        site.sql("CREATE ROLE reader LOGIN");
        PostgresChangeFeed feed = PostgresChangeFeed.builder()
                .url(site.url)
                .user("reader")
                .password("")
                .slot("members")
                .publication("members")
                .watch(WatchedTable.of("members", "member").status("able", "true"))
                .build();
        String message = message(feed);
        assertThat(message)
                .contains("ALTER ROLE reader REPLICATION;")
                .contains("GRANT SELECT ON members TO reader;")
                .contains("ALTER TABLE members REPLICA IDENTITY FULL;")
                .contains("CREATE PUBLICATION members FOR TABLE members;");
        for (String line : message.split("\n")) {
            if (line.matches("[A-Z]+ .*;.*")) {
                site.sql(line);
            }
        }
        try (ChangeFeed.Session session = feed.open()) {
            session.check();
        }
        assertThatThrownBy(feed::drop).hasMessageContaining("DROP PUBLICATION IF EXISTS members;");
        site.sql("SELECT pg_create_logical_replication_slot('members', 'pgoutput')");
        site.sql("ALTER ROLE reader NOREPLICATION");
        assertThatThrownBy(feed::drop)
                .hasMessageContaining("SELECT pg_drop_replication_slot('members');")
                .hasMessageContaining("DROP PUBLICATION IF EXISTS members;");
        site.sql("SELECT pg_drop_replication_slot('members')");
        site.sql("GRANT CREATE ON DATABASE app TO reader");
        site.sql("ALTER PUBLICATION members OWNER TO reader");
        feed.drop();
        assertThat(message(feed)).contains("CREATE PUBLICATION members FOR TABLE members;");
    }

    private static String message(PostgresChangeFeed feed) {
        try (ChangeFeed.Session session = feed.open()) {
            session.check();
            throw new AssertionError("nothing is missing: " + session);
        } catch (ChangeFeedException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void howSoonAChangeIsNewOnTheLastOfThreeNodes() {
        following();
        int rounds = 500;
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
        System.out.println("From the commit until the last of 3 nodes answers new, of " + rounds + ": p50 "
                + micros[rounds / 2] / 1000.0 + " ms, p99 " + micros[rounds * 99 / 100] / 1000.0 + " ms, max "
                + micros[rounds - 1] / 1000.0 + " ms");
    }

    @Test
    void fiveThousandRowsASecond() throws Exception {
        int rows = 20_000;
        site.sql("INSERT INTO users (id, name) SELECT n, 'old' FROM generate_series(1001, " + (1000 + rows) + ") n");
        ChangeRelay relay = following();
        long fences = relay.health().fences();
        Duration most = Duration.ZERO;
        long begun = System.nanoTime();
        int written = 0;
        for (int tenth = 0; tenth < 200; tenth++) {
            int from = 1001 + written % rows;
            site.sql("UPDATE users SET name = 'n" + tenth + "' WHERE id BETWEEN " + from + " AND " + (from + 499));
            written += 500;
            readAll();
            Duration lag = relay.health().lag();
            most = lag.compareTo(most) > 0 ? lag : most;
            long ahead = begun + (tenth + 1) * 100_000_000L - System.nanoTime();
            if (ahead > 0) {
                TimeUnit.NANOSECONDS.sleep(ahead);
            }
        }
        long took = millisSince(begun);
        int all = written;
        await().atMost(PATIENCE).until(() -> relay.health().fences() - fences >= all);
        System.out.println(all + " rows changed in " + took + " ms are fenced after " + millisSince(begun)
                + " ms, the greatest lag " + most.toMillis() + " ms");
        Map<Long, String> table = site.rows();
        for (Node node : List.of(one, other, third)) {
            node.profiles()
                    .findAll(LongStream.range(1001, 1001 + rows).boxed().toList())
                    .forEach((id, profile) ->
                            assertThat(profile.name() + " true").isEqualTo(table.get(id)));
        }
    }

    @Test
    void whatARelayCostsAtRest(@TempDir Path folder) throws Exception {
        Path log = folder.resolve("relay.log");
        long begun = System.nanoTime();
        Process relay = RelayProcess.start(site.redis.uri(), site.url, log);
        try {
            await().atMost(PATIENCE).until(() -> says(log, "FOLLOWING"));
            long started = millisSince(begun);
            TimeUnit.SECONDS.sleep(10);
            long before = relay.info().totalCpuDuration().orElse(Duration.ZERO).toMillis();
            long from = System.nanoTime();
            TimeUnit.SECONDS.sleep(20);
            long used = relay.info().totalCpuDuration().orElse(Duration.ZERO).toMillis() - before;
            System.out.println("A relay follows " + started + " ms after the start of its JVM; at rest it takes "
                    + used * 100.0 / millisSince(from) + " % of a processor");
        } finally {
            relay.destroyForcibly();
        }
    }

    private ChangeRelay following() {
        ChangeRelay relay = site.relay(one);
        await().atMost(PATIENCE).until(() -> site.isSettled(relay, one));
        return relay;
    }

    private void readAll() {
        for (Node node : List.of(one, other, third)) {
            for (long id = 1; id <= USERS; id++) {
                node.name(id);
                node.isEnabled(id);
            }
        }
    }

    private void awaitAgreement(String when) {
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

    private static boolean says(Path log, String text) {
        try {
            return Files.exists(log) && Files.readString(log).contains(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long millisSince(long moment) {
        return (System.nanoTime() - moment) / 1_000_000;
    }
}
