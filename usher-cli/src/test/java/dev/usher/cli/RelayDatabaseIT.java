package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the relay needs in a database is named, and removed, however often. */
class RelayDatabaseIT {

    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final StringWriter errors = new StringWriter();

    @Test
    void whatIsMissingIsPrintedWithTheSqlForIt() throws SQLException {
        String url = SharedPostgres.POSTGRES.createDatabase("unprepared");
        String user = SharedPostgres.POSTGRES.username();
        try (Connection connection = DriverManager.getConnection(url, user, "");
                Statement sql = connection.createStatement()) {
            sql.execute("CREATE TABLE members (uid bigint PRIMARY KEY)");
        }
        assertThat(relay(
                        "check",
                        Map.of(
                                "USHER_DATABASE_URL", url,
                                "USHER_DATABASE_USERNAME", user,
                                "USHER_RELAY_TABLE", "members",
                                "USHER_RELAY_ID_COLUMN", "uid",
                                "USHER_RELAY_STATUS_COLUMN", "state",
                                "USHER_RELAY_PUBLICATION", "changes",
                                "USHER_REDIS_URI", "redis://127.0.0.1:1")))
                .isEqualTo(1);
        assertThat(errors.toString())
                .startsWith("usher: the database unprepared at ")
                .contains(
                        "ALTER SYSTEM SET wal_level = 'logical';",
                        "has no column state",
                        "CREATE PUBLICATION changes FOR TABLE members;");
        assertThat(output.toString(StandardCharsets.UTF_8)).isEmpty();
    }

    @Test
    void thePublicationIsGone() throws SQLException {
        String url = SharedPostgres.POSTGRES.createDatabase("dropped");
        String user = SharedPostgres.POSTGRES.username();
        try (Connection connection = DriverManager.getConnection(url, user, "");
                Statement sql = connection.createStatement()) {
            sql.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
            sql.execute("CREATE PUBLICATION usher FOR TABLE users");
            Map<String, String> environment = Map.of("USHER_DATABASE_URL", url, "USHER_DATABASE_USERNAME", user);
            assertThat(relay("drop", environment)).isZero();
            try (ResultSet left = sql.executeQuery("SELECT pubname FROM pg_publication")) {
                assertThat(left.next()).isFalse();
            }
            assertThat(relay("drop", environment)).isZero();
            assertThat(output.toString(StandardCharsets.UTF_8))
                    .startsWith("Database       " + url)
                    .contains("Role           " + user, "is gone");
        }
    }

    @Test
    void theTriggersAreGone() throws SQLException {
        String url = SharedPostgres.POSTGRES.createDatabase("triggers");
        String user = SharedPostgres.POSTGRES.username();
        Map<String, String> environment = Map.of(
                "USHER_DATABASE_URL",
                "jdbc:postgresql://127.0.0.1:1/another?user=another",
                "USHER_RELAY_URL",
                url,
                "USHER_RELAY_USERNAME",
                user,
                "USHER_RELAY_FEED",
                "table");
        try (Connection connection = DriverManager.getConnection(url, user, "");
                Statement sql = connection.createStatement()) {
            sql.execute("CREATE TABLE users (id bigint PRIMARY KEY, status int)");
            sql.execute("CREATE TABLE usher_changes (id bigint)");
            assertThat(relay("drop", environment)).isZero();
            assertThat(output.toString(StandardCharsets.UTF_8))
                    .startsWith("Database       " + url)
                    .contains("Role           " + user, "is gone");
            try (ResultSet left = sql.executeQuery("SELECT to_regclass('usher_changes') IS NULL")) {
                assertThat(left.next()).isTrue();
                assertThat(left.getBoolean(1)).isTrue();
            }
        }
    }

    private int relay(String command, Map<String, String> environment) {
        return UsherCommand.commandLine(new PrintStream(output, true, StandardCharsets.UTF_8), environment)
                .setErr(new PrintWriter(errors, true))
                .execute("relay", command);
    }
}
