package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelayHealth.State;
import dev.usher.relay.RelaySite.Node;
import dev.usher.testkit.FaultProxy;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What may go wrong with the write-ahead log of PostgreSQL. */
@Tag("thorough")
class RelayFaultsIT extends LogRelayFaults {

    RelayFaultsIT() {
        super(RelayKind.POSTGRES_LOG);
    }

    @Test
    void thePositionMovesOnWhenOtherTablesChange() {
        ChangeRelay relay = following();
        // 100 MB, by ./usher dev relay a gigabyte.
        for (int i = 0; i < Integer.getInteger("usher.relay.megabytes", 100) / 5; i++) {
            site.insertOthers();
        }
        long end = end();
        await().atMost(PATIENCE).until(() -> slot() >= end - (2L << 20));
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
                site.insertOthers();
            }
            await().atMost(PATIENCE).until(() -> slot() < 0);
            await().atMost(PATIENCE).until(() -> relay.health().state() == State.BROKEN);
            site.sql("UPDATE users SET name = 'without a slot' WHERE id = 2");
            assertThat(one.name(2)).isEqualTo("old");
            proxy.restore();
            awaitAgreement("given up");
            relay.close();
        }
    }

    @Test
    void aCommitThatWaitsForAStandbyIsAnnouncedWhenItCanBeSeen() throws Exception {
        ChangeRelay relay = following();
        readAll();
        site.sql("ALTER SYSTEM SET synchronous_standby_names = 'missing'");
        site.sql("SELECT pg_reload_conf()");
        await().until(() -> site.number("SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names'"
                        + " AND setting = 'missing'")
                == 1);
        long before = slot();
        CompletableFuture<Void> waiting =
                CompletableFuture.runAsync(() -> site.sql("UPDATE users SET name = 'waited' WHERE id = 2"));
        await().until(() -> site.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == 1);
        // The relay has this in its log; no session sees it, and the position stays.
        await().during(Duration.ofSeconds(2))
                .atMost(PATIENCE)
                .untilAsserted(() -> assertThat(one.name(2) + " " + slot()).isEqualTo("old " + before));
        site.sql("ALTER SYSTEM RESET synchronous_standby_names");
        site.sql("SELECT pg_reload_conf()");
        waiting.orTimeout(60, TimeUnit.SECONDS).join();
        awaitAgreement("seen");
        assertThat(relay.health().flushes()).isEqualTo(1);
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

    /** Where the slot is, or -1 without one. */
    private long slot() {
        return site.number("SELECT coalesce((SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots"
                + " WHERE slot_name = 'usher'), -1)");
    }

    /** Where the log ends. */
    private long end() {
        return site.number("SELECT pg_current_wal_lsn() - '0/0'");
    }
}
