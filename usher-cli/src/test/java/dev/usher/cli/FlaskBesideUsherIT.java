package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A Flask service of the specification, a server of usher, and a relay, each in a process of its own, on one database and one Redis: what the ORM of the Flask
 * service changes is new in usher, and not a line of that service is usher's.
 */
@Tag("thorough") // starts three processes of its own
@Timeout(600)
class FlaskBesideUsherIT {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String PASSWORD = "correct horse 8";

    @TempDir
    private Path directory;

    /** A database for all three. */
    private record Site(String url, String username, String password, String pythonUrl, List<String> relaySql) {}

    static boolean isFlaskForPostgresThere() {
        return pythonWith("psycopg2").isPresent();
    }

    /** Debian's packages are for Debian's Python, which may not be the first one on the PATH. */
    private static Optional<String> pythonWith(String driver) {
        return Stream.of("python3", "/usr/bin/python3")
                .filter(python -> hasModules(python, "import flask_sqlalchemy, redis, " + driver))
                .findFirst();
    }

    private static boolean hasModules(String python, String imports) {
        try {
            return new ProcessBuilder(python, "-c", imports)
                            .redirectErrorStream(true)
                            .redirectOutput(Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Test
    @EnabledIf(
            value = "isFlaskForPostgresThere",
            disabledReason = "this machine has no Flask for PostgreSQL: install python3-flask-sqlalchemy,"
                    + " python3-psycopg2 and python3-redis, of Debian")
    void onPostgres() throws Exception {
        try (PostgresServer postgres = PostgresServer.start(Map.of("wal_level", "logical"))) {
            String url = postgres.createDatabase("shared");
            share(
                    new Site(
                            url,
                            postgres.username(),
                            postgres.password(),
                            url.replace(
                                    "jdbc:postgresql://",
                                    "postgresql+psycopg2://" + postgres.username() + ":" + postgres.password() + "@"),
                            List.of("CREATE PUBLICATION usher FOR TABLE users")),
                    pythonWith("psycopg2").orElseThrow());
        }
    }

    static boolean isFlaskForMariaDbThere() {
        return MariaDbServer.isThere() && pythonWith("pymysql").isPresent();
    }

    @Test
    @EnabledIf(
            value = "isFlaskForMariaDbThere",
            disabledReason = "this machine has no MariaDB, or no Flask for it: install mariadb-server-core,"
                    + " python3-flask-sqlalchemy, python3-pymysql and python3-redis, of Debian")
    void onMariaDb() throws Exception {
        try (MariaDbServer mariadb = MariaDbServer.start("--log-bin=binlog", "--binlog-format=ROW", "--server-id=1")) {
            String url = mariadb.createDatabase("shared");
            share(
                    new Site(
                            url,
                            mariadb.username(),
                            mariadb.password(),
                            url.replace(
                                    "jdbc:mariadb://",
                                    "mysql+pymysql://" + mariadb.username() + ":" + mariadb.password() + "@"),
                            List.of()),
                    pythonWith("pymysql").orElseThrow());
        }
    }

    private void share(Site site, String python) throws Exception {
        try (RedisServer redis = RedisServer.start()) {
            Map<String, String> environment = Map.of(
                    "PORT", "0",
                    "USHER_REDIS_URI", redis.uri(),
                    "USHER_DATABASE_URL", site.url,
                    "USHER_DATABASE_USERNAME", site.username,
                    "USHER_DATABASE_PASSWORD", site.password);
            Process process = startFlask(python, site, redis);
            try (CommandProcess serve = process("serve", environment)) {
                ApiClient usher = new ApiClient(serve.lineOf("API"));
                ApiClient flask = new ApiClient(addressOf(process));
                for (String sql : site.relaySql) {
                    execute(site, sql);
                }
                String mobile = "13800001111";
                long id = usher.post("/v1/users", Map.of("mobile", mobile, "password", PASSWORD, "name", "Ann"))
                        .with(201)
                        .json()
                        .path("id")
                        .asLong();
                String token = usher.post("/v1/login", Map.of("mobile", mobile, "password", PASSWORD))
                        .with(200)
                        .json()
                        .path("token")
                        .asString();

                readsOfEachOther(site, redis, usher, flask, id, token);

                try (CommandProcess relay = process("relay", environment)) {
                    relay.awaitOutput("following, and everything cached is flushed");
                    relay.awaitOutput("following");
                    changesOfFlask(usher, flask, id, token);
                }
            } finally {
                process.destroyForcibly();
            }
        }
    }

    /** What one has put into Redis, the other reads. No relay runs yet, so an old entry shows that it is read. */
    private void readsOfEachOther(Site site, RedisServer redis, ApiClient usher, ApiClient flask, long id, String token)
            throws Exception {
        assertThat(name(usher, token)).isEqualTo("Ann");
        await().atMost(PATIENCE).until(() -> cached(flask, id).status() == 200);
        JsonNode byUsher = cached(flask, id).json();
        assertThat(byUsher.path("profile").path("name").asString()).isEqualTo("Ann");
        assertThat(byUsher.path("profile").path("is_media").asBoolean()).isFalse();
        assertThat(byUsher.path("status").asInt()).isEqualTo(1);

        execute(site, "UPDATE users SET name = 'Anna', introduction = NULL WHERE id = " + id);
        delete(redis, "user:" + id + ":profile");
        flask.send("POST", "/login/" + id, null, null).with(204);
        execute(site, "UPDATE users SET name = 'unannounced' WHERE id = " + id);
        assertThat(name(usher, token)).isEqualTo("Anna");
    }

    private void changesOfFlask(ApiClient usher, ApiClient flask, long id, String token) throws Exception {
        // Everything was flushed when the relay began.
        await().atMost(PATIENCE).until(() -> name(usher, token).equals("unannounced"));
        change(flask, id, Map.of("name", "Zoë", "is_media", true));
        long changed = System.nanoTime();
        await().atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> name(usher, token).equals("Zoë"));
        print("a change by SQLAlchemy was new in usher after", changed);
        // The caller is answered before the value is stored.
        await().atMost(PATIENCE).untilAsserted(() -> {
            assertThat(name(usher, token)).isEqualTo("Zoë");
            Answer inRedis = cached(flask, id);
            assertThat(inRedis.status()).isEqualTo(200);
            JsonNode cached = inRedis.json();
            assertThat(cached.path("profile").path("name").asString()).isEqualTo("Zoë");
            assertThat(cached.path("profile").path("is_media").asBoolean()).isTrue();
        });

        change(flask, id, Map.of("status", 0));
        long disabled = System.nanoTime();
        await().atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> usher.get("/v1/me", token).refusesDisabled());
        print("a user disabled by SQLAlchemy was refused by usher after", disabled);
        change(flask, id, Map.of("status", 1));
        await().atMost(PATIENCE).until(() -> usher.get("/v1/me", token).status() == 200);
    }

    private CommandProcess process(String command, Map<String, String> environment) throws IOException {
        return CommandProcess.start(Files.createDirectory(directory.resolve(command)), environment, command);
    }

    private Process startFlask(String python, Site site, RedisServer redis) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                        python,
                        Path.of("src", "test", "resources", "flask", "service.py")
                                .toString())
                .redirectError(directory.resolve("flask").toFile());
        builder.environment()
                .putAll(Map.of("DATABASE", site.pythonUrl, "REDIS", redis.uri(), "PYTHONDONTWRITEBYTECODE", "1"));
        return builder.start();
    }

    private String addressOf(Process process) throws IOException {
        BufferedReader output = process.inputReader();
        String line = output.readLine();
        assertThat(line).as(() -> log("flask")).startsWith("port ");
        return "http://127.0.0.1:" + line.substring("port ".length());
    }

    private String log(String name) {
        try {
            return Files.readString(directory.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String name(ApiClient usher, String token) {
        return usher.get("/v1/me", token).with(200).json().path("name").asString();
    }

    private static Answer cached(ApiClient flask, long id) {
        return flask.send("GET", "/cached/" + id, null, null);
    }

    private static void change(ApiClient flask, long id, Map<String, ?> columns) {
        flask.send("PATCH", "/users/" + id, columns, null).with(204);
    }

    private static void delete(RedisServer redis, String key) {
        RedisClient client = RedisClient.create(redis.uri());
        try {
            assertThat(client.connect().sync().del(key)).isEqualTo(1);
        } finally {
            client.shutdown(Duration.ZERO, Duration.ZERO);
        }
    }

    private static void execute(Site site, String sql) throws SQLException {
        try (Connection connection = DriverManager.getConnection(site.url, site.username, site.password);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    @SuppressWarnings("SystemOut")
    private static void print(String what, long since) {
        System.out.println(
                what + " " + Duration.ofNanos(System.nanoTime() - since).toMillis() + " ms");
    }
}
