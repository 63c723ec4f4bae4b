package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Gate;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.OtherTransaction;
import dev.usher.server.Together;
import dev.usher.server.user.BusyException;
import dev.usher.server.user.Passwords;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.simple.JdbcClient;

/** The rows of a user's logins are bounded, and deleted when the logins have ended. */
class LoginLimitsIT {

    /** See {@link Node}. */
    private static final int MAX_PER_USER = 5;

    private static final int MAX_REFRESHES = 240;

    private static final int MAX_FAILED_ATTEMPTS = 10;

    /** See {@link Node}. */
    private static final int MAX_HASHED = 32;

    private static final int MAX_WAITING = 20;

    private final Node node = Shared.NODE;
    private final User ann = node.register();

    @Test
    void ofMoreLoginsThanAUserMayHaveThatIsEndedWhichWasNotUsedForLongest() {
        List<String> tokens = new ArrayList<>();
        for (int i = 0; i < MAX_PER_USER; i++) {
            tokens.add(ann.login().text("fresh_token"));
        }
        String ofFirst = refresh(tokens.get(0)).with(200).text("fresh_token");

        String last = ann.login().text("fresh_token");

        refresh(tokens.get(1)).problem(401, "bad-fresh-token");
        for (String token : List.of(ofFirst, tokens.get(2), tokens.get(MAX_PER_USER - 1), last)) {
            refresh(token).with(200);
        }
        assertThat(families(ann)).isEqualTo(MAX_PER_USER);
    }

    @Test
    void aLoginThatHasEndedTakesNoPlace() {
        String first = ann.login().text("fresh_token");
        for (int i = 1; i < MAX_PER_USER; i++) {
            Answer login = ann.login();
            if (i % 2 == 0) {
                node.post("/v1/logout", "", login.text("token")).with(204);
            } else {
                String spent = login.text("fresh_token");
                refresh(spent).with(200);
                refresh(spent).problem(401, "bad-fresh-token");
            }
        }

        ann.login();

        refresh(first).with(200);
    }

    @Test
    void manyLoginsAtOnceLeaveNoMoreThanAUserMayHave() {
        User bob = Pair.ONE.register();

        List<Answer> answers = Together.run(MAX_PER_USER + 10, bob::tryLogin);

        assertThat(answers).extracting(Answer::status).containsOnly(200);
        assertThat(families(bob)).isEqualTo(MAX_PER_USER);
    }

    @Test
    void aLoginThatIsRefreshedTooOftenHasToWait() {
        String token = ann.login().text("fresh_token");
        addSpent(MAX_REFRESHES - 1);
        String next = refresh(token).with(200).text("fresh_token");

        Answer refused = refresh(next).problem(429, "too-many-attempts");

        assertThat(Integer.parseInt(
                        refused.response().headers().firstValue("Retry-After").orElseThrow()))
                .isBetween(3500, 3600);
        age("spent_at = spent_at - interval '50 minutes'");
        assertThat(Integer.parseInt(refresh(next)
                        .problem(429, "too-many-attempts")
                        .response()
                        .headers()
                        .firstValue("Retry-After")
                        .orElseThrow()))
                .isBetween(500, 600);
        age("spent_at = spent_at - interval '10 minutes'");
        String after = refresh(next).with(200).text("fresh_token");
        refresh(token).problem(401, "bad-fresh-token");
        refresh(after).problem(401, "bad-fresh-token");
    }

    @Test
    void aSpentTokenEndsItsFamilyHoweverOftenThatWasRefreshed() {
        String token = ann.login().text("fresh_token");
        addSpent(MAX_REFRESHES);
        age("spent_at = now()");

        refresh(token).problem(401, "bad-fresh-token");

        assertThat(families(ann)).isZero();
    }

    @Test
    void aLoginThatFindsNoPlaceIsUnavailableAndNoFailedAttempt() {
        String password = "p " + UUID.randomUUID();
        User bob = node.register(password);
        String token = ann.token();
        Passwords passwords = node.bean(Passwords.class);
        List<Thread> callers = new ArrayList<>();
        try (Gate gate = Gate.forPassword(password)) {
            for (int i = 0; i < MAX_HASHED + MAX_WAITING; i++) {
                Thread caller = new Thread(() -> {
                    try {
                        passwords.matches(password, "{bcrypt}none");
                    } catch (BusyException e) {
                        assertThat(e).hasNoCause();
                    }
                });
                callers.add(caller);
                caller.start();
            }
            gate.awaitWaiting(MAX_HASHED);
            await().until(() -> callers.stream().allMatch(caller -> caller.getState() == Thread.State.TIMED_WAITING));

            node.statements();
            for (int i = 0; i < MAX_FAILED_ATTEMPTS + 1; i++) {
                assertThat(bob.tryLogin()
                                .problem(503, "unavailable")
                                .response()
                                .headers()
                                .firstValue("Retry-After"))
                        .isPresent();
            }
            node.post("/v1/users", Map.of("mobile", Node.newMobile(), "password", password, "name", "Bob"), null)
                    .problem(503, "unavailable");
            assertThat(node.statements())
                    .as("nothing is asked for what will be refused")
                    .noneMatch(statement -> statement.contains("mobile"));
            node.get("/v1/me", token).with(200);
        }
        callers.forEach(LoginLimitsIT::join);

        node.post("/v1/login", Map.of("mobile", bob.mobile(), "password", password), null)
                .with(200);
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void expiredTokensAreDeletedAndTheRestOfTheirFamilyIsNot() {
        String spent = ann.login().text("fresh_token");
        String next = refresh(spent).with(200).text("fresh_token");
        update("expires_at = now() - interval '1 day' WHERE spent_at IS NOT NULL AND");
        String third = refresh(next).with(200).text("fresh_token");

        prune();

        assertThat(tokens()).isEqualTo(2);
        refresh(spent).problem(401, "bad-fresh-token");
        String fourth = refresh(third).with(200).text("fresh_token");
        refresh(next).problem(401, "bad-fresh-token");
        refresh(fourth).problem(401, "bad-fresh-token");
        age("expires_at = now() - interval '1 day', revoked_at = NULL");
        prune();
        assertThat(tokens()).isZero();
    }

    @Test
    void theMarkOfARevocationStaysWhileAStatementMayAddASuccessor() {
        Answer login = ann.login();
        refresh(login.text("fresh_token")).with(200);
        node.post("/v1/logout", "", login.text("token")).with(204);
        age("expires_at = now() - interval '1 day', revoked_at = revoked_at - interval '59 minutes'");

        prune();

        assertThat(node.jdbc()
                        .sql("SELECT count(*) FROM refresh_tokens WHERE user_id = ? AND revoked_at IS NOT NULL")
                        .param(ann.id())
                        .query(Long.class)
                        .single())
                .isPositive();
        age("revoked_at = revoked_at - interval '2 minutes'");
        prune();
        assertThat(tokens()).isZero();
    }

    @Test
    void aFamilyThatHasEndedIsForgottenInAnyNumberOfPortions() {
        Answer login = ann.login();
        addSpent(2500);
        node.post("/v1/logout", "", login.text("token")).with(204);
        age("spent_at = spent_at - interval '1 day'");
        prune();
        assertThat(tokens()).isEqualTo(2501);

        age("revoked_at = revoked_at - interval '61 minutes'");
        prune();

        assertThat(tokens()).isZero();
    }

    @Test
    void theMarkOfARevocationIsDeletedLast() throws SQLException {
        String spent = ann.login().text("fresh_token");
        refresh(spent).with(200);
        refresh(spent).problem(401, "bad-fresh-token");
        age("revoked_at = revoked_at - interval '61 minutes'");
        try (OtherTransaction other = OtherTransaction.on(Shared.DATABASE)) {
            other.execute("SELECT 1 FROM refresh_tokens WHERE user_id = ? AND revoked_at IS NULL FOR UPDATE", ann.id());

            prune();

            assertThat(tokens()).isEqualTo(2);
        }
        prune();
        assertThat(tokens()).isZero();
    }

    private void prune() {
        node.bean(RefreshTokens.class).prune();
    }

    /** Of all tokens of the user. */
    private void age(String assignments) {
        update(assignments + " WHERE");
    }

    private void update(String assignmentsAndConditions) {
        node.jdbc()
                .sql("UPDATE refresh_tokens SET " + assignmentsAndConditions + " user_id = ?")
                .param(ann.id())
                .update();
    }

    /** Adds tokens to the user's only family, as if it had been refreshed as often. */
    private void addSpent(int tokens) {
        node.jdbc().sql("""
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at, spent_at)
                            SELECT md5(family_id::text || number) || md5(number::text), family_id, user_id, expires_at, now()
                            FROM refresh_tokens, generate_series(1, ?) AS number WHERE user_id = ?
                        """).params(tokens, ann.id()).update();
    }

    private long tokens() {
        return node.jdbc()
                .sql("SELECT count(*) FROM refresh_tokens WHERE user_id = ?")
                .param(ann.id())
                .query(Long.class)
                .single();
    }

    /** The families of a user that can be refreshed. */
    private static long families(User user) {
        JdbcClient jdbc = user.node().jdbc();
        return jdbc.sql(
                        "SELECT count(*) FROM refresh_tokens AS token WHERE user_id = ? AND spent_at IS NULL AND NOT EXISTS ("
                                + "SELECT 1 FROM refresh_tokens WHERE family_id = token.family_id AND revoked_at IS NOT NULL)")
                .param(user.id())
                .query(Long.class)
                .single();
    }

    private Answer refresh(String freshToken) {
        return node.post("/v1/token/refresh", Map.of("fresh_token", freshToken), null);
    }
}
