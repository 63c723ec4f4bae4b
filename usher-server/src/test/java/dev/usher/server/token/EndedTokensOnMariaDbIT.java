package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserStatusCache;
import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.OnMariaDb;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import dev.usher.testkit.MariaDbServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import tools.jackson.databind.JsonNode;

/** Each way to end a token on a real MariaDB, looked at on another node when the answer comes. */
@Tag("thorough")
@EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
class EndedTokensOnMariaDbIT {

    private static final String ANOTHER_PASSWORD = "another horse 9";

    private static List<Node> nodes;
    private static Node one;
    private static Node other;

    private User ann;
    private Answer first;
    private Answer second;

    @BeforeAll
    static void start() {
        nodes = OnMariaDb.startTwo("ended");
        one = nodes.get(0).believing();
        other = nodes.get(1).believing();
    }

    @AfterAll
    static void stop() {
        nodes.forEach(Node::close);
    }

    @BeforeEach
    void twoSessionsAreKnownToBothNodes() {
        ann = one.register();
        first = ann.login();
        second = ann.login();
        honoured(first);
        honoured(second);
    }

    @Test
    void aLogoutEndsOneSession() {
        Answer renewed = refresh(first).with(200);

        confirmed(one.post("/v1/logout", "", renewed.text("token")));

        refused(first);
        refused(renewed);
        honoured(second);
    }

    @Test
    void aUserListsSessionsAndEndsOne() {
        refresh(second).with(200);
        JsonNode sessions =
                other.get("/v1/me/sessions", first.text("token")).with(200).json();
        assertThat(sessions).hasSize(2);
        JsonNode last = sessions.path(0);
        assertThat(last.path("current").asBoolean()).isFalse();
        assertThat(last.path("address").asString()).isEqualTo("127.0.0.1");
        assertThat(last.path("begun").asString())
                .isLessThan(last.path("last_used").asString());
        assertThat(sessions.path(1).path("current").asBoolean()).isTrue();

        confirmed(one.send("DELETE", "/v1/me/sessions/" + last.path("id").asString(), null, first.text("token")));

        refused(second);
        honoured(first);
    }

    @Test
    void allSessionsEndTogether() {
        confirmed(one.post("/v1/logout/all", "", first.text("token")));

        refused(first);
        refused(second);
        honoured(ann.login());
    }

    @Test
    void anAdministratorEndsAllSessions() {
        Answer receipt = one.send(
                        "DELETE",
                        "/v1/admin/users/" + ann.id() + "/sessions",
                        null,
                        one.administrator().token())
                .with(200);

        refused(first);
        refused(second);
        assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
    }

    @Test
    void aChangeOfThePasswordEndsTheOtherSession() {
        confirmed(one.post(
                "/v1/me/password",
                Map.of("old_password", Node.PASSWORD, "new_password", ANOTHER_PASSWORD),
                first.text("token")));

        refused(second);
        honoured(first);
        ann.tryLogin().problem(401, "bad-credentials");
    }

    @Test
    void aBanEndsTheTokensAlsoOnceTheUserIsEnabledAgain() {
        one.setStatus(ann.id(), "disabled").with(200);
        one.setStatus(ann.id(), "enabled").with(200);

        refused(first);
        refused(second);
    }

    @Test
    void aSpentRefreshTokenEndsItsSession() {
        Answer renewed = refresh(first).with(200);

        refresh(first).problem(401, "bad-fresh-token");

        await().untilAsserted(() -> refused(renewed));
        honoured(second);
    }

    @Test
    void theLoginThatIsOneTooManyEndsTheOneThatWasNotUsedForTheLongestTime() {
        for (int i = 0; i < 4; i++) {
            ann.login();
        }

        await().untilAsserted(() -> refused(first));
        honoured(second);
    }

    @Test
    void afterManyLogoutsAllTokensEndAndTheOtherSessionGoesOn() {
        for (int i = 0; i <= Access.MAX_ENDED; i++) {
            one.post("/v1/logout", "", ann.token()).with(204);
        }

        refused(first);
        honoured(refresh(first).with(200));
    }

    @Test
    void aRoleIsGivenAndTakenAway() {
        String admin = one.administrator().token();
        String path = "/v1/admin/users/" + ann.id();
        other.get(path + "/cache", first.text("token")).problem(403, "forbidden");

        one.send("PUT", path + "/roles", Map.of("roles", List.of("admin")), admin)
                .with(200);
        other.get(path + "/cache", first.text("token")).with(200);
        one.send("PUT", path + "/roles", Map.of("roles", List.of()), admin).with(200);

        other.get(path + "/cache", first.text("token")).problem(403, "forbidden");
        one.send("PUT", "/v1/admin/users/" + one.administrator().id() + "/roles", Map.of("roles", List.of()), admin)
                .problem(409, "last-administrator");
    }

    @Test
    void ofTwoAdministratorsWhoTakeTheRoleFromEachOtherOneIsLeft() {
        User admin = one.administrator();
        for (int round = 0; round < 10; round++) {
            giveRole(admin);
            giveRole(ann);
            String ofAdmin = admin.token();
            AtomicInteger turn = new AtomicInteger();

            List<Answer> answers = Together.run(
                    2,
                    () -> turn.getAndIncrement() == 0
                            ? takeRole(one, ofAdmin, ann)
                            : takeRole(other, first.text("token"), admin));

            assertThat(answers).extracting(Answer::status).contains(200).isSubsetOf(200, 403, 409);
            assertThat(one.count("user_roles")).isEqualTo(1);
        }
        giveRole(admin);
        takeRole(one, admin.token(), ann).with(200);
    }

    private static Answer takeRole(Node node, String token, User user) {
        return node.send("PUT", "/v1/admin/users/" + user.id() + "/roles", Map.of("roles", List.of()), token);
    }

    @SuppressWarnings("unchecked")
    private static void giveRole(User user) {
        one.jdbc()
                .sql("INSERT IGNORE INTO user_roles (user_id, role) VALUES (?, 'admin')")
                .param(user.id())
                .update();
        one.bean(UserStatusCache.class).forget(user.id());
    }

    @Test
    void noTokenOfASessionThatHasEndedWorksAfterARace() {
        for (int round = 0; round < 10; round++) {
            Answer login = ann.login();
            AtomicInteger turn = new AtomicInteger();
            List<Answer> answers = Together.run(3, () -> switch (turn.getAndIncrement()) {
                case 0 -> one.post("/v1/logout/all", "", login.text("token"));
                case 1 -> other.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null);
                default -> other.get("/v1/me", login.text("token"));
            });

            assertThat(answers).extracting(Answer::status).contains(204);
            List<Answer> issued = new ArrayList<>(List.of(login));
            answers.stream()
                    .filter(answer -> answer.response().body().contains("\"fresh_token\""))
                    .forEach(issued::add);
            issued.forEach(EndedTokensOnMariaDbIT::refused);
        }
    }

    private static Answer refresh(Answer login) {
        return one.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null);
    }

    private static void confirmed(Answer answer) {
        assertThat(answer.with(204).response().headers().firstValue("Usher-Confirmed"))
                .contains("true");
    }

    /** The other node first: it has only heard of it. */
    private static void refused(Answer login) {
        for (Node node : List.of(other, one)) {
            node.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
        }
    }

    private static void honoured(Answer login) {
        for (Node node : List.of(other, one)) {
            node.get("/v1/me", login.text("token")).with(200);
        }
    }
}
