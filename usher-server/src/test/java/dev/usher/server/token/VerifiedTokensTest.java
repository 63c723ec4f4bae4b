package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jwt.JWTClaimsSet;
import dev.usher.server.Together;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;

/** Which tokens are cached, and until when. */
class VerifiedTokensTest {

    private static final SigningKey KEY = SigningKey.generate();
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
    private static final Duration TTL = Duration.ofMinutes(15);
    private static final Duration SKEW = Duration.ofSeconds(5);
    private static final int MAX = 10;

    private volatile Instant now = START;
    private final InstantSource clock = () -> now;
    private final Set<String> retired = ConcurrentHashMap.newKeySet();
    private final AtomicInteger verifications = new AtomicInteger();
    private final JwtDecoder verifying = AccessTokensTest.tokens(
                    KEY, Map.of("usher.server.max-verified-tokens", "0"), clock)
            .decoder();
    private final VerifiedTokens tokens =
            new VerifiedTokens(this::verify, timestamps(), key -> !retired.contains(key), clock, SKEW, MAX);

    @Test
    void aTokenIsVerifiedOnceAndSaysTheSameEachTime() {
        String token = token(1);

        Jwt first = tokens.decode(token);
        Jwt second = tokens.decode(token);

        assertThat(verifications).hasValue(1);
        assertThat(second.getTokenValue()).isEqualTo(token);
        assertThat(second.getHeaders()).isEqualTo(first.getHeaders());
        assertThat(second.getClaims()).isEqualTo(first.getClaims()).containsKeys("roles", "sid");
        assertThat(second.getIssuedAt()).isEqualTo(first.getIssuedAt()).isEqualTo(START);
        assertThat(second.getExpiresAt()).isEqualTo(first.getExpiresAt()).isEqualTo(START.plus(TTL));
    }

    @Test
    void aTokenWithTheSameClaimsAndAnotherSignatureIsRefused() {
        String token = token(1);
        tokens.decode(token);
        int signature = token.lastIndexOf('.') + 1;
        String ofAnotherKey =
                SigningKey.generate().sign(header(KEY.id()), claims(1).build());

        for (String forged : List.of(
                token.substring(0, signature) + ofAnotherKey.substring(ofAnotherKey.lastIndexOf('.') + 1),
                token.substring(0, signature)
                        + (token.charAt(signature) == 'A' ? 'B' : 'A')
                        + token.substring(signature + 1),
                token.substring(0, signature),
                token + "A")) {
            assertRefused(forged);
            assertRefused(forged);
        }
        assertThat(tokens.decode(token).getSubject()).isEqualTo("1");
        assertThat(verifications).hasValue(9);
        assertThat(tokens.size()).isEqualTo(1);
    }

    @Test
    void aRefusedTokenIsNotCached() {
        SigningKey unknown = SigningKey.generate();
        List<String> refused = IntStream.rangeClosed(1, 3 * MAX)
                .mapToObj(id -> unknown.sign(claims(id).build()))
                .toList();

        for (int time = 0; time < 2; time++) {
            refused.forEach(this::assertRefused);
        }

        assertThat(verifications).hasValue(6 * MAX);
        assertThat(tokens.size()).isZero();
    }

    @Test
    void aTokenEndsAsOneThatIsNotCached() {
        String token = token(1);
        tokens.decode(token);
        tokens.decode(token(2));

        now = START.plus(TTL).plus(SKEW).minusMillis(1);
        assertThat(tokens.decode(token).getSubject()).isEqualTo("1");
        assertThat(verifications).hasValue(2);
        now = START.plus(TTL).plus(SKEW).plusMillis(1);

        assertRefused(token);
        // Caffeine evicts by the second, more or less.
        now = now.plusSeconds(2);
        assertThat(tokens.size()).isZero();
    }

    /** Caffeine's own expiry would not see it. */
    @Test
    void aTokenThatHasNotBegunWhenTheClockIsSetBackIsRefusedUntilItHas() {
        String token = KEY.sign(claims(1).notBeforeTime(Date.from(START)).build());
        tokens.decode(token);

        now = START.minus(SKEW).minusMillis(1);
        assertRefused(token);
        now = START;

        assertThat(tokens.decode(token).getSubject()).isEqualTo("1");
    }

    @Test
    void whenItsKeyIsNotHonouredATokenIsVerifiedAgain() {
        String token = token(1);
        tokens.decode(token);
        retired.add(KEY.id());

        assertThat(tokens.decode(token).getSubject()).isEqualTo("1");
        assertThat(verifications).as("the decoder decides").hasValue(2);
    }

    /** It may be the one key or the other that has verified it. */
    @Test
    void aTokenThatNamesNoKeyIsNotCached() {
        String token = KEY.sign(header(null), claims(1).build());

        tokens.decode(token);
        tokens.decode(token);

        assertThat(verifications).hasValue(2);
        assertThat(tokens.size()).isZero();
    }

    @Test
    void aLongTokenIsNotCached() {
        String longer = KEY.sign(
                claims(1).claim("note", "x".repeat(VerifiedTokens.MAX_LENGTH)).build());

        tokens.decode(longer);
        tokens.decode(longer);

        assertThat(verifications).hasValue(2);
        assertThat(tokens.size()).isZero();
    }

    @Test
    void noMoreTokensAreCachedThanMayBe() {
        List<String> many =
                IntStream.rangeClosed(1, 5 * MAX).mapToObj(this::token).toList();

        for (int time = 0; time < 2; time++) {
            for (int i = 0; i < many.size(); i++) {
                assertThat(tokens.decode(many.get(i)).getSubject()).isEqualTo(Integer.toString(i + 1));
            }
        }

        assertThat(tokens.size()).isEqualTo(MAX);
    }

    @Test
    void theTextOfATokenIsNotStored() {
        WeakReference<String> text = decoded(1);

        await().until(() -> {
            System.gc();
            return text.get() == null;
        });
        assertThat(tokens.size()).isEqualTo(1);
    }

    /** The only reference to its text is that of the answer. */
    private WeakReference<String> decoded(int id) {
        return new WeakReference<>(tokens.decode(token(id)).getTokenValue());
    }

    /** While tokens are evicted, and the key is honoured now and then. */
    @Test
    void callersAtOnceEachGetTheirOwnToken() {
        List<String> many =
                IntStream.rangeClosed(1, 2 * MAX).mapToObj(this::token).toList();

        List<Integer> calls = Together.run(8, () -> {
            int made = 0;
            for (int round = 0; round < 20; round++) {
                for (int i = 0; i < many.size(); i++) {
                    assertThat(tokens.decode(many.get(i)).getSubject()).isEqualTo(Integer.toString(i + 1));
                    made++;
                }
                if (round % 2 == 0) {
                    retired.add(KEY.id());
                } else {
                    retired.clear();
                }
            }
            return made;
        });

        assertThat(calls).containsOnly(40 * MAX);
        assertThat(tokens.size()).isLessThanOrEqualTo(MAX);
    }

    /** As when the database has been away for too long to know its keys. */
    @Test
    void aTokenThatCannotBeVerifiedNowIsNotRefused() {
        JwtException away = new JwtException("the signing keys have not been read");
        VerifiedTokens unverifiable = new VerifiedTokens(
                token -> {
                    throw away;
                },
                timestamps(),
                key -> true,
                clock,
                SKEW,
                MAX);

        assertThatThrownBy(() -> unverifiable.decode(token(1))).isSameAs(away);
        assertThat(unverifiable.size()).isZero();
    }

    private Jwt verify(String token) {
        verifications.incrementAndGet();
        return verifying.decode(token);
    }

    private void assertRefused(String token) {
        assertThatThrownBy(() -> tokens.decode(token)).isInstanceOf(BadJwtException.class);
    }

    private JwtTimestampValidator timestamps() {
        JwtTimestampValidator timestamps = new JwtTimestampValidator(SKEW);
        timestamps.setClock(clock.withZone(ZoneOffset.UTC));
        return timestamps;
    }

    /** A token as the server issues it. */
    private String token(int id) {
        return KEY.sign(claims(id).build());
    }

    private static JWSHeader header(@Nullable String keyId) {
        return new JWSHeader.Builder(JWSAlgorithm.RS256).keyID(keyId).build();
    }

    private static JWTClaimsSet.Builder claims(int id) {
        return new JWTClaimsSet.Builder()
                .issuer("usher")
                .audience("usher")
                .subject(Integer.toString(id))
                .issueTime(Date.from(START))
                .expirationTime(Date.from(START.plus(TTL)))
                .claim("roles", List.of("admin"))
                .claim("sid", "5b0f4a0e-0000-4000-8000-000000000000");
    }
}
