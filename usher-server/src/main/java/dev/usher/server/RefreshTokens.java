package dev.usher.server;

import dev.usher.UserStatus;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;
import org.springframework.transaction.support.TransactionOperations;

/**
 * The fresh tokens: opaque, stored as hashes, each good for one refresh. Whoever presents a spent one, the user or a
 * thief, ends the whole family, for one of the two has stolen it (RFC 9700, section 4.14.2).
 *
 * <p>A family is revoked when any of its tokens is. So a revocation needs to see one of them only, and the successor
 * that a concurrent refresh adds at that moment is dead with the rest.
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

    /** What becomes of a token that is presented. */
    sealed interface Outcome {

        /** It is spent, and this is the next one of its family. */
        record Renewed(long userId, List<String> roles, FreshToken freshToken) implements Outcome {}

        /** It is refused. */
        record Refused(ProblemType why) implements Outcome {}
    }

    /** Begins a family. */
    FreshToken issue(long userId) {
        return add(userId, UUID.randomUUID());
    }

    /** Exchanges a token for the next one of its family. */
    Outcome renew(String freshToken) {
        String hash = Sha256.hex(freshToken);
        return Objects.requireNonNull(transactions.execute(transaction -> {
            Optional<Spent> spent = spend(hash);
            if (spent.isEmpty()) {
                return refuse(hash);
            }
            Spent token = spent.get();
            if (token.status != UserStatus.ENABLED) {
                transaction.setRollbackOnly();
                return new Outcome.Refused(ProblemType.ACCOUNT_DISABLED);
            }
            return new Outcome.Renewed(token.userId, token.roles, add(token.userId, token.familyId));
        }));
    }

    /** Ends a family, if it is one of that user. */
    void revoke(long userId, UUID familyId) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now()"
                        + " WHERE family_id = ? AND user_id = ? AND revoked_at IS NULL")
                .params(familyId, userId)
                .update();
    }

    /** Ends all families of a user. */
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

    private record Spent(long userId, UUID familyId, UserStatus status, List<String> roles) {}

    /** One statement, so that of two who present a token at once only one gets it. */
    private Optional<Spent> spend(String hash) {
        return jdbc.sql("""
                        WITH spent AS (
                            UPDATE refresh_tokens AS token SET spent_at = now()
                            WHERE token_hash = ? AND spent_at IS NULL AND expires_at > now()
                                AND NOT EXISTS (
                                    SELECT 1 FROM refresh_tokens
                                    WHERE family_id = token.family_id AND revoked_at IS NOT NULL)
                            RETURNING user_id, family_id)
                        SELECT id, family_id, status,
                            ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS roles
                        FROM spent JOIN users ON users.id = spent.user_id
                        """)
                .param(hash)
                .query((row, number) -> new Spent(
                        row.getLong("id"),
                        row.getObject("family_id", UUID.class),
                        UserStatus.of(row.getInt("status")),
                        Users.roles(row)))
                .optional();
    }

    private Outcome refuse(String hash) {
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = now()"
                        + " WHERE token_hash = ? AND spent_at IS NOT NULL AND revoked_at IS NULL")
                .param(hash)
                .update();
        boolean disabled = jdbc.sql("SELECT EXISTS (SELECT 1 FROM refresh_tokens JOIN users ON users.id = user_id"
                        + " WHERE token_hash = ? AND status = 0)")
                .param(hash)
                .query(Boolean.class)
                .single();
        return new Outcome.Refused(disabled ? ProblemType.ACCOUNT_DISABLED : ProblemType.BAD_FRESH_TOKEN);
    }

    private FreshToken add(long userId, UUID familyId) {
        byte[] bytes = new byte[BYTES];
        random.nextBytes(bytes);
        String token = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        jdbc.sql("INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)"
                        + " VALUES (?, ?, ?, now() + make_interval(secs => ?))")
                .params(Sha256.hex(token), familyId, userId, (double) ttlSeconds)
                .update();
        return new FreshToken(familyId, token);
    }
}
