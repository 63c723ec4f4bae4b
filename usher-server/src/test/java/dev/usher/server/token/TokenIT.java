package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.JWTParser;
import com.nimbusds.jwt.PlainJWT;
import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.net.http.HttpRequest;
import java.text.ParseException;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Tokens: those that are honoured, and those that are not. */
public class TokenIT {

    private final Node node = Shared.NODE;
    private final User ann = node.register();

    @Test
    void aTokenOfTheServersOwnKindIsHonoured() {
        node.get("/v1/me", Shared.KEY.sign(claims().build())).with(200);
    }

    @Test
    void aForgedTokenIsRefused() throws JOSEException {
        byte[] publicKey = Shared.KEY.key().toRSAPublicKey().getEncoded();
        String keyId = Shared.KEY.key().getKeyID();
        Date past = Date.from(Instant.now().minusSeconds(7));
        Map<String, String> forged = Map.ofEntries(
                Map.entry("no algorithm", new PlainJWT(claims().build()).serialize()),
                Map.entry(
                        "the public key as a shared secret",
                        SigningKey.sign(
                                new JWSHeader.Builder(JWSAlgorithm.HS256)
                                        .keyID(keyId)
                                        .build(),
                                claims().build(),
                                new MACSigner(publicKey))),
                Map.entry(
                        "another algorithm",
                        Shared.KEY.sign(
                                new JWSHeader.Builder(JWSAlgorithm.RS512)
                                        .keyID(keyId)
                                        .build(),
                                claims().build())),
                Map.entry("an unknown key", SigningKey.generate().sign(claims().build())),
                Map.entry(
                        "another key under the known name",
                        SigningKey.sign(
                                new JWSHeader.Builder(JWSAlgorithm.RS256)
                                        .keyID(keyId)
                                        .build(),
                                claims().build(),
                                new RSASSASigner(SigningKey.generate().key()))),
                Map.entry(
                        "the known key under another name",
                        Shared.KEY.sign(
                                new JWSHeader.Builder(JWSAlgorithm.RS256)
                                        .keyID("other")
                                        .build(),
                                claims().build())),
                Map.entry(
                        "expired", Shared.KEY.sign(claims().expirationTime(past).build())),
                Map.entry(
                        "without an end",
                        Shared.KEY.sign(claims().expirationTime(null).build())),
                Map.entry(
                        "for another audience",
                        Shared.KEY.sign(claims().audience("other").build())),
                Map.entry(
                        "from another issuer",
                        Shared.KEY.sign(claims().issuer("other").build())),
                Map.entry(
                        "without a subject",
                        Shared.KEY.sign(claims().subject(null).build())),
                Map.entry(
                        "with a subject that is not a number",
                        Shared.KEY.sign(claims().subject("ann").build())),
                Map.entry("not a token", "abc"));

        forged.forEach((kind, token) -> {
            Answer answer = node.get("/v1/me", token).problem(401, "unauthenticated");
            assertThat(answer.response().headers().firstValue("WWW-Authenticate"))
                    .as(kind)
                    .contains("Bearer");
        });
        node.get("/v1/me", null).problem(401, "unauthenticated");
    }

    @Test
    void aTokenThatIsCachedIsStillRefusedWithAnotherSignature() {
        String token = Shared.KEY.sign(claims().build());
        node.get("/v1/me", token).with(200);
        String forged = token.substring(0, token.lastIndexOf('.') + 1)
                + "A".repeat(token.length() - token.lastIndexOf('.') - 1);

        node.get("/v1/me", forged).problem(401, "unauthenticated");
        node.get("/v1/me", token).with(200);
        node.setStatus(ann.id(), "disabled").with(200);
        node.get("/v1/me", token).problem(403, "account-disabled");
    }

    /** On a path that is open to all, a token that cannot be one is refused, and another kind of credentials is ignored. */
    @Test
    void aTokenIsReadFromItsHeaderAsSpringSecurityReadsIt() {
        String token = ann.token();
        Map<String, List<Integer>> expected = Map.ofEntries(
                Map.entry("Bearer " + token, List.of(200, 200)),
                Map.entry("bearer " + token, List.of(200, 200)),
                Map.entry("BEARER " + token, List.of(200, 200)),
                Map.entry("Bearer " + token + "=", List.of(200, 200)),
                Map.entry("Bearer  " + token, List.of(401, 401)),
                Map.entry("Bearer\t" + token, List.of(401, 401)),
                Map.entry("Bearer " + token + " x", List.of(401, 401)),
                Map.entry("Bearer " + token + ",", List.of(401, 401)),
                Map.entry("Bearer a~b+c/d==", List.of(401, 401)),
                Map.entry("Bearer \u00fc", List.of(401, 401)),
                Map.entry("Bearer", List.of(401, 401)),
                Map.entry("Bearer" + token, List.of(401, 401)),
                Map.entry("Basic " + token, List.of(401, 200)),
                Map.entry(token, List.of(401, 200)));

        expected.forEach((header, statuses) -> assertThat(Stream.of("/v1/me", "/actuator/health")
                        .map(path -> node.send(HttpRequest.newBuilder(node.address(path))
                                        .header("Authorization", header))
                                .status()))
                .as(header.replace(token, "(token)"))
                .containsExactlyElementsOf(statuses));
    }

    /** See {@link TokenClaimsTest} for all types of all claims. */
    @Test
    void aClaimOfAnotherTypeIsRefusedWithoutAFault() {
        for (String claim : List.of("aud", "exp", "gen", "iat", "iss", "nbf", "roles", "sid", "sub")) {
            Map<String, Object> claims = claims().build().toJSONObject();
            claims.put(claim, List.of(List.of("admin")));
            String token = Shared.KEY.sign(
                    "{\"alg\":\"RS256\",\"kid\":\"" + Shared.KEY.id() + "\"}", JSONObjectUtils.toJSONString(claims));

            node.get("/v1/me", token).problem(401, "unauthenticated");
            node.get("/v1/admin/users/" + ann.id() + "/cache", token).problem(401, "unauthenticated");
            node.post("/v1/logout", "", token).problem(401, "unauthenticated");
        }
    }

    @Test
    void anExpiredTokenDoesNotKeepItsOwnerFromANewOne() {
        String expired = Shared.KEY.sign(
                claims().expirationTime(Date.from(Instant.EPOCH)).build());
        node.get("/v1/me", expired).problem(401, "unauthenticated");
        User ann = node.register();
        Answer login = node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD), expired)
                .with(200);
        node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), expired)
                .with(200);
    }

    @Test
    void theActuatorIsForAdministratorsBeyondItsHealth() {
        node.get("/actuator/health", null).with(200);
        node.get("/actuator/env", node.register().login().text("token")).problem(403, "forbidden");
    }

    @Test
    void aTokenWhoseSubjectIsNoUserIsRefused() {
        node.get("/v1/me", Shared.KEY.sign(claims().subject("999999999").build()))
                .problem(403, "not-a-user");
    }

    @Test
    void aRefreshAnswersANewPair() {
        Answer first = ann.login();

        Answer second = refresh(first.text("fresh_token")).with(200);
        Answer third = refresh(second.text("fresh_token")).with(200);

        assertThat(third.text("token_type")).isEqualTo("Bearer");
        assertThat(third.text("fresh_token")).isNotEqualTo(second.text("fresh_token"));
        node.get("/v1/me", third.text("token")).with(200);
    }

    @Test
    void aSpentFreshTokenEndsItsFamilyAndNoOther() {
        String other = ann.login().text("fresh_token");
        String spent = ann.login().text("fresh_token");
        String next = refresh(spent).with(200).text("fresh_token");

        refresh(spent).problem(401, "bad-fresh-token");

        refresh(next).problem(401, "bad-fresh-token");
        refresh(other).with(200);
    }

    @Test
    void ofManyWhoRefreshAtOnceAtMostOneSucceedsAndTheFamilyEnds() {
        String freshToken = ann.login().text("fresh_token");

        List<Answer> answers = Together.run(6, () -> refresh(freshToken));

        List<Answer> renewed =
                answers.stream().filter(answer -> answer.status() == 200).toList();
        assertThat(answers).extracting(Answer::status).containsOnly(200, 401).containsOnlyOnce(200);
        refresh(renewed.get(0).text("fresh_token")).problem(401, "bad-fresh-token");
    }

    @Test
    void aLogoutEndsTheFamilyOfTheTokenAndNoOther() {
        String other = ann.login().text("fresh_token");
        Answer login = ann.login();
        Answer renewed = refresh(login.text("fresh_token")).with(200);

        assertThat(node.post("/v1/logout", "", renewed.text("token"))
                        .with(204)
                        .response()
                        .body())
                .isEmpty();

        refresh(renewed.text("fresh_token")).problem(401, "bad-fresh-token");
        refresh(other).with(200);
        for (Answer ended : List.of(login, renewed)) {
            node.get("/v1/me", ended.text("token")).problem(401, "unauthenticated");
            node.post("/v1/logout", "", ended.text("token")).problem(401, "unauthenticated");
        }
    }

    @Test
    void aLogoutEndsAlsoWhatAConcurrentRefreshAdds() {
        for (int i = 0; i < 10; i++) {
            Answer login = ann.login();
            AtomicInteger calls = new AtomicInteger();

            List<Answer> answers = Together.run(
                    2,
                    () -> calls.getAndIncrement() == 0
                            ? node.post("/v1/logout", "", login.text("token"))
                            : refresh(login.text("fresh_token")));

            assertThat(answers).extracting(Answer::status).contains(204);
            answers.stream()
                    .filter(answer -> answer.status() == 200)
                    .forEach(renewed -> refresh(renewed.text("fresh_token")).problem(401, "bad-fresh-token"));
        }
    }

    @Test
    void aLogoutWithATokenThatBelongsToNoFamilyHasNothingToDo() {
        String family = familyOf(node.register().token());

        for (String token : List.of(
                Shared.KEY.sign(claims().build()),
                Shared.KEY.sign(claims().claim("sid", "none").build()),
                Shared.KEY.sign(claims().claim("sid", family).build()))) {
            node.post("/v1/logout", "", token).with(204);
        }

        assertThat(node.jdbc()
                        .sql("SELECT count(*) FROM refresh_tokens WHERE family_id = ? AND revoked_at IS NOT NULL")
                        .param(UUID.fromString(family))
                        .query(Long.class)
                        .single())
                .isZero();
        node.post("/v1/logout", "", null).problem(401, "unauthenticated");
    }

    @Test
    void anExpiredFreshTokenIsRefused() {
        String freshToken = ann.login().text("fresh_token");
        node.jdbc()
                .sql("UPDATE refresh_tokens SET expires_at = now() - interval '1 second' WHERE user_id = ?")
                .param(ann.id())
                .update();

        refresh(freshToken).problem(401, "bad-fresh-token");
    }

    @Test
    void aFreshTokenOfAUserWhoWasDisabledInTheDatabaseIsRefused() {
        String freshToken = ann.login().text("fresh_token");
        node.jdbc()
                .sql("UPDATE users SET status = 0 WHERE id = ?")
                .param(ann.id())
                .update();

        refresh(freshToken).problem(403, "account-disabled");
    }

    @Test
    void noTokenIsInTheDatabase() {
        String freshToken = ann.login().text("fresh_token");

        assertThat(node.jdbc()
                        .sql("SELECT token_hash FROM refresh_tokens WHERE user_id = ?")
                        .param(ann.id())
                        .query(String.class)
                        .list())
                .singleElement()
                .asString()
                .matches("[0-9a-f]{64}")
                .doesNotContain(freshToken);
    }

    private static String familyOf(String token) {
        try {
            return JWTParser.parse(token).getJWTClaimsSet().getStringClaim("sid");
        } catch (ParseException e) {
            throw new AssertionError(e);
        }
    }

    private Answer refresh(String freshToken) {
        return node.post("/v1/token/refresh", Map.of("fresh_token", freshToken), null);
    }

    private JWTClaimsSet.Builder claims() {
        return claims(ann.id());
    }

    public static JWTClaimsSet.Builder claims(long id) {
        return new JWTClaimsSet.Builder()
                .issuer("usher")
                .audience("usher")
                .subject(Long.toString(id))
                .issueTime(Date.from(Instant.now().minusSeconds(300)))
                .expirationTime(Date.from(Instant.now().plusSeconds(300)));
    }
}
