package dev.usher.server.token;

import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;

/**
 * The user that makes a call.
 *
 * @param id of the user
 * @param administrator whether the user has the role of an administrator
 * @param familyId the family of the refresh token that came with the token, or {@code null} for a token without one
 */
public record Caller(
        long id, boolean administrator, @Nullable UUID familyId) {

    public static Caller of(JwtAuthenticationToken authentication) {
        Jwt token = authentication.getToken();
        boolean administrator = authentication.getAuthorities().stream()
                .anyMatch(authority -> (Roles.AUTHORITY + Roles.ADMIN).equals(authority.getAuthority()));
        return new Caller(Long.parseLong(token.getSubject()), administrator, familyOf(token));
    }

    /** A text that is not a UUID was signed with this key, but not issued by this server: there is nothing to revoke. */
    static @Nullable UUID familyOf(Jwt token) {
        String text = token.getClaimAsString(AccessTokens.FAMILY);
        try {
            return text == null ? null : UUID.fromString(text);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** Whether the caller may see the mobile number of a user. */
    public boolean maySeeMobileOf(long userId) {
        return administrator || id == userId;
    }
}
