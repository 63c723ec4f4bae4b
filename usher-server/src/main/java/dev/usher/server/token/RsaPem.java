package dev.usher.server.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.RSAPublicKeySpec;
import java.util.Base64;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.io.ApplicationResourceLoader;
import org.springframework.boot.ssl.pem.PemContent;
import org.springframework.core.io.DefaultResourceLoader;
import org.springframework.security.converter.RsaKeyConverters;

/**
 * An RSA key as a text in PEM. An exception about it has no cause and quotes nothing of the text.
 *
 * @param text the PEM
 * @param name names the key in exceptions
 */
record RsaPem(String text, String name) {

    private static final int BITS = 2048;
    private static final String PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----";

    /**
     * The key that a setting holds or names.
     *
     * @param value a PEM, or the location of one
     */
    static RsaPem ofSetting(String name, String value) {
        if (PemContent.isPresentInText(value)) {
            return new RsaPem(value, name);
        }
        try (InputStream file = ApplicationResourceLoader.get(new DefaultResourceLoader(), true)
                .getResource(value)
                .getInputStream()) {
            return new RsaPem(new String(file.readAllBytes(), StandardCharsets.UTF_8), name);
        } catch (IOException e) {
            throw new IllegalStateException(name + " names a file that cannot be read");
        }
    }

    /** A new private key, as a PEM. */
    static String generate() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(BITS);
            String base64 = Base64.getMimeEncoder()
                    .encodeToString(generator.generateKeyPair().getPrivate().getEncoded());
            return "-----BEGIN PRIVATE KEY-----\n" + base64 + "\n-----END PRIVATE KEY-----\n";
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has RSA", e);
        }
    }

    /** The key, which must be private. */
    RSAKey privateKey() {
        try {
            if (!(parsedPrivateKey() instanceof RSAPrivateCrtKey key)) {
                throw weak();
            }
            RSAPublicKey publicKey = (RSAPublicKey) KeyFactory.getInstance("RSA")
                    .generatePublic(new RSAPublicKeySpec(key.getModulus(), key.getPublicExponent()));
            return named(new RSAKey.Builder(publicKey).privateKey(key));
        } catch (GeneralSecurityException | JOSEException e) {
            throw unusable();
        }
    }

    /** The key if it is public, or the public half of a private one. */
    RSAKey publicKey() {
        if (!text.contains(PUBLIC_KEY)) {
            return privateKey().toPublicJWK();
        }
        try {
            return named(new RSAKey.Builder(parsedPublicKey()));
        } catch (JOSEException e) {
            throw unusable();
        }
    }

    private RSAKey named(RSAKey.Builder builder) throws JOSEException {
        RSAKey key = builder.keyUse(KeyUse.SIGNATURE)
                .algorithm(JWSAlgorithm.RS256)
                .keyIDFromThumbprint()
                .build();
        if (key.size() < BITS) {
            throw weak();
        }
        return key;
    }

    private RSAPublicKey parsedPublicKey() {
        try {
            return Objects.requireNonNull(RsaKeyConverters.x509()
                    .convert(new ByteArrayInputStream(text.strip().getBytes(StandardCharsets.UTF_8))));
        } catch (RuntimeException e) {
            throw new IllegalStateException(name + " is not an RSA public key in PEM");
        }
    }

    private @Nullable PrivateKey parsedPrivateKey() {
        try {
            return PemContent.of(text).getPrivateKey();
        } catch (IllegalStateException | IllegalArgumentException e) {
            throw new IllegalStateException(name + " is not a private key in PEM");
        }
    }

    private IllegalStateException weak() {
        return new IllegalStateException(name + " must be an RSA key of at least " + BITS + " bits");
    }

    private IllegalStateException unusable() {
        return new IllegalStateException(name + " cannot be used");
    }

    /** Without the text. */
    @Override
    public String toString() {
        return "RsaPem[name=" + name + "]";
    }
}
