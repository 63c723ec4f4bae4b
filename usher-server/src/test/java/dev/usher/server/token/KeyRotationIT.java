package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.JWKMatcher;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jwt.SignedJWT;
import dev.usher.server.Answer;
import dev.usher.server.Dialect;
import dev.usher.server.Node;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.QuickKeys;
import dev.usher.server.Together;
import dev.usher.server.UsherServerProperties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.dao.DataAccessException;
import org.springframework.transaction.support.TransactionOperations;
import tools.jackson.databind.JsonNode;

/** Keys of tokens that follow each other: in the database, where time is moved instead of waited for, and in the settings. */
class KeyRotationIT {

    private static final Node ONE = Pair.ONE;
    private static final Node OTHER = Pair.OTHER;

    @AfterEach
    void mend() {
        Pair.DATABASE_OF_OTHER.restore();
    }

    @BeforeEach
    void oneKey() {
        pass(Duration.ofDays(1));
        assertThat(ONE.kids()).hasSize(1);
    }

    @Test
    void aNewKeyIsPublishedFirstThenSignsAndTheOldOneVerifiesUntilItsLastTokenHasExpired() {
        String before = ONE.kids().get(0);
        String token = ONE.administrator().token();
        assertThat(kidOf(token)).isEqualTo(before);

        Answer answer = ONE.post("/v1/admin/signing-keys", Map.of(), token).with(201);

        String after = answer.text("kid");
        assertThat(Instant.parse(answer.text("signs_from")))
                .isBetween(Instant.now().plusSeconds(90), Instant.now().plusSeconds(150));
        assertThat(ONE.kids()).containsExactly(before, after);
        pass(Duration.ZERO);
        assertThat(OTHER.kids()).containsExactly(before, after);
        assertThat(kidOf(OTHER.administrator().token())).isEqualTo(before);

        pass(SigningKeys.LEAD);
        String next = OTHER.administrator().token();
        assertThat(kidOf(next)).isEqualTo(after);
        for (Node node : List.of(ONE, OTHER)) {
            node.get("/v1/me", token).with(200);
            node.get("/v1/me", next).with(200);
        }

        pass(Duration.ofMinutes(15));
        ONE.get("/v1/me", token).with(200);
        pass(Duration.ofMinutes(3));
        for (Node node : List.of(ONE, OTHER)) {
            node.get("/v1/me", token).problem(401, "unauthenticated");
            node.get("/v1/me", next).with(200);
            assertThat(node.kids()).containsExactly(after);
        }
        assertThat(ONE.jdbc()
                        .sql("SELECT count(*) FROM signing_keys")
                        .query(Long.class)
                        .single())
                .isEqualTo(1);
    }

    @Test
    void twoWhoRotateAtOnceHaveRotatedOnce() {
        String token = ONE.administrator().token();
        AtomicLong turn = new AtomicLong();
        QuickKeys.meet(4);

        List<Answer> answers = Together.run(
                4,
                () -> (turn.incrementAndGet() % 2 == 0 ? ONE : OTHER)
                        .post("/v1/admin/signing-keys", Map.of(), token)
                        .with(201));

        assertThat(answers)
                .extracting(answer -> answer.text("kid"))
                .containsOnly(answers.get(0).text("kid"));
        assertThat(answers)
                .extracting(answer -> answer.text("signs_from"))
                .hasSize(4)
                .doesNotContainNull();
        assertThat(ONE.kids()).hasSize(2);
    }

    @Test
    void aKeyThatIsTakenOutOfTheDatabaseIsHonouredNoMoreAndThereIsAlwaysOneToSignWith() {
        String token = ONE.administrator().token();
        // Both have verified it, and cache it.
        ONE.get("/v1/me", token).with(200);
        OTHER.get("/v1/me", token).with(200);
        ONE.jdbc().sql("DELETE FROM signing_keys").update();
        pass(Duration.ZERO);

        ONE.get("/v1/me", token).problem(401, "unauthenticated");
        OTHER.get("/v1/me", token).problem(401, "unauthenticated");
        OTHER.get("/v1/me", ONE.administrator().token()).with(200);
        assertThat(ONE.kids()).hasSize(1).isEqualTo(OTHER.kids());
    }

    @Test
    void onlyAdministratorsRotate() {
        ONE.post("/v1/admin/signing-keys", Map.of(), null).problem(401, "unauthenticated");
        ONE.post("/v1/admin/signing-keys", Map.of(), ONE.register().token()).problem(403, "forbidden");
        assertThat(ONE.kids()).hasSize(1);
    }

    @Test
    void withAKeyInTheSettingsThatIsWhereItIsRotated() {
        String administrator = Shared.NODE.administrator().token();
        Answer answer = Shared.NODE
                .post("/v1/admin/signing-keys", Map.of(), administrator)
                .problem(409, "key-in-settings");
        assertThat(answer.text("title")).contains("settings");
    }

    @Test
    void thePublishedKeysNeedNoTokenArePublicAndMayBeCachedForAWhile() {
        for (String token : new String[] {null, "expired"}) {
            Answer answer = ONE.get("/.well-known/jwks.json", token).with(200);
            assertThat(answer.response().headers().firstValue("Cache-Control")).contains("max-age=60, public");
            JsonNode key = answer.json().at("/keys/0");
            assertThat(key.propertyNames()).containsExactlyInAnyOrder("kty", "use", "alg", "kid", "n", "e");
            assertThat(key.path("alg").asString()).isEqualTo("RS256");
        }
    }

    @Test
    void aNodeWithoutTheDatabaseGoesOnWithWhatItKnows() {
        String token = ONE.administrator().token();
        // Before, it would ask the database for each status.
        OTHER.believing().get("/v1/me", token).with(200);
        Pair.DATABASE_OF_OTHER.refuse();

        OTHER.bean(SigningKeys.class).reread();

        OTHER.get("/v1/me", token).with(200);
        assertThat(OTHER.kids()).isEqualTo(ONE.kids());
    }

    @Test
    void aNodeWithOldKeysReadsBeforeSigningAndRefusesNoTokenOfAKeyItMayNotHaveRead() throws Exception {
        AtomicLong time = new AtomicLong();
        SigningKeys keys = new SigningKeys(
                ONE.jdbc(),
                ONE.bean(TransactionOperations.class),
                Dialect.POSTGRESQL,
                ONE.bean(UsherServerProperties.class),
                time::get);
        keys.prepare();
        String before = keys.signing().getKeyID();
        String after = ONE.post(
                        "/v1/admin/signing-keys", Map.of(), ONE.administrator().token())
                .with(201)
                .text("kid");
        pass(SigningKeys.LEAD);
        assertThat(keys.signing().getKeyID()).isEqualTo(before);
        assertThat(keys.select(named(after))).isEmpty();

        time.addAndGet(SigningKeys.LEAD.plusSeconds(1).toNanos());

        assertThatThrownBy(() -> keys.select(named(after))).isInstanceOf(KeySourceException.class);
        assertThat(keys.select(named(before))).hasSize(1);
        assertThat(keys.signing().getKeyID()).isEqualTo(after);
        assertThat(keys.select(named(after))).hasSize(1);
        assertThat(keys.select(named("unknown"))).isEmpty();
    }

    @Test
    void aNodeThatCannotReadTheKeysDoesNotSign() {
        AtomicLong time = new AtomicLong();
        SigningKeys keys = new SigningKeys(
                OTHER.jdbc(),
                OTHER.bean(TransactionOperations.class),
                Dialect.POSTGRESQL,
                OTHER.bean(UsherServerProperties.class),
                time::get);
        keys.prepare();
        Pair.DATABASE_OF_OTHER.refuse();
        assertThat(keys.signing()).isNotNull();

        time.addAndGet(Duration.ofMinutes(1).toNanos());

        assertThatThrownBy(keys::signing).isInstanceOf(DataAccessException.class);
    }

    @Test
    void keysInTheSettingsThatVerifyAreHonouredAndPublishedEachUnderItsOwnNameOnly(@TempDir Path directory)
            throws IOException, JOSEException {
        SigningKey signing = Shared.KEY;
        SigningKey next = SigningKey.generate();
        SigningKey former = SigningKey.generate();
        Path file = Files.writeString(directory.resolve("former.pem"), former.pem());
        try (Node node = Node.start(
                Shared.REDIS.uri(),
                Pair.DATABASE,
                Map.of(
                        "usher.server.signing-key", signing.pem(),
                        "usher.server.verification-keys[0]", next.publicPem(),
                        "usher.server.verification-keys[1]", file.toString()))) {
            Node.User ann = node.register();
            var claims = TokenIT.claims(ann.id()).build();

            assertThat(node.kids()).containsExactly(signing.id(), next.id(), former.id());
            assertThat(node.get("/.well-known/jwks.json", null).response().body())
                    .doesNotContain("\"d\"");
            assertThat(kidOf(ann.token())).isEqualTo(signing.id());
            for (SigningKey key : List.of(signing, next, former)) {
                node.get("/v1/me", key.sign(claims)).with(200);
            }
            JWSHeader nextsName =
                    new JWSHeader.Builder(JWSAlgorithm.RS256).keyID(next.id()).build();
            JWSHeader shared =
                    new JWSHeader.Builder(JWSAlgorithm.HS256).keyID(next.id()).build();
            for (String forged : List.of(
                    SigningKey.sign(nextsName, claims, new RSASSASigner(signing.key())),
                    SigningKey.sign(
                            shared,
                            claims,
                            new MACSigner(next.key().toRSAPublicKey().getEncoded())),
                    SigningKey.generate().sign(claims))) {
                node.get("/v1/me", forged).problem(401, "unauthenticated");
            }
        }
        // Of a server with the one key and without the others.
        var claims = TokenIT.claims(Shared.NODE.register().id()).build();
        Shared.NODE.get("/v1/me", next.sign(claims)).problem(401, "unauthenticated");
        Shared.NODE.get("/v1/me", former.sign(claims)).problem(401, "unauthenticated");
        Shared.NODE.get("/v1/me", signing.sign(claims)).with(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "no-such-file.pem",
                "-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----",
                "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
            })
    void aKeyThatCannotBeReadIsNamedAndNotQuoted(String value) {
        assertThatThrownBy(() -> RsaPem.ofSetting("usher.server.verification-keys[0]", value)
                        .publicKey())
                .isInstanceOf(IllegalStateException.class)
                .hasNoCause()
                .hasMessageStartingWith("usher.server.verification-keys[0] ")
                .hasMessageNotContaining("c2VjcmV0");
    }

    /** Lets time pass for the keys, and all nodes look at them. */
    private static void pass(Duration time) {
        ONE.jdbc()
                .sql("UPDATE signing_keys SET signs_from = signs_from - make_interval(secs => ?)")
                .param((double) time.toSeconds())
                .update();
        ONE.bean(SigningKeys.class).reread();
        OTHER.bean(SigningKeys.class).reread();
        // The first has deleted the keys that are over, and reads the table again.
        ONE.bean(SigningKeys.class).reread();
    }

    private static JWKSelector named(String kid) {
        return new JWKSelector(new JWKMatcher.Builder().keyID(kid).build());
    }

    private static String kidOf(String token) {
        try {
            return SignedJWT.parse(token).getHeader().getKeyID();
        } catch (ParseException e) {
            throw new IllegalStateException(e);
        }
    }
}
