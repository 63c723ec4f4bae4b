package dev.usher.server.login;

import dev.usher.server.attempt.AttemptLimits;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.TokenPair;
import dev.usher.server.token.TokenRefresh;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.security.SecurityRequirements;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Issues and renews tokens. */
@RestController
@Tag(name = "login")
final class LoginController {

    private final Logins logins;
    private final AttemptLimits attempts;

    LoginController(Logins logins, AttemptLimits attempts) {
        this.logins = logins;
        this.attempts = attempts;
    }

    @Operation(summary = "Log in")
    @SecurityRequirements
    @Problems({ProblemType.BAD_CREDENTIALS, ProblemType.ACCOUNT_DISABLED, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/login", consumes = MediaType.APPLICATION_JSON_VALUE)
    TokenPair login(@Valid @RequestBody Credentials credentials, HttpServletRequest request) {
        logins.requireTurn();
        return attempts.login(
                credentials.mobile(),
                request.getRemoteAddr(),
                () -> logins.login(credentials, request.getRemoteAddr()));
    }

    @Operation(summary = "Exchange a refresh token for the next pair of tokens")
    @SecurityRequirements
    @Problems({ProblemType.BAD_FRESH_TOKEN, ProblemType.ACCOUNT_DISABLED, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/token/refresh", consumes = MediaType.APPLICATION_JSON_VALUE)
    TokenPair refresh(@Valid @RequestBody TokenRefresh refresh, HttpServletRequest request) {
        return logins.refresh(refresh, request.getRemoteAddr());
    }
}
