package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Relays in processes of their own, for a fleet whose tables, facets and keys have names of its own. */
@Tag("thorough") // starts processes of its own
@Timeout(300)
class RelayCommandIT {

    private static final Duration LONG = Duration.ofSeconds(60);

    private static PostgresServer postgres;
    private static RedisServer redis;

    private final HttpClient http = HttpClient.newHttpClient();

    @TempDir
    private Path directory;

    @BeforeAll
    static void start() {
        redis = RedisServer.start();
        postgres = PostgresServer.start(Map.of("wal_level", "logical"));
    }

    @AfterAll
    static void stop() {
        postgres.close();
        redis.close();
    }

    @Test
    void ofSeveralRelaysOneAnnouncesAndTheNextGoesOnWhereItHasEnded() throws Exception {
        Map<String, String> environment = environment("fleet");
        sql("fleet", "CREATE TABLE members (uid bigint PRIMARY KEY, state text NOT NULL)");
        sql("fleet", "INSERT INTO members SELECT n, 'active' FROM generate_series(1, 9) n");
        Set<Integer> revoked = ConcurrentHashMap.newKeySet();
        try (UserCaches caches = UserCaches.builder()
                        .redis(redis.uri())
                        .keyPrefix("fleet")
                        .onRevoked(users -> {
                            IntStream.rangeClosed(1, 9)
                                    .filter(id -> users.contains("access", id))
                                    .forEach(revoked::add);
                            return 0;
                        })
                        .build();
                CommandProcess first = relay("first", environment)) {
            UserCache<Long, String> access = states(caches, "access");
            UserCache<Long, String> badges = states(caches, "badges");
            first.lineOf("Database");
            first.lineOf("Redis");
            assertThat(first.lineOf("Facets"))
                    .isEqualTo("access, badges  (users that may not act are revoked in access)");
            URI health = URI.create(first.lineOf("Health"));

            // What is missing is printed with the SQL for it; when that has been run, the relay follows.
            first.awaitOutput("CREATE PUBLICATION usher FOR TABLE members;");
            assertThat(get(health).statusCode()).isEqualTo(503);
            assertThat(get(health.resolve("/actuator/health/readiness")).statusCode())
                    .isEqualTo(503);
            assertThat(get(health.resolve("/actuator/health/liveness")).statusCode())
                    .isEqualTo(200);
            sql("fleet", "CREATE PUBLICATION usher FOR TABLE members");
            awaitFollowing(first);
            assertThat(get(health).statusCode()).isEqualTo(200);
            HttpResponse<String> head = http.send(
                    HttpRequest.newBuilder(health)
                            .method("HEAD", HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertThat(head.statusCode()).isEqualTo(200);
            assertThat(head.headers().firstValueAsLong("Content-Length").orElse(0))
                    .isPositive();
            assertThat(get(health).body()).contains("\"state\":\"FOLLOWING\"");
            assertThat(get(health.resolve("/actuator/prometheus")).body())
                    .contains("usher_relay_active{feed=\"postgresql:usher\"} 1.0");

            assertThat(access.find(1L)).contains("active");
            assertThat(badges.find(1L)).contains("active");
            sql("fleet", "UPDATE members SET state = 'late' WHERE uid = 1");
            await().atMost(LONG).untilAsserted(() -> {
                assertThat(access.find(1L)).contains("late");
                assertThat(badges.find(1L)).contains("late");
            });
            sql("fleet", "UPDATE members SET state = 'gone' WHERE uid = 2");
            await().atMost(LONG).until(() -> revoked.contains(2));
            assertThat(revoked).doesNotContain(1); // 'late' lets a member act

            try (CommandProcess second = relay("second", environment)) {
                second.awaitOutput("standby");
                assertThat(badges.find(3L)).contains("active");
                first.terminate();
                assertThat(first.exitCode()).isEqualTo(128 + 15);
                sql("fleet", "UPDATE members SET state = 'late' WHERE uid = 3");
                second.awaitOutput("following");
                await().atMost(LONG).until(() -> badges.find(3L).orElseThrow().equals("late"));
                assertThat(number("fleet", "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'usher'"))
                        .isEqualTo(1);
                second.terminate();
                assertThat(second.exitCode()).isEqualTo(128 + 15);
                assertThat(second.errors()).isEmpty(); // nothing was flushed either
            }
            try (CommandProcess check = CommandProcess.start(directory, environment, "relay", "check")) {
                assertThat(check.lineOf("Database")).endsWith("/fleet  is ready");
                assertThat(check.lineOf("Position")).contains("wal_status reserved");
                assertThat(check.lineOf("Redis")).endsWith("  answers");
                assertThat(check.exitCode()).isZero();
            }
            try (CommandProcess drop = CommandProcess.start(directory, environment, "relay", "drop")) {
                assertThat(drop.exitCode()).isZero();
                assertThat(number("fleet", "SELECT count(*) FROM pg_replication_slots"))
                        .isZero();
            }
        }
    }

    @Test
    void aSettingThatCannotBeIsToldInALine() throws Exception {
        Map<String, String> environment = new HashMap<>(environment("unsaid"));
        environment.put("USHER_RELAY_FACETS", "Access");
        try (CommandProcess relay = relay("relay", environment)) {
            assertThat(relay.remainingOutput()).isEmpty();
            assertThat(relay.exitCode()).isEqualTo(1);
            assertThat(relay.errors())
                    .hasLineCount(1)
                    .startsWith(
                            "usher: the relay did not start: the setting usher.relay.facets (USHER_RELAY_FACETS) is 'Access'");
        }
    }

    private CommandProcess relay(String name, Map<String, String> environment) throws IOException {
        return CommandProcess.start(Files.createDirectory(directory.resolve(name)), environment, "relay");
    }

    /** Following, and no more flushing. */
    private static void awaitFollowing(CommandProcess relay) {
        relay.awaitOutput("following, and everything cached is flushed");
        relay.awaitOutput("following");
    }

    private static Map<String, String> environment(String database) {
        Map<String, String> environment = new HashMap<>();
        environment.put("USHER_DATABASE_URL", postgres.createDatabase(database));
        environment.put("USHER_DATABASE_USERNAME", postgres.username());
        environment.put("USHER_REDIS_URI", redis.uri());
        environment.put("USHER_KEY_PREFIX", database);
        environment.put("USHER_RELAY_TABLE", "members");
        environment.put("USHER_RELAY_ID_COLUMN", "uid");
        environment.put("USHER_RELAY_STATUS_COLUMN", "state");
        environment.put("USHER_RELAY_ENABLED_VALUES", "active,late");
        environment.put("USHER_RELAY_FACETS", "access,badges");
        environment.put("MANAGEMENT_PORT", "0");
        return environment;
    }

    private static UserCache<Long, String> states(UserCaches caches, String facet) {
        return caches.cache(Facet.of(facet, String.class), Long.class, ids -> {
            Map<Long, String> states = new HashMap<>();
            try (Connection connection = connect("fleet");
                    Statement statement = connection.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT uid, state FROM members")) {
                while (rows.next()) {
                    states.put(rows.getLong(1), rows.getString(2));
                }
            }
            states.keySet().retainAll(ids);
            return states;
        });
    }

    private HttpResponse<String> get(URI uri) throws IOException, InterruptedException {
        return http.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static Connection connect(String database) throws SQLException {
        return DriverManager.getConnection(
                postgres.jdbcUrl().replace("/postgres", "/" + database), postgres.username(), "");
    }

    private static void sql(String database, String sql) throws SQLException {
        try (Connection connection = connect(database);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static long number(String database, String query) throws SQLException {
        try (Connection connection = connect(database);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getLong(1);
        }
    }
}
