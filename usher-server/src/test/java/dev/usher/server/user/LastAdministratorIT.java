package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserStatusCache;
import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.User;
import dev.usher.server.OtherTransaction;
import dev.usher.server.Together;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Of several administrators that disable each other, on any nodes, one is left. */
class LastAdministratorIT {

    private static final String ADD_ROLE = "INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')";
    private static final String REMOVE_ROLE = "DELETE FROM user_roles WHERE user_id = ?";
    private static final String SET_STATUS = "UPDATE users SET status = ? WHERE id = ?";

    /** An administrator, the node that is asked, and the token with the role. */
    private record Administrator(User user, String token) {

        static Administrator of(User user) {
            return new Administrator(user, user.token());
        }

        Answer setStatus(User other, String status) {
            return user.node()
                    .send("PUT", "/v1/admin/users/" + other.id() + "/status", Map.of("status", status), token);
        }

        boolean isEnabled() {
            return user.node().get("/v1/me", token).status() == 200;
        }
    }

    private final List<Administrator> administrators = new ArrayList<>();

    LastAdministratorIT() {
        administrators.add(Administrator.of(Pair.ONE.administrator()));
        add(Pair.OTHER);
    }

    private void add(Node node) {
        User user = node.register();
        execute(ADD_ROLE, user.id());
        administrators.add(Administrator.of(user));
    }

    @AfterEach
    void onlyTheFirstAdministratorIsLeft() {
        for (Administrator administrator : administrators) {
            setInDatabase(administrator, 1);
            if (!administrator.equals(administrators.get(0))) {
                execute(REMOVE_ROLE, administrator.user.id());
            }
        }
    }

    @Test
    void twoWhoDisableEachOtherAtOnceLeaveOne() {
        for (int round = 0; round < 20; round++) {
            List<Answer> answers = disableInARing();

            assertThat(answers).extracting(Answer::status).containsOnlyOnce(200);
            enableAll();
        }
    }

    @Test
    void threeWhoDisableEachOtherInARingLeaveOne() {
        add(Pair.ONE);
        for (int round = 0; round < 10; round++) {
            List<Answer> answers = disableInARing();

            assertThat(answers).extracting(Answer::status).contains(200);
            enableAll();
        }
    }

    /** Both have passed the gate, and each has to wait for the other's row. */
    @Test
    void twoWhoWaitForTheSameRowsLeaveOne() throws SQLException {
        List<CompletableFuture<Answer>> answers = new ArrayList<>();
        try (OtherTransaction other = OtherTransaction.on(Pair.DATABASE)) {
            other.execute("SELECT 1 FROM users WHERE id IN (SELECT user_id FROM user_roles) FOR NO KEY UPDATE");
            for (int i = 0; i < 2; i++) {
                Administrator one = administrators.get(i);
                User another = administrators.get(1 - i).user;
                answers.add(CompletableFuture.supplyAsync(
                        () -> one.setStatus(another, "disabled"), task -> new Thread(task, "caller").start()));
            }
            other.awaitBlocked(2);
        }

        assertThat(answers.stream().map(CompletableFuture::join).filter(answer -> answer.status() != 200))
                .singleElement()
                .satisfies(answer -> answer.problem(409, "last-administrator"));
    }

    @Test
    void aTokenThatHasTheRoleLongerThanItsUserDoesNotDisableTheLastOne() {
        Administrator former = administrators.get(1);
        execute(REMOVE_ROLE, former.user.id());

        former.setStatus(administrators.get(0).user, "disabled").problem(409, "last-administrator");

        assertThat(administrators.get(0).isEnabled()).isTrue();
    }

    @Test
    void anAdministratorWhoIsDisabledAlreadyCanBeDisabledAgain() {
        Administrator first = administrators.get(0);
        User second = administrators.get(1).user;
        first.setStatus(second, "disabled").with(200);

        first.setStatus(second, "disabled").with(200);
    }

    @Test
    void aUserWithoutTheRoleIsNotTheLastAdministrator() {
        Administrator first = administrators.get(0);
        first.setStatus(administrators.get(1).user, "disabled").with(200);

        first.setStatus(Pair.ONE.register(), "disabled").with(200);
    }

    /** Each disables the next one, all at once. */
    private List<Answer> disableInARing() {
        AtomicInteger turn = new AtomicInteger();
        List<Answer> answers = Together.run(administrators.size(), () -> {
            int own = turn.getAndIncrement();
            User next = administrators.get((own + 1) % administrators.size()).user;
            return administrators.get(own).setStatus(next, "disabled");
        });
        assertThat(answers).filteredOn(answer -> answer.status() != 200).allSatisfy(answer -> {
            assertThat(answer.text("type"))
                    .isIn(
                            "urn:usher:problem:last-administrator",
                            "urn:usher:problem:account-disabled",
                            // Disabled between the look at the status and the look at the token.
                            "urn:usher:problem:unauthenticated");
        });
        return answers;
    }

    private void enableAll() {
        Administrator left = administrators.stream()
                .filter(Administrator::isEnabled)
                .findAny()
                .orElseThrow(() -> new AssertionError("no administrator is left"));
        administrators.forEach(other -> left.setStatus(other.user, "enabled").with(200));
        // The tokens from before are refused.
        administrators.replaceAll(other -> Administrator.of(other.user));
    }

    private static void setInDatabase(Administrator administrator, int status) {
        execute(SET_STATUS, status, administrator.user.id());
        @SuppressWarnings("unchecked")
        UserStatusCache<Long> statuses = Pair.ONE.bean(UserStatusCache.class);
        statuses.invalidate(administrator.user.id());
    }

    private static void execute(String sql, Object... parameters) {
        Pair.ONE.jdbc().sql(sql).params(parameters).update();
    }
}
