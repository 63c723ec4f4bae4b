package dev.usher.server.token;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserStatusCache;
import dev.usher.server.Answer;
import dev.usher.server.Dialect;
import dev.usher.server.Node;
import dev.usher.server.Node.OnMariaDb;
import dev.usher.server.Node.User;
import dev.usher.server.QuickKeys;
import dev.usher.server.Together;
import dev.usher.testkit.MariaDbServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** Tokens, keys and administrators on a real MariaDB, with two nodes that have started at once on an empty database. */
@Tag("thorough")
@EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
class TokensOnMariaDbIT {

    /** See {@link Node}. */
    private static final int MAX_PER_USER = 5;

    private static final int MAX_REFRESHES = 240;

    private static List<Node> nodes;
    private static Node one;
    private static Node other;

    private User ann;

    @BeforeAll
    static void start() {
        nodes = OnMariaDb.startTwo("tokens");
        one = nodes.get(0);
        other = nodes.get(1);
    }

    @BeforeEach
    void register() {
        ann = one.register();
    }

    @AfterAll
    static void stop() {
        nodes.forEach(Node::close);
    }

    @Test
    void nodesThatStartAtOnceShareOneKeyAndOneAdministrator() {
        other.get("/v1/me", one.administrator().token()).with(200);

        assertThat(one.count("user_roles")).isEqualTo(1);
        assertThat(one.jdbc()
                        .sql("SELECT version FROM flyway_schema_history WHERE success")
                        .query(String.class)
                        .list())
                .containsExactly("3", "4");
    }

    @Test
    void twoWhoRegisterOneNumberAtOnceAreOneUser() {
        String mobile = Node.newMobile();
        AtomicLong turn = new AtomicLong();

        List<Answer> answers = Together.run(
                8,
                () -> node(turn)
                        .post("/v1/users", Map.of("mobile", mobile, "password", Node.PASSWORD, "name", "Ann"), null));

        assertThat(answers).extracting(Answer::status).containsOnlyOnce(201).containsOnly(201, 409);
    }

    @Test
    void twoWhoRotateAtOnceHaveRotatedOnceAndTheOldKeyVerifiesUntilItsLastTokenHasExpired() {
        String before = one.kids().get(0);
        String token = one.administrator().token();
        AtomicLong turn = new AtomicLong();
        QuickKeys.meet(4);

        List<Answer> answers = Together.run(
                4,
                () -> node(turn).post("/v1/admin/signing-keys", Map.of(), token).with(201));

        assertThat(answers)
                .extracting(answer -> answer.text("kid"))
                .containsOnly(answers.get(0).text("kid"));
        assertThat(answers)
                .extracting(answer -> answer.text("signs_from"))
                .containsOnly(answers.get(0).text("signs_from"));
        pass(Duration.ZERO);
        String after = answers.get(0).text("kid");
        assertThat(one.kids()).containsExactly(before, after);
        assertThat(other.kids()).containsExactly(before, after);
        pass(SigningKeys.LEAD.plusMinutes(14));
        String next = other.administrator().token();
        one.get("/v1/me", token).with(200);
        one.get("/v1/me", next).with(200);
        pass(Duration.ofMinutes(4));
        one.get("/v1/me", token).problem(401, "unauthenticated");
        one.get("/v1/me", next).with(200);
        assertThat(one.kids()).containsExactly(after);
        assertThat(one.count("signing_keys")).isEqualTo(1);
    }

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
    }

    @Test
    void manyLoginsAtOnceLeaveNoMoreThanAUserMayHave() {
        User onOther = new User(other, ann.id(), ann.mobile());
        AtomicLong turn = new AtomicLong();

        List<Answer> answers =
                Together.run(MAX_PER_USER + 10, () -> (turn.incrementAndGet() % 2 == 0 ? ann : onOther).tryLogin());

        assertThat(answers).extracting(Answer::status).containsOnly(200);
        assertThat(count("spent_at IS NULL AND revoked_at IS NULL")).isEqualTo(MAX_PER_USER);
    }

    @Test
    void oneTokenIsRefreshedOnceHoweverManyPresentItAtOnce() {
        String token = ann.login().text("fresh_token");
        AtomicLong turn = new AtomicLong();

        List<Answer> answers =
                Together.run(8, () -> node(turn).post("/v1/token/refresh", Map.of("fresh_token", token), null));

        assertThat(answers).extracting(Answer::status).containsOnly(200, 401).containsOnlyOnce(200);
        assertThat(count("spent_at IS NULL AND revoked_at IS NULL"))
                .as("a reuse has revoked the family, or marked it")
                .isLessThanOrEqualTo(1);
    }

    @Test
    void aLoginThatIsRefreshedTooOftenHasToWait() {
        String token = ann.login().text("fresh_token");
        addSpent(MAX_REFRESHES - 1);
        String next = refresh(token).with(200).text("fresh_token");

        assertThat(retryAfter(next)).isBetween(3500, 3600);
        age("spent_at = spent_at - INTERVAL 50 MINUTE");
        assertThat(retryAfter(next)).isBetween(500, 600);
        age("spent_at = spent_at - INTERVAL 10 MINUTE");
        refresh(next).with(200);
    }

    @Test
    void expiredTokensAreDeletedAndTheRestOfTheirFamilyIsNot() {
        String spent = ann.login().text("fresh_token");
        String next = refresh(spent).with(200).text("fresh_token");
        update("expires_at = utc_timestamp(6) - INTERVAL 1 DAY WHERE spent_at IS NOT NULL AND");

        one.bean(RefreshTokens.class).prune();

        assertThat(count("true")).isEqualTo(1);
        refresh(next).with(200);
    }

    @Test
    void aFamilyThatHasEndedIsForgottenInAnyNumberOfPortionsAndItsMarkLast() throws Exception {
        Answer login = ann.login();
        addSpent(2500);
        age("spent_at = spent_at - INTERVAL 1 DAY");
        one.post("/v1/logout", "", login.text("token")).with(204);
        prune();
        assertThat(count("true")).as("a statement may still add to it").isEqualTo(2501);

        age("revoked_at = revoked_at - INTERVAL 61 MINUTE");
        try (Connection holder = DriverManager.getConnection(
                OnMariaDb.DATABASE.replace("/usher", "/tokens"),
                OnMariaDb.SERVER.username(),
                OnMariaDb.SERVER.password())) {
            holder.setAutoCommit(false);
            try (var row = holder.createStatement()
                    .executeQuery("SELECT token_hash FROM refresh_tokens WHERE user_id = " + ann.id()
                            + " AND revoked_at IS NULL LIMIT 1 FOR UPDATE")) {
                assertThat(row.next()).isTrue();
            }
            prune();
            assertThat(count("true")).as("the row that is locked, and the mark").isEqualTo(2);
            assertThat(count("revoked_at IS NOT NULL")).isEqualTo(1);
        }
        prune();
        assertThat(count("true")).isZero();
    }

    @Test
    void aBanAndLoginsAtOnceLeaveNoTokenThatCanBeRefreshed() {
        String administrator = one.administrator().token();
        AtomicLong turn = new AtomicLong();

        List<Answer> answers = Together.run(
                8,
                () -> turn.incrementAndGet() == 4
                        ? other.setStatus(ann.id(), "disabled", administrator)
                        : ann.tryLogin());

        assertThat(answers).extracting(Answer::status).isSubsetOf(200, 403);
        answers.stream()
                .filter(answer -> answer.json().has("fresh_token"))
                .forEach(answer -> refresh(answer.text("fresh_token")).problem(403, "account-disabled"));
        assertThat(count("spent_at IS NULL AND revoked_at IS NULL")).isZero();
    }

    @Test
    @SuppressWarnings("unchecked")
    void twoAdministratorsWhoDisableEachOtherAtOnceLeaveOne() {
        User second = one.register();
        one.jdbc()
                .sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')")
                .param(second.id())
                .update();
        User first = one.administrator();
        for (int round = 0; round < 10; round++) {
            // The tokens from before a ban are refused.
            Map<User, String> tokens = Map.of(first, first.token(), second, second.token());
            AtomicLong turn = new AtomicLong();
            List<Answer> answers = Together.run(2, () -> {
                boolean isFirst = turn.incrementAndGet() == 1;
                return (isFirst ? one : other)
                        .setStatus(
                                (isFirst ? second : first).id(),
                                "disabled",
                                requireNonNull(tokens.get(isFirst ? first : second)));
            });

            assertThat(answers).extracting(Answer::status).containsOnlyOnce(200);
            one.jdbc()
                    .sql("UPDATE users SET status = 1 WHERE id IN (?, ?)")
                    .params(first.id(), second.id())
                    .update();
            for (User user : List.of(first, second)) {
                one.bean(UserStatusCache.class).forget(user.id());
            }
        }
        one.jdbc()
                .sql("DELETE FROM user_roles WHERE user_id = ?")
                .param(second.id())
                .update();
    }

    private static Node node(AtomicLong turn) {
        return turn.incrementAndGet() % 2 == 0 ? one : other;
    }

    private int retryAfter(String token) {
        return Integer.parseInt(refresh(token)
                .problem(429, "too-many-attempts")
                .response()
                .headers()
                .firstValue("Retry-After")
                .orElseThrow());
    }

    private Answer refresh(String token) {
        return one.post("/v1/token/refresh", Map.of("fresh_token", token), null);
    }

    private void prune() {
        one.bean(RefreshTokens.class).prune();
    }

    private void age(String assignments) {
        update(assignments + " WHERE");
    }

    private void update(String assignmentsAndConditions) {
        one.jdbc()
                .sql("UPDATE refresh_tokens SET " + assignmentsAndConditions + " user_id = ?")
                .param(ann.id())
                .update();
    }

    private long count(String condition) {
        return one.jdbc()
                .sql("SELECT count(*) FROM refresh_tokens WHERE user_id = ? AND " + condition)
                .param(ann.id())
                .query(Long.class)
                .single();
    }

    /** Adds tokens to the user's only family, as if it had been refreshed as often. */
    private void addSpent(int tokens) {
        one.jdbc()
                .sql("INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at, spent_at)"
                        + " SELECT sha2(concat(token_hash, seq), 256), family_id, user_id, expires_at, " + now()
                        + " FROM refresh_tokens, seq_1_to_" + tokens + " WHERE user_id = ?")
                .param(ann.id())
                .update();
    }

    private static String now() {
        return Dialect.MARIADB.now();
    }

    /** Lets time pass for the keys, and all nodes look at them. */
    private static void pass(Duration time) {
        one.jdbc()
                .sql("UPDATE signing_keys SET signs_from = signs_from - INTERVAL ? SECOND")
                .param(time.toSeconds())
                .update();
        one.bean(SigningKeys.class).reread();
        other.bean(SigningKeys.class).reread();
        one.bean(SigningKeys.class).reread();
    }
}
