package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Node.User;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What goes on when Redis or the database does not. */
class FailureIT {

    private static final Map<String, String> SETTINGS = Map.of(
            "usher.server.admin.mobile", Node.ADMIN_MOBILE,
            "usher.server.admin.password", Node.PASSWORD,
            "spring.datasource.hikari.connection-timeout", "1000");

    @Test
    void withoutRedisUsersAreAnsweredFromTheDatabase() {
        try (RedisServer redis = RedisServer.start();
                Node node = Node.start(redis.uri(), Node.newDatabase(), SETTINGS)) {
            User ann = node.register();
            String token = ann.token();
            redis.kill();

            node.get("/v1/me", token).with(200);
            node.get("/v1/me", ann.token()).with(200);
            node.get("/v1/me", node.register().token()).with(200);

            Answer receipt = node.setStatus(ann.id(), "disabled").with(200);
            assertThat(receipt.json().path("confirmed").asBoolean()).isFalse();
            node.get("/v1/me", token).problem(403, "account-disabled");
            ann.tryLogin().problem(403, "account-disabled");
        }
    }

    @Test
    void itStartsWithoutRedis() {
        try (Node node = Node.start("redis://127.0.0.1:1", Node.newDatabase(), SETTINGS)) {
            node.get("/v1/me", node.register().token()).with(200);
        }
    }

    @Test
    void withoutTheDatabaseWarmCallsGoOnAndTheRestIsUnavailable() throws Exception {
        String database = Node.newDatabase();
        String address = "127.0.0.1:" + Node.Shared.POSTGRES.port();
        try (RedisServer redis = RedisServer.start();
                FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Node.Shared.POSTGRES.port());
                Node node = Node.start(redis.uri(), database.replace(address, "127.0.0.1:" + proxy.port()), SETTINGS)) {
            User ann = node.register();
            String token = ann.token();
            proxy.refuse();

            node.get("/v1/me", token).with(200);
            Answer answer = node.get("/v1/users/999999999", token).problem(503, "unavailable");
            assertThat(answer.response().headers().firstValue("Retry-After")).isPresent();
            ann.tryLogin().problem(503, "unavailable");
            node.post("/v1/token/refresh", Map.of("fresh_token", "x"), null).problem(503, "unavailable");
        }
    }
}
