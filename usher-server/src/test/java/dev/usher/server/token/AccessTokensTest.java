package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jwt.JWTClaimsSet;
import dev.usher.server.Node;
import dev.usher.server.UsherServerProperties;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.transaction.support.TransactionOperations;

/** From when to when a token is honoured. */
class AccessTokensTest {

    private static final SigningKey KEY = SigningKey.generate();
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private Instant now = START;

    @Test
    void aTokenIsHonouredFiveSecondsPastItsEndUnlessSetOtherwise() {
        AccessTokens tokens = tokens(null);
        String token = tokens.issue(42, List.of(), UUID.randomUUID());

        assertThat(isHonoured(tokens, token, START.plus(tokens.ttl()).plusSeconds(4)))
                .isTrue();
        assertThat(isHonoured(tokens, token, START.plus(tokens.ttl()).plusSeconds(6)))
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 60})
    void aTokenIsHonouredTheClockSkewBeyondItsEndsAndNoLonger(int skew) {
        AccessTokens tokens = tokens(skew + "s");
        Instant begin = START.plusSeconds(1000);
        Instant end = START.plusSeconds(2000);
        String token = KEY.sign(new JWTClaimsSet.Builder()
                .issuer("usher")
                .audience("usher")
                .subject("42")
                .issueTime(Date.from(START))
                .notBeforeTime(Date.from(begin))
                .expirationTime(Date.from(end))
                .build());

        assertThat(isHonoured(tokens, token, begin.minusSeconds(skew + 1))).isFalse();
        assertThat(isHonoured(tokens, token, begin.minusSeconds(skew).plusMillis(1)))
                .isTrue();
        assertThat(isHonoured(tokens, token, end.plusSeconds(skew).minusMillis(1)))
                .isTrue();
        assertThat(isHonoured(tokens, token, end.plusSeconds(skew + 1))).isFalse();
    }

    /** The clock of the node that has issued it may be ahead by more than the setting says: its users are let in. */
    @Test
    void aTokenThatWasIssuedLaterIsHonoured() {
        AccessTokens tokens = tokens("5s");
        String token = tokens.issue(42, List.of(), UUID.randomUUID());

        assertThat(isHonoured(tokens, token, START.minusSeconds(30))).isTrue();
    }

    private boolean isHonoured(AccessTokens tokens, String token, Instant at) {
        now = at;
        try {
            return tokens.decoder().decode(token) != null;
        } catch (BadJwtException e) {
            return false;
        }
    }

    private AccessTokens tokens(@Nullable String skew) {
        return tokens(KEY, skew == null ? Map.of() : Map.of("usher.server.clock-skew", skew), () -> now);
    }

    /** The tokens of a server that has the key in its settings, and so does not read it from the database. */
    static AccessTokens tokens(SigningKey key, Map<String, String> settings, InstantSource clock) {
        UsherServerProperties properties = new Binder(new MapConfigurationPropertySource(
                        Node.with(settings, Map.of("usher.server.signing-key", key.pem()))))
                .bindOrCreate("usher.server", UsherServerProperties.class);
        SigningKeys keys = new SigningKeys(
                JdbcClient.create(new DriverManagerDataSource()),
                TransactionOperations.withoutTransaction(),
                properties);
        return new AccessTokens(keys, properties, clock);
    }
}
