package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.MariaDbServer;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("thorough") // PostgresTriggerTableIT runs in each build
class MariaDbTriggerTableIT extends TriggerTableContract {

    MariaDbTriggerTableIT() {
        super(RelayKind.MARIADB_TABLE);
    }

    @BeforeAll
    @Override
    void open() {
        Assumptions.assumeTrue(MariaDbServer.isThere(), MariaDbServer.ABSENT);
        super.open();
    }

    @Override
    void dropTriggers() {
        for (String event : new String[] {"insert", "update", "delete"}) {
            site.sql("DROP TRIGGER usher_changes_users_" + event);
        }
    }

    @Override
    void withoutTriggers(String sql) {
        site.sql(sql);
        site.sql("DELETE FROM usher_changes");
    }

    @Override
    List<String> triggersThatDoSomethingElse() {
        String trigger = "CREATE OR REPLACE TRIGGER usher_changes_users_update ";
        return List.of(
                trigger + "AFTER UPDATE ON users FOR EACH ROW SET @seen = NEW.id",
                trigger + "BEFORE UPDATE ON users FOR EACH ROW SET @seen = NEW.id",
                "CREATE OR REPLACE TRIGGER usher_changes_users_delete AFTER DELETE ON users FOR EACH ROW SET @seen = OLD.id");
    }

    @Tag("thorough")
    @Test
    void aForeignKeyThatChangesRowsIsRefused() {
        requireRefusals();
    }

    private void requireRefusals() {
        site.sql("CREATE TABLE IF NOT EXISTS tenants (id bigint PRIMARY KEY)");
        site.sql("ALTER TABLE users ADD COLUMN tenant bigint");
        for (String action : List.of(
                "ON DELETE CASCADE",
                "ON UPDATE CASCADE",
                "ON DELETE SET NULL",
                "ON DELETE RESTRICT ON UPDATE SET NULL",
                "ON DELETE CASCADE ON UPDATE NO ACTION")) {
            site.sql("ALTER TABLE users ADD CONSTRAINT of_tenant FOREIGN KEY (tenant) REFERENCES tenants (id) "
                    + action);
            assertThat(TableSite.problemsOf(feed)).as(action).contains("changed by a foreign key (of_tenant)");
            site.sql("ALTER TABLE users DROP FOREIGN KEY of_tenant");
        }
        for (String action : List.of("", "ON DELETE RESTRICT ON UPDATE RESTRICT", "ON DELETE NO ACTION")) {
            site.sql("ALTER TABLE users ADD CONSTRAINT of_tenant FOREIGN KEY (tenant) REFERENCES tenants (id) "
                    + action);
            assertThat(TableSite.problemsOf(feed)).as(action).isNull();
            site.sql("ALTER TABLE users DROP FOREIGN KEY of_tenant");
        }
    }

    /** The check reads definitions, as the server writes them. */
    @Tag("thorough")
    @Test
    void aServerThatQuotesNamesInAnotherWayIsCheckedAsWell() {
        site.sql("SET GLOBAL sql_mode = 'ANSI_QUOTES', GLOBAL sql_quote_show_create = 0");
        try {
            assertThat(TableSite.problemsOf(feed)).isNull();
            requireRefusals();
        } finally {
            site.sql("SET GLOBAL sql_mode = DEFAULT, GLOBAL sql_quote_show_create = 1");
        }
    }

    @Tag("thorough")
    @Test
    void truncateIsSeenWithTheRightProcess() {
        site.sql("GRANT PROCESS ON *.* TO relay");
        ChangeRelay relay = following();
        assertThat(relay.health().detail()).isEqualTo("table");
        readAll();
        site.sql("TRUNCATE users");
        awaitAgreement("emptied");
        await().atMost(PATIENCE).until(() -> relay.health().flushes() == 2);
        site.sql("REVOKE PROCESS ON *.* FROM relay");
    }

    @Tag("thorough")
    @Test
    void withoutTheRightProcessHealthSaysThatTruncateIsNotSeen() {
        assertThat(following().health().detail()).contains("TRUNCATE is not seen");
    }

    @Tag("thorough")
    @Test
    void truncateIsRefusedWhereAnEmptyTableRefersToTheUsers() {
        site.sql("CREATE TABLE usher_guard AS SELECT id FROM users LIMIT 0");
        site.sql("ALTER TABLE usher_guard ADD FOREIGN KEY (id) REFERENCES users (id)");
        assertThatThrownBy(() -> site.sql("TRUNCATE users")).rootCause().hasMessageContaining("foreign key");
        site.sql("DROP TABLE usher_guard");
    }

    @Tag("thorough")
    @Test
    void theChangesCannotBeTruncated() {
        assertThatThrownBy(() -> site.sql("TRUNCATE usher_changes")).hasMessageContaining("TRUNCATE");
        assertThatThrownBy(() -> site.sql("DROP TABLE usher_changes")).hasMessageContaining("DROP");
    }
}
