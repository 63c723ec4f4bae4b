package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Node.OnMariaDb;
import dev.usher.server.Node.User;
import dev.usher.testkit.MariaDbServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import tools.jackson.databind.JsonNode;

/** The main flows of the server on a real MariaDB. */
@EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
class MariaDbIT {

    private final Node node = OnMariaDb.NODE;

    @Test
    void aUserRegistersLogsInReadsAndChangesTheProfile() {
        String mobile = Node.newMobile();
        Map<String, Object> registration = new HashMap<>(
                Map.of("mobile", mobile, "password", Node.PASSWORD, "name", "李雷 😀", "intro", "  ", "photo", ""));

        long id = node.post("/v1/users", registration, null)
                .with(201)
                .json()
                .path("id")
                .asLong();

        User user = new User(node, id, mobile);
        String token = user.token();
        node.statements();
        assertThat(profile(token)).containsExactly("李雷 😀", "", false, "  ", "");
        assertThat(node.statements()).as("the login has filled the caches").isEmpty();

        Map<String, Object> patch = new HashMap<>(Map.of("name", "Ann"));
        patch.put("intro", null);
        assertThat(node.send("PATCH", "/v1/me", patch, token).with(200).text("name"))
                .isEqualTo("Ann");
        node.send(
                        "PATCH",
                        "/v1/admin/users/" + id,
                        Map.of("certi", "c", "is_media", true),
                        node.administrator().token())
                .with(200);
        assertThat(profile(token)).containsExactly("Ann", "", true, "", "c");
        node.post("/v1/users", registration, null).problem(409, "mobile-taken");
    }

    /** The default of MariaDB would show a transaction the rows as of its first query. */
    @Test
    void aStatementSeesWhatIsCommittedWhenItBegins() {
        assertThat(node.jdbc().sql("SELECT @@tx_isolation").query(String.class).single())
                .isEqualTo("READ-COMMITTED");
    }

    /** The name, the photo, whether it is of media, the introduction and the certificate. */
    private List<Object> profile(String token) {
        JsonNode me = node.get("/v1/me", token).with(200).json();
        return List.of(
                me.path("name").asString(),
                me.path("photo").asString(),
                me.path("is_media").asBoolean(),
                me.path("intro").asString(),
                me.path("certi").asString());
    }

    @Test
    void severalUsersAreReadByOneQuery() {
        User ann = node.register();
        User bob = node.register();
        String token = ann.token();
        node.send(
                        "DELETE",
                        "/v1/admin/users/" + ann.id() + "/cache",
                        null,
                        node.administrator().token())
                .with(204);
        node.send(
                        "DELETE",
                        "/v1/admin/users/" + bob.id() + "/cache",
                        null,
                        node.administrator().token())
                .with(204);

        assertThat(node.get("/v1/users?ids=" + ann.id() + "," + bob.id() + "," + Node.newAbsentId(), token)
                        .with(200)
                        .response()
                        .body())
                .contains("\"id\":" + ann.id(), "\"id\":" + bob.id());
    }

    @Test
    void aTokenIsRefreshedOnceAndItsReuseEndsTheFamily() {
        User ann = node.register();
        String first = ann.login().text("fresh_token");
        Answer pair = node.post("/v1/token/refresh", Map.of("fresh_token", first), null)
                .with(200);
        node.get("/v1/me", pair.text("token")).with(200);

        node.post("/v1/token/refresh", Map.of("fresh_token", first), null).problem(401, "bad-fresh-token");

        node.post("/v1/token/refresh", Map.of("fresh_token", pair.text("fresh_token")), null)
                .problem(401, "bad-fresh-token");
    }

    @Test
    void aBanReturnsAConfirmedReceiptAndEndsTheLogins() {
        User ann = node.register();
        Answer login = ann.login();

        Answer receipt = node.setStatus(ann.id(), "disabled").with(200);

        assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
        node.get("/v1/me", login.text("token")).problem(403, "account-disabled");
        node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null)
                .problem(403, "account-disabled");
        ann.tryLogin().problem(403, "account-disabled");
        node.setStatus(ann.id(), "enabled").with(200);
        ann.login();
    }

    @Test
    void failedLoginsAreLimited() {
        User ann = node.register();
        Map<String, String> wrong = Map.of("mobile", ann.mobile(), "password", "wrong horse 8");
        for (int i = 0; i < 10; i++) {
            node.post("/v1/login", wrong, null).problem(401, "bad-credentials");
        }

        ann.tryLogin().problem(429, "too-many-attempts");
    }
}
