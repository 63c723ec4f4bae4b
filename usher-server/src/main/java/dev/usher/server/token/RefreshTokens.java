package dev.usher.server.token;

import dev.usher.UserStatus;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import java.math.BigDecimal;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;
import org.springframework.transaction.support.TransactionOperations;

/**
 * The fresh tokens: opaque, stored as hashes, each good for one refresh. A spent one that is presented, by the user or by a
 * thief, ends the whole family, for one of the two has stolen it (RFC 9700, section 4.14.2).
 *
 * <p>A login, a refresh, a logout and a ban each lock the user's row before they look at its families. So those of one user come one
 * after the other, and no token is issued to a user who has been disabled.
 *
 * <p>A family is revoked when any of its tokens is. So a revocation marks one of them only, and needs not see all. It marks those that
 * were spent a moment ago too: a server of the release before does not lock the row, and may be adding the successor.
 *
 * <p>What is stored of a user is bounded: so many families, and so many tokens of a family in an hour, until they expire.
 */
@Component
public class RefreshTokens {

    private static final int BYTES = 32;
    private static final int PORTION = 1000;

    /** What can be refreshed, or has been a moment ago. It has an index, for a ban must not take the longer the more there is. */
    private static final String LATEST =
            " AND revoked_at IS NULL AND (spent_at IS NULL OR spent_at > now() - interval '1 minute')";

    /** Longer ago than any statement lasts, so that no token can be added to such a family any more. */
    private static final String REVOKED = "revoked_at < now() - interval '1 hour'";

    private static final String WHICH = "<which>";

    /** Tokens of families that have ended so, of one kind. Family by family, for the table may be large and these are few. */
    private static final String ENDED = "SELECT token.token_hash FROM ("
            + "SELECT DISTINCT family_id FROM refresh_tokens WHERE " + REVOKED + ") AS ended"
            + " CROSS JOIN LATERAL (SELECT token_hash FROM refresh_tokens WHERE family_id = ended.family_id AND "
            + WHICH
            + " LIMIT " + PORTION + " FOR UPDATE SKIP LOCKED) AS token";

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final long ttlSeconds;
    private final UsherServerProperties.Logins limits;
    private final SecureRandom random = new SecureRandom();

    RefreshTokens(JdbcClient jdbc, TransactionOperations transactions, UsherServerProperties properties) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.ttlSeconds = properties.freshTokenTtl().toSeconds();
        this.limits = properties.logins();
    }

    /**
     * A token that can be used.
     *
     * @param familyId what is revoked when it is
     * @param text what the user gets
     */
    public record FreshToken(UUID familyId, String text) {

        @Override
        public String toString() {
            return "FreshToken[familyId=" + familyId + "]";
        }
    }

    /**
     * A token that has been stored, in a transaction that holds the row of its user.
     *
     * @param roles those of the user
     */
    public record Issued(long userId, List<String> roles, FreshToken freshToken) {}

    /**
     * Begins a family for a user whose password has been verified, and ends those that are too many, which have not been used for longest.
     *
     * @param passwordHash as it was read when the password was verified
     * @param roles those of the user
     * @param answer made before the commit, while the user cannot be disabled
     * @throws ProblemException when the user is disabled by now, or has another password, or is gone
     */
    public <T> T issue(long userId, String passwordHash, List<String> roles, Function<Issued, T> answer) {
        return Objects.requireNonNull(transactions.execute(transaction -> {
            UserStatus status =
                    lock(userId, passwordHash).orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
            if (status != UserStatus.ENABLED) {
                throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
            }
            FreshToken first = newToken(UUID.randomUUID());
            addFirst(userId, first);
            return answer.apply(new Issued(userId, roles, first));
        }));
    }

    /**
     * Exchanges a token for the next one of its family.
     *
     * @param answer made before the commit, while the user cannot be disabled
     * @throws ProblemException when the token is refused
     */
    public <T> T renew(String freshToken, Function<Issued, T> answer) {
        String hash = Sha256.hex(freshToken);
        Presented token = find(hash).orElseThrow(() -> new ProblemException(ProblemType.BAD_FRESH_TOKEN));
        token.requireUse();
        List<T> renewed = new ArrayList<>(1);
        // A refusal is committed as well: it may have ended the family.
        Optional<ProblemType> refused = Objects.requireNonNull(transactions.execute(transaction -> {
            UserStatus status = lock(token.userId).orElse(null);
            FreshToken next = newToken(token.familyId);
            if (status == UserStatus.ENABLED && spend(hash, next)) {
                renewed.add(answer.apply(new Issued(token.userId, token.roles, next)));
                return Optional.empty();
            }
            revokeIfSpent(hash);
            return Optional.of(
                    status == UserStatus.DISABLED ? ProblemType.ACCOUNT_DISABLED : ProblemType.BAD_FRESH_TOKEN);
        }));
        refused.ifPresent(why -> {
            throw new ProblemException(why);
        });
        return renewed.get(0);
    }

    /** Ends a family, if it is one of that user. */
    public void revoke(long userId, UUID familyId) {
        transactions.executeWithoutResult(transaction -> {
            var unused = lock(userId);
            jdbc.sql("UPDATE refresh_tokens SET revoked_at = now() WHERE family_id = ? AND user_id = ?" + LATEST)
                    .params(familyId, userId)
                    .update();
        });
    }

    /** Ends all families of a user, whose row the transaction has locked. */
    public void revokeAll(long userId) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = ?" + LATEST)
                .param(userId)
                .update();
    }

    /**
     * Forgets families that have ended, and tokens that have expired: a spent one tells no more of a theft then. All in portions, so that
     * each takes no longer than a query may; what another node deletes at the moment is left to it.
     */
    @Scheduled(fixedDelay = 1, initialDelay = 1, timeUnit = TimeUnit.HOURS)
    void prune() {
        deleteAll("SELECT token_hash FROM refresh_tokens WHERE expires_at < now() AND revoked_at IS NULL"
                + " ORDER BY expires_at LIMIT " + PORTION + " FOR UPDATE SKIP LOCKED");
        deleteAll(ENDED.replace(WHICH, "revoked_at IS NULL") + " LIMIT " + PORTION);
        // What tells of a revocation goes last.
        deleteAll(ENDED.replace(WHICH, REVOKED) + " WHERE NOT EXISTS ("
                + "SELECT 1 FROM refresh_tokens WHERE family_id = ended.family_id AND revoked_at IS NULL) LIMIT "
                + PORTION);
    }

    private void deleteAll(String hashes) {
        String delete = "DELETE FROM refresh_tokens WHERE token_hash IN (" + hashes + ")";
        while (jdbc.sql(delete).update() == PORTION) {}
    }

    /** Not FOR SHARE: logins that follow each other closely would keep a ban waiting, for they would share the lock. */
    private Optional<UserStatus> lock(long userId) {
        return jdbc.sql("SELECT status FROM users WHERE id = ? FOR NO KEY UPDATE")
                .param(userId)
                .query((row, number) -> UserStatus.of(row.getInt("status")))
                .optional();
    }

    private Optional<UserStatus> lock(long userId, String passwordHash) {
        return jdbc.sql("SELECT status FROM users WHERE id = ? AND password_hash = ? FOR NO KEY UPDATE")
                .params(userId, passwordHash)
                .query((row, number) -> UserStatus.of(row.getInt("status")))
                .optional();
    }

    private void addFirst(long userId, FreshToken first) {
        jdbc.sql("""
                        WITH ended AS (
                            UPDATE refresh_tokens SET revoked_at = now() WHERE token_hash IN (
                                SELECT token_hash FROM refresh_tokens AS live
                                WHERE user_id = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > now()
                                    AND NOT EXISTS (
                                        SELECT 1 FROM refresh_tokens
                                        WHERE family_id = live.family_id AND revoked_at IS NOT NULL)
                                ORDER BY created_at DESC, token_hash OFFSET ?))
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
                            VALUES (?, ?, ?, now() + make_interval(secs => ?))
                        """)
                .params(userId, limits.maxPerUser() - 1, Sha256.hex(first.text), first.familyId, userId, (double)
                        ttlSeconds)
                .update();
    }

    /**
     * A token as it is found when it is presented. What cannot be renewed is refused without a lock, or one user could hold every connection
     * by asking often.
     *
     * @param isEnabled whether the user is
     * @param isSpent whether it has been used, by the user or by a thief
     * @param isRevoked whether its family is
     * @param pause until its family may be refreshed again, or {@code null} when it may be now
     */
    private record Presented(
            long userId,
            UUID familyId,
            List<String> roles,
            boolean isEnabled,
            boolean isSpent,
            boolean isExpired,
            boolean isRevoked,
            @Nullable Duration pause) {

        /** Goes on with a token that may be renewed, or that ends its family. */
        void requireUse() {
            if (isSpent && !isRevoked) {
                return;
            }
            if (!isEnabled) {
                throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
            }
            if (isExpired || isRevoked) {
                throw new ProblemException(ProblemType.BAD_FRESH_TOKEN);
            }
            if (pause != null) {
                throw ProblemException.tooManyAttempts(pause);
            }
        }
    }

    private Optional<Presented> find(String hash) {
        return jdbc.sql("SELECT " + Roles.SQL + ", " + """
                        user_id, family_id, status, spent_at IS NOT NULL AS is_spent, expires_at <= now() AS is_expired,
                            EXISTS (
                                SELECT 1 FROM refresh_tokens
                                WHERE family_id = token.family_id AND revoked_at IS NOT NULL) AS is_revoked,
                            (SELECT EXTRACT(EPOCH FROM spent_at - now()) + 3600 FROM refresh_tokens
                                WHERE user_id = token.user_id AND family_id = token.family_id AND revoked_at IS NULL
                                    AND spent_at > now() - interval '1 hour'
                                ORDER BY spent_at DESC OFFSET ? LIMIT 1) AS wait
                        FROM refresh_tokens AS token JOIN users ON users.id = user_id WHERE token_hash = ?
                        """)
                .params(limits.maxRefreshesPerHour() - 1, hash)
                .query((row, number) -> {
                    BigDecimal wait = row.getBigDecimal("wait");
                    return new Presented(
                            row.getLong("user_id"),
                            row.getObject("family_id", UUID.class),
                            Roles.of(row),
                            row.getInt("status") == UserStatus.ENABLED.code(),
                            row.getBoolean("is_spent"),
                            row.getBoolean("is_expired"),
                            row.getBoolean("is_revoked"),
                            wait == null
                                    ? null
                                    : Duration.ofNanos(wait.movePointRight(9).longValue()));
                })
                .optional();
    }

    /** Spends a token and adds the next one, unless something has become of it before the user's row was locked. */
    private boolean spend(String hash, FreshToken next) {
        return jdbc.sql("""
                        WITH spent AS (
                            UPDATE refresh_tokens AS token SET spent_at = now()
                            WHERE token_hash = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > now()
                                AND NOT EXISTS (
                                    SELECT 1 FROM refresh_tokens
                                    WHERE family_id = token.family_id AND revoked_at IS NOT NULL)
                            RETURNING user_id, family_id)
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
                            SELECT ?, family_id, user_id, now() + make_interval(secs => ?) FROM spent
                        """)
                        .params(hash, Sha256.hex(next.text), (double) ttlSeconds)
                        .update()
                == 1;
    }

    private void revokeIfSpent(String hash) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now()"
                        + " WHERE token_hash = ? AND spent_at IS NOT NULL AND revoked_at IS NULL")
                .param(hash)
                .update();
    }

    private FreshToken newToken(UUID familyId) {
        byte[] bytes = new byte[BYTES];
        random.nextBytes(bytes);
        return new FreshToken(familyId, Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
    }
}
