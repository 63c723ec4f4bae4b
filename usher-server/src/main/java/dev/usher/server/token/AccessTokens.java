package dev.usher.server.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import dev.usher.server.UsherServerProperties;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimNames;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTimestampValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.MappedJwtClaimSetConverter;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationConverter;
import org.springframework.security.oauth2.server.resource.authentication.JwtGrantedAuthoritiesConverter;
import org.springframework.stereotype.Component;

/** Issues and verifies the tokens that callers send with each call: JWTs, signed with RS256 and nothing else. Thread-safe. */
@Component
public final class AccessTokens {

    static final String ROLES = "roles";

    /** The session that a token belongs to, as OpenID Connect names it: here, the family of its refresh token. */
    static final String FAMILY = "sid";

    /** The user's generation when the token was issued. */
    static final String GENERATION = "gen";

    /** Fits a long, so that the id in a valid token can always be read. */
    private static final Pattern ID = Pattern.compile("[1-9][0-9]{0,17}");

    private final String issuer;
    private final String audience;
    private final Duration ttl;
    private final Duration clockSkew;
    private final SigningKeys keys;
    private final JwtDecoder decoder;
    private final InstantSource clock;
    private volatile @Nullable Signing signing;

    AccessTokens(SigningKeys keys, UsherServerProperties properties, InstantSource clock) {
        this.issuer = properties.issuer();
        this.audience = properties.audience();
        this.ttl = properties.tokenTtl();
        this.clockSkew = properties.clockSkew();
        this.keys = keys;
        this.clock = clock;
        this.decoder = decoder((selector, context) -> keys.select(selector), properties.maxVerifiedTokens());
    }

    /** A signer, and the name of its key. */
    private record Signing(String keyId, JWSSigner signer) {}

    public Duration ttl() {
        return ttl;
    }

    /** Converts the roles that a token claims into authorities of Spring Security. They are a hint: the roles of {@link Access} replace them. */
    public static JwtAuthenticationConverter authorities() {
        JwtGrantedAuthoritiesConverter roles = new JwtGrantedAuthoritiesConverter();
        roles.setAuthoritiesClaimName(ROLES);
        roles.setAuthorityPrefix(Roles.AUTHORITY);
        JwtAuthenticationConverter converter = new JwtAuthenticationConverter();
        converter.setJwtGrantedAuthoritiesConverter(roles);
        return converter;
    }

    /**
     * Verifies tokens, and caches those that it has verified. It throws a {@link JwtException} when the key may only be unknown to this node.
     */
    public JwtDecoder decoder() {
        return decoder;
    }

    /**
     * Issues a token.
     *
     * @param roles of the user, a hint for the client: what the token may do is looked up at each call
     * @param generation of the user
     */
    public String issue(long userId, List<String> roles, long generation, UUID familyId) {
        Signing key = signing(keys.signing());
        Instant now = clock.instant();
        JWSHeader header = new JWSHeader.Builder(JWSAlgorithm.RS256)
                .type(JOSEObjectType.JWT)
                .keyID(key.keyId)
                .build();
        JWTClaimsSet claims = new JWTClaimsSet.Builder()
                .issuer(issuer)
                .audience(audience)
                .subject(Long.toString(userId))
                .issueTime(Date.from(now))
                .expirationTime(Date.from(now.plus(ttl)))
                .claim(ROLES, roles)
                .claim(FAMILY, familyId.toString())
                .claim(GENERATION, generation)
                .build();
        SignedJWT token = new SignedJWT(header, claims);
        try {
            token.sign(key.signer);
        } catch (JOSEException e) {
            throw new IllegalStateException("an RSA key of the server cannot sign", e);
        }
        return token.serialize();
    }

    private Signing signing(RSAKey key) {
        Signing known = signing;
        if (known == null || !known.keyId.equals(key.getKeyID())) {
            try {
                known = new Signing(key.getKeyID(), new RSASSASigner(key));
            } catch (JOSEException e) {
                throw new IllegalStateException("an RSA key of the server cannot sign", e);
            }
            signing = known;
        }
        return known;
    }

    private JwtDecoder decoder(JWKSource<SecurityContext> source, int maxVerified) {
        JwtTimestampValidator timestamps = new JwtTimestampValidator(clockSkew);
        timestamps.setClock(clock.withZone(ZoneOffset.UTC));
        timestamps.setAllowEmptyExpiryClaim(false);
        OAuth2TokenValidator<Jwt> rules = JwtValidators.createDefaultWithValidators(List.of(
                timestamps,
                new JwtIssuerValidator(issuer),
                new JwtClaimValidator<List<String>>(
                        JwtClaimNames.AUD, audiences -> audiences != null && audiences.contains(audience)),
                new JwtClaimValidator<String>(
                        JwtClaimNames.SUB, id -> id != null && ID.matcher(id).matches())));
        NimbusJwtDecoder nimbus = NimbusJwtDecoder.withJwkSource(source)
                .jwsAlgorithm(SignatureAlgorithm.RS256)
                .build();
        nimbus.setJwtValidator(new DelegatingOAuth2TokenValidator<>(new ClaimTypes(), rules));
        // Without this, an issuer that is no URL costs an exception for each token. ClaimTypes refuses an issuer that
        // is no text.
        nimbus.setClaimSetConverter(MappedJwtClaimSetConverter.withDefaults(Map.of(JwtClaimNames.ISS, claim -> claim)));
        return maxVerified == 0
                ? nimbus
                : new VerifiedTokens(nimbus, rules, keys::honours, clock, clockSkew, maxVerified);
    }
}
