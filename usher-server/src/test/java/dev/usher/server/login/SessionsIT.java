package dev.usher.server.login;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** What a user or an administrator ends is refused by the other node when the answer comes. */
class SessionsIT {

    private static final Node ONE = Pair.ONE.believing();
    private static final Node OTHER = Pair.OTHER.believing();
    private static final String ANOTHER_PASSWORD = "another horse 9";

    private final User ann = ONE.register();

    private Answer knownLogin() {
        Answer login = ann.login();
        honoured(login);
        return login;
    }

    @Test
    void theSessionsAreListedTheLastUsedFirst() {
        Instant before = Instant.now().minusSeconds(5);
        Answer first = knownLogin();
        Answer second = knownLogin();
        Answer renewed = refresh(OTHER, first).with(200);

        JsonNode sessions = sessions(OTHER, renewed).json();

        assertThat(sessions).hasSize(2);
        JsonNode own = sessions.path(0);
        assertThat(own.path("current").asBoolean()).isTrue();
        assertThat(own.path("address").asString()).isEqualTo("127.0.0.1");
        Instant begun = Instant.parse(own.path("begun").asString());
        assertThat(begun).isBetween(before, Instant.now().plusSeconds(5));
        assertThat(Instant.parse(own.path("last_used").asString())).isAfter(begun);
        assertThat(sessions.path(1).path("current").asBoolean()).isFalse();
        assertThat(sessions.path(1).path("begun")).isEqualTo(sessions.path(1).path("last_used"));
        assertThat(sessions.path(1).path("id")).isNotEqualTo(own.path("id"));
        ended(ONE.post("/v1/logout", "", second.text("token")), second);
        assertThat(sessions(ONE, renewed).json()).hasSize(1);
    }

    @Test
    void aSessionIsEndedByItsUserAndNoOtherIs() {
        Answer own = knownLogin();
        Answer lost = knownLogin();
        String id = currentId(lost);

        ended(ONE.send("DELETE", "/v1/me/sessions/" + id, null, own.text("token")), lost);

        honoured(own);
        refresh(OTHER, lost).problem(401, "bad-fresh-token");
        // It may be asked for again.
        ONE.send("DELETE", "/v1/me/sessions/" + id, null, own.text("token")).with(204);
    }

    @Test
    void aSessionOfAnotherUserIsNotThere() {
        Answer own = knownLogin();
        String bobs = ONE.register().token();

        ONE.send("DELETE", "/v1/me/sessions/" + currentId(own), null, bobs).problem(404, "session-not-found");
        ONE.send("DELETE", "/v1/me/sessions/x", null, bobs).problem(400, "invalid-field");

        honoured(own);
    }

    @Test
    void aLogoutEverywhereEndsAllSessions() {
        Answer first = knownLogin();
        Answer second = knownLogin();

        ended(ONE.post("/v1/logout/all", "", first.text("token")), first, second);

        refresh(OTHER, first).problem(401, "bad-fresh-token");
        refresh(OTHER, second).problem(401, "bad-fresh-token");
        knownLogin();
    }

    @Test
    void anAdministratorEndsAllSessionsOfAUser() {
        Answer first = knownLogin();
        Answer second = knownLogin();
        String admin = ONE.administrator().token();

        Answer receipt = ONE.send("DELETE", "/v1/admin/users/" + ann.id() + "/sessions", null, admin)
                .with(200);

        for (Answer login : List.of(first, second)) {
            OTHER.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
            refresh(OTHER, login).problem(401, "bad-fresh-token");
        }
        assertThat(receipt.json().path("confirmed").asBoolean()).isTrue();
        assertThat(receipt.json().path("nodes_confirmed")).hasSize(2);
        assertThat(receipt.json().has("status")).isFalse();
        assertThat(receipt.json().has("roles")).isFalse();
        ONE.send("DELETE", "/v1/admin/users/" + Node.newAbsentId() + "/sessions", null, admin)
                .problem(404, "user-not-found");
        ONE.send("DELETE", "/v1/admin/users/" + ann.id() + "/sessions", null, ann.token())
                .problem(403, "forbidden");
    }

    @Test
    void aChangeOfThePasswordEndsAllOtherSessions() {
        Answer own = knownLogin();
        Answer other = knownLogin();

        ended(changePassword(ONE, own, Node.PASSWORD, ANOTHER_PASSWORD), other);

        honoured(own);
        honoured(refresh(OTHER, own).with(200));
        refresh(OTHER, other).problem(401, "bad-fresh-token");
        ann.tryLogin().problem(401, "bad-credentials");
        login(ANOTHER_PASSWORD).with(200);
    }

    @Test
    void aPasswordIsNotChangedWithAWrongOneNorToOneThatIsGuessed() {
        Answer own = knownLogin();
        Answer other = knownLogin();

        changePassword(ONE, own, "wrong horse 1", ANOTHER_PASSWORD).problem(403, "wrong-password");
        for (String guessed : List.of("short", "aaaaaaaaa", ann.mobile())) {
            Answer refused = changePassword(ONE, own, Node.PASSWORD, guessed).problem(400, "invalid-field");
            assertThat(refused.json().path("errors").path(0).path("field").asString())
                    .isEqualTo("new_password");
        }

        honoured(own);
        honoured(other);
        ann.login();
    }

    @Test
    void ofTwoChangesOfOnePasswordAtOnceOneIsMade() {
        Answer own = knownLogin();
        AtomicInteger turn = new AtomicInteger();

        List<Answer> answers = Together.run(
                4,
                () -> changePassword(
                        turn.get() % 2 == 0 ? ONE : OTHER,
                        own,
                        Node.PASSWORD,
                        "horse number " + turn.incrementAndGet()));

        assertThat(answers).extracting(Answer::status).containsOnlyOnce(204).containsOnly(204, 403);
        honoured(own);
    }

    @Test
    void aWrongOldPasswordCountsAsAFailedLogin() {
        User bob = Shared.NODE.register();
        Answer own = bob.login();
        for (int i = 0; i < 10; i++) {
            changePassword(Shared.NODE, own, "wrong horse " + i, ANOTHER_PASSWORD)
                    .problem(403, "wrong-password");
        }

        changePassword(Shared.NODE, own, Node.PASSWORD, ANOTHER_PASSWORD).problem(429, "too-many-attempts");
        bob.tryLogin().problem(429, "too-many-attempts");
    }

    @Test
    void whatRedisDoesNotTakeIsEndedHereAndNotConfirmed() {
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User bob = node.register();
            Answer login = bob.login();
            node.get("/v1/me", login.text("token")).with(200);
            fragile.redis().kill();

            Answer answer = node.post("/v1/logout", "", login.text("token")).with(204);

            assertThat(answer.response().headers().firstValue("Usher-Confirmed"))
                    .contains("false");
            node.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
        }
    }

    /** A login with the old password, a refresh of another session and a second change, all at once. */
    @Test
    void noTokenOfTheOldPasswordWorksAfterARace() {
        String password = Node.PASSWORD;
        for (int round = 0; round < 10; round++) {
            String old = password;
            String next = "horse number " + round;
            Answer own = login(old).with(200);
            Answer other = login(old).with(200);
            AtomicInteger turn = new AtomicInteger();
            List<Answer> answers = Together.run(4, () -> switch (turn.getAndIncrement()) {
                case 0 -> changePassword(ONE, own, old, next);
                case 1 -> refresh(OTHER, other);
                default -> login(old);
            });

            assertThat(answers).extracting(Answer::status).contains(204);
            List<Answer> issued = new ArrayList<>(List.of(other));
            answers.stream()
                    .filter(answer -> answer.response().body().contains("\"fresh_token\""))
                    .forEach(issued::add);
            // A login that came after the change was refused; one before it, and the refresh, have ended.
            for (Answer login : issued) {
                for (Node node : List.of(OTHER, ONE)) {
                    node.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
                }
                refresh(ONE, login).problem(401, "bad-fresh-token");
            }
            password = next;
        }
    }

    /** Of endings at once, each ends what it says. */
    @Test
    void endingsThatRaceWithEachOtherLeaveNoToken() {
        String admin = ONE.administrator().token();
        for (int round = 0; round < 10; round++) {
            Answer first = ann.login();
            Answer second = ann.login();
            Answer third = ann.login();
            String id = currentId(third);
            AtomicInteger turn = new AtomicInteger();
            List<Answer> answers = Together.run(4, () -> switch (turn.getAndIncrement()) {
                case 0 -> ONE.post("/v1/logout", "", first.text("token"));
                case 1 -> OTHER.send("DELETE", "/v1/me/sessions/" + id, null, second.text("token"));
                case 2 -> OTHER.send("DELETE", "/v1/admin/users/" + ann.id() + "/sessions", null, admin);
                default -> refresh(ONE, third);
            });

            List<Answer> issued = new ArrayList<>(List.of(first, second, third));
            answers.stream()
                    .filter(answer -> answer.response().body().contains("\"fresh_token\""))
                    .forEach(issued::add);
            for (Answer login : issued) {
                for (Node node : List.of(OTHER, ONE)) {
                    node.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
                }
            }
        }
    }

    private void honoured(Answer login) {
        for (Node node : List.of(ONE, OTHER)) {
            node.get("/v1/me", login.text("token")).with(200);
        }
    }

    /** The other node first: it has only heard of it. */
    private static void ended(Answer answer, Answer... logins) {
        answer.with(204);
        for (Answer login : logins) {
            for (Node node : List.of(OTHER, ONE)) {
                node.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
            }
        }
        assertThat(answer.response().headers().firstValue("Usher-Confirmed")).contains("true");
    }

    private static String currentId(Answer login) {
        return sessions(ONE, login)
                .json()
                .valueStream()
                .filter(session -> session.path("current").asBoolean())
                .findFirst()
                .orElseThrow()
                .path("id")
                .asString();
    }

    private static Answer sessions(Node node, Answer login) {
        return node.get("/v1/me/sessions", login.text("token")).with(200);
    }

    private Answer login(String password) {
        return ONE.post("/v1/login", Map.of("mobile", ann.mobile(), "password", password), null);
    }

    private static Answer refresh(Node node, Answer login) {
        return node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null);
    }

    private static Answer changePassword(Node node, Answer login, String old, String next) {
        return node.post("/v1/me/password", Map.of("old_password", old, "new_password", next), login.text("token"));
    }
}
