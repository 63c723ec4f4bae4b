package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.token.TokenIT;
import dev.usher.testkit.FaultProxy;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

/** A server that starts while its database is unreachable. */
@ExtendWith(OutputCaptureExtension.class)
class StartWithoutDatabaseIT {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final String database = Node.newDatabase();
    private final Map<String, String> settings = new HashMap<>(Node.with(Shared.SETTINGS, Fragile.SOON));

    @Test
    void entriesInRedisAreAnsweredAndTheRestOnceTheDatabaseIsThere() {
        User ann = Shared.NODE.register();
        String token = ann.token();
        long absent = Node.newAbsentId();
        settings.put("usher.key-prefix", Shared.PREFIX);
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port())) {
            proxy.refuse();
            try (Node node = Node.start(Shared.REDIS.uri(), Node.through(proxy, Shared.DATABASE), settings)) {
                // Statuses in Redis are believed two seconds after the start.
                await().untilAsserted(() -> node.get("/v1/me", token).with(200));
                node.get("/v1/users/" + ann.id(), token).with(200);
                node.get("/v1/users/" + absent, token).problem(503, "unavailable");
                node.get(
                                "/v1/me",
                                Shared.KEY.sign(
                                        TokenIT.claims(Node.newAbsentId()).build()))
                        .problem(503, "unavailable");
                node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD), null)
                        .problem(503, "unavailable");
                Answer health = node.get("/actuator/health", null).with(503);
                assertThat(health.json().at("/components/db/status").asString()).isEqualTo("DOWN");
                node.get("/actuator/health/readiness", null).with(200);

                proxy.restore();

                await().atMost(PATIENCE)
                        .untilAsserted(() -> node.post(
                                        "/v1/login", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD), null)
                                .with(200));
                node.get("/v1/users/" + absent, token).problem(404, "user-not-found");
                node.get("/actuator/health", null).with(200);
            }
        }
    }

    @Test
    void theTablesTheKeyAndTheAdministratorAreMadeWhenTheDatabaseAppears(CapturedOutput output) {
        settings.remove("usher.server.signing-key");
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port())) {
            proxy.refuse();
            try (Node node = Node.start(Shared.REDIS.uri(), through(proxy), settings)) {
                node.get("/v1/me", Shared.KEY.sign(TokenIT.claims(1).build())).problem(503, "unavailable");
                node.get("/v1/me", null).problem(401, "unauthenticated");

                proxy.restore();

                await().atMost(PATIENCE)
                        .untilAsserted(() -> node.post(
                                        "/v1/login",
                                        Map.of("mobile", Node.ADMIN_MOBILE, "password", Node.PASSWORD),
                                        null)
                                .with(200));
                node.get("/v1/me", node.administrator().token()).with(200);
                node.get("/v1/me", Shared.KEY.sign(TokenIT.claims(1).build())).problem(401, "unauthenticated");
                assertThat(output).containsOnlyOnce("The database cannot be reached.");
                await().untilAsserted(() -> assertThat(output).containsOnlyOnce("The database has been reached"));
            }
        }
    }

    @Test
    void aCallerWhoIsFasterThanTheMigrationIsToldToTryAgain() throws SQLException {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
                Connection other = connect();
                Statement statement = other.createStatement()) {
            proxy.refuse();
            try (Node node = Node.start(Shared.REDIS.uri(), through(proxy), settings)) {
                // No other connection sees this table, or can create one of its name, before the transaction ends.
                other.setAutoCommit(false);
                statement.execute("CREATE TABLE users (id bigint)");
                proxy.restore();
                await().atMost(PATIENCE).until(() -> isSomebodyWaiting(statement));

                node.post("/v1/login", Map.of("mobile", Node.ADMIN_MOBILE, "password", Node.PASSWORD), null)
                        .problem(503, "unavailable");
                node.post("/v1/users", registration(), null).problem(503, "unavailable");
                node.get("/v1/me", Shared.KEY.sign(TokenIT.claims(1).build())).problem(503, "unavailable");

                other.rollback();

                await().atMost(PATIENCE)
                        .untilAsserted(() ->
                                node.post("/v1/users", registration(), null).with(201));
            }
        }
    }

    @Test
    void aMigrationThatFailsEndsTheServer(CapturedOutput output) throws SQLException {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
                Connection other = connect();
                Statement statement = other.createStatement()) {
            proxy.refuse();
            try (Node node = Node.start(Shared.REDIS.uri(), through(proxy), settings)) {
                statement.execute("CREATE TABLE somebody_elses (id bigint)");
                assertThat(node.isRunning()).isTrue();

                proxy.restore();

                await().atMost(PATIENCE).until(() -> !node.isRunning());
                assertThat(output)
                        .contains("The database cannot be made ready. The server ends")
                        .contains("non-empty schema")
                        .doesNotContain(Node.ADMIN_MOBILE)
                        .doesNotContain(Node.PASSWORD);
            }
        }
    }

    private Connection connect() throws SQLException {
        return DriverManager.getConnection(database, Shared.POSTGRES.username(), Shared.POSTGRES.password());
    }

    private static boolean isSomebodyWaiting(Statement statement) throws SQLException {
        return statement
                .executeQuery("SELECT 1 FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
                        + " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))")
                .next();
    }

    private static Map<String, String> registration() {
        return Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann");
    }

    private String through(FaultProxy proxy) {
        return Node.through(proxy, database);
    }
}
