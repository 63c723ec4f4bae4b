package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.transaction.support.TransactionOperations;

/**
 * In MariaDB and MySQL a statement either changes rows or returns them. No statement changes a table that it also reads, except from a table that is made for the
 * statement: MySQL refuses that.
 */
final class MariaDbTokens implements TokenStatements {

    private static final String NOW = Dialect.MARIADB.now();

    /** Longer ago than any statement lasts: no statement can still add a token to such a family. */
    private static final String REVOKED = "revoked_at < " + Dialect.MARIADB.ago(Duration.ofHours(1));

    /** That no token of the family of the token has been revoked. */
    private static final String OF_A_LIVE_FAMILY = " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS other"
            + " WHERE other.family_id = token.family_id AND other.revoked_at IS NOT NULL)";

    private static final int BATCH_SIZE = 500;

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final String expiry;

    MariaDbTokens(JdbcClient jdbc, TransactionOperations transactions, Duration ttl) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.expiry = Dialect.MARIADB.in(ttl);
    }

    @Override
    public void addFirst(long userId, int kept, String hash, UUID familyId) {
        List<String> ended = jdbc.sql("SELECT token_hash FROM refresh_tokens AS token"
                        + " WHERE user_id = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > " + NOW
                        + OF_A_LIVE_FAMILY + " ORDER BY created_at DESC, token_hash LIMIT " + BATCH_SIZE + " OFFSET ?")
                .params(userId, kept)
                .query((row, number) -> row.getString("token_hash"))
                .list();
        if (!ended.isEmpty()) {
            var unused = jdbc.sql("UPDATE refresh_tokens SET revoked_at = " + NOW + " WHERE token_hash IN (:ended)")
                    .param("ended", ended)
                    .update();
        }
        insert(hash, familyId.toString(), userId);
    }

    @Override
    public boolean spend(String hash, String next) {
        // The user's row is locked, so no other statement changes a family between these.
        Optional<Owner> owner = jdbc.sql("SELECT family_id, user_id FROM refresh_tokens AS token WHERE token_hash = ?"
                        + " AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > " + NOW + OF_A_LIVE_FAMILY)
                .param(hash)
                .query((row, number) -> new Owner(row.getString("family_id"), row.getLong("user_id")))
                .optional();
        owner.ifPresent(of -> {
            jdbc.sql("UPDATE refresh_tokens SET spent_at = " + NOW + " WHERE token_hash = ?")
                    .param(hash)
                    .update();
            insert(next, of.familyId, of.userId);
        });
        return owner.isPresent();
    }

    /** Whose a token is. */
    private record Owner(String familyId, long userId) {}

    private void insert(String hash, String familyId, long userId) {
        jdbc.sql("INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at) VALUES (?, ?, ?, " + expiry
                        + ")")
                .params(hash, familyId, userId)
                .update();
    }

    @Override
    public void prune() {
        deleteAll("expires_at < " + NOW + " AND revoked_at IS NULL ORDER BY expires_at");
        deleteAll("revoked_at IS NULL AND family_id IN (SELECT family_id FROM refresh_tokens AS ended WHERE ended."
                + REVOKED + ")");
        deleteAll(REVOKED + " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS other"
                + " WHERE other.family_id = token.family_id AND other.revoked_at IS NULL)");
    }

    /**
     * Deletes what a statement before has locked without waiting, so that it waits for no transaction of a user. One by one: for a list of keys that are most of
     * the table, MariaDB scans the table, and waits for the rows of others.
     */
    private void deleteAll(String condition) {
        int deleted;
        do {
            deleted = Objects.requireNonNull(transactions.execute(transaction -> {
                List<String> hashes = jdbc.sql("SELECT token_hash FROM refresh_tokens AS token WHERE " + condition
                                + " LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED")
                        .query((row, number) -> row.getString("token_hash"))
                        .list();
                hashes.forEach(hash -> jdbc.sql("DELETE FROM refresh_tokens WHERE token_hash = ?")
                        .param(hash)
                        .update());
                return hashes.size();
            }));
        } while (deleted == BATCH_SIZE);
    }
}
