package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.time.Duration;
import java.util.UUID;
import org.springframework.jdbc.core.simple.JdbcClient;

/** In PostgreSQL each is one statement. */
final class PostgresTokens implements TokenStatements {

    private static final int BATCH_SIZE = 1000;

    /** In which generation of the user of a token its family ends. */
    private static final String GENERATION = "(SELECT generation FROM users WHERE id = user_id)";

    private static final String CONDITION = "<condition>";

    private final JdbcClient jdbc;
    private final String expiry;
    private final String expired;
    private final String revoked;

    /** Tokens of revoked families that meet a condition. Family by family: the table may be large, and these families are few. */
    private final String ended;

    PostgresTokens(JdbcClient jdbc, Duration ttl, Lifetimes lifetimes) {
        this.jdbc = jdbc;
        this.expiry = Dialect.POSTGRESQL.in(ttl);
        this.expired = "expires_at < " + Dialect.POSTGRESQL.ago(lifetimes.afterExpiry());
        this.revoked = "revoked_at < " + Dialect.POSTGRESQL.ago(lifetimes.afterRevocation());
        this.ended = "SELECT token.token_hash FROM ("
                + "SELECT DISTINCT family_id FROM refresh_tokens WHERE " + revoked + ") AS ended"
                + " CROSS JOIN LATERAL (SELECT token_hash FROM refresh_tokens WHERE family_id = ended.family_id AND "
                + CONDITION
                + " LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED) AS token";
    }

    @Override
    public boolean addFirst(long userId, int kept, String hash, UUID familyId, String address) {
        return jdbc.sql("""
                        WITH ended AS (
                            UPDATE refresh_tokens SET revoked_at = now(), ended_in =
                        """ + GENERATION + """
                             WHERE token_hash IN (
                                SELECT token_hash FROM refresh_tokens AS live
                                WHERE user_id = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > now()
                                    AND NOT EXISTS (
                                        SELECT 1 FROM refresh_tokens
                                        WHERE family_id = live.family_id AND revoked_at IS NOT NULL)
                                ORDER BY created_at DESC, token_hash OFFSET ?)
                            RETURNING 1)
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, address, begun_at, expires_at)
                            VALUES (?, ?, ?, ?, now(),
                        """ + expiry + ") RETURNING EXISTS (SELECT 1 FROM ended)")
                .params(userId, kept, hash, familyId, userId, address)
                .query(Boolean.class)
                .single();
    }

    @Override
    public boolean spend(String hash, String next, String address) {
        return jdbc.sql("""
                        WITH spent AS (
                            UPDATE refresh_tokens AS token SET spent_at = now()
                            WHERE token_hash = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > now()
                                AND NOT EXISTS (
                                    SELECT 1 FROM refresh_tokens
                                    WHERE family_id = token.family_id AND revoked_at IS NOT NULL)
                            RETURNING user_id, family_id, COALESCE(begun_at, created_at) AS begun_at)
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, address, begun_at, expires_at)
                            SELECT ?, family_id, user_id, ?, begun_at,
                        """ + expiry + " FROM spent")
                        .params(hash, next, address)
                        .update()
                == 1;
    }

    @Override
    public void prune() {
        deleteAll("SELECT token_hash FROM refresh_tokens WHERE " + expired + " AND revoked_at IS NULL"
                + " ORDER BY expires_at LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED");
        deleteAll(ended.replace(CONDITION, "revoked_at IS NULL") + " LIMIT " + BATCH_SIZE);
        deleteAll(ended.replace(CONDITION, revoked) + " WHERE NOT EXISTS ("
                + "SELECT 1 FROM refresh_tokens WHERE family_id = ended.family_id AND revoked_at IS NULL) LIMIT "
                + BATCH_SIZE);
    }

    private void deleteAll(String hashes) {
        String delete = "DELETE FROM refresh_tokens WHERE token_hash IN (" + hashes + ")";
        while (jdbc.sql(delete).update() == BATCH_SIZE) {}
    }
}
