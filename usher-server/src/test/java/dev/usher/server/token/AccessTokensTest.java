package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jwt.JWTClaimsSet;
import dev.usher.server.Dialect;
import dev.usher.server.Node;
import dev.usher.server.UsherServerProperties;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.transaction.support.TransactionOperations;

/** From when to when a token is honoured, and where. */
class AccessTokensTest {

    private static final SigningKey KEY = SigningKey.generate();
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private Instant now = START;

    @Test
    void aTokenIsHonouredFiveSecondsPastItsEndUnlessSetOtherwise() {
        AccessTokens tokens = tokens(null);
        String token = tokens.issue(42, List.of(), 0, UUID.randomUUID());

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
        String token = tokens.issue(42, List.of(), 0, UUID.randomUUID());

        assertThat(isHonoured(tokens, token, START.minusSeconds(30))).isTrue();
    }

    /** Other nodes, each with memory of its own. */
    @Test
    void aTokenIsRefusedWithAnotherAudienceOrIssuerThoughItIsCachedElsewhere() {
        AccessTokens tokens = tokens(null);
        String token = tokens.issue(42, List.of(), 0, UUID.randomUUID());
        assertThat(isHonoured(tokens, token, START)).isTrue();

        for (String setting : List.of("usher.server.audience", "usher.server.issuer")) {
            AccessTokens other = tokens(KEY, Map.of(setting, "other"), () -> now);
            assertThat(isHonoured(other, token, START)).as(setting).isFalse();
            assertThat(isHonoured(other, token, START)).as(setting).isFalse();
        }
        assertThat(isHonoured(tokens, token, START)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "usher",
                "https://users.example.org",
                "https://users.example.org:443/a?b=c",
                "urn:usher",
                "usher: a name",
                "\u00fcsher"
            })
    void anIssuerIsATextAndComparedAsOne(String issuer) {
        AccessTokens tokens = tokens(KEY, Map.of("usher.server.issuer", issuer), () -> now);
        AccessTokens other = tokens(KEY, Map.of("usher.server.issuer", issuer + "/"), () -> now);
        String token = tokens.issue(42, List.of(), 0, UUID.randomUUID());

        assertThat(isHonoured(tokens, token, START)).isTrue();
        assertThat(tokens.decoder().decode(token).getClaimAsString("iss")).isEqualTo(issuer);
        assertThat(isHonoured(other, token, START)).isFalse();
    }

    /** Spring tries to make a URL of it, and catches the exception. */
    @Test
    void noExceptionIsMadeForAnIssuerThatIsNoUrl(@TempDir Path directory) throws IOException {
        AccessTokens tokens = tokens(null);
        Runnable call = () -> tokens.decoder().decode(tokens.issue(42, List.of("admin"), 0, UUID.randomUUID()));
        call.run();
        Path file = directory.resolve("exceptions.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("jdk.JavaExceptionThrow");
            recording.start();
            call.run();
            call.run();
            assertThat(new IllegalStateException("the recording sees")).isNotNull();
            recording.stop();
            recording.dump(file);
        }

        assertThat(RecordingFile.readAllEvents(file).stream()
                        .filter(event -> event.getThread() != null
                                && event.getThread().getJavaThreadId()
                                        == Thread.currentThread().getId())
                        .map(event -> event.getString("message")))
                .containsExactly("the recording sees");
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
                Dialect.POSTGRESQL,
                properties);
        return new AccessTokens(keys, properties, clock);
    }
}
