package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelayHealth.State;
import dev.usher.relay.RelaySite.Node;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** What holds for the trigger table of each database. */
@TestInstance(Lifecycle.PER_CLASS)
abstract class TriggerTableContract {

    static final Duration PATIENCE = Duration.ofSeconds(15);
    static final int COUNT = 20;

    final RelayKind kind;
    TableSite site;
    TriggerTableFeed feed;
    Node one;
    Node other;

    TriggerTableContract(RelayKind kind) {
        this.kind = kind;
    }

    @BeforeAll
    void open() {
        site = new TableSite(kind);
    }

    @BeforeEach
    void start() {
        feed = site.feed().watch(TableSite.USERS).build();
        site.begin(feed);
        site.sql("INSERT INTO users (id, name) VALUES " + values(1, COUNT));
        site.sql("DELETE FROM usher_changes");
        one = site.node();
        other = site.node();
    }

    @AfterEach
    void stop() {
        site.closeAll();
    }

    @AfterAll
    void close() {
        if (site != null) {
            site.close();
        }
    }

    static String values(int from, int to) {
        StringBuilder values = new StringBuilder();
        for (int id = from; id <= to; id++) {
            values.append(id == from ? "" : ",").append('(').append(id).append(", 'old')");
        }
        return values.toString();
    }

    ChangeRelay following() {
        ChangeRelay relay = site.relay(one, feed);
        await().atMost(PATIENCE).until(() -> TableSite.isSettled(relay, one));
        return relay;
    }

    void readAll() {
        for (Node node : List.of(one, other)) {
            for (long id = 1; id <= COUNT; id++) {
                node.name(id);
                node.isEnabled(id);
            }
        }
    }

    void awaitAgreement(String when) {
        await(when).atMost(PATIENCE).untilAsserted(() -> {
            Map<Long, String> rows = site.rows();
            for (long id = 1; id <= COUNT; id++) {
                String row = rows.getOrDefault(id, "none false");
                for (Node node : List.of(one, other)) {
                    assertThat(node.name(id) + " " + node.isEnabled(id)).isEqualTo(row);
                }
            }
        });
    }

    /** What a session gives to a listener that lets the place move on. */
    static List<Change> read(TriggerTableFeed feed, int most) throws Exception {
        List<Change> all = new CopyOnWriteArrayList<>();
        try (ChangeFeed.Session session = feed.open()) {
            session.follow(0, "", (changes, place, mark) -> {
                all.addAll(changes);
                return true;
            });
            await().atMost(PATIENCE).until(() -> all.size() >= most);
            session.requireFollowing();
        }
        return all;
    }

    void position() throws ChangeFeedException {
        try (ChangeFeed.Session session = feed.open()) {
            session.create();
        }
    }

    static String text(Change change) {
        if (change instanceof Change.Row row) {
            return row.table() + " " + row.before() + " " + row.after();
        }
        return change.toString();
    }

    @Test
    void whatThePreflightSaysIsEnough() {
        assertThat(TableSite.problemsOf(feed)).isNull();
    }

    @Test
    void rowsAreReadWithTheirIdsAndTheirStatus() throws Exception {
        position();
        site.sql("UPDATE users SET status = 0 WHERE id = 1");
        site.sql("UPDATE users SET id = 100 WHERE id = 2");
        site.sql("DELETE FROM users WHERE id = 3");
        site.sql("INSERT INTO users (id, name) VALUES (101, 'new')");
        List<Change> changes = read(feed, 4);
        String table = TableSite.USERS.qualifiedName();
        assertThat(changes.stream().map(TriggerTableContract::text))
                .containsExactly(
                        table + " {id=1, status=null} {id=1, status=0}".replace("{id=1, status=null}", before(1)),
                        table + " " + before(2) + " {id=100, status=1}",
                        table + " " + before(3) + " null",
                        table + " null {id=101, status=1}");
        assertThat(site.number("SELECT count(*) FROM usher_changes")).isZero();
    }

    private static String before(int id) {
        return "{id=" + id + "}";
    }

    @Tag("thorough")
    @Test
    void aTransactionThatCommitsLateIsNotPassedOver() throws Exception {
        ChangeRelay relay = following();
        readAll();
        try (Connection late = site.connect();
                Statement statement = late.createStatement()) {
            late.setAutoCommit(false);
            statement.execute("UPDATE users SET name = 'late' WHERE id = 1");
            site.sql("UPDATE users SET name = 'early' WHERE id = 2");
            await().atMost(PATIENCE)
                    .until(() -> one.name(2).equals("early") && other.name(2).equals("early"));
            await().atMost(PATIENCE).until(() -> relay.health().fences() >= 1);
            late.commit();
        }
        awaitAgreement("late");
        assertThat(relay.health().flushes()).isEqualTo(1);
    }

    @Test
    void whatIsNotConfirmedIsReadAgain() throws Exception {
        position();
        site.sql("UPDATE users SET name = 'new' WHERE id = 1");
        List<Change> first = new CopyOnWriteArrayList<>();
        try (ChangeFeed.Session session = feed.open()) {
            session.follow(0, "", (changes, place, mark) -> {
                first.addAll(changes);
                return false;
            });
            await().atMost(PATIENCE).until(() -> first.size() == 1);
        }
        assertThat(read(feed, 1).stream().map(TriggerTableContract::text))
                .isEqualTo(first.stream().map(TriggerTableContract::text).toList());
    }

    @Test
    void aWriterDoesNotWaitForARelayThatWaits() throws Exception {
        position();
        site.sql("UPDATE users SET name = 'new' WHERE id <= 10");
        List<Change> told = new CopyOnWriteArrayList<>();
        try (ChangeFeed.Session session = feed.open()) {
            session.follow(0, "", (changes, place, mark) -> {
                told.addAll(changes);
                return false;
            });
            await().atMost(PATIENCE).until(() -> told.size() == 10);
            try (Connection writer = site.connect();
                    Statement statement = writer.createStatement()) {
                statement.setQueryTimeout(2);
                writer.setAutoCommit(false);
                statement.execute("UPDATE users SET name = 'newer' WHERE id <= 15");
                statement.execute("INSERT INTO users (id, name) VALUES (200, 'inserted')");
                try (Connection second = site.connect();
                        Statement besides = second.createStatement()) {
                    besides.setQueryTimeout(2);
                    besides.execute("UPDATE users SET name = 'besides' WHERE id = 20");
                }
                // Nor does the relay wait for a writer.
                await().atMost(PATIENCE).until(() -> told.size() == 11);
                writer.commit();
            }
            await().atMost(PATIENCE).until(() -> told.size() == 27);
        }
    }

    @Tag("thorough")
    @Test
    void twoRelaysAtOnceLoseNothing() throws Exception {
        position();
        List<String> read = new CopyOnWriteArrayList<>();
        ChangeFeed.Listener listener = (changes, place, mark) -> {
            changes.forEach(change -> read.add(text(change)));
            return true;
        };
        try (ChangeFeed.Session session = feed.open();
                ChangeFeed.Session second = feed.open()) {
            session.follow(0, "", listener);
            second.follow(0, "", listener);
            List<String> all = new ArrayList<>();
            for (int round = 0; round < 100; round++) {
                site.sql("INSERT INTO users (id, name) VALUES (" + (1000 + round) + ", 'new')");
                all.add(TableSite.USERS.qualifiedName() + " null {id=" + (1000 + round) + ", status=1}");
            }
            await().atMost(PATIENCE).untilAsserted(() -> assertThat(read).containsExactlyInAnyOrderElementsOf(all));
            session.requireFollowing();
            second.requireFollowing();
        }
    }

    @Test
    void aSessionPassesOverRowsThatAnotherTransactionHasLocked() throws Exception {
        position();
        site.sql("UPDATE users SET name = 'locked' WHERE id <= 10");
        List<String> read = new CopyOnWriteArrayList<>();
        try (Connection holder = site.connect();
                Statement statement = holder.createStatement();
                ChangeFeed.Session session = feed.open()) {
            holder.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
            holder.setAutoCommit(false);
            statement.execute("SELECT * FROM usher_changes FOR UPDATE SKIP LOCKED");
            session.follow(0, "", (changes, place, mark) -> {
                changes.forEach(change -> read.add(text(change)));
                return true;
            });
            // So many that a plan which reads the whole table would be cheaper than one by the key.
            site.sql("INSERT INTO users (id, name) VALUES " + values(301, 400));
            await().atMost(PATIENCE).untilAsserted(() -> {
                session.requireFollowing();
                assertThat(read).hasSize(100);
            });
            assertThat(read).allMatch(change -> change.contains(" null {id="));
            await().atMost(PATIENCE).until(() -> site.number("SELECT count(*) FROM usher_changes") == 10);
            holder.rollback();
            await().atMost(PATIENCE).until(() -> read.size() == 110);
            session.requireFollowing();
        }
    }

    /** Else a database that was restored would never be told from one that was not: a session that reads raises the end beyond each bookmark. */
    @Test
    void theEndOfASessionIsFromBeforeItsFirstChange() throws Exception {
        position();
        long intended = site.number("SELECT intended FROM usher_changes_position");
        try (ChangeFeed.Session session = feed.open()) {
            session.follow(0, "", (changes, place, mark) -> true);
            site.sql("UPDATE users SET name = 'new' WHERE id = 1");
            await().atMost(PATIENCE).until(() -> site.number("SELECT place FROM usher_changes_position") > intended);
            assertThat(session.standing().end()).isEqualTo(intended);
        }
    }

    @Tag("thorough")
    @Test
    void triggersThatDoSomethingElseAreRefused() {
        for (String sql : triggersThatDoSomethingElse()) {
            site.sql(sql);
            assertThat(TableSite.problemsOf(feed)).as(sql).contains("of other settings");
            site.setUp(feed);
        }
        assertThat(TableSite.problemsOf(feed)).isNull();
    }

    /** Statements that each leave a trigger, or what it calls, under its name. */
    abstract List<String> triggersThatDoSomethingElse();

    @Test
    void onlyOneSessionHasTheClaim() throws Exception {
        try (ChangeFeed.Session second = feed.open()) {
            try (ChangeFeed.Session first = feed.open()) {
                assertThat(first.claim()).isTrue();
                assertThat(second.claim()).isFalse();
            }
            await().atMost(PATIENCE).until(second::claim);
        }
    }

    @Tag("thorough")
    @Test
    void theClaimOfASilentConnectionEnds() throws Exception {
        try (ChangeFeed.Session silent = feed.open();
                ChangeFeed.Session second = feed.open()) {
            assertThat(silent.claim()).isTrue();
            long begun = System.nanoTime();
            await().pollInterval(Duration.ofMillis(500))
                    .atMost(Duration.ofSeconds(10))
                    .until(second::claim);
            System.out.println("A silent claim has ended after " + (System.nanoTime() - begun) / 1_000_000 + " ms");
        }
    }

    @Tag("thorough")
    @Test
    void triggersThatAreDroppedAndMadeAgainHaveEverythingFlushed() {
        ChangeRelay relay = following();
        readAll();
        dropTriggers();
        site.sql("UPDATE users SET name = 'unseen' WHERE id = 5");
        await().atMost(PATIENCE).until(() -> relay.health().state() == State.BROKEN);
        site.setUp(feed);
        awaitAgreement("made again");
        assertThat(relay.health().flushes()).isEqualTo(2);
    }

    @Tag("thorough")
    @Test
    void triggersThatAreMadeAgainWhileNoRelayRunsHaveEverythingFlushed() {
        following().close();
        readAll();
        dropTriggers();
        site.sql("UPDATE users SET name = 'unseen' WHERE id = 5");
        site.setUp(feed);
        ChangeRelay next = site.relay(one, feed);
        awaitAgreement("made again");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    abstract void dropTriggers();

    @Tag("thorough")
    @Test
    void theNextRelayNeedNotFlush() {
        ChangeRelay first = following();
        readAll();
        site.sql("UPDATE users SET name = 'first' WHERE id = 1");
        awaitAgreement("first");
        first.close();
        site.sql("UPDATE users SET name = 'between' WHERE id = 2");
        assertThat(one.name(2)).isEqualTo("old");
        ChangeRelay next = site.relay(one, feed);
        awaitAgreement("next");
        assertThat(next.health().flushes()).isZero();
    }

    @Tag("thorough")
    @Test
    void aRelayThatDiesBetweenTheBookmarkAndTheCommitLosesNothingAndFlushesNothing() {
        following().close();
        readAll();
        site.sql("UPDATE users SET name = 'new' WHERE id = 1");
        // As it would have left them: what it intends, and the bookmark, but not the place.
        long place = site.number("SELECT place FROM usher_changes_position") + 1;
        site.sql("UPDATE usher_changes_position SET intended = " + place);
        bookmark(place);
        ChangeRelay next = site.relay(one, feed);
        awaitAgreement("after the death");
        assertThat(next.health().flushes()).isZero();
    }

    private void bookmark(long place) {
        Map<String, String> bookmark = one.caches().bookmark(feed.name()).join();
        one.caches()
                .bookmark(
                        feed.name(),
                        Map.of("history", bookmark.getOrDefault("history", ""), "place", Long.toString(place)))
                .join();
    }

    @Tag("thorough")
    @Test
    void anOlderStateOfTheDatabaseHasEverythingFlushed() {
        ChangeRelay relay = following();
        long place = site.number("SELECT place FROM usher_changes_position");
        site.sql("UPDATE users SET name = 'new' WHERE id = 1");
        await().atMost(PATIENCE).until(() -> site.number("SELECT place FROM usher_changes_position") > place);
        awaitAgreement("new");
        relay.close();
        readAll();
        // As a backup puts all three tables back, and then the application goes on.
        site.sql("DELETE FROM usher_changes");
        withoutTriggers("UPDATE users SET name = 'old' WHERE id = 1");
        site.sql("UPDATE usher_changes_position SET place = " + place + ", intended = " + place);
        site.sql("UPDATE users SET name = 'after the restore' WHERE id = 2");
        ChangeRelay next = site.relay(one, feed);
        awaitAgreement("restored");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    /** A change that leaves no trace. */
    abstract void withoutTriggers(String sql);

    @Tag("thorough")
    @Test
    void aTableThatIsMadeAnewHasEverythingFlushed() throws Exception {
        ChangeRelay relay = following();
        relay.close();
        readAll();
        dropTriggers();
        site.sql("DROP TABLE usher_changes_position");
        site.sql("DROP TABLE usher_changes");
        site.sql("UPDATE users SET name = 'unseen' WHERE id = 7");
        ChangeRelay next = site.relay(one, feed);
        await().atMost(PATIENCE).until(() -> next.health().state() == State.BROKEN);
        site.run(String.valueOf(next.health().lastError()));
        awaitAgreement("made anew");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Tag("thorough")
    @Test
    void tenThousandRowsInOneStatement() {
        site.sql("INSERT INTO users (id, name) VALUES " + values(1001, 11000));
        ChangeRelay relay = following();
        long fences = relay.health().fences();
        long begun = System.nanoTime();
        site.sql("UPDATE users SET name = 'new' WHERE id > 1000");
        long written = System.nanoTime();
        await().pollInterval(Duration.ofMillis(10))
                .atMost(PATIENCE)
                .until(() -> relay.health().fences() - fences >= 10_000);
        System.out.println("10,000 rows: written in " + (written - begun) / 1_000_000 + " ms, fenced "
                + (System.nanoTime() - written) / 1_000_000 + " ms later");
        await().atMost(PATIENCE).until(() -> site.number("SELECT count(*) FROM usher_changes") == 0);
    }

    @Tag("thorough")
    @Test
    void theKeyThatAnInsertHasGeneratedIsStillTold() throws Exception {
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            if (site.isPostgres) {
                statement.execute("ALTER TABLE users ALTER COLUMN id RESTART WITH 600");
            }
            statement.execute("UPDATE users SET status = 0 WHERE id = 1");
            statement.executeUpdate("INSERT INTO users (name) VALUES ('generated')", Statement.RETURN_GENERATED_KEYS);
            try (ResultSet keys = statement.getGeneratedKeys()) {
                keys.next();
                long key = keys.getLong(1);
                assertThat(site.number("SELECT id FROM users WHERE name = 'generated'"))
                        .isEqualTo(key);
                String last = site.isPostgres ? "SELECT lastval()" : "SELECT last_insert_id()";
                try (ResultSet found = statement.executeQuery(last)) {
                    found.next();
                    assertThat(found.getLong(1)).isEqualTo(key);
                }
            }
        }
    }

    @Tag("thorough")
    @Test
    void dropRemovesAllOfItOrSaysWhatToRun() throws Exception {
        String message = null;
        try {
            feed.drop();
        } catch (ChangeFeedException e) {
            message = e.getMessage();
        }
        assertThat(message).contains("DROP TRIGGER IF EXISTS");
        site.run(String.valueOf(message));
        site.sql("UPDATE users SET name = 'free' WHERE id = 1");
        assertThat(TableSite.problemsOf(feed)).contains("CREATE TABLE");
        site.setUp(feed);
        TriggerTableFeed owners = TriggerTableFeed.builder()
                .url(site.url)
                .user(site.database.user())
                .password(site.database.password())
                .watch(TableSite.USERS)
                .build();
        owners.drop();
        owners.drop();
        assertThat(TableSite.problemsOf(feed)).contains("CREATE TABLE");
    }

    @Test
    @Tag("thorough")
    void whatTheTriggersCostAWriter() throws Exception {
        site.sql("INSERT INTO users (id, name) VALUES " + values(1001, 11000));
        long[] with = new long[2];
        long[] without = new long[2];
        measure();
        for (int round = 0; round < 3; round++) {
            add(with, measure());
            dropTriggers();
            add(without, measure());
            site.setUp(feed);
        }
        System.out.println(kind + ": an UPDATE of one row takes " + without[0] / 3000 + " us without the triggers and "
                + with[0] / 3000 + " us with them; one of 10,000 rows " + without[1] / 3000 + " and " + with[1] / 3000
                + " ms");
    }

    private static void add(long[] sum, long[] micros) {
        sum[0] += micros[0];
        sum[1] += micros[1];
    }

    /** How long 1000 updates of one row take, and one of 10,000, in microseconds. */
    private long[] measure() throws Exception {
        try (Connection connection = site.connect();
                Statement statement = connection.createStatement()) {
            long begun = System.nanoTime();
            for (int i = 0; i < 1000; i++) {
                statement.execute("UPDATE users SET name = 'n" + begun + "' WHERE id = " + (1001 + i));
            }
            long single = (System.nanoTime() - begun) / 1000;
            begun = System.nanoTime();
            statement.execute("UPDATE users SET name = 'm" + begun + "' WHERE id > 1000");
            return new long[] {single, (System.nanoTime() - begun) / 1000};
        }
    }
}
