package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What ends a token ends it on another node as well, by the time its receipt returns. */
class EndedTokensIT {

    private static final Node ONE = Pair.ONE.believing();
    private static final Node OTHER = Pair.OTHER.believing();

    private final User ann = ONE.register();

    @BeforeEach
    void bothNodesRemember() {
        String token = ann.token();
        ONE.get("/v1/me", token).with(200);
        OTHER.get("/v1/me", token).with(200);
    }

    @Test
    void aCallWithATokenThatIsKnownSendsNoSql() {
        String token = ann.token();
        ONE.get("/v1/me", token).with(200);
        ONE.statements();

        ONE.get("/v1/me", token).with(200);

        assertThat(ONE.statements()).isEmpty();
    }

    @Test
    void aLogoutEndsTheTokensOfItsFamilyAndNoOther() {
        Answer other = ann.login();
        Answer first = ann.login();
        Answer second = refresh(OTHER, first).with(200);
        List.of(first, second)
                .forEach(login -> OTHER.get("/v1/me", login.text("token")).with(200));

        assertConfirmed(ONE.post("/v1/logout", "", second.text("token")).with(204));

        for (Answer ended : List.of(first, second)) {
            OTHER.get("/v1/me", ended.text("token")).problem(401, "unauthenticated");
            ONE.get("/v1/me", ended.text("token")).problem(401, "unauthenticated");
        }
        OTHER.get("/v1/me", other.text("token")).with(200);
        refresh(OTHER, other).with(200);
    }

    @Test
    void aBanEndsTheTokensAlsoOnceTheUserIsEnabledAgain() {
        Answer login = ann.login();
        OTHER.get("/v1/me", login.text("token")).with(200);

        assertThat(ONE.setStatus(ann.id(), "disabled")
                        .with(200)
                        .json()
                        .path("confirmed")
                        .asBoolean())
                .isTrue();
        OTHER.get("/v1/me", login.text("token")).problem(403, "account-disabled");
        ONE.setStatus(ann.id(), "enabled").with(200);

        OTHER.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
        ONE.get("/v1/me", login.text("token")).problem(401, "unauthenticated");
        OTHER.get("/v1/me", ann.token()).with(200);
    }

    @Test
    void aSpentRefreshTokenThatIsPresentedAgainEndsTheTokensOfItsFamily() {
        Answer first = ann.login();
        Answer second = refresh(ONE, first).with(200);
        OTHER.get("/v1/me", second.text("token")).with(200);

        refresh(ONE, first).problem(401, "bad-fresh-token");

        ONE.get("/v1/me", second.text("token")).problem(401, "unauthenticated");
        await().untilAsserted(() -> OTHER.get("/v1/me", second.text("token")).problem(401, "unauthenticated"));
    }

    @Test
    void theLoginThatIsEndedByOneTooManyLosesItsTokens() {
        Answer first = ann.login();
        OTHER.get("/v1/me", first.text("token")).with(200);

        for (int i = 0; i < 5; i++) {
            ann.login();
        }

        ONE.get("/v1/me", first.text("token")).problem(401, "unauthenticated");
        await().untilAsserted(() -> OTHER.get("/v1/me", first.text("token")).problem(401, "unauthenticated"));
    }

    /** More families than are listed: the generation rises, and those that have not ended go on with the next token. */
    @Test
    void afterManyLogoutsAllTokensEndAndTheOtherSessionGoesOn() {
        Answer other = ann.login();
        List<Answer> ended = new ArrayList<>();
        for (int i = 0; i <= Access.MAX_ENDED; i++) {
            Answer login = ann.login();
            ONE.post("/v1/logout", "", login.text("token")).with(204);
            ended.add(login);
        }

        ended.forEach(login -> OTHER.get("/v1/me", login.text("token")).problem(401, "unauthenticated"));
        OTHER.get("/v1/me", other.text("token")).problem(401, "unauthenticated");
        Answer renewed = refresh(OTHER, other).with(200);
        OTHER.get("/v1/me", renewed.text("token")).with(200);
        ONE.get("/v1/me", ann.token()).with(200);
        ended.forEach(login -> OTHER.get("/v1/me", login.text("token")).problem(401, "unauthenticated"));
    }

    /** Each login ends another one, and one of them has to end all tokens but its own. */
    @Test
    void aLoginThatEndsAllOtherTokensIsHonoured() {
        for (int i = 0; i < Access.MAX_ENDED + 10; i++) {
            String token = ann.token();
            ONE.get("/v1/me", token).with(200);
            OTHER.get("/v1/me", token).with(200);
        }
    }

    /** Whatever a race of logins, refreshes and endings has issued: what works afterwards is of a family that has not ended. */
    @Test
    void noTokenOfAFamilyThatHasEndedWorksAfterARace() {
        for (int round = 0; round < 20; round++) {
            Answer login = ann.login();
            AtomicInteger turn = new AtomicInteger();
            List<Answer> answers = Together.run(4, () -> switch (turn.getAndIncrement()) {
                case 0 -> ONE.post("/v1/logout", "", login.text("token"));
                case 1 -> refresh(OTHER, login);
                case 2 -> OTHER.get("/v1/me", login.text("token"));
                default -> ann.login();
            });

            assertThat(answers).extracting(Answer::status).contains(204);
            List<Answer> ofTheFamily = new ArrayList<>(List.of(login));
            answers.stream()
                    .filter(answer -> answer.response().body().contains("\"token\"")
                            && familyOf(answer).equals(familyOf(login)))
                    .forEach(ofTheFamily::add);
            for (Answer ended : ofTheFamily) {
                for (Node node : List.of(ONE, OTHER)) {
                    node.get("/v1/me", ended.text("token")).problem(401, "unauthenticated");
                }
            }
        }
    }

    /** A ban that is lifted at once leaves only tokens that were issued afterwards. */
    @Test
    void noTokenFromBeforeABanWorksAfterARaceOfBansAndLogins() {
        String admin = ONE.administrator().token();
        for (int round = 0; round < 10; round++) {
            Answer before = ann.login();
            AtomicInteger turn = new AtomicInteger();
            List<Answer> answers = Together.run(4, () -> switch (turn.getAndIncrement()) {
                case 0 -> ONE.setStatus(ann.id(), "disabled", admin);
                case 1 -> refresh(OTHER, before);
                default -> ann.tryLogin();
            });
            ONE.setStatus(ann.id(), "enabled", admin).with(200);

            List<Answer> issued = new ArrayList<>(List.of(before));
            answers.stream()
                    .filter(answer -> answer.response().body().contains("\"fresh_token\""))
                    .forEach(issued::add);
            for (Answer ended : issued) {
                for (Node node : List.of(OTHER, ONE)) {
                    node.get("/v1/me", ended.text("token")).problem(401, "unauthenticated");
                }
                refresh(ONE, ended).problem(401, "bad-fresh-token");
            }
        }
    }

    private static String familyOf(Answer login) {
        String[] parts = login.text("token").split("\\.", -1);
        String claims = new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8);
        return claims.replaceAll(".*\"sid\":\"([^\"]*)\".*", "$1");
    }

    private static Answer refresh(Node node, Answer login) {
        return node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null);
    }

    private static void assertConfirmed(Answer answer) {
        assertThat(answer.response().headers().firstValue("Usher-Confirmed")).contains("true");
    }
}
