package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PostgresServerIT {
    private static PostgresServer postgres;

    @BeforeAll
    static void start() {
        postgres = PostgresServer.start();
    }

    @AfterAll
    static void close() {
        postgres.close();
    }

    @Test
    void theServerIsPostgreSql18() throws SQLException {
        try (Connection connection = connect(postgres.jdbcUrl())) {
            assertThat(text(connection, "SELECT version()")).startsWith("PostgreSQL 18.");
        }
    }

    @Test
    void theServerListensOnLoopbackOnly() throws SQLException {
        try (Connection connection = connect(postgres.jdbcUrl())) {
            assertThat(text(connection, "SHOW listen_addresses")).isEqualTo("127.0.0.1");
            assertThat(text(connection, "SHOW unix_socket_directories")).isEmpty();
        }
    }

    @Test
    void eachCreatedDatabaseIsEmptyAndIsolated() throws SQLException {
        String one = postgres.createDatabase("one");
        String two = postgres.createDatabase("two");
        try (Connection inOne = connect(one);
                Connection inTwo = connect(two);
                Statement statement = inOne.createStatement()) {
            statement.execute("CREATE TABLE greeting (text text)");
            String tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
            assertThat(text(inOne, tables)).isEqualTo("1");
            assertThat(text(inTwo, tables)).isEqualTo("0");
        }
    }

    @Test
    void aDatabaseIsNotCreatedTwiceNorUnderAStrangeName() {
        String url = postgres.createDatabase("taken");
        assertThat(url).endsWith("/taken");
        assertThatIllegalStateException().isThrownBy(() -> postgres.createDatabase("taken"));
        assertThatIllegalArgumentException().isThrownBy(() -> postgres.createDatabase("a; DROP DATABASE postgres"));
    }

    @Test
    void textKeepsItsLetters() throws SQLException {
        try (Connection connection = connect(postgres.jdbcUrl())) {
            assertThat(text(connection, "SELECT 'Zoë 王小明'")).isEqualTo("Zoë 王小明");
        }
    }

    @Test
    void aFrozenServerAnswersOnlyAfterItIsThawed() throws Exception {
        try (Connection connection = connect(postgres.jdbcUrl())) {
            postgres.freeze();
            CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
                try {
                    return text(connection, "SELECT 1");
                } catch (SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            assertThat(answer).failsWithin(200, TimeUnit.MILLISECONDS);
            assertThatThrownBy(() -> connectWithin(1)).isInstanceOf(SQLException.class);

            postgres.thaw();
            assertThat(answer).succeedsWithin(20, TimeUnit.SECONDS).isEqualTo("1");
        }
    }

    @Test
    void aKilledServerBreaksItsConnectionsAndRefusesNewOnes() throws SQLException {
        try (PostgresServer doomed = PostgresServer.start();
                Connection connection = connect(doomed.jdbcUrl())) {
            doomed.kill();
            doomed.kill();

            assertThatThrownBy(() -> text(connection, "SELECT 1")).isInstanceOf(SQLException.class);
            assertThatThrownBy(() -> connect(doomed.jdbcUrl())).isInstanceOf(SQLException.class);
            assertThatIllegalStateException().isThrownBy(doomed::freeze);
        }
    }

    @Test
    void aKilledServerIsStartedAgainOnItsPortWithAllThatWasCommitted() throws SQLException {
        PostgresServer killed = PostgresServer.start();
        try (killed) {
            try (Connection connection = connect(killed.jdbcUrl());
                    Statement statement = connection.createStatement()) {
                statement.execute("CREATE TABLE kept AS SELECT 'committed' AS text");
                killed.kill();
            }
            int port = killed.port();
            long pid = killed.pid();
            for (int time = 0; time < 2; time++) {
                killed.restart();
                try (Connection connection = connect(killed.jdbcUrl())) {
                    assertThat(text(connection, "SELECT text FROM kept")).isEqualTo("committed");
                    assertThat(text(connection, "SHOW listen_addresses")).isEqualTo("127.0.0.1");
                }
            }
            assertThat(killed.port()).isEqualTo(port);
            assertThat(killed.pid()).isNotEqualTo(pid);
        }
        assertThatThrownBy(() -> connect(killed.jdbcUrl())).isInstanceOf(SQLException.class);
        assertThatIllegalStateException().isThrownBy(killed::restart);
    }

    @Test
    void closingAFrozenServerLeavesNoProcess() {
        PostgresServer frozen = PostgresServer.start();
        frozen.freeze();
        ProcessHandle postmaster = ProcessHandle.of(frozen.pid()).orElseThrow();
        List<ProcessHandle> processes = Stream.concat(Stream.of(postmaster), postmaster.children())
                .filter(PostgresServerIT::runs)
                .toList();
        assertThat(processes).contains(postmaster).hasSizeGreaterThan(1);
        frozen.close();
        frozen.close();

        await().until(() -> processes.stream().noneMatch(PostgresServerIT::runs));
        assertThatIllegalStateException().isThrownBy(frozen::freeze);
    }

    /** Whether a process runs a program: a process that has ended and is not yet reaped has none. */
    private static boolean runs(ProcessHandle process) {
        return process.info().command().isPresent();
    }

    private static Connection connect(String url) throws SQLException {
        return DriverManager.getConnection(url, postgres.username(), postgres.password());
    }

    private static void connectWithin(int seconds) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", postgres.username());
        properties.setProperty("loginTimeout", Integer.toString(seconds));
        DriverManager.getConnection(postgres.jdbcUrl(), properties).close();
    }

    private static String text(Connection connection, String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            assertThat(rows.next()).isTrue();
            return rows.getString(1);
        }
    }
}
