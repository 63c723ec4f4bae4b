package dev.usher.server.login;

import dev.usher.RateLimitedLog;
import dev.usher.ReadMark;
import dev.usher.UserCache;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Access;
import dev.usher.server.token.AccessTokens;
import dev.usher.server.token.RefreshTokens;
import dev.usher.server.token.TokenPair;
import dev.usher.server.token.TokenRefresh;
import dev.usher.server.user.Account;
import dev.usher.server.user.BusyException;
import dev.usher.server.user.Passwords;
import dev.usher.server.user.Users;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.LoggerFactory;
import org.springframework.stereotype.Component;

/**
 * The specification's login flow: read the row once, verify, offer the row to the caches, and sign.
 *
 * <p>Tokens are signed last, while the user's row is locked, and handed out after the commit. So a ban is committed either before, and there
 * are no tokens, or after, and it revokes them.
 */
@Component
final class Logins {

    private final Users users;
    private final Passwords passwords;
    private final AccessTokens accessTokens;
    private final RefreshTokens refreshTokens;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;
    private final UserCache<Long, Access> accesses;

    /** Compared with where there is no such user, so that the time of an answer does not tell whether a number is registered. */
    private final String unknownUserHash;

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(Logins.class));

    Logins(
            Users users,
            Passwords passwords,
            AccessTokens accessTokens,
            RefreshTokens refreshTokens,
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses,
            UserCache<Long, Access> accesses) {
        this.users = users;
        this.passwords = passwords;
        this.accessTokens = accessTokens;
        this.refreshTokens = refreshTokens;
        this.profiles = profiles;
        this.statuses = statuses;
        this.accesses = accesses;
        this.unknownUserHash = passwords.hashNow(UUID.randomUUID().toString());
    }

    /**
     * Refuses a login whose password could not be compared, before its attempt is counted and its user is read.
     *
     * @throws BusyException when too many passwords are compared already
     */
    void requireTurn() {
        passwords.requirePlace();
    }

    /**
     * Logs a user in.
     *
     * @param address from which the user logs in
     * @throws ProblemException when the credentials are wrong, or the account is disabled
     * @throws BusyException when too many passwords are compared already
     */
    TokenPair login(Credentials credentials, String address) {
        ReadMark mark = profiles.beforeRead();
        Optional<Account> found = users.findByMobile(credentials.mobile());
        boolean verified = verify(credentials, found);
        Account account =
                found.filter(user -> verified).orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
        if (account.status() != UserStatus.ENABLED) {
            throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
        }
        // They go in one round trip, for which the login does not wait.
        var unused = profiles.saveAsync(account.id(), account.profile(), mark);
        var unusedToo = statuses.saveAsync(account.id(), account.status(), mark);
        var unusedAsWell = accesses.saveAsync(account.id(), account.access(), mark);
        return refreshTokens.issue(
                account.id(), account.passwordHash(), account.access().roles(), address, this::pair);
    }

    /**
     * Exchanges a refresh token.
     *
     * @param address from which it is presented
     * @throws ProblemException when it is refused
     */
    TokenPair refresh(TokenRefresh refresh, String address) {
        return refreshTokens.renew(refresh.freshToken(), address, this::pair);
    }

    private boolean verify(Credentials credentials, Optional<Account> found) {
        try {
            return passwords.matches(
                    credentials.password(), found.map(Account::passwordHash).orElse(unknownUserHash));
        } catch (IllegalArgumentException e) {
            // Without the message, which may quote the hash.
            log.error(
                    "The password hash of user {} is of an unknown kind",
                    found.map(Account::id).orElse(null));
            return false;
        }
    }

    private TokenPair pair(RefreshTokens.Issued issued) {
        RefreshTokens.RefreshToken refreshToken = issued.refreshToken();
        return new TokenPair(
                accessTokens.issue(issued.userId(), issued.roles(), issued.generation(), refreshToken.familyId()),
                refreshToken.text(),
                "Bearer",
                accessTokens.ttl().toSeconds());
    }
}
