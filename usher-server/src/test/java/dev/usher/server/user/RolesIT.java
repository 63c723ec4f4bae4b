package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Roles count at each call on every node, by the time the receipt returns, and one enabled administrator is left. */
class RolesIT {

    private static final Node ONE = Pair.ONE.believing();
    private static final Node OTHER = Pair.OTHER.believing();

    private final User first = ONE.administrator();
    private final String admin = first.token();
    private final User ann = ONE.register();
    private final String anns = ann.token();

    @AfterEach
    void onlyTheFirstAdministratorIsLeft() {
        ONE.jdbc()
                .sql("UPDATE users SET status = 1 WHERE id = ?")
                .param(first.id())
                .update();
        ONE.jdbc()
                .sql("DELETE FROM user_roles WHERE user_id <> ?")
                .param(first.id())
                .update();
        ONE.jdbc()
                .sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin') ON CONFLICT DO NOTHING")
                .param(first.id())
                .update();
        for (long id : List.of(first.id(), ann.id())) {
            ONE.bean(Receipts.class).ofStatus(id);
        }
    }

    @Test
    void aRoleCountsOnEveryNodeByTheTimeItsReceiptReturns() {
        assertMayAdminister(anns, 403);

        Answer given = setRoles(ONE, admin, ann, List.of("admin", "admin")).with(200);

        assertThat(given.json().path("confirmed").asBoolean()).isTrue();
        assertThat(given.json().path("roles").toString()).isEqualTo("[\"admin\"]");
        assertThat(given.json().has("status")).isFalse();
        assertMayAdminister(anns, 200);
    }

    @Test
    void aRoleThatIsTakenAwayIsRefusedOnEveryNodeWhateverTheTokenClaims() {
        setRoles(ONE, admin, ann, List.of("admin")).with(200);
        String claims = ann.token();
        assertMayAdminister(claims, 200);

        assertThat(setRoles(ONE, admin, ann, List.of())
                        .with(200)
                        .json()
                        .path("confirmed")
                        .asBoolean())
                .isTrue();

        assertMayAdminister(claims, 403);
        OTHER.get("/v1/users/" + first.id(), claims).with(200);
        assertThat(OTHER.get("/v1/users/" + first.id(), claims).text("mobile")).contains("****");
        assertThat(OTHER.get("/actuator/health", claims)
                        .json()
                        .at("/components/db/details")
                        .isMissingNode())
                .isTrue();
    }

    @Test
    void theLastEnabledAdministratorKeepsTheRole() {
        setRoles(ONE, admin, first, List.of()).problem(409, "last-administrator");

        setRoles(ONE, admin, ann, List.of("admin")).with(200);
        ONE.setStatus(ann.id(), "disabled", admin).with(200);
        setRoles(ONE, admin, first, List.of()).problem(409, "last-administrator");
        assertMayAdminister(admin, 200);
    }

    /** Each takes the role from the other, or disables the other. */
    @Test
    void ofTwoAdministratorsWhoEndEachOtherAtOnceOneIsLeft() {
        for (int round = 0; round < 20; round++) {
            String own = first.token();
            setRoles(ONE, own, ann, List.of("admin")).with(200);
            String other = ann.token();
            AtomicInteger turn = new AtomicInteger(round);
            List<Answer> answers = Together.run(2, () -> switch (turn.getAndIncrement() % 4) {
                case 0 -> setRoles(ONE, own, ann, List.of());
                case 1 -> setRoles(OTHER, other, first, List.of());
                case 2 -> ONE.setStatus(ann.id(), "disabled", own);
                default -> OTHER.setStatus(first.id(), "disabled", other);
            });

            assertThat(enabledAdministrators())
                    .as("round %d: %s", round, answers)
                    .isPositive();
            onlyTheFirstAdministratorIsLeft();
            ONE.jdbc()
                    .sql("UPDATE users SET status = 1 WHERE id = ?")
                    .param(ann.id())
                    .update();
            ONE.bean(Receipts.class).ofStatus(ann.id());
        }
    }

    @Test
    void aChangeThatIsNoneOrOfNobodyIsAnsweredAsSuch() {
        setRoles(ONE, admin, ann, List.of("root")).problem(400, "invalid-field");
        setRoles(ONE, admin, new User(ONE, Node.newAbsentId(), ""), List.of("admin"))
                .problem(404, "user-not-found");
        setRoles(ONE, anns, ann, List.of("admin")).problem(403, "forbidden");
    }

    private long enabledAdministrators() {
        return ONE.jdbc()
                .sql("SELECT count(*) FROM users JOIN user_roles ON user_id = id WHERE status = 1")
                .query(Long.class)
                .single();
    }

    private void assertMayAdminister(String token, int status) {
        for (Node node : List.of(OTHER, ONE)) {
            node.get("/v1/admin/users/" + ann.id() + "/cache", token).with(status);
        }
    }

    private static Answer setRoles(Node node, String token, User user, List<String> roles) {
        return node.send("PUT", "/v1/admin/users/" + user.id() + "/roles", Map.of("roles", roles), token);
    }
}
