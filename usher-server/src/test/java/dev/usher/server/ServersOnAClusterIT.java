package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.server.Node.User;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Two servers on one database and a Redis Cluster of three primaries, with a replica each. */
@Tag("thorough")
class ServersOnAClusterIT {

    private static final String PREFIX = "clustered";
    private static final int LIMIT = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static RedisCluster cluster;
    private static Node one;
    private static Node other;

    @BeforeAll
    static void start() {
        cluster = RedisCluster.builder().start();
        String database = Node.newDatabase();
        List<Node> nodes = Node.startTogether(
                cluster.uri(),
                List.of(database, database),
                Map.of(
                        "usher.server.admin.mobile",
                        Node.ADMIN_MOBILE,
                        "usher.server.admin.password",
                        Node.PASSWORD,
                        "usher.server.attempts.per-mobile",
                        Integer.toString(LIMIT),
                        "usher.key-prefix",
                        PREFIX));
        one = nodes.get(0).believing();
        other = nodes.get(1).believing();
    }

    @AfterAll
    static void stop() {
        one.close();
        other.close();
        cluster.close();
    }

    @Test
    void usersOnEachPrimaryLogInAtOneNodeAndAreKnownToTheOther() {
        requireUsersAreKnownToBoth();
    }

    private static void requireUsersAreKnownToBoth() {
        oneOnEach().forEach((primary, user) -> {
            Answer login = user.login();
            String token = login.text("token");
            one.get("/v1/me", token).with(200);
            Answer refreshed = other.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null)
                    .with(200);
            assertThat(other.get("/v1/me", refreshed.text("token")).with(200).text("mobile"))
                    .isEqualTo(user.mobile());
            await().untilAsserted(() -> assertThat(keysOf(primary)).contains(PREFIX + ":" + user.id() + ":status"));
            await().untilAsserted(() -> {
                other.statements();
                other.get("/v1/me", token).with(200);
                assertThat(other.statements()).as("a warm call").isEmpty();
            });
        });
        assertThat(other.kids()).isEqualTo(one.kids());
    }

    @Test
    void aListOfUsersOfAllPrimariesIsOneQueryAndThenNone() {
        Collection<User> users = oneOnEach().values();
        User caller = users.iterator().next();
        String token = caller.token();
        String admin = one.administrator().token();
        users.forEach(user -> one.send("DELETE", "/v1/admin/users/" + user.id() + "/cache", null, admin)
                .with(204));
        other.get("/v1/me", token).with(200);
        String ids = users.stream()
                .filter(user -> !user.equals(caller))
                .map(user -> Long.toString(user.id()))
                .collect(Collectors.joining(","));
        other.statements();

        assertThat(other.get("/v1/users?ids=" + ids, token).with(200).json()).hasSize(users.size() - 1);
        assertThat(other.statements()).hasSize(1);
        await().untilAsserted(() -> {
            one.statements();
            one.get("/v1/users?ids=" + ids, token).with(200);
            assertThat(one.statements()).isEmpty();
        });
    }

    @Test
    void aBanOfAUserOnEachPrimaryIsConfirmedByBothNodes() {
        requireBansAreConfirmed();
    }

    private static void requireBansAreConfirmed() {
        String admin = one.administrator().token();
        oneOnEach().values().forEach(user -> {
            Answer tokens = user.login();
            String token = tokens.text("token");
            one.get("/v1/me", token).with(200);
            other.get("/v1/me", token).with(200);

            // Not before the nodes have known the primaries for a while.
            await().atMost(PATIENCE).untilAsserted(() -> {
                one.setStatus(user.id(), "enabled", admin).with(200);
                other.get("/v1/me", token).with(200);
                JsonNode receipt =
                        one.setStatus(user.id(), "disabled", admin).with(200).json();
                assertThat(receipt.path("confirmed").asBoolean())
                        .as(receipt.toString())
                        .isTrue();
                assertThat(receipt.path("nodes_confirmed")).hasSize(2);
            });

            other.get("/v1/me", token).problem(403, "account-disabled");
            one.get("/v1/me", token).problem(403, "account-disabled");
            user.tryLogin().problem(403, "account-disabled");
            other.post("/v1/token/refresh", Map.of("fresh_token", tokens.text("fresh_token")), null)
                    .problem(403, "account-disabled");
            other.setStatus(user.id(), "enabled", admin).with(200);
            one.get("/v1/me", token).problem(401, "unauthenticated");
            one.get("/v1/me", user.token()).with(200);
        });
    }

    /** The counts of these mobile numbers are on all primaries. */
    @Test
    void bothNodesCountAttemptsTogether() {
        requireAttemptsAreCountedTogether();
    }

    private static void requireAttemptsAreCountedTogether() {
        oneOnEach().values().forEach(user -> {
            for (int i = 0; i < LIMIT; i++) {
                tryToGuess(i % 2 == 0 ? one : other, user.mobile()).problem(401, "bad-credentials");
            }
            tryToGuess(one, user.mobile()).problem(429, "too-many-attempts");
            tryToGuess(other, user.mobile()).problem(429, "too-many-attempts");
        });
    }

    @Test
    void anEntryIsShownAndForgottenWhereverItIs() {
        String admin = one.administrator().token();
        oneOnEach().forEach((primary, user) -> {
            String token = user.token();
            String path = "/v1/admin/users/" + user.id() + "/cache";
            one.get("/v1/me", token).with(200);
            await().untilAsserted(() -> assertThat(one.get(path, admin)
                            .with(200)
                            .json()
                            .at("/status/shared/held")
                            .asString())
                    .isEqualTo("value"));
            rename(user, "Bob");
            assertThat(one.get(path, admin)
                            .with(200)
                            .json()
                            .at("/profile/agree")
                            .asBoolean(true))
                    .isFalse();

            other.send("DELETE", path, null, admin).with(204);

            await().untilAsserted(() ->
                    assertThat(one.get("/v1/me", token).with(200).text("name")).isEqualTo("Bob"));
        });
    }

    /** It takes some five seconds. */
    @Test
    void aFlushForgetsTheUsersOfAllPrimaries() throws Exception {
        Map<RedisServer, User> users = oneOnEach();
        Map<User, String> tokens = new HashMap<>();
        users.values().forEach(user -> {
            tokens.put(user, user.token());
            other.get("/v1/me", tokens.get(user)).with(200);
            rename(user, "Bob");
        });

        one.bean(UserCaches.class).flush().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);

        tokens.forEach((user, token) -> await().untilAsserted(() ->
                assertThat(other.get("/v1/me", token).with(200).text("name")).isEqualTo("Bob")));
    }

    @Test
    void healthNamesThePrimariesAndTheMetersCount() {
        String admin = one.administrator().token();
        await().untilAsserted(() -> {
            JsonNode health =
                    one.get("/actuator/health", admin).with(200).json().at("/components/usher");
            assertThat(health.path("status").asString()).as(health.toString()).isEqualTo("UP");
            JsonNode details = health.path("details");
            assertThat(details.path("topology").asString()).isEqualTo("CLUSTER");
            assertThat(details.path("lag").asString()).isEqualTo("1500ms");
            assertThat(details.path("primaries").propertyNames())
                    .containsExactlyInAnyOrderElementsOf(cluster.primaries().stream()
                            .map(primary -> "127.0.0.1:" + primary.port())
                            .toList());
            assertThat(details.path("primaries").valueStream().map(JsonNode::asString))
                    .containsOnly("ANSWERING");
        });
        assertThat(one.get("/actuator/prometheus", admin).with(200).response().body())
                .containsPattern("usher_requests_total\\{.*facet=\"status\".*} [1-9]")
                .contains("usher_near_watermark_age_seconds");
    }

    /** What its users lose meanwhile, and that all is as before when a replica has taken its place. */
    @Test
    void aPrimaryThatIsKilledCostsItsUsersNoAnswer() {
        Map<RedisServer, User> users = oneOnEach();
        RedisServer killed = cluster.primaryOf("{" + PREFIX + ":nodes}");
        String admin = one.administrator().token();
        Map<User, String> tokens = new HashMap<>();
        users.values().forEach(user -> tokens.put(user, user.token()));

        killed.kill();
        tokens.forEach((user, token) -> {
            one.get("/v1/me", token).with(200);
            user.login();
            assertThat(one.setStatus(user.id(), "disabled", admin).with(200).text("status"))
                    .isEqualTo("disabled");
            one.get("/v1/me", token).problem(403, "account-disabled");
            await().atMost(Duration.ofSeconds(3))
                    .untilAsserted(() -> other.get("/v1/me", token).problem(403, "account-disabled"));
        });
        cluster.awaitFailover(killed);
        killed.restart();
        cluster.awaitReplicas();

        users.values()
                .forEach(user -> one.setStatus(user.id(), "enabled", admin).with(200));
        await().atMost(PATIENCE).until(() -> isWell(one, admin) && isWell(other, admin));
        requireUsersAreKnownToBoth();
        requireBansAreConfirmed();
        requireAttemptsAreCountedTogether();
    }

    /** A node counts for itself what the others cannot be asked about. */
    @Test
    void whilePrimariesAreFrozenGuessersAreLimitedAndAnswered() {
        RedisServer frozen = cluster.primaries().get(1);
        List<User> users = List.copyOf(oneOnEach().values());

        frozen.freeze();
        try {
            for (User user : users) {
                await().atMost(PATIENCE)
                        .untilAsserted(
                                () -> assertThat(tryToGuess(one, user.mobile()).status())
                                        .isEqualTo(429));
            }
        } finally {
            cluster.awaitFailover(frozen);
            frozen.thaw();
            cluster.awaitReplicas();
        }
        await().atMost(PATIENCE)
                .ignoreExceptionsInstanceOf(AssertionError.class)
                .untilAsserted(ServersOnAClusterIT::requireAttemptsAreCountedTogether);
    }

    private static boolean isWell(Node node, String admin) {
        return node.get("/actuator/health", admin)
                .json()
                .at("/components/usher/status")
                .asString()
                .equals("UP");
    }

    /** A user whose status is on each primary. */
    private static Map<RedisServer, User> oneOnEach() {
        List<RedisServer> primaries = cluster.primaries();
        Map<RedisServer, User> users = new LinkedHashMap<>();
        while (users.size() < primaries.size()) {
            User user = one.register();
            users.putIfAbsent(cluster.primaryOf(PREFIX + ":" + user.id() + ":status"), user);
        }
        return users;
    }

    private static Answer tryToGuess(Node node, String mobile) {
        return node.post("/v1/login", Map.of("mobile", mobile, "password", "wrong horse"), null);
    }

    /** By a row that is changed without an announcement. */
    private static void rename(User user, String name) {
        one.jdbc()
                .sql("UPDATE users SET name = ? WHERE id = ?")
                .param(name)
                .param(user.id())
                .update();
    }

    private static List<String> keysOf(RedisServer server) {
        RedisClient client = RedisClient.create(server.uri());
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            return connection.sync().keys("*");
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }
}
