package dev.usher.server.user;

import dev.usher.RateLimitedLog;
import dev.usher.server.Commits;
import dev.usher.server.attempt.AttemptLimits;
import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Caller;
import dev.usher.server.token.RefreshTokens;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Component;

/** Changes passwords, and ends the sessions in which the old one may have been used by another. Thread-safe. */
@Component
public final class PasswordChanges {

    private final Users users;
    private final Passwords passwords;
    private final RefreshTokens refreshTokens;
    private final AttemptLimits attempts;
    private final Commits commits;
    private final Receipts receipts;
    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(PasswordChanges.class));

    PasswordChanges(
            Users users,
            Passwords passwords,
            RefreshTokens refreshTokens,
            AttemptLimits attempts,
            Commits commits,
            Receipts receipts) {
        this.users = users;
        this.passwords = passwords;
        this.refreshTokens = refreshTokens;
        this.attempts = attempts;
        this.commits = commits;
        this.receipts = receipts;
    }

    /**
     * Changes the password of a caller, and ends all sessions but the one of the call. A wrong old password counts as a failed login.
     *
     * @param address from which the call comes
     * @return the receipt of the sessions that have ended
     * @throws ProblemException when the old password is wrong or the new one is guessed too easily, or there were too many attempts
     * @throws BusyException when too many passwords are compared already
     */
    public Receipt apply(Caller caller, PasswordChange change, String address) {
        long id = caller.id();
        Users.Credentials known =
                users.credentialsOf(id).orElseThrow(() -> new ProblemException(ProblemType.USER_NOT_FOUND));
        if (HardToGuess.Validator.isGuessed(change.newPassword(), known.mobile())) {
            throw new ProblemException(
                    ProblemType.INVALID_FIELD, new Problem.Field("new_password", HardToGuess.MESSAGE));
        }
        passwords.requirePlace();
        // It throws rather than returning false, so that the attempt counts.
        boolean unused = attempts.login(known.mobile(), address, () -> requireMatch(id, change.oldPassword(), known));
        String hash = passwords.hash(change.newPassword());
        receipts.require(id);
        commits.commit(
                () -> {
                    if (!users.changePassword(id, known.passwordHash(), hash)) {
                        throw new ProblemException(ProblemType.WRONG_PASSWORD); // It was changed meanwhile.
                    }
                    refreshTokens.endOthers(id, caller.familyId());
                    return true;
                },
                () -> receipts.announceAccess(id));
        return receipts.ofOwnAccess(id);
    }

    private boolean requireMatch(long id, String password, Users.Credentials known) {
        boolean matches = false;
        try {
            matches = passwords.matches(password, known.passwordHash());
        } catch (IllegalArgumentException e) {
            // Without the message, which may quote the hash.
            log.error("The password hash of user {} is of an unknown kind", id);
        }
        if (!matches) {
            throw new ProblemException(ProblemType.WRONG_PASSWORD);
        }
        return true;
    }
}
