package dev.usher.server.user;

import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.server.Commits;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.Caller;
import dev.usher.server.token.RefreshTokens;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.validation.Valid;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** The operations of administrators: statuses, roles and sessions of users, and the caches. */
@RestController
@Tag(name = "administration")
final class AdminController {

    private final Users users;
    private final RefreshTokens refreshTokens;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;
    private final Commits commits;
    private final Receipts receipts;

    AdminController(
            Users users,
            RefreshTokens refreshTokens,
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses,
            Commits commits,
            Receipts receipts) {
        this.receipts = receipts;
        this.users = users;
        this.refreshTokens = refreshTokens;
        this.profiles = profiles;
        this.statuses = statuses;
        this.commits = commits;
    }

    /** An administrator can disable neither the own account nor the last enabled one with the role: no account could undo that. */
    @Operation(summary = "Enable or disable a user")
    @Problems({
        ProblemType.FORBIDDEN,
        ProblemType.USER_NOT_FOUND,
        ProblemType.OWN_ACCOUNT,
        ProblemType.LAST_ADMINISTRATOR
    })
    @PutMapping(path = "/v1/admin/users/{id}/status", consumes = MediaType.APPLICATION_JSON_VALUE)
    Receipt changeStatus(
            @PathVariable UserId id, @Valid @RequestBody StatusChange change, JwtAuthenticationToken authentication) {
        UserStatus status = change.value();
        if (status == UserStatus.DISABLED && Caller.of(authentication).id() == id.value()) {
            throw new ProblemException(ProblemType.OWN_ACCOUNT);
        }
        receipts.require(id.value());
        commits.commit(() -> setStatus(id.value(), status), () -> receipts.announceStatus(id.value()));
        return receipts.ofStatus(id.value()).ofStatus(change.status());
    }

    private boolean setStatus(long id, UserStatus status) {
        if (!users.setStatus(id, status)) {
            throw new ProblemException(ProblemType.USER_NOT_FOUND);
        }
        if (status == UserStatus.DISABLED) {
            return refreshTokens.endAll(id);
        }
        return true;
    }

    /** The roles count at each call, whatever a token claims. The last enabled administrator keeps the role. */
    @Operation(summary = "Give a user these roles, and no others")
    @Problems({ProblemType.FORBIDDEN, ProblemType.USER_NOT_FOUND, ProblemType.LAST_ADMINISTRATOR})
    @PutMapping(path = "/v1/admin/users/{id}/roles", consumes = MediaType.APPLICATION_JSON_VALUE)
    Receipt changeRoles(@PathVariable UserId id, @Valid @RequestBody RolesChange change) {
        SortedSet<String> roles = change.values();
        receipts.require(id.value());
        commits.commit(() -> setRoles(id.value(), roles), () -> receipts.announceAccess(id.value()));
        return receipts.ofAccess(id.value()).ofRoles(List.copyOf(roles));
    }

    private boolean setRoles(long id, Set<String> roles) {
        if (!users.setRoles(id, roles)) {
            throw new ProblemException(ProblemType.USER_NOT_FOUND);
        }
        return true;
    }

    /** All tokens of the user are refused, and the user logs in again. */
    @Operation(summary = "End all sessions of a user")
    @Problems({ProblemType.FORBIDDEN, ProblemType.USER_NOT_FOUND})
    @DeleteMapping("/v1/admin/users/{id}/sessions")
    Receipt endSessions(@PathVariable UserId id) {
        receipts.require(id.value());
        commits.commit(() -> endAll(id.value()), () -> receipts.announceAccess(id.value()));
        return receipts.ofAccess(id.value());
    }

    private boolean endAll(long id) {
        if (!refreshTokens.endAll(id)) {
            throw new ProblemException(ProblemType.USER_NOT_FOUND);
        }
        return true;
    }

    /** The mobile number is masked also for administrators: the operation explains an answer, and needs no number for that. */
    @Operation(summary = "What memory, Redis and the database hold of a user")
    @Problems(ProblemType.FORBIDDEN)
    @GetMapping("/v1/admin/users/{id}/cache")
    CachedUser cached(@PathVariable UserId id) {
        return CachedUser.of(id.value(), profiles, statuses);
    }

    /** For changes that were not announced. Harmless also where there is no such user. */
    @Operation(summary = "Make every node forget a user")
    @Problems(ProblemType.FORBIDDEN)
    @DeleteMapping("/v1/admin/users/{id}/cache")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void forget(@PathVariable UserId id) {
        statuses.forget(id.value());
    }
}
