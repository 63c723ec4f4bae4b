package dev.usher.server.token;

import com.nimbusds.jose.JWSObject;
import java.text.ParseException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimNames;

/**
 * Refuses a token in which a claim has another type than the server gives it. It reads the text of the token, because the decoder turns
 * numbers into texts and texts into lists, and code that reads claims fails on a list within a list. A missing claim, or null, passes.
 */
final class ClaimTypes implements OAuth2TokenValidator<Jwt> {

    private static final Map<String, Predicate<Object>> TYPES = Map.of(
            JwtClaimNames.ISS, String.class::isInstance,
            JwtClaimNames.AUD, ClaimTypes::isTextOrTexts,
            JwtClaimNames.SUB, String.class::isInstance,
            JwtClaimNames.IAT, Number.class::isInstance,
            JwtClaimNames.NBF, Number.class::isInstance,
            JwtClaimNames.EXP, Number.class::isInstance,
            AccessTokens.ROLES, ClaimTypes::isTexts,
            AccessTokens.FAMILY, String.class::isInstance,
            AccessTokens.GENERATION, Number.class::isInstance);

    private static final OAuth2TokenValidatorResult REFUSED = OAuth2TokenValidatorResult.failure(
            new OAuth2Error(OAuth2ErrorCodes.INVALID_TOKEN, "A claim has another type than it should have", null));

    @Override
    public OAuth2TokenValidatorResult validate(Jwt token) {
        Map<String, Object> claims = claims(token);
        return TYPES.entrySet().stream().allMatch(type -> isAbsentOr(type.getValue(), claims.get(type.getKey())))
                ? OAuth2TokenValidatorResult.success()
                : REFUSED;
    }

    private static boolean isAbsentOr(Predicate<Object> type, @Nullable Object value) {
        return value == null || type.test(value);
    }

    private static boolean isTextOrTexts(Object value) {
        return value instanceof String || isTexts(value);
    }

    private static boolean isTexts(Object value) {
        return value instanceof List<?> texts && texts.stream().allMatch(String.class::isInstance);
    }

    /** The claims in the text, which the decoder has parsed before. */
    private static Map<String, Object> claims(Jwt token) {
        try {
            return Objects.requireNonNull(
                    JWSObject.parse(token.getTokenValue()).getPayload().toJSONObject());
        } catch (ParseException e) {
            throw new IllegalStateException("a token that was decoded cannot be read", e);
        }
    }
}
