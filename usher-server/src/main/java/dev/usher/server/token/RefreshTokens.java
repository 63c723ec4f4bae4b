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
 * The refresh tokens: opaque, stored as hashes, each good for one refresh. A login begins a family of tokens, to which each refresh adds one.
 * A spent token that is presented again revokes its family, since the user and a thief have both used it (RFC 9700, section 4.14.2).
 *
 * <p>A login, a refresh, a logout and a ban each lock the user's row before they read its families. So those of one user come one after the
 * other, and no token is issued to a disabled user.
 *
 * <p>A family is revoked when any of its tokens is, so a revocation need not see all of them. It also marks tokens that were spent within the
 * last minute: a server of the release before does not lock the row, and may be adding their successors.
 *
 * <p>The rows of a user are bounded: by the number of families, and by the refreshes of a family in an hour, until the tokens expire.
 */
@Component
public class RefreshTokens {

    private static final int BYTES = 32;
    private static final int BATCH_SIZE = 1000;

    /** Tokens that can be refreshed, or were within the last minute. An index finds them, so that a ban takes no longer with more rows. */
    private static final String LATEST =
            " AND revoked_at IS NULL AND (spent_at IS NULL OR spent_at > now() - interval '1 minute')";

    /** Longer ago than any statement lasts: no statement can still add a token to such a family. */
    private static final String REVOKED = "revoked_at < now() - interval '1 hour'";

    private static final String CONDITION = "<condition>";

    /** Tokens of revoked families that meet a condition. Family by family: the table may be large, and these families are few. */
    private static final String ENDED = "SELECT token.token_hash FROM ("
            + "SELECT DISTINCT family_id FROM refresh_tokens WHERE " + REVOKED + ") AS ended"
            + " CROSS JOIN LATERAL (SELECT token_hash FROM refresh_tokens WHERE family_id = ended.family_id AND "
            + CONDITION
            + " LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED) AS token";

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
     * A token that can be refreshed.
     *
     * @param familyId the family, which is revoked as a whole
     * @param text as the user gets it
     */
    public record RefreshToken(UUID familyId, String text) {

        @Override
        public String toString() {
            return "RefreshToken[familyId=" + familyId + "]";
        }
    }

    /**
     * A token that has been stored in a transaction which holds the lock of its user.
     *
     * @param roles of the user
     */
    public record Issued(long userId, List<String> roles, RefreshToken refreshToken) {}

    /**
     * Begins a family for a user whose password has been verified. Above the limit, it revokes the families that were not used for the longest
     * time.
     *
     * @param passwordHash as it was read when the password was verified
     * @param roles of the user
     * @param answer makes the answer before the commit, while the user cannot be disabled
     * @throws ProblemException when the user has been disabled or deleted meanwhile, or has another password
     */
    public <T> T issue(long userId, String passwordHash, List<String> roles, Function<Issued, T> answer) {
        return Objects.requireNonNull(transactions.execute(transaction -> {
            UserStatus status =
                    lock(userId, passwordHash).orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
            if (status != UserStatus.ENABLED) {
                throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
            }
            RefreshToken first = newToken(UUID.randomUUID());
            addFirst(userId, first);
            return answer.apply(new Issued(userId, roles, first));
        }));
    }

    /**
     * Exchanges a token for the next one of its family.
     *
     * @param answer makes the answer before the commit, while the user cannot be disabled
     * @throws ProblemException when the token is refused
     */
    public <T> T renew(String refreshToken, Function<Issued, T> answer) {
        String hash = Sha256.hex(refreshToken);
        Presented token = find(hash).orElseThrow(() -> new ProblemException(ProblemType.BAD_FRESH_TOKEN));
        token.requireUsable();
        List<T> renewed = new ArrayList<>(1);
        // A refusal is committed as well: it may have revoked the family.
        Optional<ProblemType> refused = Objects.requireNonNull(transactions.execute(transaction -> {
            UserStatus status = lock(token.userId).orElse(null);
            RefreshToken next = newToken(token.familyId);
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

    /** Revokes a family, if it is one of that user. */
    public void revoke(long userId, UUID familyId) {
        transactions.executeWithoutResult(transaction -> {
            var unused = lock(userId);
            jdbc.sql("UPDATE refresh_tokens SET revoked_at = now() WHERE family_id = ? AND user_id = ?" + LATEST)
                    .params(familyId, userId)
                    .update();
        });
    }

    /** Revokes all families of a user, inside a transaction that has locked the row of the user. */
    public void revokeAll(long userId) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = ?" + LATEST)
                .param(userId)
                .update();
    }

    /**
     * Deletes revoked families, and tokens that have expired: after that, a spent token that is presented revokes nothing. Each batch is small
     * enough for the time limit of a query, and skips rows that another node is deleting.
     */
    @Scheduled(fixedDelay = 1, initialDelay = 1, timeUnit = TimeUnit.HOURS)
    void prune() {
        deleteAll("SELECT token_hash FROM refresh_tokens WHERE expires_at < now() AND revoked_at IS NULL"
                + " ORDER BY expires_at LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED");
        deleteAll(ENDED.replace(CONDITION, "revoked_at IS NULL") + " LIMIT " + BATCH_SIZE);
        // The rows that mark a revocation go last.
        deleteAll(ENDED.replace(CONDITION, REVOKED) + " WHERE NOT EXISTS ("
                + "SELECT 1 FROM refresh_tokens WHERE family_id = ended.family_id AND revoked_at IS NULL) LIMIT "
                + BATCH_SIZE);
    }

    private void deleteAll(String hashes) {
        String delete = "DELETE FROM refresh_tokens WHERE token_hash IN (" + hashes + ")";
        while (jdbc.sql(delete).update() == BATCH_SIZE) {}
    }

    /** Not FOR SHARE: logins that follow each other closely would share the lock, and a ban would wait for all of them. */
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

    private void addFirst(long userId, RefreshToken first) {
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
     * A token as it is stored when it is presented. One that cannot be renewed is refused without a lock, or one user could hold every connection
     * by many calls.
     *
     * @param isEnabled whether the user is enabled
     * @param isSpent whether it has been used, by the user or by a thief
     * @param isRevoked whether its family is revoked
     * @param pause until its family may be refreshed again, or {@code null} when it may be refreshed now
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

        /** Refuses a token unless it may be renewed, or revokes its family. */
        void requireUsable() {
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

    /** Spends a token and adds the next one, unless it was spent or revoked before the user's row was locked. */
    private boolean spend(String hash, RefreshToken next) {
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

    private RefreshToken newToken(UUID familyId) {
        byte[] bytes = new byte[BYTES];
        random.nextBytes(bytes);
        return new RefreshToken(
                familyId, Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
    }
}
