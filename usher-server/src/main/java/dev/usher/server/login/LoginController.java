package dev.usher.server.login;

import dev.usher.server.attempt.AttemptLimits;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.Caller;
import dev.usher.server.token.RefreshTokens;
import dev.usher.server.token.TokenPair;
import dev.usher.server.token.TokenRefresh;
import dev.usher.server.user.Receipts;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.headers.Header;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.security.SecurityRequirements;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import java.util.UUID;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Issues, renews and revokes tokens. */
@RestController
@Tag(name = "login")
final class LoginController {

    private final Logins logins;
    private final RefreshTokens refreshTokens;
    private final AttemptLimits attempts;
    private final Receipts receipts;

    LoginController(Logins logins, RefreshTokens refreshTokens, AttemptLimits attempts, Receipts receipts) {
        this.receipts = receipts;
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

    /** The refresh token that came with this token, and its successors, are revoked, and all tokens that came with them are refused. */
    @Operation(summary = "Log out: end the session of this token")
    @ApiResponse(
            responseCode = "204",
            description = "Ended",
            headers =
                    @Header(
                            name = Receipts.CONFIRMED,
                            description = Receipts.CONFIRMED_MEANS,
                            schema = @Schema(type = "boolean")))
    @PostMapping("/v1/logout")
    ResponseEntity<Void> logout(JwtAuthenticationToken authentication) {
        Caller caller = Caller.of(authentication);
        UUID familyId = caller.familyId();
        boolean ended = familyId != null && refreshTokens.end(caller.id(), familyId);
        return confirmed(!ended || receipts.ofOwnAccess(caller.id()).confirmed());
    }

    private static ResponseEntity<Void> confirmed(boolean confirmed) {
        return ResponseEntity.noContent()
                .header(Receipts.CONFIRMED, Boolean.toString(confirmed))
                .build();
    }
}
