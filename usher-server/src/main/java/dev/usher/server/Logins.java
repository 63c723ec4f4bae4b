package dev.usher.server;

import dev.usher.RateLimitedLog;
import dev.usher.ReadMark;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.LoggerFactory;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.stereotype.Component;

/** The specification's login flow: read the row once, verify, sign, and offer the row to the caches. */
@Component
final class Logins {

    private final Users users;
    private final PasswordEncoder passwords;
    private final AccessTokens accessTokens;
    private final RefreshTokens refreshTokens;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;

    /** Nobody's password, compared with where there is no user, so that time does not tell who is registered. */
    private final String nobodysHash;

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(Logins.class));

    Logins(
            Users users,
            PasswordEncoder passwords,
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
        this.nobodysHash =
                Objects.requireNonNull(passwords.encode(UUID.randomUUID().toString()));
    }

    /**
     * Logs a user in.
     *
     * @throws ProblemException when the credentials are wrong, or the account is disabled
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
        TokenPair tokens = pair(account.id(), account.roles(), refreshTokens.issue(account.id()));
        profiles.save(account.id(), account.profile(), mark);
        statuses.save(account.id(), account.status(), mark);
        return tokens;
    }

    /**
     * Exchanges a fresh token.
     *
     * @throws ProblemException when it is refused
     */
    TokenPair refresh(TokenRefresh refresh) {
        RefreshTokens.Outcome outcome = refreshTokens.renew(refresh.freshToken());
        if (outcome instanceof RefreshTokens.Outcome.Renewed renewed) {
            return pair(renewed.userId(), renewed.roles(), renewed.freshToken());
        }
        throw new ProblemException(((RefreshTokens.Outcome.Refused) outcome).why());
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

    private TokenPair pair(long userId, List<String> roles, RefreshTokens.FreshToken freshToken) {
        return new TokenPair(
                accessTokens.issue(userId, roles, freshToken.familyId()),
                freshToken.text(),
                "Bearer",
                accessTokens.ttl().toSeconds());
    }
}
