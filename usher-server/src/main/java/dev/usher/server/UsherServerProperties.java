package dev.usher.server;

import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The settings under {@code usher.server}.
 *
 * @param issuer Who issues the tokens, as their claim "iss" says.
 * @param audience For whom the tokens are, as their claim "aud" says.
 * @param tokenTtl How long a token is honoured.
 * @param freshTokenTtl How long a fresh token can be exchanged for a new pair of tokens.
 * @param signingKey RSA key of at least 2048 bits that signs the tokens: PKCS#8 in PEM, or the location of such a file.
 *     Without it, one is generated once and kept in the database.
 * @param admin Administrator who is created when there is none.
 */
@ConfigurationProperties("usher.server")
public record UsherServerProperties(
        @DefaultValue("usher") String issuer,
        @DefaultValue("usher") String audience,
        @DefaultValue("15m") Duration tokenTtl,
        @DefaultValue("30d") Duration freshTokenTtl,
        @Nullable String signingKey,
        @DefaultValue Admin admin) {

    public UsherServerProperties {
        requireASecond(tokenTtl, "token-ttl");
        requireASecond(freshTokenTtl, "fresh-token-ttl");
    }

    private static void requireASecond(Duration ttl, String name) {
        if (ttl.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("usher.server." + name + " must be at least a second, but is " + ttl
                    + "; a number without a unit is milliseconds");
        }
    }

    /**
     * The administrator who is created when there is none.
     *
     * @param mobile Mobile number of the first administrator. Without it, none is created.
     * @param password Password of the first administrator.
     * @param name Name of the first administrator.
     */
    public record Admin(
            @Nullable String mobile,
            @Nullable String password,
            @DefaultValue("Administrator") String name) {

        @Override
        public String toString() {
            return "Admin[name=" + name + "]";
        }
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return "UsherServerProperties[issuer=" + issuer + ", audience=" + audience + ", tokenTtl=" + tokenTtl
                + ", freshTokenTtl=" + freshTokenTtl + ", admin=" + admin + "]";
    }
}
