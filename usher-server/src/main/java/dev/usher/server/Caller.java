package dev.usher.server;

import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;

/**
 * The user who makes a call, as the token says.
 *
 * @param id who
 * @param administrator whether with the role of an administrator
 */
record Caller(long id, boolean administrator) {

    static final String ADMIN = "admin";

    static Caller of(JwtAuthenticationToken authentication) {
        Jwt token = authentication.getToken();
        boolean administrator = authentication.getAuthorities().stream()
                .anyMatch(authority -> ("ROLE_" + ADMIN).equals(authority.getAuthority()));
        return new Caller(Long.parseLong(token.getSubject()), administrator);
    }
}
