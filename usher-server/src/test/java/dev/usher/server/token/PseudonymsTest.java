package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.usher.server.Dialect;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.transaction.support.TransactionOperations;

class PseudonymsTest {

    private static final String MOBILE = "13812345678";

    private final SigningKey key = SigningKey.generate();

    @Test
    void theyAreTheSameOnAllNodes() {
        String pseudonym = of(key).of(MOBILE);

        assertThat(of(key).of(MOBILE)).isEqualTo(pseudonym).matches("[0-9a-f]{64}");
        assertThat(of(key).of("13812345679")).isNotEqualTo(pseudonym);
    }

    @Test
    void theyAreOthersWithAnotherKey() {
        assertThat(of(SigningKey.generate()).of(MOBILE)).isNotEqualTo(of(key).of(MOBILE));
    }

    /** The steps of RFC 5869, sections 2.2 and 2.3, for one block, and of RFC 2104. */
    @Test
    void theyNeedThePrivateKey() throws GeneralSecurityException {
        byte[] extracted = hmac(utf8("usher"), key.key().getPrivateExponent().decode());
        byte[] secret = hmac(extracted, HexFormat.of().parseHex("70736575646f6e796d7301"));

        assertThat(of(key).of(MOBILE)).isEqualTo(HexFormat.of().formatHex(hmac(secret, utf8(MOBILE))));
    }

    @Test
    void withoutAKeyThereAreNone() {
        assertThatExceptionOfType(ProblemException.class)
                .isThrownBy(() -> of(Map.of()).of(MOBILE))
                .satisfies(e -> assertThat(e.problem().type()).isEqualTo(ProblemType.UNAVAILABLE.uri()));
    }

    private static Pseudonyms of(SigningKey key) {
        return of(Map.of("usher.server.signing-key", key.pem()));
    }

    private static Pseudonyms of(Map<String, String> settings) {
        return new Pseudonyms(new SigningKeys(
                JdbcClient.create(new DriverManagerDataSource()),
                TransactionOperations.withoutTransaction(),
                Dialect.POSTGRESQL,
                new Binder(new MapConfigurationPropertySource(settings))
                        .bindOrCreate("usher.server", UsherServerProperties.class)));
    }

    private static byte[] hmac(byte[] key, byte[] message) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(message);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
