package dev.usher.server;

import dev.usher.RevocationReceipt;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Positive;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.transaction.support.TransactionOperations;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** What administrators may do. */
@RestController
final class AdminController {

    private final Users users;
    private final RefreshTokens refreshTokens;
    private final UserStatusCache<Long> statuses;
    private final TransactionOperations transactions;

    AdminController(
            Users users,
            RefreshTokens refreshTokens,
            UserStatusCache<Long> statuses,
            TransactionOperations transactions) {
        this.users = users;
        this.refreshTokens = refreshTokens;
        this.statuses = statuses;
        this.transactions = transactions;
    }

    /** Administrators cannot disable themselves: the last one would be locked out, and nobody could let them in. */
    @PutMapping("/v1/admin/users/{id}/status")
    StatusChange.Receipt changeStatus(
            @PathVariable @Positive(message = "must be positive") long id,
            @Valid @RequestBody StatusChange change,
            JwtAuthenticationToken authentication) {
        UserStatus status = change.value();
        if (status == UserStatus.DISABLED && Caller.of(authentication).id() == id) {
            throw new ProblemException(ProblemType.OWN_ACCOUNT);
        }
        Runnable commit = () -> transactions.executeWithoutResult(transaction -> {
            if (!users.setStatus(id, status)) {
                throw new ProblemException(ProblemType.USER_NOT_FOUND);
            }
            if (status == UserStatus.DISABLED) {
                refreshTokens.revokeAll(id);
            }
        });
        RevocationReceipt receipt =
                status == UserStatus.DISABLED ? statuses.disable(id, commit) : statuses.enable(id, commit);
        return StatusChange.Receipt.of(id, change, receipt);
    }
}
