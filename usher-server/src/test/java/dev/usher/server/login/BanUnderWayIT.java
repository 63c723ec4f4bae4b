package dev.usher.server.login;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Gate;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.OtherTransaction;
import dev.usher.server.Together;
import dev.usher.server.token.Sha256;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A ban, a new password or a logout while a login or a refresh of the same user is under way: each comes before or after. */
class BanUnderWayIT {

    private static final String DISABLE = "UPDATE users SET status = 0 WHERE id = ?";
    private static final String REVOKE = "UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = ?";

    private final Node node = Shared.NODE;
    private final String password = "p " + UUID.randomUUID();
    private final User ann = node.register(password);

    @Test
    void aLoginThatABanOvertakesGetsNoTokens() {
        List<CompletableFuture<Answer>> logins;
        try (Gate gate = Gate.forPassword(password)) {
            logins = List.of(inBackground(this::login), inBackground(this::login), inBackground(this::login));
            gate.awaitWaiting(3);

            assertThat(node.setStatus(ann.id(), "disabled")
                            .with(200)
                            .json()
                            .path("confirmed")
                            .asBoolean())
                    .isTrue();
        }

        assertThat(logins).allSatisfy(login -> result(login).problem(403, "account-disabled"));
        assertThat(families()).isZero();
    }

    @Test
    void aLoginThatABanAndItsEndOvertakeIsAsIfItBegunNow() {
        try (Gate gate = Gate.forPassword(password)) {
            CompletableFuture<Answer> login = inBackground(this::login);
            gate.awaitWaiting(1);
            node.setStatus(ann.id(), "disabled").with(200);
            node.setStatus(ann.id(), "enabled").with(200);
            gate.open();

            refresh(result(login).with(200)).with(200);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"UPDATE users SET password_hash = '{bcrypt}new' WHERE id = ?", "DELETE FROM users WHERE id = ?"})
    void aLoginWithAPasswordThatIsNoLongerTheUsersGetsNoTokens(String change) {
        try (Gate gate = Gate.forPassword(password)) {
            CompletableFuture<Answer> login = inBackground(this::login);
            gate.awaitWaiting(1);
            node.jdbc().sql(change).param(ann.id()).update();
            gate.open();

            result(login).problem(401, "bad-credentials");
        }
        assertThat(families()).isZero();
    }

    @Test
    void aLoginWaitsForABanThatIsNotCommittedYet() throws SQLException {
        try (OtherTransaction ban = OtherTransaction.on(Shared.DATABASE)) {
            ban.execute(DISABLE, ann.id()).execute(REVOKE, ann.id());
            CompletableFuture<Answer> login = inBackground(this::login);
            ban.awaitBlocked(1);

            ban.commit();

            result(login).problem(403, "account-disabled");
        }
        assertThat(families()).isZero();
    }

    @Test
    void aLoginIsLetInWhenTheBanIsRolledBack() throws SQLException {
        try (OtherTransaction ban = OtherTransaction.on(Shared.DATABASE)) {
            ban.execute(DISABLE, ann.id());
            CompletableFuture<Answer> login = inBackground(this::login);
            ban.awaitBlocked(1);

            ban.rollback();

            refresh(result(login).with(200)).with(200);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aRefreshWaitsForABanThatIsNotCommittedYet(boolean hasRevoked) throws SQLException {
        Answer tokens = login().with(200);
        try (OtherTransaction ban = OtherTransaction.on(Shared.DATABASE)) {
            ban.execute(DISABLE, ann.id());
            if (hasRevoked) {
                ban.execute(REVOKE, ann.id());
            }
            CompletableFuture<Answer> refresh = inBackground(() -> refresh(tokens));
            ban.awaitBlocked(1);

            ban.commit();

            result(refresh).problem(403, "account-disabled");
        }
        assertThat(families()).isEqualTo(hasRevoked ? 0 : 1);
    }

    @Test
    void aRefreshIsLetInWhenTheBanIsRolledBack() throws SQLException {
        Answer tokens = login().with(200);
        try (OtherTransaction ban = OtherTransaction.on(Shared.DATABASE)) {
            ban.execute(DISABLE, ann.id()).execute(REVOKE, ann.id());
            CompletableFuture<Answer> refresh = inBackground(() -> refresh(tokens));
            ban.awaitBlocked(1);

            ban.rollback();

            refresh(result(refresh).with(200)).with(200);
        }
    }

    @Test
    void aRefreshWaitsForALogoutThatIsNotCommittedYet() throws SQLException {
        Answer tokens = login().with(200);
        try (OtherTransaction logout = OtherTransaction.on(Shared.DATABASE)) {
            logout.execute(REVOKE, ann.id());
            CompletableFuture<Answer> refresh = inBackground(() -> refresh(tokens));
            logout.awaitBlocked(1);

            logout.commit();

            result(refresh).problem(401, "bad-fresh-token");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aBanWaitsForTokensThatAreBeingIssuedAndEndsThem(boolean isRefresh) throws SQLException {
        Answer before = login().with(200);
        String administrator = node.administrator().token();
        CompletableFuture<Answer> issued;
        CompletableFuture<Answer> ban;
        try (OtherTransaction other = OtherTransaction.on(Shared.DATABASE)) {
            other.execute("LOCK TABLE refresh_tokens IN SHARE MODE");
            issued = inBackground(() -> isRefresh ? refresh(before) : login());
            other.awaitBlocked(1);
            ban = inBackground(() -> setStatus("disabled", administrator));
            other.awaitBlocked(2);
        }

        Answer tokens = result(issued).with(200);
        result(ban).with(200);
        assertThat(families()).isZero();
        setStatus("enabled", administrator).with(200);
        refresh(tokens).problem(401, "bad-fresh-token");
    }

    /** It does not lock the user's row. */
    @Test
    void aBanEndsWhatAServerOfTheReleaseBeforeIsRefreshing() throws Exception {
        Answer tokens = login().with(200);
        String next = "next " + UUID.randomUUID();
        CompletableFuture<Answer> ban;
        try (OtherTransaction refresh = OtherTransaction.on(Shared.DATABASE)) {
            refresh.execute("UPDATE refresh_tokens SET spent_at = now() WHERE user_id = ?", ann.id());
            String administrator = node.administrator().token();
            ban = inBackground(() -> setStatus("disabled", administrator));
            refresh.awaitBlocked(1);
            refresh.execute(
                    "INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)"
                            + " SELECT ?, family_id, user_id, expires_at FROM refresh_tokens WHERE user_id = ?",
                    Sha256.hex(next),
                    ann.id());

            refresh.commit();
        }
        result(ban).with(200);
        node.setStatus(ann.id(), "enabled").with(200);

        node.post("/v1/token/refresh", Map.of("fresh_token", next), null).problem(401, "bad-fresh-token");
        refresh(tokens).problem(401, "bad-fresh-token");
    }

    /** Otherwise one user could hold all connections of a node by many calls. */
    @Test
    void aTokenThatCannotBeRenewedWaitsForNoLock() throws SQLException {
        Answer first = login().with(200);
        refresh(first).with(200);
        refresh(first).problem(401, "bad-fresh-token");
        try (OtherTransaction other = OtherTransaction.on(Shared.DATABASE)) {
            other.execute("SELECT 1 FROM users WHERE id = ? FOR UPDATE", ann.id());

            refresh(first).problem(401, "bad-fresh-token");
            node.post("/v1/token/refresh", Map.of("fresh_token", "unknown"), null)
                    .problem(401, "bad-fresh-token");
        }
    }

    /** In either order: the ban ends the tokens that were issued before it. */
    @Test
    void noTokenOfManyLoginsAndRefreshesSurvivesABanAmongThem() {
        String administrator = node.administrator().token();
        // Of each round's logins, those that the ban has overtaken count as failed.
        for (int round = 0; round < 3; round++) {
            List<Answer> tokens = List.of(login().with(200), login().with(200));
            AtomicInteger turn = new AtomicInteger();

            List<Answer> answers = Together.run(6, () -> {
                int number = turn.getAndIncrement();
                if (number == 3) {
                    return setStatus("disabled", administrator);
                }
                return number % 2 == 0 && number / 2 < tokens.size() ? refresh(tokens.get(number / 2)) : login();
            });

            assertThat(answers).extracting(Answer::status).allMatch(status -> status == 200 || status == 403);
            assertThat(families()).isZero();
            setStatus("enabled", administrator).with(200);
            assertThat(answers)
                    .filteredOn(answer -> !answer.text("fresh_token").isEmpty())
                    .allSatisfy(answer -> refresh(answer).problem(401, "bad-fresh-token"));
        }
    }

    /** The families of the user that could be refreshed, were the user enabled. */
    private long families() {
        return node.jdbc()
                .sql(
                        "SELECT count(*) FROM refresh_tokens AS token WHERE user_id = ? AND spent_at IS NULL AND NOT EXISTS ("
                                + "SELECT 1 FROM refresh_tokens WHERE family_id = token.family_id AND revoked_at IS NOT NULL)")
                .param(ann.id())
                .query(Long.class)
                .single();
    }

    private Answer login() {
        return node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", password), null);
    }

    private Answer refresh(Answer tokens) {
        return node.post("/v1/token/refresh", Map.of("fresh_token", tokens.text("fresh_token")), null);
    }

    private Answer setStatus(String status, String administrator) {
        return node.send("PUT", "/v1/admin/users/" + ann.id() + "/status", Map.of("status", status), administrator);
    }

    private static CompletableFuture<Answer> inBackground(Supplier<Answer> call) {
        return CompletableFuture.supplyAsync(call, task -> new Thread(task, "caller").start());
    }

    private static Answer result(CompletableFuture<Answer> call) {
        try {
            return call.join();
        } catch (CompletionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }
}
