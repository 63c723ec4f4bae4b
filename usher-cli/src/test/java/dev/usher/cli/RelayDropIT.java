package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the relay needs in the database is removed, however often. */
class RelayDropIT {

    private final ByteArrayOutputStream output = new ByteArrayOutputStream();

    @Test
    void thePublicationIsGone() throws SQLException {
        String url = SharedPostgres.POSTGRES.createDatabase("dropped");
        String user = SharedPostgres.POSTGRES.username();
        try (Connection connection = DriverManager.getConnection(url, user, "");
                Statement sql = connection.createStatement()) {
            sql.execute("CREATE TABLE users (id bigint PRIMARY KEY)");
            sql.execute("CREATE PUBLICATION usher FOR TABLE users");
            Map<String, String> environment = Map.of("USHER_DATABASE_URL", url, "USHER_DATABASE_USERNAME", user);
            assertThat(drop(environment)).isZero();
            try (ResultSet left = sql.executeQuery("SELECT pubname FROM pg_publication")) {
                assertThat(left.next()).isFalse();
            }
            assertThat(drop(environment)).isZero();
            assertThat(output.toString(StandardCharsets.UTF_8)).contains("are gone");
        }
    }

    private int drop(Map<String, String> environment) {
        return UsherCommand.commandLine(new PrintStream(output, true, StandardCharsets.UTF_8), environment)
                .execute("relay", "drop");
    }
}
