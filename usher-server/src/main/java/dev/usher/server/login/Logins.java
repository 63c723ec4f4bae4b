package dev.usher.server.login;

import dev.usher.RateLimitedLog;
import dev.usher.ReadMark;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
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
 * <p>Tokens are signed last, while the user's row is locked, and handed out after the commit: a ban is committed before, and there are no
 * tokens, or after, and it ends them.
 */
@Component
final class Logins {

    private final Users users;
    private final Passwords passwords;
    private final AccessTokens accessTokens;
    private final RefreshTokens refreshTokens;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;

    /** Nobody's password, compared with where there is no user, so that time does not tell who is registered. */
    private final String nobodysHash;

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(Logins.class));

    Logins(
            Users users,
            Passwords passwords,
            AccessTokens accessTokens,
            RefreshTokens refreshTokens,
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses) {
        this.users = users;
        this.passwords = passwords;
        this.accessTokens = accessTokens;
        this.refreshTokens = refreshTokens;
        this.profiles = profiles;
        this.statuses = statuses;
        this.nobodysHash = passwords.hashNow(UUID.randomUUID().toString());
    }

    /**
     * Refuses a login that would have to be refused when its password is to be compared: before its attempt is counted and its user is read.
     *
     * @throws BusyException when too many passwords are compared already
     */
    void requireTurn() {
        passwords.requirePlace();
    }

    /**
     * Logs a user in.
     *
     * @throws ProblemException when the credentials are wrong, or the account is disabled
     * @throws BusyException when too many passwords are compared already
     */
    TokenPair login(Credentials credentials) {
        ReadMark mark = profiles.beforeRead();
        Optional<Account> found = users.findByMobile(credentials.mobile());
        boolean verified = verify(credentials, found);
        Account account =
                found.filter(user -> verified).orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
        if (account.status() != UserStatus.ENABLED) {
            throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
        }
        // Before the transaction: between its commit and the answer, nothing is waited for.
        profiles.save(account.id(), account.profile(), mark);
        statuses.save(account.id(), account.status(), mark);
        return refreshTokens.issue(account.id(), account.passwordHash(), account.roles(), this::pair);
    }

    /**
     * Exchanges a fresh token.
     *
     * @throws ProblemException when it is refused
     */
    TokenPair refresh(TokenRefresh refresh) {
        return refreshTokens.renew(refresh.freshToken(), this::pair);
    }

    private boolean verify(Credentials credentials, Optional<Account> found) {
        try {
            return passwords.matches(
                    credentials.password(), found.map(Account::passwordHash).orElse(nobodysHash));
        } catch (IllegalArgumentException e) {
            // Without the message, which may quote the hash.
            log.error(
                    "The password hash of user {} is of an unknown kind",
                    found.map(Account::id).orElse(null));
            return false;
        }
    }

    private TokenPair pair(RefreshTokens.Issued issued) {
        RefreshTokens.FreshToken freshToken = issued.freshToken();
        return new TokenPair(
                accessTokens.issue(issued.userId(), issued.roles(), freshToken.familyId()),
                freshToken.text(),
                "Bearer",
                accessTokens.ttl().toSeconds());
    }
}
