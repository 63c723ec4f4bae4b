package dev.usher.server;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.util.Base64;
import java.util.List;
import java.util.Objects;

/** A key whose tokens a test can forge. */
record SigningKey(RSAKey key) {

    private static final List<String> PREPARED = read();

    /**
     * One of five keys that are in the test's resources: to generate one takes half a second of a processor.
     *
     * @param number from 0; 0 is the key of {@link Node.Shared}
     */
    static SigningKey prepared(int number) {
        String pem = "-----BEGIN PRIVATE KEY-----\n" + PREPARED.get(number) + "\n-----END PRIVATE KEY-----\n";
        return new SigningKey(new RsaPem(pem, "the prepared key " + number).privateKey());
    }

    private static List<String> read() {
        try (InputStream file = SigningKey.class.getResourceAsStream("signing-keys.txt")) {
            return new String(Objects.requireNonNull(file).readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String id() {
        return key.getKeyID();
    }

    String pem() {
        try {
            return pem("PRIVATE KEY", key.toRSAPrivateKey());
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    String publicPem() {
        try {
            return pem("PUBLIC KEY", key.toRSAPublicKey());
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(String what, Key key) {
        String base64 = Base64.getMimeEncoder().encodeToString(key.getEncoded());
        return "-----BEGIN " + what + "-----\n" + base64 + "\n-----END " + what + "-----\n";
    }

    String sign(JWTClaimsSet claims) {
        return sign(
                new JWSHeader.Builder(JWSAlgorithm.RS256).keyID(key.getKeyID()).build(), claims);
    }

    String sign(JWSHeader header, JWTClaimsSet claims) {
        try {
            return sign(header, claims, new RSASSASigner(key));
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    static String sign(JWSHeader header, JWTClaimsSet claims, JWSSigner signer) {
        try {
            SignedJWT token = new SignedJWT(header, claims);
            token.sign(signer);
            return token.serialize();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }
}
