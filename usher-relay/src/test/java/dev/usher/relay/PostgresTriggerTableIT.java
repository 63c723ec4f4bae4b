package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class PostgresTriggerTableIT extends TriggerTableContract {

    PostgresTriggerTableIT() {
        super(RelayKind.POSTGRES_TABLE);
    }

    @Override
    void dropTriggers() {
        site.sql("DROP TRIGGER usher_changes ON users");
        site.sql("DROP TRIGGER usher_changes_truncate ON users");
    }

    @Override
    void withoutTriggers(String sql) {
        site.sql("CREATE TABLE kept AS SELECT * FROM usher_changes");
        site.sql(sql);
        site.sql("DELETE FROM usher_changes; DROP TABLE kept");
    }

    @Override
    List<String> triggersThatDoSomethingElse() {
        String row = " TRIGGER usher_changes AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW ";
        String call = "EXECUTE FUNCTION usher_changes_users()";
        return List.of(
                "CREATE OR REPLACE FUNCTION usher_changes_users() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                        + " AS 'BEGIN RETURN NULL; END'",
                "ALTER FUNCTION usher_changes_users() SECURITY INVOKER",
                "CREATE OR REPLACE" + row + "WHEN (pg_trigger_depth() > 9) " + call,
                "CREATE OR REPLACE" + row.replace("UPDATE", "UPDATE OF name") + call,
                "CREATE OR REPLACE" + row.replace("INSERT OR ", "") + call);
    }

    @Tag("thorough")
    @Test
    void triggersThatWereDisabledHaveEverythingFlushed() {
        ChangeRelay relay = following();
        readAll();
        site.sql("ALTER TABLE users DISABLE TRIGGER ALL; UPDATE users SET name = 'unseen' WHERE id = 9");
        site.sql(
                "ALTER TABLE users ENABLE ALWAYS TRIGGER usher_changes; ALTER TABLE users ENABLE ALWAYS TRIGGER usher_changes_truncate");
        awaitAgreement("enabled");
        assertThat(relay.health().flushes()).isEqualTo(2);
    }

    @Tag("thorough")
    @Test
    void aSessionOfAReplicaIsSeen() {
        following();
        readAll();
        site.sql("SET session_replication_role = replica; UPDATE users SET name = 'as a replica' WHERE id = 9");
        awaitAgreement("replica");
    }

    @Tag("thorough")
    @Test
    void aTableThatIsEmptied() {
        ChangeRelay relay = following();
        readAll();
        site.sql("TRUNCATE users");
        awaitAgreement("emptied");
        assertThat(relay.health().flushes()).isEqualTo(2);
    }

    @Tag("thorough")
    @Test
    void changesThatAreTruncatedHaveEverythingFlushed() {
        following().close();
        readAll();
        site.sql("UPDATE users SET name = 'truncated' WHERE id = 4");
        site.sql("TRUNCATE usher_changes");
        ChangeRelay next = site.relay(one, feed);
        awaitAgreement("truncated");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Tag("thorough")
    @Test
    void aTableThatIsFullHasEverythingFlushedAndIsEmptied() {
        TriggerTableFeed small =
                site.feed().watch(TableSite.USERS).maxTable(2_000_000).build();
        site.setUp(small);
        feed = small;
        following().close();
        readAll();
        site.sql("INSERT INTO users (id, name) SELECT n, 'many' FROM generate_series(1000, 60000) n");
        long written = site.number("SELECT count(*) FROM usher_changes");
        assertThat(written).isLessThan(50_000);
        site.sql("UPDATE users SET name = 'not written' WHERE id = 4");
        ChangeRelay next = site.relay(one, small);
        awaitAgreement("full");
        assertThat(next.health().flushes()).isEqualTo(1);
        await().atMost(PATIENCE).until(() -> site.number("SELECT pg_relation_size('usher_changes')") < 100_000);
        site.sql("UPDATE users SET name = 'written again' WHERE id = 4");
        awaitAgreement("written again");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Tag("thorough")
    @Test
    void aChangeOfIgnoredColumnsAloneIsNotWritten() throws Exception {
        WatchedTable users = TableSite.USERS.ignoring("last_login");
        assertThat(TableSite.problemsOf(site.feed().watch(users).build())).contains("of other settings");
        feed = site.feed().watch(users).build();
        site.setUp(feed);
        ChangeRelay relay = following();
        site.sql("UPDATE users SET last_login = now()");
        site.sql("UPDATE users SET name = name");
        assertThat(site.number("SELECT count(*) FROM usher_changes")).isZero();
        for (String name : List.of("first", "second", "third")) {
            readAll();
            site.sql("UPDATE users SET last_login = now(), name = '" + name + "' WHERE id = 3");
            awaitAgreement(name);
        }
        assertThat(relay.health().fences()).isEqualTo(3);
        site.sql("ALTER TABLE users ADD COLUMN later json");
        site.sql("UPDATE users SET later = '{}' WHERE id = 3");
        await().atMost(PATIENCE).until(() -> relay.health().fences() == 4);
    }

    @Tag("thorough")
    @Test
    void aPartitionedTableIsRefused() {
        site.sql("CREATE TABLE people (id bigint) PARTITION BY HASH (id)");
        assertThat(TableSite.problemsOf(
                        site.feed().watch(WatchedTable.of("people", "id")).build()))
                .contains("people is no plain table");
    }
}
