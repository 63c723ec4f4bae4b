package dev.usher.server.token;

import com.nimbusds.jose.jwk.RSAKey;
import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;

/**
 * Names for what a reader of Redis is not to learn, such as mobile numbers, of which there are so few that a digest can be reversed by
 * trying all. They are codes (HMAC, RFC 2104) under a secret that is derived from the key that signs the tokens (HKDF, RFC 5869): all nodes
 * have it, and with each new key there is another one. Thread-safe.
 */
@Component
public final class Pseudonyms {

    private static final String ALGORITHM = "HmacSHA256";

    private static final byte[] SALT = utf8("usher");

    /** The only output of the derivation: its text, and the number of the block. */
    private static final byte[] PURPOSE = utf8("pseudonyms\u0001");

    private final SigningKeys keys;
    private volatile @Nullable Secret latest;

    Pseudonyms(SigningKeys keys) {
        this.keys = keys;
    }

    /** What was derived from a key. */
    private record Secret(String keyId, SecretKeySpec key) {}

    /**
     * The pseudonym of a text.
     *
     * @return 64 hexadecimal digits: the same on each node, until another key signs
     * @throws dev.usher.server.problem.ProblemException when the keys have not been read yet
     */
    public String of(String text) {
        return HexFormat.of().formatHex(code(secret().key, utf8(text)));
    }

    private Secret secret() {
        RSAKey signing = keys.current();
        Secret known = latest;
        if (known == null || !known.keyId.equals(signing.getKeyID())) {
            byte[] extracted = code(
                    new SecretKeySpec(SALT, ALGORITHM),
                    signing.getPrivateExponent().decode());
            known = new Secret(
                    signing.getKeyID(),
                    new SecretKeySpec(code(new SecretKeySpec(extracted, ALGORITHM), PURPOSE), ALGORITHM));
            latest = known;
        }
        return known;
    }

    private static byte[] code(SecretKeySpec key, byte[] message) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac.doFinal(message);
        } catch (NoSuchAlgorithmException | InvalidKeyException e) {
            throw new IllegalStateException("this JVM has no " + ALGORITHM + ", which every JVM has", e);
        }
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
