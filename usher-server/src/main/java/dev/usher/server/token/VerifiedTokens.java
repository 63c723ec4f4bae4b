package dev.usher.server.token;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;

/**
 * Verifies the signature of a token once, and caches what the token says for the calls that follow with the same token. What may change is
 * judged at each call: whether the key is still honoured, and all rules about claims, such as the token's end. A token that is refused is not
 * cached. Thread-safe.
 *
 * <p>A token is recognised by its SHA-256; its text is not stored, so the memory of the server holds no token that could be used. The number of
 * tokens is bounded, and so is the length of each. An entry is evicted when its token has ended.
 */
final class VerifiedTokens implements JwtDecoder {

    /** In characters: three times a token of this server. A longer one, of another issuer with an honoured key, is verified at each call. */
    static final int MAX_LENGTH = 2048;

    private final JwtDecoder decoder;
    private final OAuth2TokenValidator<Jwt> rules;
    private final Predicate<String> isHonoured;
    private final Cache<String, Content> contents;

    /**
     * No tokens yet.
     *
     * @param decoder verifies a token by its text
     * @param rules of those that the decoder applies, all that judge more than the token's text
     * @param isHonoured whether tokens of the key with that name are honoured now
     * @param clockSkew how long past its end a token is honoured
     * @param max how many tokens are cached
     */
    VerifiedTokens(
            JwtDecoder decoder,
            OAuth2TokenValidator<Jwt> rules,
            Predicate<String> isHonoured,
            InstantSource clock,
            Duration clockSkew,
            int max) {
        this.decoder = decoder;
        this.rules = rules;
        this.isHonoured = isHonoured;
        this.contents = Caffeine.newBuilder()
                .maximumSize(max)
                .ticker(() -> TimeUnit.MILLISECONDS.toNanos(clock.millis()))
                .expireAfter(Expiry.<String, Content>creating(
                        (hash, content) -> Duration.between(clock.instant(), content.expiresAt.plus(clockSkew))))
                .build();
    }

    /** What a token says, without its text. */
    private record Content(
            String keyId,
            @Nullable Instant issuedAt,
            Instant expiresAt,
            Map<String, Object> headers,
            Map<String, Object> claims) {

        Jwt of(String token) {
            return new Jwt(token, issuedAt, expiresAt, headers, claims);
        }
    }

    @Override
    public Jwt decode(String token) {
        if (token.length() > MAX_LENGTH) {
            return decoder.decode(token);
        }
        String hash = Sha256.hex(token);
        Content content = contents.getIfPresent(hash);
        if (content != null) {
            Jwt known = content.of(token);
            if (isHonoured.test(content.keyId) && !rules.validate(known).hasErrors()) {
                return known;
            }
            contents.invalidate(hash);
        }
        Jwt verified = decoder.decode(token);
        // Without a name any key may have verified it, and none can be asked about later.
        if (verified.getHeaders().get("kid") instanceof String keyId) {
            contents.put(
                    hash,
                    new Content(
                            keyId,
                            verified.getIssuedAt(),
                            Objects.requireNonNull(verified.getExpiresAt()),
                            verified.getHeaders(),
                            verified.getClaims()));
        }
        return verified;
    }

    /** How many tokens are cached, once maintenance is done. */
    long size() {
        contents.cleanUp();
        return contents.estimatedSize();
    }
}
