package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jwt.SignedJWT;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * Two servers, each in a process of its own, on one Redis and one database: a change on one is known to the other. While they start, the
 * tests in this JVM go on.
 */
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("TwoProcessesIT") // its tests one after the other
@Tag("thorough") // starts servers of its own, for most of a minute
class TwoProcessesIT {

    private static final String ADMIN_MOBILE = "13911112222";
    private static final String PASSWORD = "correct horse 8";
    private static final String SERVERS_PASSWORD = "geheim";
    private static final int LIMIT = 3;
    private static final int BANS = 20;
    private static final PostgresServer POSTGRES = SharedPostgres.POSTGRES;
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final AtomicLong MOBILES = new AtomicLong(13800000000L);

    @TempDir
    private static Path directory;

    private static RedisServer redis;
    private static String database;
    private static Server one;
    private static Server other;

    /** A server, and how to speak to it. */
    private record Server(CommandProcess process, String address, ApiClient api) {

        static Server of(CommandProcess process) throws IOException {
            String address = process.lineOf("API");
            return new Server(process, address, new ApiClient(address));
        }

        String logIn(String mobile) {
            return tryLogIn(mobile, PASSWORD).with(200).json().path("token").asString();
        }

        Answer tryLogIn(String mobile, String password) {
            return api.post("/v1/login", Map.of("mobile", mobile, "password", password));
        }
    }

    /** A user with the token of a login. */
    private record User(long id, String mobile, String token) {}

    @BeforeAll
    static void start() throws IOException {
        redis = RedisServer.start("requirepass " + SERVERS_PASSWORD);
        database = POSTGRES.createDatabase("two_processes");
        // Both are started before one is waited for.
        CommandProcess first = process("one");
        CommandProcess second = process("other");
        one = Server.of(first);
        other = Server.of(second);
    }

    @AfterAll
    static void stop() {
        one.process.close();
        other.process.close();
        redis.close();
    }

    @Test
    void aBanOnOneIsHonouredByTheOtherByTheTimeTheReceiptIsThereEachTime() {
        User ann = register();
        String administrator = one.logIn(ADMIN_MOBILE);
        awaitRegisterBelieved(administrator);
        for (int i = 0; i < BANS; i++) {
            String token = one.logIn(ann.mobile);
            one.api.get("/v1/me", token).with(200);
            other.api.get("/v1/me", token).with(200);
            Server bans = i % 2 == 0 ? one : other;
            Server honours = i % 2 == 0 ? other : one;

            Answer receipt = setStatus(bans, ann.id, "disabled", administrator);

            assertThat(honours.api.get("/v1/me", token).refusesDisabled())
                    .as("ban %d", i)
                    .isTrue();
            assertThat(bans.api.get("/v1/me", token).refusesDisabled()).isTrue();
            assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
            assertThat(receipt.json().path("nodes_confirmed")).hasSize(2);

            setStatus(honours, ann.id, "enabled", administrator);
            bans.api.get("/v1/me", token).with(401);
            honours.api.get("/v1/me", token).with(401);
        }
    }

    @Test
    void aProfileThatOneHasChangedTheOtherShows() throws Exception {
        User ann = register();
        for (int i = 0; i < BANS; i++) {
            other.api.get("/v1/me", ann.token).with(200);
            String name = "Ann " + i;

            HttpRequest patch = HttpRequest.newBuilder(URI.create(one.address + "/v1/me"))
                    .header("Content-Type", "application/merge-patch+json")
                    .header("Authorization", "Bearer " + ann.token)
                    .method("PATCH", BodyPublishers.ofString("{\"name\": \"" + name + "\"}"))
                    .build();
            assertThat(HttpClient.newHttpClient()
                            .send(patch, BodyHandlers.discarding())
                            .statusCode())
                    .isEqualTo(200);

            await().atMost(PATIENCE)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> other.api
                            .get("/v1/me", ann.token)
                            .with(200)
                            .json()
                            .path("name")
                            .asString()
                            .equals(name));
        }
    }

    @Test
    void tooManyGuessesOnOneAreRefusedByTheOther() {
        User ann = register();
        for (int i = 0; i < LIMIT; i++) {
            Server server = i % 2 == 0 ? one : other;
            server.tryLogIn(ann.mobile, "wrong horse").with(401);
        }
        one.tryLogIn(ann.mobile, PASSWORD).with(429);
        other.tryLogIn(ann.mobile, PASSWORD).with(429);
        other.logIn(ADMIN_MOBILE);
    }

    @Test
    void aKeyThatOneHasMadeTheOtherHonoursAndPublishes() throws Exception {
        User ann = register();
        String kid = one.api
                .send("POST", "/v1/admin/signing-keys", null, one.logIn(ADMIN_MOBILE))
                .with(201)
                .json()
                .path("kid")
                .asString();
        await().atMost(PATIENCE).until(() -> publishes(other, kid));
        sql("UPDATE signing_keys SET signs_from = signs_from - interval '2 minutes'");

        // Each on its own time, so that one of them signs with the new key while the other does not yet.
        for (Server server : List.of(one, other)) {
            // Seldom, for to compare a password costs the server much.
            await().pollInterval(Duration.ofMillis(500)).atMost(PATIENCE).until(() -> {
                String token = server.logIn(ann.mobile);
                one.api.get("/v1/me", token).with(200);
                other.api.get("/v1/me", token).with(200);
                return SignedJWT.parse(token).getHeader().getKeyID().equals(kid);
            });
        }
        one.api.get("/v1/me", ann.token).with(200);
        other.api.get("/v1/me", ann.token).with(200);
    }

    @Test
    void oneThatIsToldToEndAnswersWhatItHasBegunTakesNothingNewAndIsNotWaitedFor() throws Exception {
        User ann = register();
        User bob = register();
        String administrator = one.logIn(ADMIN_MOBILE);
        try (CommandProcess process = process("third");
                Connection connection = connect();
                Statement lock = connection.createStatement()) {
            Server third = Server.of(process);
            third.api.get("/v1/me", ann.token).with(200);
            await().atMost(PATIENCE)
                    .until(() -> setStatus(one, bob.id, "enabled", administrator)
                                    .json()
                                    .path("nodes_confirmed")
                                    .size()
                            == 3);
            // A login writes its refresh token at the end, and waits for the lock of the user.
            connection.setAutoCommit(false);
            lock.execute("SELECT 1 FROM users WHERE id = " + ann.id + " FOR UPDATE");
            CompletableFuture<Answer> underWay =
                    CompletableFuture.supplyAsync(() -> third.tryLogIn(ann.mobile, PASSWORD));
            await().atMost(PATIENCE).until(() -> isTransactionWaiting(lock));

            process.terminate();

            URI address = URI.create(third.address);
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThatThrownBy(
                                    () -> new Socket(address.getHost(), address.getPort()).close())
                            .isInstanceOf(ConnectException.class));
            assertThat(underWay).isNotDone();
            connection.rollback();
            underWay.get(PATIENCE.toSeconds(), TimeUnit.SECONDS).with(200);
            assertThat(process.exitCode()).isEqualTo(128 + 15);
            assertThat(process.errors()).isEmpty();
            assertThat(redis.isRunning()).isTrue();

            Answer receipt = setStatus(one, bob.id, "disabled", administrator);

            assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
            assertThat(receipt.json().path("nodes_confirmed")).hasSize(2);
            assertThat(receipt.json().path("nodes_waited_out")).isEmpty();
            assertThat(receipt.json().path("took_ms").asInt()).isLessThan(500);
        }
    }

    @Test
    void aServerOnGivenServersShowsNoPasswordThatItWasGiven() throws IOException {
        assertThat(one.process.lineOf("Redis")).isEqualTo(redis.uri().replace("//", "//***@"));
        assertThat(one.process.lineOf("Database")).isEqualTo(database + "?user=***&password=***");
        assertThat(one.process.lineOf("Administrator"))
                .contains("USHER_SERVER_ADMIN_MOBILE", "USHER_SERVER_ADMIN_PASSWORD")
                .doesNotContain(ADMIN_MOBILE, PASSWORD);
        assertThat(one.process.lineOf("Log in")).doesNotContain(ADMIN_MOBILE, PASSWORD);
        one.logIn(ADMIN_MOBILE);
        assertThat(one.process.errors()).doesNotContain(ADMIN_MOBILE, PASSWORD, SERVERS_PASSWORD);
    }

    private static CommandProcess process(String name) throws IOException {
        Map<String, String> environment = new HashMap<>(Map.of(
                "PORT",
                "0",
                "USHER_REDIS_URI",
                redis.uri().replace("//", "//:" + SERVERS_PASSWORD + "@"),
                "USHER_DATABASE_URL",
                database + "?user=" + POSTGRES.username() + "&password=" + SERVERS_PASSWORD,
                "USHER_SERVER_ADMIN_MOBILE",
                ADMIN_MOBILE,
                "USHER_SERVER_ADMIN_PASSWORD",
                PASSWORD,
                "USHER_SERVER_ATTEMPTS_PER_MOBILE",
                Integer.toString(LIMIT),
                "USHER_REDIS_COMMAND_TIMEOUT",
                "5s",
                "SPRING_JDBC_TEMPLATE_QUERY_TIMEOUT",
                "60s"));
        // It is what holds a request up here, and is longer than on a connection in production.
        environment.put("SPRING_DATASOURCE_HIKARI_DATA_SOURCE_PROPERTIES_SOCKETTIMEOUT", "60");
        return CommandProcess.start(Files.createDirectory(directory.resolve(name)), environment, "serve");
    }

    private static User register() {
        String mobile = Long.toString(MOBILES.incrementAndGet());
        long id = one.api
                .post("/v1/users", Map.of("mobile", mobile, "password", PASSWORD, "name", "Ann"))
                .with(201)
                .json()
                .path("id")
                .asLong();
        return new User(id, mobile, one.logIn(mobile));
    }

    /** Only after the bound can no node be missing that an earlier register has lost. */
    private static void awaitRegisterBelieved(String administrator) {
        User bob = register();
        await().atMost(PATIENCE).until(() -> {
            Answer receipt = setStatus(one, bob.id, "enabled", administrator);
            return receipt.json().path("nodes_confirmed").size() == 2
                    && receipt.json().path("took_ms").asInt() < 500;
        });
    }

    private static Answer setStatus(Server server, long id, String status, String administrator) {
        return server.api
                .put("/v1/admin/users/" + id + "/status", Map.of("status", status), administrator)
                .with(200);
    }

    private static boolean publishes(Server server, String kid) {
        return server.api
                .send("GET", "/.well-known/jwks.json", null, null)
                .with(200)
                .json()
                .path("keys")
                .valueStream()
                .anyMatch(key -> key.path("kid").asString().equals(kid));
    }

    private static void sql(String statement) throws SQLException {
        try (Connection connection = connect();
                Statement statements = connection.createStatement()) {
            statements.execute(statement);
        }
    }

    private static Connection connect() throws SQLException {
        return DriverManager.getConnection(database, POSTGRES.username(), POSTGRES.password());
    }

    private static boolean isTransactionWaiting(Statement statement) throws SQLException {
        return statement
                .executeQuery(
                        "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
                .next();
    }
}
