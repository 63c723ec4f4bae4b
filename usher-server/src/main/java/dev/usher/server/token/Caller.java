package dev.usher.server.token;

import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;

/**
 * The user who makes a call, as the token says.
 *
 * @param id who
 * @param administrator whether with the role of an administrator
 * @param familyId the family of the fresh token that came with the token, or {@code null} for a token without one
 */
public record Caller(
        long id, boolean administrator, @Nullable UUID familyId) {

    public static Caller of(JwtAuthenticationToken authentication) {
        Jwt token = authentication.getToken();
        boolean administrator = authentication.getAuthorities().stream()
                .anyMatch(authority -> ("ROLE_" + Roles.ADMIN).equals(authority.getAuthority()));
        return new Caller(Long.parseLong(token.getSubject()), administrator, familyId(token));
    }

    /** What is no id of a family is none of this server's, though signed with its key: there is nothing to revoke. */
    private static @Nullable UUID familyId(Jwt token) {
        String text = token.getClaimAsString(AccessTokens.FAMILY);
        try {
            return text == null ? null : UUID.fromString(text);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    /** Whether the mobile number of that user may be seen. */
    public boolean maySeeMobileOf(long userId) {
        return administrator || id == userId;
    }
}
