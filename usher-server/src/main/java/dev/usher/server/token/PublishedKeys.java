package dev.usher.server.token;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import java.util.List;

/**
 * A JWK set (RFC 7517) of public keys.
 *
 * @param keys of all tokens that are honoured
 */
public record PublishedKeys(List<Key> keys) {

    /**
     * A public RSA key (RFC 7518, section 6.3.1).
     *
     * @param kty always {@code RSA}
     * @param use always {@code sig}
     * @param alg always {@code RS256}
     * @param kid its name, which tokens quote
     * @param n its modulus
     * @param e its exponent
     */
    record Key(String kty, String use, String alg, String kid, String n, String e) {

        private static Key of(RSAKey key) {
            return new Key(
                    "RSA",
                    "sig",
                    "RS256",
                    key.getKeyID(),
                    key.getModulus().toString(),
                    key.getPublicExponent().toString());
        }
    }

    static PublishedKeys of(JWKSet keys) {
        return new PublishedKeys(
                keys.getKeys().stream().map(key -> Key.of(key.toRSAKey())).toList());
    }
}
