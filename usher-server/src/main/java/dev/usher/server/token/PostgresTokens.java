package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.time.Duration;
import java.util.UUID;
import org.springframework.jdbc.core.simple.JdbcClient;

/** In PostgreSQL each is one statement. */
final class PostgresTokens implements TokenStatements {

    private static final int BATCH_SIZE = 1000;

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
    private final String expiry;

    PostgresTokens(JdbcClient jdbc, Duration ttl) {
        this.jdbc = jdbc;
        this.expiry = Dialect.POSTGRESQL.in(ttl);
    }

    @Override
    public void addFirst(long userId, int kept, String hash, UUID familyId) {
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
                            VALUES (?, ?, ?,
                        """ + expiry + ")")
                .params(userId, kept, hash, familyId, userId)
                .update();
    }

    @Override
    public boolean spend(String hash, String next) {
        return jdbc.sql("""
                        WITH spent AS (
                            UPDATE refresh_tokens AS token SET spent_at = now()
                            WHERE token_hash = ? AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > now()
                                AND NOT EXISTS (
                                    SELECT 1 FROM refresh_tokens
                                    WHERE family_id = token.family_id AND revoked_at IS NOT NULL)
                            RETURNING user_id, family_id)
                        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
                            SELECT ?, family_id, user_id,
                        """ + expiry + " FROM spent").params(hash, next).update() == 1;
    }

    @Override
    public void prune() {
        deleteAll("SELECT token_hash FROM refresh_tokens WHERE expires_at < now() AND revoked_at IS NULL"
                + " ORDER BY expires_at LIMIT " + BATCH_SIZE + " FOR UPDATE SKIP LOCKED");
        deleteAll(ENDED.replace(CONDITION, "revoked_at IS NULL") + " LIMIT " + BATCH_SIZE);
        deleteAll(ENDED.replace(CONDITION, REVOKED) + " WHERE NOT EXISTS ("
                + "SELECT 1 FROM refresh_tokens WHERE family_id = ended.family_id AND revoked_at IS NULL) LIMIT "
                + BATCH_SIZE);
    }

    private void deleteAll(String hashes) {
        String delete = "DELETE FROM refresh_tokens WHERE token_hash IN (" + hashes + ")";
        while (jdbc.sql(delete).update() == BATCH_SIZE) {}
    }
}
