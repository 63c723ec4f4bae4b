package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.server.Node.OnMariaDb;
import dev.usher.server.Node.Shared;
import dev.usher.testkit.MariaDbServer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;

/** A released migration is never changed: a database that has it would refuse the server. */
class MigrationsIT {

    /** As the history of a database has them, of whatever release. */
    private static final List<String> OF_POSTGRESQL = List.of(
            "1 users -1509102269",
            "2 several signing keys -859548501",
            "3 ended logins 465589884",
            "4 access -767095206");

    @Test
    void thoseOfPostgresqlAreWhatTheyWere() {
        Flyway flyway = flyway(Dialect.POSTGRESQL, Node.newDatabase(), Shared.POSTGRES.username());

        assertThat(resolved(flyway)).containsExactlyElementsOf(OF_POSTGRESQL);
    }

    /** The files were once in the folder above. */
    @Test
    void aDatabaseOfTheReleaseBeforeIsMigratedNoFurther() {
        String database = Node.newDatabase();
        Flyway flyway = flyway(Dialect.POSTGRESQL, database, Shared.POSTGRES.username());
        flyway.migrate();
        JdbcClient jdbc = JdbcClient.create(
                new DriverManagerDataSource(database, Shared.POSTGRES.username(), Shared.POSTGRES.password()));
        List<String> scripts = jdbc.sql("SELECT script FROM flyway_schema_history ORDER BY installed_rank")
                .query((row, number) -> row.getString("script"))
                .list();

        assertThat(scripts)
                .containsExactly(
                        "V1__users.sql", "V2__several_signing_keys.sql", "V3__ended_logins.sql", "V4__access.sql");
        assertThat(flyway.validateWithResult().validationSuccessful).isTrue();
        assertThat(flyway.migrate().migrationsExecuted).isZero();
    }

    @Test
    @Tag("thorough")
    @EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
    void oneOfMariaDbThatWasInterruptedRunsAgain() {
        String database = OnMariaDb.SERVER.createDatabase("interrupted");
        JdbcClient jdbc = JdbcClient.create(
                new DriverManagerDataSource(database, OnMariaDb.SERVER.username(), OnMariaDb.SERVER.password()));
        Flyway flyway = flyway(Dialect.MARIADB, database, OnMariaDb.SERVER.username());
        flyway.migrate();
        jdbc.sql("DROP TABLE table_locks").update();
        jdbc.sql("ALTER TABLE refresh_tokens DROP KEY refresh_tokens_ended, DROP COLUMN ended_in, DROP COLUMN begun_at,"
                        + " DROP COLUMN address")
                .update();
        jdbc.sql("DELETE FROM flyway_schema_history").update();

        assertThat(flyway(Dialect.MARIADB, database, OnMariaDb.SERVER.username())
                        .migrate()
                        .migrationsExecuted)
                .isEqualTo(2);

        assertThat(jdbc.sql("SELECT count(ended_in) FROM refresh_tokens")
                        .query(Long.class)
                        .single())
                .isZero();
        assertThat(jdbc.sql("SELECT count(*) FROM table_locks")
                        .query(Long.class)
                        .single())
                .isEqualTo(2);
    }

    @Test
    @Tag("thorough")
    @EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
    void aServerRunsOneOfMariaDbAgainThatHasFailed() {
        String database = OnMariaDb.SERVER.createDatabase("failed");
        JdbcClient jdbc = JdbcClient.create(
                new DriverManagerDataSource(database, OnMariaDb.SERVER.username(), OnMariaDb.SERVER.password()));
        flyway(Dialect.MARIADB, database, OnMariaDb.SERVER.username()).migrate();
        jdbc.sql("DELETE FROM flyway_schema_history").update();
        jdbc.sql("ALTER TABLE table_locks RENAME COLUMN name TO other").update();
        assertThatThrownBy(() -> flyway(Dialect.MARIADB, database, OnMariaDb.SERVER.username())
                        .migrate())
                .isInstanceOf(FlywayException.class);
        assertThat(jdbc.sql("SELECT success FROM flyway_schema_history")
                        .query(Boolean.class)
                        .list())
                .containsExactly(false);
        jdbc.sql("ALTER TABLE table_locks RENAME COLUMN other TO name").update();

        Node node = Node.start(
                Shared.REDIS.uri(), database, Node.with(OnMariaDb.SETTINGS, Map.of("usher.key-prefix", "failed")));

        try (node) {
            assertThat(node.register().token()).isNotEmpty();
            assertThat(jdbc.sql("SELECT success FROM flyway_schema_history")
                            .query(Boolean.class)
                            .list())
                    .containsExactly(true, true);
        }
    }

    private static Flyway flyway(Dialect dialect, String url, String username) {
        return Flyway.configure()
                .dataSource(url, username, "")
                .locations(dialect.migrations())
                .load();
    }

    private static List<String> resolved(Flyway flyway) {
        return Arrays.stream(flyway.info().all()).map(MigrationsIT::named).toList();
    }

    private static String named(MigrationInfo migration) {
        return migration.getVersion() + " " + migration.getDescription() + " " + migration.getChecksum();
    }
}
