package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.server.UsherServer;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.net.ConnectException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/** The command line as people use it: in a process of its own. While one starts, the tests in this JVM go on. */
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("CommandLineIT") // its tests one after the other
class CommandLineIT {

    private static final Pattern GENERATED = Pattern.compile("mobile (\\d+), password (\\w+)  \\(generated.*");

    private final PostgresServer postgres = SharedPostgres.POSTGRES;

    @TempDir
    private Path directory;

    @Test
    void aServerOnServersOfItsOwnServesUntilItIsToldToEndAndLeavesNothingRunning() throws Exception {
        // As a Compose file sets variables that its own environment lacks.
        Map<String, String> environment = Map.of(
                "PORT",
                "0",
                "MANAGEMENT_PORT",
                " ",
                "USHER_SERVER_ADMIN_MOBILE",
                "",
                "USHER_SERVER_ADMIN_PASSWORD",
                " ",
                "USHER_SERVER_SIGNING_KEY",
                "");
        try (CommandProcess serve = CommandProcess.start(directory, environment, "serve")) {
            String api = serve.lineOf("API");
            URI redis = URI.create(firstWord(serve.lineOf("Redis")));
            URI database = URI.create(firstWord(serve.lineOf("Database")).substring("jdbc:".length()));
            Matcher administrator = GENERATED.matcher(serve.lineOf("Administrator"));
            assertThat(administrator.matches()).isTrue();
            String mobile = administrator.group(1);
            String password = administrator.group(2);
            assertThat(serve.lineOf("Log in"))
                    .startsWith("curl ")
                    .contains(mobile, password)
                    .endsWith(api + "/v1/login");

            ApiClient client = new ApiClient(api);
            String token = client.post("/v1/login", Map.of("mobile", mobile, "password", password))
                    .with(200)
                    .json()
                    .path("token")
                    .asString();
            assertThat(client.get("/v1/me", token)
                            .with(200)
                            .json()
                            .path("mobile")
                            .asString())
                    .isEqualTo(mobile);

            serve.terminate();

            assertThat(serve.exitCode()).isEqualTo(128 + 15);
            assertThat(serve.remainingOutput()).isEmpty();
            // Were Redis or PostgreSQL gone before the server, it would have warned.
            assertThat(serve.errors()).isEmpty();
            assertRefused(URI.create(api));
            assertRefused(redis);
            assertRefused(database);
        }
    }

    @Test
    @Tag("thorough") // starts processes of its own, for most of a minute
    void aServerStartsWithoutItsDatabaseAndGivesUpWhenThatCannotBeMadeReady() throws Exception {
        String database = unfitDatabase("late");
        try (FaultProxy proxy = FaultProxy.inFrontOf(postgres.host(), postgres.port())) {
            proxy.refuse();
            Map<String, String> environment = Map.of(
                    "PORT", "0",
                    "USHER_DATABASE_URL", through(proxy, database),
                    "USHER_DATABASE_USERNAME", postgres.username(),
                    "USHER_DATABASE_PASSWORD", postgres.password());

            try (CommandProcess serve = CommandProcess.start(directory, environment, "serve")) {
                assertThat(serve.lineOf("API")).startsWith("http://localhost:");
                serve.lineOf("Redis");
                assertThat(serve.lineOf("Database")).endsWith("  (cannot be reached yet; the server goes on trying)");
                assertThat(serve.lineOf("Administrator")).isEqualTo("not known before the database can be reached");

                proxy.restore();

                assertThat(serve.exitCode()).isEqualTo(1);
                assertThat(serve.errors())
                        .contains("non-empty schema")
                        .endsWith("usher: the server has ended itself; its log says why\n");
            }
        }
    }

    @Test
    @Tag("thorough") // starts processes of its own, for most of a minute
    void theServerByItselfEndsItsProcessWhenItsDatabaseCannotBeMadeReady() throws Exception {
        String database = unfitDatabase("ended");
        try (FaultProxy proxy = FaultProxy.inFrontOf(postgres.host(), postgres.port())) {
            proxy.refuse();
            try (CommandProcess server = CommandProcess.start(
                    UsherServer.class,
                    directory,
                    Map.of(),
                    "--server.port=0",
                    "--spring.data.redis.url=redis://127.0.0.1:1",
                    "--spring.datasource.url=" + through(proxy, database),
                    "--spring.datasource.username=" + postgres.username())) {
                server.awaitOutput("The server starts without it");

                proxy.restore();

                assertThat(server.exitCode()).isEqualTo(1);
            }
        }
    }

    @Test
    @Tag("thorough") // starts a process of its own
    void aRedisBehindSentinelsIsNamedByItsUri() throws Exception {
        try (SentinelGroup group = SentinelGroup.builder()
                        .password("s3cret")
                        .sentinelPassword("pr1vate")
                        .start();
                CommandProcess serve = CommandProcess.start(
                        directory,
                        Map.of(
                                "PORT",
                                "0",
                                "USHER_REDIS_URI",
                                group.uri().replace("//", "//:s3cret@").replace("#", "/1#"),
                                "USHER_REDIS_SENTINEL_PASSWORD",
                                "pr1vate",
                                "USHER_DATABASE_URL",
                                postgres.jdbcUrl() + "?user=" + postgres.username()),
                        "serve")) {
            serve.lineOf("API");
            assertThat(serve.lineOf("Redis"))
                    .isEqualTo(group.uri().replace("//", "//***@").replace("#", "/1#"));
            RedisClient client = RedisClient.create(
                    "redis://:s3cret@127.0.0.1:" + group.primary().port() + "/1");
            try {
                await().atMost(Duration.ofSeconds(30))
                        .until(() -> client.connect().sync().exists("{user:nodes}") == 1);
            } finally {
                client.shutdown();
            }
            assertThat(serve.errors()).doesNotContain("s3cret", "pr1vate");
        }
    }

    @Test
    @Tag("thorough") // starts a process of its own
    void aClusterIsNamedByItsUri() throws Exception {
        try (RedisCluster cluster = RedisCluster.builder().password("s3cret").start();
                CommandProcess serve = CommandProcess.start(
                        directory,
                        Map.of(
                                "PORT",
                                "0",
                                "USHER_REDIS_URI",
                                cluster.uri().replace("//", "//:s3cret@"),
                                "USHER_DATABASE_URL",
                                postgres.jdbcUrl() + "?user=" + postgres.username()),
                        "serve")) {
            serve.lineOf("API");
            assertThat(serve.lineOf("Redis")).isEqualTo(cluster.uri().replace("//", "//***@"));
            RedisClient client = RedisClient.create("redis://:s3cret@127.0.0.1:"
                    + cluster.primaryOf("{user:nodes}").port());
            try {
                await().atMost(Duration.ofSeconds(30))
                        .until(() -> client.connect().sync().exists("{user:nodes}") == 1);
            } finally {
                client.shutdown();
            }
            assertThat(serve.errors()).doesNotContain("s3cret");
        }
    }

    @Test
    @Tag("thorough") // starts a process of its own
    @EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
    void aServerRunsOnMariaDb() throws Exception {
        try (MariaDbServer mariadb = MariaDbServer.start()) {
            String database = mariadb.createDatabase("users");
            Map<String, String> environment = Map.of(
                    "PORT",
                    "0",
                    "USHER_DATABASE_URL",
                    database,
                    "USHER_DATABASE_USERNAME",
                    mariadb.username(),
                    "USHER_DATABASE_PASSWORD",
                    mariadb.password(),
                    "USHER_SERVER_ADMIN_MOBILE",
                    "13900000001",
                    "USHER_SERVER_ADMIN_PASSWORD",
                    "correct horse 8");
            try (CommandProcess serve = CommandProcess.start(directory, environment, "serve")) {
                ApiClient client = new ApiClient(serve.lineOf("API"));
                serve.lineOf("Redis");
                assertThat(serve.lineOf("Database")).isEqualTo(database);
                client.post("/v1/login", Map.of("mobile", "13900000001", "password", "correct horse 8"))
                        .with(200);
                serve.terminate();
                assertThat(serve.exitCode()).isEqualTo(128 + 15);
                assertThat(serve.errors()).isEmpty();
            }
            try (CommandProcess serve = CommandProcess.start(
                    directory, Map.of("PORT", "0", "USHER_DATABASE_URL", database + "_not?user=usher"), "serve")) {
                assertThat(serve.exitCode()).isEqualTo(1);
                assertThat(serve.errors()).hasLineCount(1).contains("cannot be used: ", "Unknown database");
            }
        }
    }

    @Test
    void aDatabaseThatRefusesIsToldInALine() throws Exception {
        try (CommandProcess serve = CommandProcess.start(
                directory,
                Map.of("PORT", "0", "USHER_DATABASE_URL", postgres.jdbcUrl() + "_not?user=postgres"),
                "serve")) {
            assertThat(serve.remainingOutput()).isEmpty();
            assertThat(serve.exitCode()).isEqualTo(1);
            assertThat(serve.errors()).hasLineCount(1).contains("cannot be used: ", "does not exist");
        }
    }

    @Test
    @Tag("thorough") // starts processes of its own, for most of a minute
    void aDemoShowsItsTableAndLeavesNoUserInAGivenDatabase() throws Exception {
        String database = postgres.createDatabase("demo");
        Map<String, String> environment = Map.of(
                "USHER_DATABASE_URL",
                database,
                "USHER_DATABASE_USERNAME",
                postgres.username(),
                "USHER_DATABASE_PASSWORD",
                postgres.password(),
                // Of the fleet: the demo leaves its position alone.
                "USHER_RELAY_ENABLED",
                "true");

        try (CommandProcess demo = CommandProcess.start(directory, environment, "demo", "--users", "20")) {
            String output = demo.remainingOutput();

            assertThat(demo.exitCode()).as(demo.errors()).isZero();
            assertThat(output)
                    .contains("20 users")
                    .containsPattern("register +POST /v1/users +20 +0 +0 +0 +20 ")
                    .containsPattern("own profile, warm +GET /v1/me +100 +\\d+ +\\d+ +0 +0 ")
                    .containsPattern("forgotten, 64 at once +GET /v1/me +64 +\\d+ +\\d+ +\\d+ +3 ")
                    .contains("ok      200 warm reads, 600 look-ups answered by memory and Redis: 0 SQL queries")
                    .contains("ok      10 bans: 10 receipts confirmed by every node, after ")
                    .contains("ok      Redis killed: 20 reads answered, 0 errors; Redis back: memory open again after ")
                    .contains("ok      10 disabled users, 100 calls with tokens that have not expired: 100 refused")
                    .doesNotContain("FAILED");
            assertThat(demo.errors()).contains("- log in").doesNotContain("WARN", "ERROR");
        }
        assertThat(users(database)).isZero();
    }

    @Test
    @Tag("thorough") // starts processes of its own, for most of a minute
    void aDemoOnServersOfItsOwnChangesRowsBySql() throws Exception {
        try (CommandProcess demo = CommandProcess.start(directory, Map.of(), "demo", "--users", "20")) {
            String output = demo.remainingOutput();

            assertThat(demo.exitCode()).as(demo.errors()).isZero();
            assertThat(output)
                    .containsPattern("changed by SQL +UPDATE, till seen +20 ")
                    .containsPattern("ok      20 rows changed by SQL, past both nodes: new on both after \\d+ ms")
                    .containsPattern("ok      a user disabled by SQL: refused on both nodes after \\d+ ms, and once")
                    .doesNotContain("FAILED");
            // Not a line of the relay, nor of what it reads the log with.
            assertThat(demo.errors().lines()).allMatch(line -> line.startsWith("- "));
        }
    }

    @Test
    @Tag("thorough") // starts a process of its own
    void aDemoLeavesNoBookmarkInAGivenRedis() throws Exception {
        try (RedisServer redis = RedisServer.start();
                CommandProcess demo = CommandProcess.start(
                        directory, Map.of("USHER_REDIS_URI", redis.uri()), "demo", "--users", "5")) {
            assertThat(demo.remainingOutput())
                    .containsPattern("ok      5 rows changed by SQL")
                    .doesNotContain("FAILED");
            assertThat(demo.exitCode()).as(demo.errors()).isZero();
            RedisClient keys = RedisClient.create(redis.uri());
            try (StatefulRedisConnection<String, String> connection = keys.connect()) {
                assertThat(connection.sync().keys("*bookmarks*")).isEmpty();
            } finally {
                keys.shutdown(Duration.ZERO, Duration.ZERO);
            }
        }
    }

    @Test
    @Tag("thorough") // starts processes of its own
    void aServerOnServersOfItsOwnAnnouncesWhatIsChangedBySql() throws Exception {
        // Settings of a fleet's relay, none of which is meant for these servers.
        Map<String, String> environment = Map.of(
                "PORT", "0",
                "USHER_RELAY_FEED", "table",
                "USHER_RELAY_TABLE", "members",
                "USHER_RELAY_ID_COLUMN", "uid",
                "USHER_RELAY_STATUS_COLUMN", "state",
                "USHER_RELAY_ENABLED_VALUES", "0",
                "USHER_RELAY_IGNORED_COLUMNS", "name");
        try (CommandProcess serve = CommandProcess.start(directory, environment, "serve")) {
            ApiClient client = new ApiClient(serve.lineOf("API"));
            String redis = firstWord(serve.lineOf("Redis"));
            String database = firstWord(serve.lineOf("Database"));
            Map<String, String> ann = Map.of("mobile", "13800001111", "password", "correct horse 8");
            client.post("/v1/users", Map.of("mobile", "13800001111", "password", "correct horse 8", "name", "Ann"))
                    .with(201);
            String token =
                    client.post("/v1/login", ann).with(200).json().path("token").asString();
            // The bookmark is written when the first flush is over.
            RedisClient keys = RedisClient.create(redis);
            try (StatefulRedisConnection<String, String> connection = keys.connect()) {
                await().atMost(Duration.ofMinutes(2))
                        .until(() -> connection.sync().exists("{user:bookmarks}:postgresql:usher") == 1);
            } finally {
                keys.shutdown(Duration.ZERO, Duration.ZERO);
            }
            try (Connection connection = connect(database);
                    Statement sql = connection.createStatement()) {
                client.get("/v1/me", token).with(200);
                sql.execute("UPDATE users SET status = 0 WHERE mobile = '13800001111'");
            }
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> client.get("/v1/me", token).refusesDisabled());
            serve.terminate();
            assertThat(serve.exitCode()).isEqualTo(128 + 15);
            assertThat(serve.errors()).isEmpty();
        }
    }

    @Test
    void aPortThatIsTakenIsToldInALine() throws Exception {
        try (ServerSocket taken = new ServerSocket(0);
                CommandProcess serve = CommandProcess.start(
                        directory, Map.of("PORT", Integer.toString(taken.getLocalPort())), "serve")) {
            assertThat(serve.remainingOutput()).isEmpty();
            assertThat(serve.exitCode()).isEqualTo(1);
            assertThat(serve.errors())
                    .hasLineCount(1)
                    .startsWith("usher: port " + taken.getLocalPort() + " cannot be used");
        }
    }

    /** A database with the tables of another application. */
    private String unfitDatabase(String name) throws SQLException {
        String database = postgres.createDatabase(name);
        try (Connection connection = connect(database);
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE of_another (id bigint)");
        }
        return database;
    }

    private Connection connect(String database) throws SQLException {
        return DriverManager.getConnection(database, postgres.username(), postgres.password());
    }

    private String through(FaultProxy proxy, String database) {
        return database.replace(":" + postgres.port(), ":" + proxy.port());
    }

    private static void assertRefused(URI server) {
        assertThatThrownBy(() -> new Socket(server.getHost(), server.getPort()).close())
                .as("%s", server)
                .isInstanceOf(ConnectException.class);
    }

    private static String firstWord(String line) {
        return line.split(" ", 2)[0];
    }

    private long users(String database) throws SQLException {
        try (Connection connection = connect(database);
                ResultSet count = connection.createStatement().executeQuery("SELECT count(*) FROM users")) {
            count.next();
            return count.getLong(1);
        }
    }
}
