package dev.usher.relay;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.ChangeFeed.Session;
import dev.usher.testkit.MariaDbServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the feed reads in the binlog of MariaDB, without a relay. */
class BinlogChangeFeedIT {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static @Nullable MariaDbServer server;
    private static int databases;

    private final List<Runnable> opened = new ArrayList<>();
    private String database = "";
    private String url = "";

    @BeforeAll
    static void start() {
        Assumptions.assumeTrue(MariaDbServer.isThere(), MariaDbServer.ABSENT);
        server = MariaDbServer.start(RelayKind.BINLOG);
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    @BeforeEach
    void createDatabase() {
        database = "app" + databases++;
        url = server().createDatabase(database);
    }

    @AfterEach
    void closeAll() {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).run();
        }
        opened.clear();
    }

    private static MariaDbServer server() {
        return requireNonNull(server);
    }

    private void sql(String... statements) {
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            for (String one : statements) {
                statement.execute(one);
            }
        } catch (SQLException e) {
            throw new IllegalStateException(String.join("; ", statements), e);
        }
    }

    private String text(String query) {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getString(1);
        } catch (SQLException e) {
            throw new IllegalStateException(query, e);
        }
    }

    private Connection connect() throws SQLException {
        return DriverManager.getConnection(url, server().username(), server().password());
    }

    private BinlogChangeFeed feed(WatchedTable... tables) {
        BinlogChangeFeed.Builder feed =
                BinlogChangeFeed.builder().url(url).user(server().username()).password(server().password());
        List.of(tables).forEach(feed::watch);
        return feed.build();
    }

    private static WatchedTable users() {
        return WatchedTable.of("users", "id").status("status", "1");
    }

    /** A session that follows, and what it has told. */
    private final class Following implements ChangeFeed.Listener {

        private final Session session;
        private final List<Change> heard = new CopyOnWriteArrayList<>();
        private volatile long place;
        private volatile String mark = "";

        private Following(BinlogChangeFeed feed) throws ChangeFeedException {
            this(feed, null);
        }

        private Following(BinlogChangeFeed feed, @Nullable Following earlier) throws ChangeFeedException {
            session = feed.open();
            opened.add(session::close);
            assertThat(session.claim()).isTrue();
            session.check();
            if (earlier == null) {
                session.create();
                session.follow(0, "", this);
                place = requireNonNull(session.standing().place());
                mark = session.standing().mark();
            } else {
                place = earlier.place;
                mark = earlier.mark;
                assertThat(session.holds(place, mark)).isTrue();
                session.follow(place, mark, this);
            }
        }

        @Override
        public boolean changed(List<Change> changes, long place, String mark) {
            heard.addAll(changes);
            this.place = place;
            this.mark = mark;
            return true;
        }

        private List<Change> awaitHeard(int count) {
            await().atMost(PATIENCE).until(() -> {
                session.requireFollowing();
                return heard.size() >= count;
            });
            List<Change> all = List.copyOf(heard);
            heard.clear();
            return all;
        }

        private Change.Row awaitRow() {
            return (Change.Row) awaitHeard(1).get(0);
        }
    }

    private static @Nullable String afterOf(Change change, String column) {
        Map<String, @Nullable String> after = ((Change.Row) change).after();
        return after == null ? "gone" : after.get(column);
    }

    @Test
    void rowsAreHeardByTheirIds() throws Exception {
        sql("CREATE TABLE users (id bigint unsigned PRIMARY KEY, name text, status tinyint)");
        Following following = new Following(feed(users()));
        sql("INSERT INTO users VALUES (18446744073709551615, 'x', 1), (2, 'y', 0)");
        List<Change> inserted = following.awaitHeard(2);
        assertThat(inserted).extracting(change -> afterOf(change, "id")).containsExactly("18446744073709551615", "2");
        assertThat(inserted).extracting(change -> afterOf(change, "status")).containsExactly("1", "0");
        assertThat(((Change.Row) inserted.get(0)).at()).isNotNull();
        sql("UPDATE users SET name = 'z' WHERE id = 2");
        Change.Row updated = following.awaitRow();
        assertThat(updated.before()).isNull();
        assertThat(updated.after()).containsEntry("id", "2").doesNotContainKey("name");
        sql("UPDATE users SET id = 3 WHERE id = 2");
        Change.Row moved = following.awaitRow();
        assertThat(moved.before()).containsEntry("id", "2");
        assertThat(moved.after()).containsEntry("id", "3");
        sql("DELETE FROM users WHERE id = 3");
        Change.Row deleted = following.awaitRow();
        assertThat(deleted.before()).containsEntry("id", "3");
        assertThat(deleted.after()).isNull();
        sql("BEGIN", "INSERT INTO users VALUES (4, 'never', 1)", "ROLLBACK", "INSERT INTO users VALUES (5, 'x', 1)");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("5");
    }

    @Tag("thorough")
    @Test
    void idsAndStatusesOfAllTypesAreTheTextsOfTheCaches() throws Exception {
        String uuid = "550e8400-e29b-41d4-a716-446655440000";
        for (String[] one : List.of(
                new String[] {"bigint", "-5", "-5"},
                new String[] {"int unsigned", "4294967295", "4294967295"},
                new String[] {"smallint unsigned", "65535", "65535"},
                new String[] {"mediumint unsigned", "16777215", "16777215"},
                new String[] {"decimal(20,0)", "42", "42"},
                new String[] {"char(36)", "'" + uuid + "'", uuid},
                new String[] {"varchar(40) CHARACTER SET latin1", "'m\u00fcller'", "m\u00fcller"},
                new String[] {"varchar(40) CHARACTER SET utf8mb4", "'\ud83d\ude00'", "\ud83d\ude00"},
                new String[] {"binary(16)", "UNHEX('550e8400e29b41d4a716446655440000')", uuid.replace("-", "")},
                new String[] {"uuid", "'" + uuid + "'", uuid},
                new String[] {"uuid", "'01890a5d-ac96-774b-bcce-b302099a8057'", "01890a5d-ac96-774b-bcce-b302099a8057"},
                new String[] {"uuid", "'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"},
                new String[] {"uuid", "'6ba7b810-9dad-11d1-80b4-00c04fd43000'", "6ba7b810-9dad-11d1-80b4-00c04fd43000"
                })) {
            sql("CREATE OR REPLACE TABLE users (id " + one[0] + " PRIMARY KEY, status tinyint)");
            Following following = new Following(feed(users()));
            sql("INSERT INTO users VALUES (" + one[1] + ", 1)");
            assertThat(afterOf(following.awaitRow(), "id")).as(one[0]).isEqualTo(one[2]);
            closeAll();
        }
        for (String[] one : List.of(
                new String[] {"boolean", "true", "1"},
                new String[] {"int", "0", "0"},
                new String[] {"char(1)", "'1'", "1"},
                new String[] {"enum('off','it''s on')", "'it''s on'", "it's on"},
                new String[] {"set('a','b','c')", "'a,c'", "a,c"},
                new String[] {"bit(1)", "b'1'", "1"},
                new String[] {"bit(12)", "b'100000000001'", "2049"},
                new String[] {"tinyint unsigned", "255", "255"},
                new String[] {"tinyint", "NULL", null})) {
            sql("CREATE OR REPLACE TABLE users (id bigint PRIMARY KEY, status " + one[0] + ")");
            Following following = new Following(feed(users()));
            sql("INSERT INTO users VALUES (1, " + one[1] + ")");
            assertThat(afterOf(following.awaitRow(), "status")).as(one[0]).isEqualTo(one[2]);
            closeAll();
        }
    }

    @Test
    void compressedEventsAndNamesInTheLogAreRead() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, name text, status tinyint)");
        sql(
                "SET GLOBAL log_bin_compress = 1",
                "SET GLOBAL log_bin_compress_min_len = 10",
                "SET GLOBAL binlog_row_metadata = 'FULL'");
        opened.add(() -> sql(
                "SET GLOBAL log_bin_compress = 0",
                "SET GLOBAL log_bin_compress_min_len = 256",
                "SET GLOBAL binlog_row_metadata = 'NO_LOG'"));
        Following following = new Following(feed(users()));
        sql(
                "INSERT INTO users VALUES (1, repeat('x', 1000), 1)",
                "UPDATE users SET name = repeat('y', 1000)",
                "DELETE FROM users",
                "TRUNCATE /* " + "x".repeat(500) + " */ users");
        List<Change> changes = following.awaitHeard(4);
        assertThat(changes.subList(0, 2))
                .extracting(change -> afterOf(change, "id"))
                .containsExactly("1", "1");
        assertThat(((Change.Row) changes.get(2)).before()).containsEntry("id", "1");
        assertThat(changes.get(3)).isEqualTo(new Change.Emptied(database + ".users"));
    }

    @Test
    void anEmptiedAlteredOrReplacedTableIsHeard() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status bigint)", "CREATE TABLE others (id bigint)");
        Following following = new Following(feed(users()));
        sql("TRUNCATE others", "TRUNCATE `users`");
        assertThat(following.awaitHeard(1)).containsExactly(new Change.Emptied(database + ".users"));
        sql("ALTER TABLE users MODIFY id bigint AFTER status");
        assertThat(following.awaitHeard(1).get(0)).isInstanceOf(Change.Unreadable.class);
        sql("INSERT INTO users (id, status) VALUES (7, 1)");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("7");
        sql("CREATE TABLE newer LIKE users");
        assertThat(following.awaitHeard(1).get(0)).isInstanceOf(Change.Unreadable.class);
        sql("RENAME TABLE users TO older, newer TO users");
        assertThat(following.awaitHeard(1).get(0)).isInstanceOf(Change.Unreadable.class);
        sql("INSERT INTO older (id, status) VALUES (8, 1)", "INSERT INTO users (id, status) VALUES (9, 1)");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("9");
    }

    @Test
    void rowsFromBeforeAnAlterationAreNotMisreadInSilence() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status bigint, extra varchar(9))");
        BinlogChangeFeed feed = feed(users());
        Following before = new Following(feed);
        before.session.close();
        sql(
                "INSERT INTO users VALUES (1, 1, 'x')",
                "ALTER TABLE users DROP extra",
                "INSERT INTO users VALUES (2, 1)",
                "ALTER TABLE users MODIFY id bigint AFTER status",
                "INSERT INTO users (id, status) VALUES (3, 1)");
        Following after = new Following(feed, before);
        List<Change> changes = after.awaitHeard(5);
        assertThat(changes.get(0)).isInstanceOf(Change.Unreadable.class);
        assertThat(changes.get(1)).isInstanceOf(Change.Unreadable.class);
        // The third one is read with the columns of now, which the alteration behind it makes up for.
        assertThat(changes.get(3)).isInstanceOf(Change.Unreadable.class);
        assertThat(afterOf(changes.get(4), "id")).isEqualTo("3");
    }

    @Test
    void whatASessionLogsInItsOwnWayIsInDoubt() throws Exception {
        sql(
                "CREATE TABLE users (id bigint PRIMARY KEY, name text, status tinyint)",
                "INSERT INTO users VALUES (1, 'x', 1)");
        Following following = new Following(feed(users()));
        sql("SET SESSION binlog_format = 'STATEMENT'", "UPDATE users SET name = 'secret'");
        Change.Unreadable statement =
                (Change.Unreadable) following.awaitHeard(1).get(0);
        assertThat(statement.why()).contains("binlog_format").doesNotContain("secret");
        sql("SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE users SET name = 'y'");
        assertThat(((Change.Unreadable) following.awaitHeard(1).get(0)).why()).contains("binlog_row_image");
    }

    @Test
    void anXaTransactionIsHeardWhenItIsCommitted() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
        BinlogChangeFeed feed = feed(users());
        Following following = new Following(feed);
        sql("XA START 'a'", "INSERT INTO users VALUES (1, 1)", "XA END 'a'", "XA PREPARE 'a'");
        sql("INSERT INTO users VALUES (2, 1)");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("2");
        sql("XA COMMIT 'a'");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("1");
        sql("XA START 'b'", "INSERT INTO users VALUES (3, 1)", "XA END 'b'", "XA PREPARE 'b'");
        sql("INSERT INTO users VALUES (4, 1)");
        assertThat(afterOf(following.awaitRow(), "id")).isEqualTo("4");
        following.session.close();
        Following next = new Following(feed, following);
        sql("XA COMMIT 'b'");
        assertThat(next.awaitHeard(1).get(0)).isInstanceOf(Change.Unreadable.class);
    }

    @Tag("thorough")
    @Test
    void aTransactionIsHeardWhenItCanBeSeen() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)", "INSERT INTO users VALUES (1, 1)");
        Following following = new Following(feed(users()));
        sql(
                "SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
                "SET GLOBAL rpl_semi_sync_master_timeout = 3000",
                "SET GLOBAL rpl_semi_sync_master_enabled = 1");
        opened.add(() -> sql("SET GLOBAL rpl_semi_sync_master_enabled = 0"));
        CompletableFuture<Void> committed = CompletableFuture.runAsync(() -> sql("UPDATE users SET status = 0"));
        long begun = System.nanoTime();
        following.awaitHeard(1);
        assertThat(text("SELECT status FROM users")).isEqualTo("0");
        // Otherwise the server has not waited, and the test has tested nothing.
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isGreaterThan(Duration.ofSeconds(2));
        committed.join();
    }

    @Test
    void aRelayFollowsFromItsBookmark() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)", "CREATE TABLE others (id bigint)");
        BinlogChangeFeed feed = feed(users());
        Following first = new Following(feed);
        assertThat(first.mark).startsWith("F");
        first.session.close();
        sql("INSERT INTO users VALUES (1, 1)");
        Following second = new Following(feed, first);
        assertThat(afterOf(second.awaitRow(), "id")).isEqualTo("1");
        assertThat(second.mark).contains("/");
        second.session.close();
        sql(
                "FLUSH BINARY LOGS",
                "INSERT INTO users VALUES (2, 1)",
                "FLUSH BINARY LOGS",
                "INSERT INTO others VALUES (1)");
        Following third = new Following(feed, second);
        assertThat(afterOf(third.awaitRow(), "id")).isEqualTo("2");
        // No watched table changes, and the place moves on when it is asked for.
        third.session.nudge();
        await().atMost(PATIENCE)
                .until(() -> third.session.standing().end()
                        == requireNonNull(third.session.standing().place()));
        third.session.close();
        sql("INSERT INTO users VALUES (3, 1)");
        assertThat(afterOf(new Following(feed, third).awaitRow(), "id")).isEqualTo("3");
    }

    @Test
    void oneSessionHasTheClaimWhileItsConnectionLives() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
        BinlogChangeFeed feed = feed(users());
        Following first = new Following(feed);
        Session second = feed.open();
        opened.add(second::close);
        assertThat(second.claim()).isFalse();
        sql("KILL " + text("SELECT IS_USED_LOCK('" + feed.lock() + "')"));
        await().atMost(PATIENCE).until(second::claim);
        assertThatThrownBy(first.session::standing).isInstanceOf(ChangeFeedException.class);
    }

    @Tag("thorough")
    @Test
    void aLogThatIsAnotherOneIsFound() throws Exception {
        try (MariaDbServer own = MariaDbServer.start(RelayKind.BINLOG)) {
            url = own.createDatabase("app");
            sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
            BinlogChangeFeed feed = feed(users());
            Following following = new Following(feed);
            sql("INSERT INTO users VALUES (1, 1)");
            following.awaitRow();
            long place = following.place;
            String mark = following.mark;
            following.session.close();

            // Its files begin anew, and have an event of the same kind at the same place.
            sql("RESET MASTER");
            Following one = new Following(feed);
            sql("INSERT INTO users VALUES (10001, 1)");
            one.awaitRow();
            one.session.close();
            sql("RESET MASTER", "INSERT INTO users VALUES (10002, 1)");
            assertThat(holds(feed, one.place, one.mark)).isFalse();

            // Its files begin anew, and grow beyond the place.
            sql("RESET MASTER", "INSERT INTO users SELECT seq, 1 FROM seq_2_to_2000");
            assertThat(holds(feed, place, mark)).isFalse();
            assertThat(holds(feed, place, "F1")).isFalse();

            Following again = new Following(feed);
            assertThat(holds(feed, again.place, again.mark)).isTrue();
            assertThat(holds(feed, again.place + 1_000_000, again.mark)).isFalse();
            sql("INSERT INTO users VALUES (3000, 1)");
            again.awaitRow();
            again.session.close();
            assertThat(holds(feed, again.place, again.mark)).isTrue();
            assertThat(holds(feed, again.place, "")).isFalse();
            assertThat(holds(feed, again.place + 1, again.mark)).isFalse();
            own.restart();
            assertThat(holds(feed, again.place, again.mark)).isTrue();
            sql("INSERT INTO users VALUES (3001, 1)");
            sql("PURGE BINARY LOGS TO '" + text("SELECT SUBSTRING_INDEX(@@log_bin_basename, '/', -1)") + ".000002'");
            assertThat(holds(feed, again.place, again.mark)).isFalse();
        }
    }

    private static boolean holds(BinlogChangeFeed feed, long place, String mark) throws ChangeFeedException {
        try (Session session = feed.open()) {
            return session.holds(place, mark);
        }
    }

    @Tag("thorough")
    @Test
    void aLogThatBeginsAnewWhileItIsFollowedIsFound() throws Exception {
        try (MariaDbServer own = MariaDbServer.start(RelayKind.BINLOG)) {
            url = own.createDatabase("app");
            sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
            sql("RESET MASTER");
            Following following = new Following(feed(users()));
            sql("INSERT INTO users VALUES (1, 1)");
            following.awaitRow();
            // As long as before, at once.
            sql("RESET MASTER", "INSERT INTO users VALUES (2, 1)");
            await().atMost(PATIENCE).until(() -> {
                try {
                    following.session.requireFollowing();
                    var unused = following.session.standing();
                    return false;
                } catch (ChangeFeedException e) {
                    return true;
                }
            });
        }
    }

    @Tag("thorough")
    @Test
    void thePreflightSaysWhatToRunAndThatIsEnough() throws Exception {
        try (MariaDbServer own =
                MariaDbServer.start("--log-bin=binlog", "--server-id=1", "--binlog-row-image=MINIMAL")) {
            url = own.createDatabase("app");
            sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
            own.checkAccounts();
            BinlogChangeFeed feed = BinlogChangeFeed.builder()
                    .url(url)
                    .user("relay")
                    .password("...")
                    .watch(users())
                    .build();
            String absent = message(feed);
            assertThat(absent)
                    .contains("CREATE USER relay IDENTIFIED BY '...';")
                    .contains("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO relay;")
                    .contains("GRANT SELECT ON app.users TO relay;");
            sql(
                    "CREATE USER relay IDENTIFIED BY '...'",
                    "GRANT USAGE ON app.* TO relay",
                    "CREATE TABLE open (id bigint)",
                    "GRANT SELECT ON app.open TO relay");
            assertThat(message(feed)).contains("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO relay;");
            sql("GRANT BINLOG MONITOR ON *.* TO relay");
            String message = message(feed);
            assertThat(message)
                    .contains("SET GLOBAL binlog_format = 'ROW';")
                    .contains("SET GLOBAL binlog_row_image = 'FULL';")
                    .contains("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO relay;")
                    .contains("GRANT SELECT ON app.users TO relay;");
            for (String line : message.split("\n")) {
                if (line.matches("[A-Z]+ .*;.*")) {
                    sql(line);
                }
            }
            try (Session session = feed.open()) {
                session.check();
            }
        }
    }

    @Tag("thorough")
    @Test
    void aServerWithoutBinlogSaysWhatBelongsIntoItsConfiguration() {
        try (MariaDbServer own = MariaDbServer.start()) {
            url = own.createDatabase("app");
            sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
            assertThat(message(feed(users())))
                    .contains("[mariadb]")
                    .contains("log_bin = binlog")
                    .contains("binlog_format = ROW");
        }
    }

    @Test
    void aTableThatTheLogCannotShowIsRefused() {
        sql(
                "CREATE TABLE real_users (id bigint PRIMARY KEY, able boolean AS (true) VIRTUAL)",
                "CREATE VIEW users AS SELECT id, 1 AS status FROM real_users");
        assertThat(message(feed(users()))).contains("is a view");
        assertThat(message(feed(WatchedTable.of("real_users", "id").status("able", "1"))))
                .contains("is computed");
        assertThat(message(feed(WatchedTable.of("real_users", "number")))).contains("has no column number");
        assertThat(message(feed(WatchedTable.of("nothing", "id"))))
                .contains("there is no table " + database + ".nothing");
    }

    private static String message(BinlogChangeFeed feed) {
        try (Session session = feed.open()) {
            session.check();
            throw new AssertionError("nothing is missing: " + session);
        } catch (ChangeFeedException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void changesThatAForeignKeyMakesAreInDoubt() throws Exception {
        changeByForeignKeys();
    }

    private void changeByForeignKeys() throws Exception {
        sql(
                "CREATE TABLE firms (id bigint PRIMARY KEY, name text)",
                "CREATE TABLE teams (id bigint PRIMARY KEY, firm bigint REFERENCES firms (id) ON DELETE CASCADE)",
                "CREATE TABLE users (id bigint PRIMARY KEY, status tinyint, team bigint,"
                        + " FOREIGN KEY (team) REFERENCES teams (id) ON DELETE SET NULL)",
                "INSERT INTO firms VALUES (1, 'x'), (2, 'x')",
                "INSERT INTO teams VALUES (1, 1), (2, 2)",
                "INSERT INTO users VALUES (1, 1, 1), (2, 1, 2)");
        Following following = new Following(feed(users()));
        sql("UPDATE firms SET name = 'y'", "DELETE FROM firms WHERE id = 1");
        assertThat(text("SELECT team FROM users WHERE id = 1")).isNull();
        assertThat(following.awaitHeard(1).get(0)).isInstanceOf(Change.Unreadable.class);
        sql("ALTER TABLE teams DROP FOREIGN KEY teams_ibfk_1");
        sql("DELETE FROM firms WHERE id = 2", "DELETE FROM users WHERE id = 2");
        assertThat(following.awaitRow().before()).containsEntry("id", "2");
    }

    @Tag("thorough")
    @Test
    void foreignKeysAreFoundOnAServerThatQuotesNoNames() throws Exception {
        sql("SET GLOBAL sql_quote_show_create = 0");
        try {
            changeByForeignKeys();
        } finally {
            sql("SET GLOBAL sql_quote_show_create = 1");
        }
    }

    @Tag("thorough")
    @Test
    void largeTransactionsAreHeardInParts() throws Exception {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, status tinyint)");
        Following following = new Following(feed(users()));
        sql("INSERT INTO users SELECT seq, 1 FROM seq_1_to_10000");
        assertThat(Set.copyOf(following.awaitHeard(10_000).stream()
                        .map(change -> afterOf(change, "id"))
                        .toList()))
                .hasSize(10_000);
        sql("UPDATE users SET status = 0 WHERE id = 1");
        assertThat(afterOf(following.awaitRow(), "status")).isEqualTo("0");
    }
}
