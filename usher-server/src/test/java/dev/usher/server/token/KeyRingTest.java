package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.RSAKey;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class KeyRingTest {

    private static final RSAKey OLD = SigningKey.generate().key();
    private static final RSAKey NEW = SigningKey.generate().key();
    private static final RSAKey OTHER = SigningKey.generate().key().toPublicJWK();

    @Test
    void aKeySignsFromItsMomentOnAlsoWithoutAnotherRead() {
        KeyRing ring = ring(List.of(), signer(OLD, -100, 500), signer(NEW, 60, null));

        assertThat(ring.signing(at(59))).isEqualTo(OLD);
        assertThat(ring.signing(at(60))).isEqualTo(NEW);
    }

    @Test
    void aKeyVerifiesBeforeItSignsAndUntilItsLastTokenHasExpired() {
        KeyRing ring = ring(List.of(OTHER), signer(OLD, -100, 500), signer(NEW, 60, null));

        assertThat(verifying(ring, 0)).containsExactly(OLD.getKeyID(), NEW.getKeyID(), OTHER.getKeyID());
        assertThat(verifying(ring, 499)).contains(OLD.getKeyID());
        assertThat(verifying(ring, 500)).containsExactly(NEW.getKeyID(), OTHER.getKeyID());
        for (long seconds : new long[] {0, 59, 60, 499, 500, 1000}) {
            for (String key : List.of(OLD.getKeyID(), NEW.getKeyID(), OTHER.getKeyID(), "unknown")) {
                assertThat(ring.verifies(key, at(seconds)))
                        .as("%s after %d s", key, seconds)
                        .isEqualTo(verifying(ring, seconds).contains(key));
            }
        }
    }

    @Test
    void whenTheKeyThatSignedIsGoneTheNextOneDoesNotWait() {
        assertThat(ring(List.of(), signer(NEW, 60, null)).signing(at(0))).isEqualTo(NEW);
    }

    @Test
    void nothingPrivateIsPublishedOrInItsText() {
        KeyRing ring = ring(List.of(OLD.toPublicJWK()), signer(OLD, -1, null));

        assertThat(ring.verifying(at(0)).getKeys()).singleElement().matches(key -> !key.isPrivate());
        assertThat(ring.toString())
                .contains(OLD.getKeyID())
                .doesNotContain(
                        OLD.getPrivateExponent().toString(), OLD.getModulus().toString());
    }

    private static KeyRing ring(List<RSAKey> others, KeyRing.Signer... signers) {
        return new KeyRing(List.of(signers), others, 0);
    }

    private static KeyRing.Signer signer(RSAKey key, long signsIn, @Nullable Integer endsIn) {
        return new KeyRing.Signer(key, Duration.ofSeconds(signsIn), endsIn == null ? null : Duration.ofSeconds(endsIn));
    }

    private static List<String> verifying(KeyRing ring, long seconds) {
        return ring.verifying(at(seconds)).getKeys().stream().map(JWK::getKeyID).toList();
    }

    private static long at(long seconds) {
        return Duration.ofSeconds(seconds).toNanos();
    }
}
