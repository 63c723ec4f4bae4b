package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.transaction.support.TransactionOperations;

/**
 * In MariaDB and MySQL a statement either changes rows or returns them. No statement changes a table that it also reads, except from a table that is made for the
 * statement: MySQL refuses that.
 */
final class MariaDbTokens implements TokenStatements {

    private static final String NOW = Dialect.MARIADB.now();

    /** That no token of the family of the token has been revoked. */
    private static final String OF_A_LIVE_FAMILY = " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS other"
            + " WHERE other.family_id = token.family_id AND other.revoked_at IS NOT NULL)";

    private static final int BATCH_SIZE = 500;

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final String expiry;
    private final String expired;
    private final String revoked;

    MariaDbTokens(JdbcClient jdbc, TransactionOperations transactions, Duration ttl, Lifetimes lifetimes) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.expiry = Dialect.MARIADB.in(ttl);
        this.expired = "expires_at < " + Dialect.MARIADB.ago(lifetimes.afterExpiry());
        this.revoked = "revoked_at < " + Dialect.MARIADB.ago(lifetimes.afterRevocation());
    }

    @Override
    public boolean addFirst(long userId, int kept, String hash, UUID familyId, String address) {
        List<String> ended = jdbc.sql("SELECT token_hash FROM refresh_tokens AS token"
                        + " WHERE user_id = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > " + NOW
                        + OF_A_LIVE_FAMILY + " ORDER BY created_at DESC, token_hash LIMIT " + BATCH_SIZE + " OFFSET ?")
                .params(userId, kept)
                .query((row, number) -> row.getString("token_hash"))
                .list();
        if (!ended.isEmpty()) {
            var unused = jdbc.sql("UPDATE refresh_tokens SET revoked_at = " + NOW
                            + ", ended_in = (SELECT generation FROM users WHERE id = user_id)"
                            + " WHERE token_hash IN (:ended)")
                    .param("ended", ended)
                    .update();
        }
        insert(hash, familyId.toString(), userId, address, null);
        return !ended.isEmpty();
    }

    @Override
    public boolean spend(String hash, String next, String address) {
        // The user's row is locked, so no other statement changes a family between these.
        Optional<Owner> owner = jdbc.sql("SELECT family_id, user_id, COALESCE(begun_at, created_at) AS begun_at"
                        + " FROM refresh_tokens AS token WHERE token_hash = ?"
                        + " AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > " + NOW + OF_A_LIVE_FAMILY)
                .param(hash)
                .query((row, number) ->
                        new Owner(row.getString("family_id"), row.getLong("user_id"), row.getString("begun_at")))
                .optional();
        owner.ifPresent(of -> {
            jdbc.sql("UPDATE refresh_tokens SET spent_at = " + NOW + " WHERE token_hash = ?")
                    .param(hash)
                    .update();
            insert(next, of.familyId, of.userId, address, of.begunAt);
        });
        return owner.isPresent();
    }

    /** Whose a token is. The moment is text: no time zone changes it on its way. */
    private record Owner(String familyId, long userId, String begunAt) {}

    private void insert(String hash, String familyId, long userId, String address, @Nullable String begunAt) {
        jdbc.sql("INSERT INTO refresh_tokens (token_hash, family_id, user_id, address, begun_at, expires_at)"
                        + " VALUES (?, ?, ?, ?, COALESCE(?, " + NOW + "), " + expiry + ")")
                .params(Arrays.asList(hash, familyId, userId, address, begunAt))
                .update();
    }

    @Override
    public void prune() {
        deleteAll(expired + " AND revoked_at IS NULL ORDER BY expires_at");
        deleteAll("revoked_at IS NULL AND family_id IN (SELECT family_id FROM refresh_tokens AS ended WHERE ended."
                + revoked + ")");
        deleteAll(revoked + " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS other"
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
