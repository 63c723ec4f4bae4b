package dev.usher.server.login;

import dev.usher.server.Commits;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.Caller;
import dev.usher.server.token.RefreshTokens;
import dev.usher.server.token.Session;
import dev.usher.server.user.Confirms;
import dev.usher.server.user.PasswordChange;
import dev.usher.server.user.PasswordChanges;
import dev.usher.server.user.Receipt;
import dev.usher.server.user.Receipts;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import java.util.List;
import java.util.UUID;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** The caller's own sessions: what ends one refuses its tokens on every node, and a header says whether all have confirmed it. */
@RestController
@Tag(name = "login")
final class SessionController {

    private final RefreshTokens refreshTokens;
    private final PasswordChanges passwordChanges;
    private final Commits commits;
    private final Receipts receipts;

    SessionController(
            RefreshTokens refreshTokens, PasswordChanges passwordChanges, Commits commits, Receipts receipts) {
        this.refreshTokens = refreshTokens;
        this.passwordChanges = passwordChanges;
        this.commits = commits;
        this.receipts = receipts;
    }

    @Operation(summary = "Log out: end the session of this token")
    @Confirms
    @PostMapping("/v1/logout")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void logout(JwtAuthenticationToken authentication, HttpServletResponse response) {
        Caller caller = Caller.of(authentication);
        UUID familyId = caller.familyId();
        boolean ended = familyId != null && end(caller, familyId);
        confirm(!ended || receipts.ofOwnAccess(caller.id()).confirmed(), response);
    }

    @Operation(summary = "Log out everywhere: end all sessions of the caller")
    @Confirms
    @PostMapping("/v1/logout/all")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void logoutEverywhere(JwtAuthenticationToken authentication, HttpServletResponse response) {
        long id = Caller.of(authentication).id();
        receipts.require(id);
        commits.commit(() -> refreshTokens.endAll(id), () -> receipts.announceAccess(id));
        confirm(receipts.ofOwnAccess(id).confirmed(), response);
    }

    @Operation(summary = "The caller's sessions, the last used first")
    @GetMapping("/v1/me/sessions")
    List<Session> sessions(JwtAuthenticationToken authentication) {
        Caller caller = Caller.of(authentication);
        return refreshTokens.sessions(caller.id(), caller.familyId());
    }

    /** A session that has ended is not listed, and can be ended again: the call before may not have been confirmed. */
    @Operation(summary = "End one of the caller's sessions")
    @Confirms
    @Problems(ProblemType.SESSION_NOT_FOUND)
    @DeleteMapping("/v1/me/sessions/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void endSession(@PathVariable UUID id, JwtAuthenticationToken authentication, HttpServletResponse response) {
        Caller caller = Caller.of(authentication);
        if (!end(caller, id)) {
            throw new ProblemException(ProblemType.SESSION_NOT_FOUND);
        }
        confirm(receipts.ofOwnAccess(caller.id()).confirmed(), response);
    }

    @Operation(summary = "Change the caller's password, and end all other sessions")
    @Confirms
    @Problems({ProblemType.WRONG_PASSWORD, ProblemType.USER_NOT_FOUND, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/me/password", consumes = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void changePassword(
            @Valid @RequestBody PasswordChange change,
            JwtAuthenticationToken authentication,
            HttpServletRequest request,
            HttpServletResponse response) {
        Receipt receipt = passwordChanges.apply(Caller.of(authentication), change, request.getRemoteAddr());
        confirm(receipt.confirmed(), response);
    }

    private boolean end(Caller caller, UUID familyId) {
        receipts.require(caller.id());
        return refreshTokens.end(caller.id(), familyId);
    }

    private static void confirm(boolean confirmed, HttpServletResponse response) {
        response.setHeader(Confirms.HEADER, Boolean.toString(confirmed));
    }
}
