package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisCluster;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A server that relays what is changed in its database by SQL. */
@Tag("thorough")
class RelayIT {

    @Test
    void whatIsChangedBySqlIsNewAndAUserWhoIsDisabledBySqlIsRefused() throws SQLException {
        requireThatPostgresIsRelayed(Shared.REDIS.uri());
    }

    @Test
    void onAClusterItIsTheSame() throws SQLException {
        try (RedisCluster cluster = RedisCluster.builder().start()) {
            requireThatPostgresIsRelayed(cluster.uri());
        }
    }

    private static void requireThatPostgresIsRelayed(String redis) throws SQLException {
        try (PostgresServer postgres = PostgresServer.start(Map.of("wal_level", "logical"))) {
            String url = postgres.createDatabase("relayed");
            Map<String, String> settings = Node.with(Shared.SETTINGS, Map.of("usher.relay.enabled", "true"));
            try (Node node = Node.start(redis, url, settings);
                    Connection connection = DriverManager.getConnection(url, postgres.username(), postgres.password());
                    Statement sql = connection.createStatement()) {
                String administrator = node.administrator().token();
                await().atMost(Duration.ofSeconds(30))
                        .untilAsserted(() -> assertThat(relay(node, administrator))
                                .contains("CREATE PUBLICATION usher FOR TABLE users;"));
                sql.execute("CREATE PUBLICATION usher FOR TABLE users");
                await().atMost(Duration.ofSeconds(60))
                        .untilAsserted(
                                () -> assertThat(relay(node, administrator)).contains("FOLLOWING"));

                requireRelayed(node, sql);
            }
        }
    }

    @Test
    void onMariaDbTheBinlogIsFollowed() throws SQLException {
        assumeTrue(MariaDbServer.isThere(), MariaDbServer.ABSENT);
        try (MariaDbServer mariadb = MariaDbServer.start("--log-bin=binlog", "--server-id=1")) {
            String url = mariadb.createDatabase("relayed");
            Map<String, String> settings = Node.with(
                    Shared.SETTINGS,
                    Map.of(
                            "spring.datasource.username",
                            mariadb.username(),
                            "spring.datasource.password",
                            mariadb.password(),
                            "usher.key-prefix",
                            "relayed",
                            "usher.relay.enabled",
                            "true"));
            try (Node node = Node.start(Shared.REDIS.uri(), url, settings);
                    Connection connection = DriverManager.getConnection(url, mariadb.username(), mariadb.password());
                    Statement sql = connection.createStatement()) {
                String administrator = node.administrator().token();
                await().atMost(Duration.ofSeconds(30))
                        .untilAsserted(() ->
                                assertThat(relay(node, administrator)).contains("SET GLOBAL binlog_format = 'ROW';"));
                sql.execute("SET GLOBAL binlog_format = 'ROW'");
                sql.execute("SET SESSION binlog_format = 'ROW'");
                await().atMost(Duration.ofSeconds(60))
                        .untilAsserted(
                                () -> assertThat(relay(node, administrator)).contains("FOLLOWING"));
                requireRelayed(node, sql);
            }
        }
    }

    private static void requireRelayed(Node node, Statement sql) throws SQLException {
        User user = node.register();
        String token = user.token();
        assertThat(node.get("/v1/me", token).with(200).text("name")).isNotEqualTo("By hand");
        sql.execute("UPDATE users SET name = 'By hand' WHERE id = " + user.id());
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(
                        () -> assertThat(node.get("/v1/me", token).text("name")).isEqualTo("By hand"));
        sql.execute("UPDATE users SET status = 0 WHERE id = " + user.id());
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(
                        () -> assertThat(node.get("/v1/me", token).status()).isEqualTo(403));
    }

    private static String relay(Node node, String administrator) {
        return node.get("/actuator/health", administrator)
                .json()
                .path("components")
                .path("usherRelay")
                .toString();
    }
}
