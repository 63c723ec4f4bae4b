package dev.usher.server;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import java.io.IOException;
import java.io.InputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.RSAPublicKeySpec;
import java.util.Base64;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.io.ApplicationResourceLoader;
import org.springframework.boot.ssl.pem.PemContent;
import org.springframework.core.io.DefaultResourceLoader;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Component;

/** Where the key comes from that signs the tokens: from the settings, or from the database, for all nodes alike. */
@Component
final class SigningKeys {

    private static final int BITS = 2048;
    private static final String NAME = "access-tokens";

    private final JdbcClient jdbc;

    SigningKeys(JdbcClient jdbc) {
        this.jdbc = jdbc;
    }

    /**
     * The key in the settings, or {@code null} when it is the database that has it.
     *
     * @param setting a PEM, or the location of one
     */
    @Nullable RSAKey given(@Nullable String setting) {
        return setting == null || setting.isBlank() ? null : parse(read(setting));
    }

    /** The key in the database, which is generated when there is none. */
    RSAKey stored() {
        String pem = find();
        if (pem == null) {
            // Two nodes that start at once both generate; the first insert wins, and both read it.
            jdbc.sql("INSERT INTO signing_keys (name, private_key) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
                    .params(NAME, generate())
                    .update();
            pem = find();
        }
        if (pem == null) {
            throw new IllegalStateException("the signing key vanished from the database");
        }
        return parse(PemContent.of(pem));
    }

    private @Nullable String find() {
        return jdbc.sql("SELECT private_key FROM signing_keys WHERE name = ?")
                .param(NAME)
                .query(String.class)
                .optional()
                .orElse(null);
    }

    private static PemContent read(String setting) {
        if (PemContent.isPresentInText(setting)) {
            return PemContent.of(setting);
        }
        try (InputStream file = ApplicationResourceLoader.get(new DefaultResourceLoader(), true)
                .getResource(setting)
                .getInputStream()) {
            return PemContent.load(file);
        } catch (IOException e) {
            throw invalid("names a file that cannot be read");
        }
    }

    private static RSAKey parse(@Nullable PemContent pem) {
        try {
            if (!(privateKey(pem) instanceof RSAPrivateCrtKey key)
                    || key.getModulus().bitLength() < BITS) {
                throw invalid("must be an RSA key of at least " + BITS + " bits");
            }
            RSAPublicKey publicKey = (RSAPublicKey) KeyFactory.getInstance("RSA")
                    .generatePublic(new RSAPublicKeySpec(key.getModulus(), key.getPublicExponent()));
            return new RSAKey.Builder(publicKey)
                    .privateKey(key)
                    .keyUse(KeyUse.SIGNATURE)
                    .algorithm(JWSAlgorithm.RS256)
                    .keyIDFromThumbprint()
                    .build();
        } catch (GeneralSecurityException | JOSEException e) {
            throw invalid("cannot be used");
        }
    }

    private static @Nullable PrivateKey privateKey(@Nullable PemContent pem) {
        try {
            return pem == null ? null : pem.getPrivateKey();
        } catch (IllegalStateException | IllegalArgumentException e) {
            throw invalid("is no private key in PEM");
        }
    }

    /** Without a cause: it might quote the key. */
    private static IllegalStateException invalid(String why) {
        return new IllegalStateException("usher.server.signing-key " + why);
    }

    private static String generate() {
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
}
