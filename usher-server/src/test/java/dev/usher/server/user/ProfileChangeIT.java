package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.LostNode;
import dev.usher.server.Node;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Changes of the own profile, by JSON merge patch. */
class ProfileChangeIT {

    private final Node node = Shared.NODE;
    private final User ann = node.register();
    private final String token = ann.token();

    @Test
    void givenFieldsAreChangedAndNoOthers() {
        Answer changed = patch("{\"intro\":\"two\\nlines\"}").with(200);

        assertThat(changed.response().body())
                .isEqualTo("{\"id\":" + ann.id() + ",\"mobile\":\"" + ann.mobile() + "\",\"name\":\"Ann\","
                        + "\"photo\":\"\",\"is_media\":false,\"intro\":\"two\\nlines\",\"certi\":\"\"}");
        assertThat(node.get("/v1/me", token).with(200).response().body())
                .isEqualTo(changed.response().body());
    }

    @Test
    void onlyTheColumnsOfWhatIsGivenAreWritten() {
        node.statements();

        patch("{\"photo\":\"p\",\"name\":\"Bob\"}").with(200);

        assertThat(node.statements())
                .filteredOn(statement -> statement.startsWith("UPDATE"))
                .singleElement()
                .asString()
                .startsWith("UPDATE users SET name = ?, profile_photo = ?, updated_at = now() WHERE id = ?");
    }

    @Test
    void nullRemoves() {
        String administrators = node.administrator().token();
        patch("{\"photo\":\"p\",\"intro\":\"i\"}").with(200);
        grant(Map.of("certi", "c", "is_media", true), administrators).with(200);

        patch("{\"photo\":null,\"intro\":null}").with(200);
        Map<String, @Nullable Object> nothing = new HashMap<>();
        nothing.put("certi", null);
        nothing.put("is_media", null);
        Answer removed = grant(nothing, administrators).with(200);

        assertThat(removed.response().body())
                .contains("\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"");
        assertThat(node.jdbc()
                        .sql("SELECT profile_photo IS NULL AND introduction IS NULL AND certificate IS NULL"
                                + " AND NOT is_media FROM users WHERE id = ?")
                        .param(ann.id())
                        .query(Boolean.class)
                        .single())
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"unknown\":1,\"password\":\"new password\"}"})
    void whereNothingIsToBeChangedNothingIsWritten(String body) {
        node.statements();

        assertThat(patch(body).with(200).text("mobile")).isEqualTo(ann.mobile());

        assertThat(node.statements()).noneMatch(statement -> statement.startsWith("UPDATE"));
        ann.login();
    }

    @Test
    void itIsAMergePatchByItsMediaTypeToo() {
        HttpRequest.Builder request = HttpRequest.newBuilder(node.address("/v1/me"))
                .header("Content-Type", UserController.MERGE_PATCH)
                .header("Authorization", "Bearer " + token)
                .method("PATCH", BodyPublishers.ofString("{\"name\":\"Bob\"}"));

        assertThat(node.send(request).with(200).text("name")).isEqualTo("Bob");
        node.send(request.setHeader("Content-Type", "application/json-patch+json"))
                .problem(415, "unsupported-media-type");
    }

    @ParameterizedTest
    @CsvSource(quoteCharacter = '|', textBlock = """
            name, null
            name, |"  "|
            name, 1
            name, |"a\\u0000b"|
            name, |"Ann\\ud83d"|
            photo, |["p"]|
            is_media, true
            is_media, false
            is_media, null
            intro, |{}|
            certi, |"engineer"|
            certi, null
            id, 1
            id, null
            mobile, |"13800000000"|
            mobile, null
            """)
    void aFieldThatCannotBeSoIsNamedAndNothingIsChanged(String field, String value) {
        String other = field.equals("photo") ? "intro" : "photo";

        Answer answer = patch("{\"" + other + "\":\"new\",\"" + field + "\":" + value + "}")
                .problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo(field);
        assertThat(node.get("/v1/me", token).with(200).text(other)).isEmpty();
    }

    @Test
    void theRulesAreThoseOfARegistration() {
        Map<String, String> tooLong = Map.of(
                "name", "n".repeat(65),
                "photo", "p".repeat(513),
                "intro", "i".repeat(1001));

        Answer answer = node.send("PATCH", "/v1/me", tooLong, token).problem(400, "invalid-field");

        assertThat(answer.json().path("errors").findValuesAsString("field"))
                .containsExactlyInAnyOrderElementsOf(tooLong.keySet());
    }

    @Test
    void whatIsGrantedIsSetByAdministratorsAndSeenByTheUser() {
        Answer granted = grant(
                        Map.of("is_media", true, "certi", "engineer"),
                        node.administrator().token())
                .with(200);

        assertThat(granted.json().path("is_media").asBoolean()).isTrue();
        assertThat(granted.text("certi")).isEqualTo("engineer");
        assertThat(node.get("/v1/me", token).with(200).json()).isEqualTo(granted.json());
        grant(Map.of("is_media", true), token).problem(403, "forbidden");
    }

    @ParameterizedTest
    @CsvSource(quoteCharacter = '|', textBlock = """
            is_media, |"true"|
            is_media, 1
            certi, true
            certi, |"a\\u0000b"|
            name, |"Bob"|
            photo, |"p"|
            intro, null
            mobile, |"13800000000"|
            id, 1
            unknown, 1
            """)
    void aGrantThatCannotBeSoIsNamedAndNothingIsChanged(String field, String value) {
        String other = field.equals("certi") ? "\"is_media\":true" : "\"certi\":\"new\"";
        HttpRequest.Builder request = HttpRequest.newBuilder(node.address("/v1/admin/users/" + ann.id()))
                .header("Content-Type", UserController.MERGE_PATCH)
                .header("Authorization", "Bearer " + node.administrator().token())
                .method("PATCH", BodyPublishers.ofString("{" + other + ",\"" + field + "\":" + value + "}"));

        Answer answer = node.send(request).problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo(field);
        JsonNode me = node.get("/v1/me", token).with(200).json();
        assertThat(me.path("certi").asString()).isEmpty();
        assertThat(me.path("is_media").asBoolean()).isFalse();
    }

    @Test
    void aGrantIsAsLongAsItMayBe() {
        String administrators = node.administrator().token();

        grant(Map.of("certi", "\ud842\udfb7".repeat(200)), administrators).with(200);
        grant(Map.of("certi", "c".repeat(201)), administrators).problem(400, "invalid-field");
    }

    private Answer grant(Map<String, ?> fields, String administrators) {
        return node.send("PATCH", "/v1/admin/users/" + ann.id(), fields, administrators);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "[]", "1", "\"name\"", "", "{", "{\"name\":\"a\",\"name\":\"b\"}"})
    void aPatchThatIsNotAnObjectIsRefused(String body) {
        patch(body).problem(400, "malformed-request");
    }

    @Test
    void aDeletedUserIsNotFound() {
        node.get("/v1/me", token).with(200);
        node.jdbc().sql("DELETE FROM users WHERE id = ?").param(ann.id()).update();

        patch("{\"name\":\"Bob\"}").problem(404, "user-not-found");
        patch("{}").problem(404, "user-not-found");
    }

    @Test
    void aChangeOnOneNodeIsSeenByAnotherAsSoonAsRedisHasToldIt() {
        String bobs = Pair.ONE.register().token();
        for (int i = 0; i < 20; i++) {
            Pair.OTHER.get("/v1/me", bobs).with(200);
            Pair.OTHER.get("/v1/me", bobs).with(200);

            String name = "Bob " + i;
            assertInvalidated(
                    Pair.ONE.send("PATCH", "/v1/me", Map.of("name", name), bobs).with(200));

            await().atMost(Duration.ofSeconds(5))
                    .pollInterval(Duration.ofMillis(1))
                    .untilAsserted(() -> assertThat(
                                    Pair.OTHER.get("/v1/me", bobs).with(200).text("name"))
                            .isEqualTo(name));
        }
    }

    @Test
    void withoutRedisTheChangeIsMadeAllTheSame() {
        try (Fragile fragile = Fragile.whole()) {
            Node alone = fragile.node();
            String bobs = alone.register().token();
            fragile.redis().kill();

            Answer changed =
                    alone.send("PATCH", "/v1/me", Map.of("name", "Bob"), bobs).with(200);

            assertThat(changed.response().headers().firstValue("Cache-Status"))
                    .contains("usher; fwd=method; detail=invalidation-pending");
            assertThat(changed.response().headers().firstValue("Usher-Visible-Within"))
                    .isEmpty();
            assertThat(alone.get("/v1/me", bobs).with(200).text("name")).isEqualTo("Bob");
        }
    }

    @Test
    void aNodeThatIsLostIsNotWaitedFor() {
        try (Fragile fragile = Fragile.whole();
                LostNode lost = new LostNode(fragile.keyPrefix(), fragile.redis())) {
            lost.fallSilent();
            Node alone = fragile.node();
            String bobs = alone.register().token();

            long begin = System.nanoTime();
            Answer changed =
                    alone.send("PATCH", "/v1/me", Map.of("name", "Bob"), bobs).with(200);

            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
            assertInvalidated(changed);
            assertThat(alone.get("/v1/me", bobs).with(200).text("name")).isEqualTo("Bob");
        }
    }

    @Test
    void whileRedisIsFullNothingIsWaitedFor() {
        try (Fragile fragile = Fragile.whole();
                RedisClient client = RedisClient.create(fragile.redis().uri());
                StatefulRedisConnection<String, String> connection = client.connect()) {
            Node alone = fragile.node();
            String bobs = alone.register().token();
            connection.sync().configSet("maxmemory", "1");
            try {
                long begin = System.nanoTime();
                alone.send("PATCH", "/v1/me", Map.of("name", "Bob"), bobs).with(200);

                assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
                assertThat(alone.get("/v1/me", bobs).with(200).text("name")).isEqualTo("Bob");
            } finally {
                connection.sync().configSet("maxmemory", "0");
            }
        }
    }

    /** The answer has the time within which every node shows the change. */
    private static void assertInvalidated(Answer answer) {
        assertThat(answer.response().headers().firstValue("Cache-Status"))
                .contains("usher; fwd=method; detail=invalidated");
        assertThat(answer.response().headers().firstValue("Usher-Visible-Within"))
                .contains("5");
    }

    @Test
    void withoutTheDatabaseNothingIsChanged() {
        try (Fragile fragile = Fragile.whole()) {
            Node alone = fragile.node();
            String bobs = alone.register().token();
            alone.get("/v1/me", bobs).with(200);
            fragile.database().refuse();

            alone.send("PATCH", "/v1/me", Map.of("name", "Bob"), bobs).problem(503, "unavailable");

            assertThat(alone.get("/v1/me", bobs).with(200).text("name")).isEqualTo("Ann");
        }
    }

    private Answer patch(String body) {
        return node.send("PATCH", "/v1/me", body, token);
    }
}
