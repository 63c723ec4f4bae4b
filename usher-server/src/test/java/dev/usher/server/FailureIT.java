package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The server while Redis or the database fails. */
class FailureIT {

    private static final Map<String, String> SETTINGS = Node.with(Shared.SETTINGS, Fragile.SOON);

    @Test
    void withoutRedisUsersAreAnsweredFromTheDatabase() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            String token = ann.token();
            fragile.redis().kill();

            node.get("/v1/me", token).with(200);
            node.get("/v1/me", ann.token()).with(200);
            node.get("/v1/me", node.register().token()).with(200);

            Answer receipt = node.setStatus(ann.id(), "disabled").with(200);
            assertThat(receipt.json().path("confirmed").asBoolean()).isFalse();
            node.get("/v1/me", token).problem(403, "account-disabled");
            ann.tryLogin().problem(403, "account-disabled");
        }
    }

    @Tag("thorough")
    @Test
    void itStartsWithoutRedisSaysSoAndJoinsWhenRedisAppears() {
        try (RedisServer redis = RedisServer.start()) {
            redis.kill();
            try (Node node = Node.start(redis.uri(), Node.newDatabase(), SETTINGS)) {
                node.get("/v1/me", node.register().token()).with(200);
                assertThat(node.health("usher")).isEqualTo("DEGRADED");

                redis.restart();

                await().untilAsserted(() -> assertThat(node.health("usher")).isEqualTo("UP"));
            }
        }
    }

    @Test
    void withoutRedisHealthIsDegradedAndTheNodeStaysInRotation() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            await().untilAsserted(() -> assertThat(node.health("usher")).isEqualTo("UP"));
            fragile.redis().kill();
            await().untilAsserted(() -> assertThat(node.health("usher")).isEqualTo("DEGRADED"));

            Answer everybodys = node.get("/actuator/health", null).with(200);
            assertThat(everybodys.text("status")).isEqualTo("DEGRADED");
            assertThat(everybodys.response().body()).doesNotContain("details");
            node.get("/actuator/health", node.register().token()).with(200);
            JsonNode details = node.get("/actuator/health", node.administrator().token())
                    .with(200)
                    .json()
                    .at("/components/usher/details");
            assertThat(details.path("redis").asString()).isEqualTo("UNREACHABLE");
            assertThat(details.path("nearOpen").asBoolean(true)).isFalse();
            assertThat(details.path("pendingFences").isNumber()).isTrue();
        }
    }

    @Test
    void withoutTheDatabaseWarmCallsGoOnAndTheRestIsUnavailable() throws Exception {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            String token = ann.token();
            fragile.database().refuse();

            node.get("/v1/me", token).with(200);
            Answer answer = node.get("/v1/users/" + Node.newAbsentId(), token).problem(503, "unavailable");
            assertThat(answer.response().headers().firstValue("Retry-After")).isPresent();
            ann.tryLogin().problem(503, "unavailable");
            node.post("/v1/token/refresh", Map.of("fresh_token", "x"), null).problem(503, "unavailable");
        }
    }

    @Test
    void aBanThatFindsNoDatabaseDoesNotShutItsUserOut() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            String token = ann.token();
            String administrator = node.administrator().token();
            for (String caller : List.of(token, administrator)) {
                node.get("/v1/me", caller).with(200);
            }
            fragile.database().refuse();

            for (String status : List.of("disabled", "enabled")) {
                node.send("PUT", "/v1/admin/users/" + ann.id() + "/status", Map.of("status", status), administrator)
                        .problem(503, "unavailable");
                node.get("/v1/me", token).with(200);
            }
        }
    }

    @Test
    void whileBothAreAwayNoCallerIsLetInOnAGuess() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            String token = node.register().token();
            node.get("/v1/me", token).with(200);
            node.get("/v1/me", token).with(200);
            fragile.redis().kill();
            awaitMemoryClosed(node);
            fragile.database().refuse();

            node.get("/v1/me", token).problem(503, "unavailable");
        }
    }

    @Tag("thorough")
    @Test
    void withStatusesThatMayBeStaleALastKnownProfileIsAnsweredAndSaysSo() {
        Map<String, String> settings = Node.with(SETTINGS, Map.of("usher.status.serve-stale-for", "1m"));
        try (RedisServer redis = RedisServer.start();
                FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
                Node node = Node.start(redis.uri(), Node.through(proxy, Node.newDatabase()), settings)) {
            User ann = node.register();
            String token = ann.token();
            awaitInMemory(node, "/v1/me", token, 200);
            awaitInMemory(node, "/v1/users/" + ann.id(), token, 200);
            awaitInMemory(node, "/v1/users/999999999", token, 404);
            redis.kill();
            awaitMemoryClosed(node);
            proxy.refuse();

            assertStale(node.get("/v1/me", token).with(200));
            assertStale(node.get("/v1/users/" + ann.id(), token).with(200));
            assertStale(node.get("/v1/users/999999999", token).problem(404, "user-not-found"));

            proxy.restore();
            await().atMost(Duration.ofSeconds(20))
                    .untilAsserted(() -> assertFresh(node.get("/v1/me", token).with(200)));
        }
    }

    /** Until a node has noticed the loss of Redis, its memory may answer. */
    private static void awaitMemoryClosed(Node node) {
        await().until(() -> !node.bean(UserCaches.class).health().nearOpen());
    }

    /** Calls until memory answers with the profile, or with its absence. */
    private static void awaitInMemory(Node node, String path, String token, int status) {
        UserProfileCache<?> profiles = node.bean(UserProfileCache.class);
        await().until(() -> {
            long before = profiles.stats().nearHits();
            assertFresh(node.get(path, token).with(status));
            return profiles.stats().nearHits() > before;
        });
    }

    private static void assertFresh(Answer answer) {
        assertThat(answer.response().headers().map()).doesNotContainKeys("age", "cache-status");
    }

    private static void assertStale(Answer answer) {
        String age = answer.response().headers().firstValue("Age").orElseThrow();
        assertThat(Integer.parseInt(age)).isBetween(1, 60);
        assertThat(answer.response().headers().firstValue("Cache-Status"))
                .contains("usher; hit; ttl=-" + age + "; detail=source-unavailable");
    }

    @Test
    @Tag("thorough") // waits for the default timeouts
    void aFrozenDatabaseIsAnsweredBeforeACallerGivesUp() {
        // With the default settings of a connection.
        Node node = Pair.OTHER;
        User ann = node.register();
        String token = ann.token();
        // Its connection was in use a moment ago, so that it is not tried before it is used.
        ann.login();
        Pair.DATABASE_OF_OTHER.freeze();
        try {
            long begin = System.nanoTime();
            ann.tryLogin().problem(503, "unavailable");
            Duration first = Duration.ofNanos(System.nanoTime() - begin);
            begin = System.nanoTime();
            node.get("/v1/users/" + Node.newAbsentId(), token).problem(503, "unavailable");
            Duration second = Duration.ofNanos(System.nanoTime() - begin);

            assertThat(first).isLessThan(Duration.ofSeconds(8));
            assertThat(second).isLessThan(Duration.ofSeconds(8));
            node.get("/v1/me", token).with(200);
        } finally {
            Pair.DATABASE_OF_OTHER.thaw();
        }
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> ann.tryLogin().with(200));
    }

    @Tag("thorough")
    @Test
    void aFrozenDatabaseHoldsFewThreadsAndKnownUsersAndHealthAreAnswered() throws Exception {
        int callers = 30;
        ExecutorService others = Executors.newFixedThreadPool(callers);
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            String token = ann.token();
            node.get("/v1/me", token).with(200);
            node.get("/v1/me", token).with(200);
            fragile.database().freeze();
            try {
                List<Future<Integer>> failing = new ArrayList<>();
                for (int i = 0; i < callers; i++) {
                    failing.add(others.submit(
                            i % 2 == 0
                                    ? () -> ann.tryLogin().status()
                                    : () -> node.get("/v1/users/" + Node.newAbsentId(), token)
                                            .status()));
                }
                List<Duration> calls = new ArrayList<>();
                while (calls.isEmpty() || !failing.stream().allMatch(Future::isDone)) {
                    calls.add(timed(() -> node.get("/v1/me", token).with(200)));
                    calls.add(timed(() -> node.get("/actuator/health", null)));
                }

                // One call may take longer on a busy machine; when threads are held, each of them waits for one.
                assertThat(calls.stream().sorted().toList().get(calls.size() / 2))
                        .as("median")
                        .isLessThan(Duration.ofMillis(500));
                for (Future<Integer> call : failing) {
                    assertThat(call.get()).isEqualTo(503);
                }
                await().untilAsserted(() -> assertThat(node.health("db")).isEqualTo("DOWN"));
            } finally {
                fragile.database().thaw();
            }
        } finally {
            others.shutdownNow();
        }
    }

    private static Duration timed(Runnable call) {
        long begin = System.nanoTime();
        call.run();
        return Duration.ofNanos(System.nanoTime() - begin);
    }

    @Test
    void aQueryThatIsOnlySlowIsCancelled() throws Exception {
        try (Connection other =
                DriverManager.getConnection(Shared.DATABASE, Shared.POSTGRES.username(), Shared.POSTGRES.password())) {
            User ann = Shared.NODE.register();
            other.setAutoCommit(false);
            other.createStatement().execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");

            long begin = System.nanoTime();
            ann.tryLogin().problem(503, "unavailable");

            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofMillis(4900));
            other.rollback();
            ann.tryLogin().with(200);
        }
    }
}
