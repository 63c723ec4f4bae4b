package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import io.lettuce.core.api.sync.RedisCommands;
import java.net.http.HttpHeaders;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The whole way of a user, over HTTP. */
class UserServiceIT {

    private final Node node = Shared.NODE;
    private final RedisCommands<String, String> redis = Shared.redis();

    @Test
    void aRegistrationAnswersTheProfileAndWhereItIs() {
        String mobile = Node.newMobile();
        Answer answer = node.post(
                        "/v1/users",
                        Map.of(
                                "mobile", mobile,
                                "password", Node.PASSWORD,
                                "name", "张三",
                                "photo", "https://example.org/a.png",
                                "is_media", false,
                                "intro", "two\nlines",
                                "certi", ""),
                        null)
                .with(201);

        long id = answer.json().path("id").asLong();
        assertThat(answer.response().headers().firstValue("Location")).contains("/v1/users/" + id);
        assertThat(answer.response().body())
                .isEqualTo("{\"id\":" + id + ",\"mobile\":\"" + mobile + "\",\"name\":\"张三\","
                        + "\"photo\":\"https://example.org/a.png\",\"is_media\":false,\"intro\":\"two\\nlines\","
                        + "\"certi\":\"\"}");
        assertThat(redis.get("user:" + id + ":profile"))
                .isEqualTo("{\"mobile\":\"" + mobile + "\",\"name\":\"张三\","
                        + "\"photo\":\"https://example.org/a.png\",\"is_media\":false,\"intro\":\"two\\nlines\","
                        + "\"certi\":\"\"}");
    }

    @Test
    void aLoginFillsTheCacheFromTheRowItHasRead() {
        User ann = node.register();
        forget(ann);
        node.statements();

        Answer login = ann.login();

        assertThat(node.statements())
                .satisfiesExactly(
                        read -> assertThat(read).startsWith("SELECT").contains("WHERE mobile = ?"),
                        lock -> assertThat(lock).startsWith("SELECT status").endsWith("FOR NO KEY UPDATE"),
                        write -> assertThat(write).contains("INSERT INTO refresh_tokens"));
        assertThat(login.text("token")).isNotBlank();
        assertThat(login.text("fresh_token")).hasSize(43);
        assertThat(login.text("token_type")).isEqualTo("Bearer");
        assertThat(login.json().path("expires_in").asInt()).isEqualTo(15 * 60);

        // The login does not wait for it.
        await().until(() -> redis.exists("user:" + ann.id() + ":profile", "user:" + ann.id() + ":status") == 2);
        assertThat(redis.get("user:" + ann.id() + ":profile"))
                .isEqualTo("{\"mobile\":\"" + ann.mobile()
                        + "\",\"name\":\"Ann\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}");
        assertThat(redis.get("user:" + ann.id() + ":status")).isEqualTo("1");
        assertThat(redis.ttl("user:" + ann.id() + ":profile")).isBetween(1600L, 1800L);
        assertThat(redis.ttl("user:" + ann.id() + ":status")).isBetween(3200L, 3600L);
    }

    @Test
    void aWarmCallSendsNoSql() {
        User ann = node.register();
        String token = ann.token();
        node.statements();

        Answer me = node.get("/v1/me", token).with(200);

        assertThat(node.statements()).isEmpty();
        assertThat(me.response().body())
                .isEqualTo("{\"id\":" + ann.id() + ",\"mobile\":\"" + ann.mobile()
                        + "\",\"name\":\"Ann\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}");
    }

    @Test
    void aColdCallAsksTheDatabaseOncePerFacet() {
        User ann = node.register();
        String token = ann.token();
        forget(ann);
        node.statements();

        node.get("/v1/me", token).with(200);

        assertThat(node.statements())
                .hasSize(2)
                .allSatisfy(sql -> assertThat(sql).contains("= ANY (?)"));
        await().until(() -> "1".equals(redis.get("user:" + ann.id() + ":status")));
    }

    @Test
    void aDisabledUserIsRefusedEverywhereUntilEnabledAgain() {
        User ann = node.register();
        Answer tokens = ann.login();
        String token = tokens.text("token");
        Map<String, String> refresh = Map.of("fresh_token", tokens.text("fresh_token"));

        Answer receipt = node.setStatus(ann.id(), "disabled").with(200);

        assertThat(receipt.response().body())
                .matches("\\{\"id\":" + ann.id() + ",\"status\":\"disabled\",\"confirmed\":true,"
                        + "\"nodes_confirmed\":\\[\"[^,]+\"],\"nodes_waited_out\":\\[],\"nodes_unheard\":\\[],"
                        + "\"took_ms\":\\d+}");
        node.get("/v1/me", token).problem(403, "account-disabled");
        node.get("/v1/users/" + ann.id(), token).problem(403, "account-disabled");
        node.get("/v1/nowhere", token).problem(403, "account-disabled");
        assertThat(redis.get("user:" + ann.id() + ":status"))
                .as("for a while after a ban, the source is asked")
                .isNull();
        ann.tryLogin().problem(403, "account-disabled");
        node.post("/v1/token/refresh", refresh, null).problem(403, "account-disabled");

        node.setStatus(ann.id(), "enabled").with(200);

        node.get("/v1/me", token).problem(401, "unauthenticated");
        node.post("/v1/token/refresh", refresh, null).problem(401, "bad-fresh-token");
        node.get("/v1/me", ann.token()).with(200);
    }

    @Test
    void aWrongPasswordOfADisabledUserDoesNotTellThatTheAccountExists() {
        User ann = node.register();
        node.setStatus(ann.id(), "disabled").with(200);

        node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", "wrong"), null)
                .problem(401, "bad-credentials");
    }

    @Test
    void anUnknownMobileAndAWrongPasswordAreAnsweredAlike() {
        User ann = node.register();

        Answer wrong = node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", "wrong"), null)
                .problem(401, "bad-credentials");
        Answer unknown = node.post("/v1/login", Map.of("mobile", Node.newMobile(), "password", "wrong"), null)
                .problem(401, "bad-credentials");

        assertThat(unknown.response().body()).isEqualTo(wrong.response().body());
    }

    @Test
    void aMobileNumberIsMaskedForOthers() {
        User ann = node.register();
        User bob = node.register();

        assertThat(node.get("/v1/users/" + ann.id(), bob.token()).with(200).text("mobile"))
                .isEqualTo(ann.mobile().substring(0, 3) + "****" + ann.mobile().substring(7));
        assertThat(node.get("/v1/users/" + ann.id(), ann.token()).with(200).text("mobile"))
                .isEqualTo(ann.mobile());
        assertThat(node.get("/v1/users/" + ann.id(), node.administrator().token())
                        .with(200)
                        .text("mobile"))
                .isEqualTo(ann.mobile());
    }

    @Test
    void anIdThatWasAskedForBeforeItExistedIsFoundOnceItDoes() {
        User ann = node.register();
        String token = ann.token();
        long next = ann.id() + 1;
        await().until(() -> {
            node.get("/v1/users/" + next, token).problem(404, "user-not-found");
            return "null".equals(redis.get("user:" + next + ":profile"));
        });

        User bob = node.register();

        assertThat(bob.id()).isEqualTo(next);
        node.get("/v1/users/" + next, token).with(200);
        node.get("/v1/me", bob.token()).with(200);
    }

    @Test
    void aMobileNumberBelongsToOneUser() {
        User ann = node.register();

        Answer taken = node.post(
                        "/v1/users", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD, "name", "Bob"), null)
                .problem(409, "mobile-taken");

        assertThat(taken.json().path("errors").path(0).path("field").asString()).isEqualTo("mobile");
        assertThat(taken.response().body()).doesNotContain(ann.mobile());
    }

    @Test
    void ofManyWhoRegisterOneMobileAtOnceOneGetsIt() {
        Map<String, String> body = Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann");

        List<Integer> statuses =
                Together.run(6, () -> node.post("/v1/users", body, null).status());

        assertThat(statuses).containsOnly(201, 409).containsOnlyOnce(201);
    }

    @Test
    void administrationIsForAdministrators() {
        User ann = node.register();
        String path = "/v1/admin/users/" + ann.id() + "/status";
        Map<String, String> body = Map.of("status", "disabled");

        node.send("PUT", path, body, ann.token()).problem(403, "forbidden");
        node.send("PUT", path, body, null).problem(401, "unauthenticated");
        node.get("/v1/me", ann.token()).with(200);
    }

    @Test
    void administratorsCannotDisableThemselves() {
        User admin = node.administrator();

        node.setStatus(admin.id(), "disabled").problem(409, "own-account");

        node.get("/v1/me", admin.token()).with(200);
    }

    @Test
    void healthNeedsNoTokenAndNothingElseOfTheActuatorIsThere() {
        node.get("/actuator/health", null).with(200);
        node.get("/actuator/env", node.administrator().token()).problem(404, "not-found");
    }

    @Test
    void everyAnswerTellsBrowsersToDoNothingWithIt() {
        String token = node.register().token();
        for (Answer answer : List.of(
                node.get("/v1/me", token).with(200),
                node.get("/v1/me", null).with(401),
                node.get("/v1/nowhere", token).with(404),
                node.post("/v1/login", "{", null).with(400),
                node.post("/v1/login", "x".repeat(100_000), null).with(413),
                node.get("/actuator/health", null).with(200),
                node.get("/v3/api-docs", null).with(200))) {
            HttpHeaders headers = answer.response().headers();
            assertThat(headers.firstValue("X-Content-Type-Options")).contains("nosniff");
            assertThat(headers.firstValue("X-Frame-Options")).contains("DENY");
            assertThat(headers.firstValue("Referrer-Policy")).contains("no-referrer");
            assertThat(headers.firstValue("Content-Security-Policy"))
                    .contains("default-src 'none'; frame-ancestors 'none'");
            assertThat(headers.firstValue("Cache-Control").orElse("")).contains("no-store");
        }
    }

    @Test
    void anAnswerIsNotCachedOnTheWay() {
        assertThat(node.get("/v1/me", node.register().token())
                        .response()
                        .headers()
                        .firstValue("Cache-Control"))
                .hasValueSatisfying(value -> assertThat(value).contains("no-store"));
    }

    private void forget(User user) {
        redis.del(
                "user:" + user.id() + ":profile",
                "user:" + user.id() + ":status",
                "{user:" + user.id() + ":profile}:guard",
                "{user:" + user.id() + ":status}:guard");
    }
}
