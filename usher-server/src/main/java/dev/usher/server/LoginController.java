package dev.usher.server;

import jakarta.validation.Valid;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** How a user gets tokens, and gives them back. */
@RestController
final class LoginController {

    private final Logins logins;
    private final RefreshTokens refreshTokens;

    LoginController(Logins logins, RefreshTokens refreshTokens) {
        this.logins = logins;
        this.refreshTokens = refreshTokens;
    }

    @PostMapping("/v1/login")
    TokenPair login(@Valid @RequestBody Credentials credentials) {
        return logins.login(credentials);
    }

    @PostMapping("/v1/token/refresh")
    TokenPair refresh(@Valid @RequestBody TokenRefresh refresh) {
        return logins.refresh(refresh);
    }

    /** The token itself is honoured until it ends, for nobody asks the database about it; it cannot be renewed any more. */
    @PostMapping("/v1/logout")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void logout(JwtAuthenticationToken authentication) {
        Caller caller = Caller.of(authentication);
        UUID familyId = caller.familyId();
        if (familyId != null) {
            refreshTokens.revoke(caller.id(), familyId);
        }
    }
}
