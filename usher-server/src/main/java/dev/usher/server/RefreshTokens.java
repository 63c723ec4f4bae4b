package dev.usher.server;

import dev.usher.UserStatus;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
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
 * <p>A family is revoked when any of its tokens is. So a revocation needs to see one of them only, and the successor that is added at
 * the same moment by a server of an older release, which does not lock the row, is dead with the rest.
 */
@Component
class RefreshTokens {

    private static final int BYTES = 32;
    private static final int PORTION = 1000;

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final long ttlSeconds;
    private final SecureRandom random = new SecureRandom();

    RefreshTokens(JdbcClient jdbc, TransactionOperations transactions, UsherServerProperties properties) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.ttlSeconds = properties.freshTokenTtl().toSeconds();
    }

    /**
     * A token that can be used.
     *
     * @param familyId what is revoked when it is
     * @param text what the user gets
     */
    record FreshToken(UUID familyId, String text) {

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
    record Issued(long userId, List<String> roles, FreshToken freshToken) {}

    /**
     * Begins a family for a user whose password has been verified.
     *
     * @param account what was read when the password was verified
     * @param answer made before the commit, while the user cannot be disabled
     * @throws ProblemException when the user is disabled by now, or has another password, or is gone
     */
    <T> T issue(Account account, Function<Issued, T> answer) {
        return Objects.requireNonNull(transactions.execute(transaction -> {
            UserStatus status = lock(account).orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
            if (status != UserStatus.ENABLED) {
                throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
            }
            FreshToken first = newToken(UUID.randomUUID());
            jdbc.sql("INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)"
                            + " VALUES (?, ?, ?, now() + make_interval(secs => ?))")
                    .params(Sha256.hex(first.text), first.familyId, account.id(), (double) ttlSeconds)
                    .update();
            return answer.apply(new Issued(account.id(), account.roles(), first));
        }));
    }

    /**
     * Exchanges a token for the next one of its family.
     *
     * @param answer made before the commit, while the user cannot be disabled
     * @throws ProblemException when the token is refused
     */
    <T> T renew(String freshToken, Function<Issued, T> answer) {
        String hash = Sha256.hex(freshToken);
        List<T> renewed = new ArrayList<>(1);
        // A refusal is committed as well: it may have ended the family.
        Optional<ProblemType> refused = Objects.requireNonNull(transactions.execute(transaction -> {
            Optional<Owner> found = lockOwner(hash);
            if (found.isEmpty()) {
                return Optional.of(ProblemType.BAD_FRESH_TOKEN);
            }
            Owner owner = found.get();
            FreshToken next = newToken(owner.familyId);
            if (owner.status == UserStatus.ENABLED && spend(hash, next)) {
                renewed.add(answer.apply(new Issued(owner.userId, owner.roles, next)));
                return Optional.empty();
            }
            revokeIfSpent(hash);
            return Optional.of(
                    owner.status == UserStatus.ENABLED ? ProblemType.BAD_FRESH_TOKEN : ProblemType.ACCOUNT_DISABLED);
        }));
        refused.ifPresent(why -> {
            throw new ProblemException(why);
        });
        return renewed.get(0);
    }

    /** Ends a family, if it is one of that user. */
    void revoke(long userId, UUID familyId) {
        transactions.executeWithoutResult(transaction -> {
            jdbc.sql("SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE")
                    .param(userId)
                    .query(Integer.class)
                    .optional();
            jdbc.sql("UPDATE refresh_tokens SET revoked_at = now()"
                            + " WHERE family_id = ? AND user_id = ? AND revoked_at IS NULL")
                    .params(familyId, userId)
                    .update();
        });
    }

    /** Ends all families of a user, whose row the transaction has locked. */
    void revokeAll(long userId) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = ? AND revoked_at IS NULL")
                .param(userId)
                .update();
    }

    /** Forgets families of which no token is left that could be used: not single tokens, which tell of a revocation. */
    @Scheduled(fixedDelay = 1, initialDelay = 1, timeUnit = TimeUnit.HOURS)
    void prune() {
        // In portions, so that each takes no longer than a query may.
        while (jdbc.sql("""
                                DELETE FROM refresh_tokens WHERE token_hash IN (
                                    SELECT token_hash FROM refresh_tokens AS old
                                    WHERE expires_at < now() AND NOT EXISTS (
                                        SELECT 1 FROM refresh_tokens
                                        WHERE family_id = old.family_id AND expires_at >= now())
                                    LIMIT ?)
                                """).param(PORTION).update() == PORTION) {}
    }

    /** Not FOR SHARE: logins that follow each other closely would keep a ban waiting, for they would share the lock. */
    private Optional<UserStatus> lock(Account account) {
        return jdbc.sql("SELECT status FROM users WHERE id = ? AND password_hash = ? FOR NO KEY UPDATE")
                .params(account.id(), account.passwordHash())
                .query((row, number) -> UserStatus.of(row.getInt("status")))
                .optional();
    }

    private record Owner(long userId, UUID familyId, UserStatus status, List<String> roles) {}

    private Optional<Owner> lockOwner(String hash) {
        return jdbc.sql("""
                        SELECT id, family_id, status,
                            ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS roles
                        FROM refresh_tokens JOIN users ON users.id = user_id
                        WHERE token_hash = ? FOR NO KEY UPDATE OF users
                        """)
                .param(hash)
                .query((row, number) -> new Owner(
                        row.getLong("id"),
                        row.getObject("family_id", UUID.class),
                        UserStatus.of(row.getInt("status")),
                        Users.roles(row)))
                .optional();
    }

    /**
     * Spends a token and adds the next one, in a statement of its own: that of {@link #lockOwner} does not see what has been committed
     * while it waited.
     */
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
