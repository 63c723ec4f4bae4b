package dev.usher.server.token;

import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The keys that a node has read at one moment. Which of them signs, and which verify, follows for some time from them alone.
 *
 * @param signers the keys that sign one after the other, in that order; not empty
 * @param others public keys that verify only
 * @param knownAt the moment, by {@link System#nanoTime}
 */
record KeyRing(List<Signer> signers, List<RSAKey> others, long knownAt) {

    /**
     * A key that signs at some time.
     *
     * @param key the private key
     * @param signsIn how long after the moment it begins to sign; negative when it has begun before
     * @param endsIn how long after the moment its last token has expired, or {@code null} while it has no successor
     */
    record Signer(RSAKey key, Duration signsIn, @Nullable Duration endsIn) {

        /** Whether its tokens are honoured, at some time after the moment. */
        private boolean verifies(Duration age) {
            return endsIn == null || endsIn.compareTo(age) > 0;
        }

        /** Without the key, whose own text holds all of it. */
        @Override
        public String toString() {
            return "Signer[key=" + key.getKeyID() + ", signsIn=" + signsIn + ", endsIn=" + endsIn + "]";
        }
    }

    /** The key that signs now: the latest that has begun to sign, or the first one when none has. */
    RSAKey signing(long now) {
        RSAKey signing = signers.get(0).key;
        for (Signer signer : signers) {
            if (signer.signsIn.compareTo(age(now)) <= 0) {
                signing = signer.key;
            }
        }
        return signing;
    }

    /** The public keys whose tokens are honoured now, those that are going to sign included. */
    JWKSet verifying(long now) {
        List<JWK> keys = new ArrayList<>();
        for (Signer signer : signers) {
            if (signer.verifies(age(now))) {
                keys.add(signer.key.toPublicJWK());
            }
        }
        for (RSAKey other : others) {
            if (keys.stream().noneMatch(key -> key.getKeyID().equals(other.getKeyID()))) {
                keys.add(other);
            }
        }
        return new JWKSet(keys);
    }

    /** Whether tokens of the key with that name are honoured now. */
    boolean verifies(String keyId, long now) {
        for (Signer signer : signers) {
            if (signer.key.getKeyID().equals(keyId) && signer.verifies(age(now))) {
                return true;
            }
        }
        return others.stream().anyMatch(key -> key.getKeyID().equals(keyId));
    }

    /** How long ago the moment was. */
    Duration age(long now) {
        return Duration.ofNanos(now - knownAt);
    }

    @Override
    public String toString() {
        return "KeyRing[signers=" + signers + "]";
    }
}
