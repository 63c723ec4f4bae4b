package dev.usher.server.login;

import dev.usher.server.attempt.AttemptLimits;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.Caller;
import dev.usher.server.token.RefreshTokens;
import dev.usher.server.token.TokenPair;
import dev.usher.server.token.TokenRefresh;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.security.SecurityRequirements;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Issues, renews and revokes tokens. */
@RestController
@Tag(name = "login")
final class LoginController {

    private final Logins logins;
    private final RefreshTokens refreshTokens;
    private final AttemptLimits attempts;

    LoginController(Logins logins, RefreshTokens refreshTokens, AttemptLimits attempts) {
        this.logins = logins;
        this.refreshTokens = refreshTokens;
        this.attempts = attempts;
    }

    @Operation(summary = "Log in")
    @SecurityRequirements
    @Problems({ProblemType.BAD_CREDENTIALS, ProblemType.ACCOUNT_DISABLED, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/login", consumes = MediaType.APPLICATION_JSON_VALUE)
    TokenPair login(@Valid @RequestBody Credentials credentials, HttpServletRequest request) {
        logins.requireTurn();
        return attempts.login(credentials.mobile(), request.getRemoteAddr(), () -> logins.login(credentials));
    }

    @Operation(summary = "Exchange a refresh token for the next pair of tokens")
    @SecurityRequirements
    @Problems({ProblemType.BAD_FRESH_TOKEN, ProblemType.ACCOUNT_DISABLED, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/token/refresh", consumes = MediaType.APPLICATION_JSON_VALUE)
    TokenPair refresh(@Valid @RequestBody TokenRefresh refresh) {
        return logins.refresh(refresh);
    }

    /** The token itself is honoured until it ends, since no call asks the database about it; it cannot be renewed. */
    @Operation(summary = "Revoke the refresh token that came with this token, and its successors")
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
