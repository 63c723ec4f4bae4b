package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The operations of administrators on the caches. */
class CacheAdministrationIT {

    private final Node node = Shared.NODE;
    private final User ann = node.register();
    private final String admin = node.administrator().token();

    @Test
    void theEntriesOfEachTierAreShownWithTheMobileNumberMasked() {
        node.get("/v1/me", ann.token()).with(200);

        Answer answer = node.get(path(ann.id()), admin).with(200);

        assertThat(answer.json().path("id").asLong()).isEqualTo(ann.id());
        JsonNode profile = answer.json().path("profile");
        assertThat(profile.path("key").asString()).isEqualTo("user:" + ann.id() + ":profile");
        assertThat(profile.at("/shared/held").asString()).isEqualTo("value");
        assertThat(profile.at("/source/value/name").asString()).isEqualTo("Ann");
        assertThat(profile.at("/source/value/mobile").asString()).contains("****");
        assertThat(profile.path("shared_ttl").asString()).matches("PT(27|28|29)M.*S");
        assertThat(profile.path("guard").asString()).isEqualTo("fence");
        assertThat(profile.path("agree").asBoolean()).isTrue();
        JsonNode status = answer.json().path("status");
        assertThat(status.at("/source/value").asString()).isEqualTo("enabled");
        assertThat(status.path("agree").asBoolean()).isTrue();
        assertThat(answer.response().body()).doesNotContain(ann.mobile());
    }

    @Test
    void aChangeThatWasNotAnnouncedIsShownAndRepaired() {
        String token = ann.token();
        node.get("/v1/me", token).with(200);
        node.jdbc()
                .sql("UPDATE users SET name = 'Bob' WHERE id = ?")
                .param(ann.id())
                .update();
        assertThat(node.get(path(ann.id()), admin)
                        .with(200)
                        .json()
                        .at("/profile/agree")
                        .asBoolean(true))
                .isFalse();

        assertThat(node.send("DELETE", path(ann.id()), null, admin)
                        .with(204)
                        .response()
                        .body())
                .isEmpty();

        assertThat(Shared.redis().exists("user:" + ann.id() + ":profile", "user:" + ann.id() + ":status"))
                .isZero();
        assertThat(node.get("/v1/me", token).with(200).text("name")).isEqualTo("Bob");
        assertThat(node.get(path(ann.id()), admin)
                        .with(200)
                        .json()
                        .at("/profile/agree")
                        .asBoolean())
                .isTrue();
    }

    @Test
    void ofAnUnknownUserItIsShownThatThereIsNone() {
        // Asked for again, it is worth a key.
        await().until(() -> {
            node.get("/v1/users/888888888", admin).with(404);
            JsonNode profile =
                    node.get(path(888_888_888), admin).with(200).json().path("profile");
            return profile.at("/shared/held").asString().equals("absent");
        });

        JsonNode profile = node.get(path(888_888_888), admin).with(200).json().path("profile");

        assertThat(profile.at("/shared/held").asString()).isEqualTo("absent");
        assertThat(profile.at("/source/held").asString()).isEqualTo("absent");
        assertThat(profile.path("agree").asBoolean()).isTrue();
        node.send("DELETE", path(888_888_888), null, admin).with(204);
    }

    @Test
    void itIsForAdministratorsOnly() {
        for (String method : new String[] {"GET", "DELETE"}) {
            node.send(method, path(ann.id()), null, ann.token()).problem(403, "forbidden");
            node.send(method, path(ann.id()), null, null).problem(401, "unauthenticated");
            node.send(method, path(0), null, admin).problem(400, "invalid-field");
        }
    }

    private static String path(long id) {
        return "/v1/admin/users/" + id + "/cache";
    }
}
