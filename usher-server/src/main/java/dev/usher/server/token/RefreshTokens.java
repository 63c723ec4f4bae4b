package dev.usher.server.token;

import dev.usher.UserCache;
import dev.usher.UserStatus;
import dev.usher.server.Commits;
import dev.usher.server.Dialect;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.TokenStatements.Lifetimes;
import java.math.BigDecimal;
import java.security.SecureRandom;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
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
 * other, and no token is issued to a disabled user. {@link Access} says which tokens of a user have ended, and is announced after each commit
 * that ends one.
 *
 * <p>A family is revoked when any of its tokens is, so a revocation need not see all of them. It also marks tokens that were spent within the
 * last minute: a server of the release before does not lock the row, and may be adding their successors.
 *
 * <p>The rows of a user are bounded: by the number of families, and by the refreshes of a family in an hour, until the tokens expire.
 */
@Component
public class RefreshTokens {

    private static final int BYTES = 32;

    private final JdbcClient jdbc;
    private final Commits commits;
    private final UserCache<Long, Access> accesses;
    private final UsherServerProperties.Logins limits;
    private final SecureRandom random = new SecureRandom();
    private final Dialect dialect;
    private final String now;

    /** Tokens that can be refreshed, or were within the last minute. An index finds them, so that a ban takes no longer with more rows. */
    private final String latest;

    /** The beginning of a statement that revokes families, and says in which generation they end. */
    private final String end;

    private final TokenStatements statements;

    RefreshTokens(
            JdbcClient jdbc,
            TransactionOperations transactions,
            Commits commits,
            UserCache<Long, Access> accesses,
            Dialect dialect,
            UsherServerProperties properties) {
        this.jdbc = jdbc;
        this.commits = commits;
        this.accesses = accesses;
        this.limits = properties.logins();
        this.dialect = dialect;
        this.now = dialect.now();
        this.latest = " AND revoked_at IS NULL AND (spent_at IS NULL OR spent_at > "
                + dialect.ago(Duration.ofMinutes(1)) + ")";
        this.end = "UPDATE refresh_tokens SET revoked_at = " + now
                + ", ended_in = (SELECT generation FROM users WHERE id = user_id)";
        Duration ttl = properties.freshTokenTtl();
        Lifetimes lifetimes = Lifetimes.of(properties.tokenTtl());
        this.statements = dialect == Dialect.POSTGRESQL
                ? new PostgresTokens(jdbc, ttl, lifetimes)
                : new MariaDbTokens(jdbc, transactions, ttl, lifetimes);
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
     * @param generation of the user, which cannot rise before the commit
     */
    public record Issued(long userId, List<String> roles, long generation, RefreshToken refreshToken) {}

    /** The row of a user, which is locked. */
    private record Locked(UserStatus status, long generation) {}

    /**
     * Begins a family for a user whose password has been verified. Above the limit, it ends the families that were not used for the longest
     * time.
     *
     * @param passwordHash as it was read when the password was verified
     * @param roles of the user
     * @param address from which the user logs in
     * @param answer makes the answer before the commit, while the user cannot be disabled
     * @throws ProblemException when the user has been disabled or deleted meanwhile, or has another password
     */
    public <T> T issue(
            long userId, String passwordHash, List<String> roles, String address, Function<Issued, T> answer) {
        AtomicBoolean ended = new AtomicBoolean();
        T issued = commits.commit(
                () -> {
                    Locked user = lock(userId, passwordHash)
                            .orElseThrow(() -> new ProblemException(ProblemType.BAD_CREDENTIALS));
                    if (user.status != UserStatus.ENABLED) {
                        throw new ProblemException(ProblemType.ACCOUNT_DISABLED);
                    }
                    RefreshToken first = newToken(UUID.randomUUID());
                    ended.set(statements.addFirst(
                            userId, limits.maxPerUser() - 1, Sha256.hex(first.text), first.familyId, address));
                    boolean raised = ended.get() && raiseAboveLimit(userId);
                    return answer.apply(
                            new Issued(userId, roles, raised ? user.generation + 1 : user.generation, first));
                },
                () -> announce(userId, ended));
        announce(userId, ended);
        return issued;
    }

    /**
     * Exchanges a token for the next one of its family. A token that was spent before ends its family.
     *
     * @param address from which it is presented
     * @param answer makes the answer before the commit, while the user cannot be disabled
     * @throws ProblemException when the token is refused
     */
    public <T> T renew(String refreshToken, String address, Function<Issued, T> answer) {
        String hash = Sha256.hex(refreshToken);
        Presented token = find(hash).orElseThrow(() -> new ProblemException(ProblemType.BAD_FRESH_TOKEN));
        token.requireUsable();
        AtomicBoolean ended = new AtomicBoolean();
        List<T> renewed = new ArrayList<>(1);
        // A refusal is committed as well: it may have ended the family.
        Optional<ProblemType> refused = commits.commit(
                () -> {
                    Locked user = lock(token.userId).orElse(null);
                    RefreshToken next = newToken(token.familyId);
                    if (user != null
                            && user.status == UserStatus.ENABLED
                            && statements.spend(hash, Sha256.hex(next.text), address)) {
                        renewed.add(answer.apply(new Issued(token.userId, token.roles, user.generation, next)));
                        return Optional.empty();
                    }
                    ended.set(endIfSpent(token.userId, hash));
                    return Optional.of(
                            user != null && user.status == UserStatus.DISABLED
                                    ? ProblemType.ACCOUNT_DISABLED
                                    : ProblemType.BAD_FRESH_TOKEN);
                },
                () -> announce(token.userId, ended));
        announce(token.userId, ended);
        refused.ifPresent(why -> {
            throw new ProblemException(why);
        });
        return renewed.get(0);
    }

    /** Other nodes refuse the tokens within the bound; the caller is no user who waits for that. */
    private void announce(long userId, AtomicBoolean ended) {
        if (ended.get()) {
            accesses.invalidate(userId);
        }
    }

    /**
     * Ends a family, if it is one of that user. The caller announces it.
     *
     * @return whether it is; also when it has ended before
     */
    public boolean end(long userId, UUID familyId) {
        return commits.commit(
                () -> {
                    var unused = lock(userId);
                    jdbc.sql(end + " WHERE family_id = ? AND user_id = ?" + latest)
                            .params(dialect.parameter(familyId), userId)
                            .update();
                    raiseAboveLimit(userId);
                    return jdbc.sql("SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE family_id = ? AND user_id = ?)")
                            .params(dialect.parameter(familyId), userId)
                            .query(Boolean.class)
                            .single();
                },
                () -> accesses.invalidate(userId));
    }

    /**
     * Ends all families and all tokens of a user, inside a transaction. The caller announces it.
     *
     * @return whether there is such a user
     */
    public boolean endAll(long userId) {
        // It locks the row.
        boolean isThere = jdbc.sql("UPDATE users SET generation = generation + 1 WHERE id = ?")
                        .param(userId)
                        .update()
                == 1;
        jdbc.sql("UPDATE refresh_tokens SET revoked_at = " + now + " WHERE user_id = ?" + latest)
                .param(userId)
                .update();
        return isThere;
    }

    /**
     * Ends all families of a user but one, inside a transaction that has locked the user's row. The caller announces it.
     *
     * @param familyId the one that goes on, or {@code null} for none
     */
    public void endOthers(long userId, @Nullable UUID familyId) {
        if (familyId == null) {
            var unused = endAll(userId);
            return;
        }
        jdbc.sql(end + " WHERE user_id = ? AND family_id <> ?" + latest)
                .params(userId, dialect.parameter(familyId))
                .update();
        raiseAboveLimit(userId);
    }

    /**
     * The families of a user that have not ended, the last used first.
     *
     * @param current the family of the caller, or {@code null} for none
     */
    public List<Session> sessions(long userId, @Nullable UUID current) {
        return jdbc.sql("SELECT family_id, address, " + dialect.epochSeconds("COALESCE(begun_at, created_at)")
                        + " AS begun, " + dialect.epochSeconds("created_at") + " AS used"
                        + " FROM refresh_tokens AS token WHERE user_id = ? AND spent_at IS NULL AND revoked_at IS NULL"
                        + " AND expires_at > " + now + " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS other"
                        + " WHERE other.family_id = token.family_id AND other.revoked_at IS NOT NULL)"
                        + " ORDER BY created_at DESC, token_hash")
                .param(userId)
                .query((row, number) -> {
                    UUID id = UUID.fromString(row.getString("family_id"));
                    return new Session(
                            id,
                            moment(row.getBigDecimal("begun")),
                            moment(row.getBigDecimal("used")),
                            row.getString("address"),
                            id.equals(current));
                })
                .list();
    }

    private static Instant moment(BigDecimal epochSeconds) {
        return Instant.ofEpochMilli(epochSeconds.movePointRight(3).longValue());
    }

    /**
     * Ends all tokens of a user when too many families have ended in the user's generation. Those that have not ended go on with the next token.
     *
     * @return whether the generation has risen
     */
    private boolean raiseAboveLimit(long userId) {
        return jdbc.sql(
                                "UPDATE users SET generation = generation + 1 WHERE id = ? AND (SELECT COUNT(DISTINCT family_id)"
                                        + " FROM refresh_tokens WHERE user_id = users.id AND ended_in = users.generation) > "
                                        + Access.MAX_ENDED)
                        .param(userId)
                        .update()
                > 0;
    }

    /**
     * Deletes revoked families, and tokens that have expired: after that, a spent token that is presented revokes nothing. Each batch is small
     * enough for the time limit of a query, and skips rows that another node is deleting.
     */
    @Scheduled(fixedDelay = 1, initialDelay = 1, timeUnit = TimeUnit.HOURS)
    void prune() {
        statements.prune();
    }

    /** Not FOR SHARE: logins that follow each other closely would share the lock, and a ban would wait for all of them. */
    private Optional<Locked> lock(long userId) {
        return jdbc.sql("SELECT status, generation FROM users WHERE id = ? " + dialect.forUpdate())
                .param(userId)
                .query(RefreshTokens::locked)
                .optional();
    }

    private Optional<Locked> lock(long userId, String passwordHash) {
        return jdbc.sql("SELECT status, generation FROM users WHERE id = ? AND password_hash = ? "
                        + dialect.forUpdate())
                .params(userId, passwordHash)
                .query(RefreshTokens::locked)
                .optional();
    }

    private static Locked locked(ResultSet row, int number) throws SQLException {
        return new Locked(UserStatus.of(row.getInt("status")), row.getLong("generation"));
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
        return jdbc.sql("SELECT " + Roles.sql(dialect)
                        + ", user_id, family_id, status, spent_at IS NOT NULL AS is_spent, expires_at <= " + now
                        + " AS is_expired, EXISTS (SELECT 1 FROM refresh_tokens"
                        + " WHERE family_id = token.family_id AND revoked_at IS NOT NULL) AS is_revoked,"
                        + " (SELECT " + dialect.secondsUntil("spent_at") + " + 3600 FROM refresh_tokens"
                        + " WHERE user_id = token.user_id AND family_id = token.family_id AND revoked_at IS NULL"
                        + " AND spent_at > " + dialect.ago(Duration.ofHours(1))
                        + " ORDER BY spent_at DESC LIMIT 1 OFFSET ?) AS wait"
                        + " FROM refresh_tokens AS token JOIN users ON users.id = user_id WHERE token_hash = ?")
                .params(limits.maxRefreshesPerHour() - 1, hash)
                .query((row, number) -> {
                    BigDecimal wait = row.getBigDecimal("wait");
                    return new Presented(
                            row.getLong("user_id"),
                            UUID.fromString(row.getString("family_id")),
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

    private boolean endIfSpent(long userId, String hash) {
        boolean ended = jdbc.sql(end + " WHERE token_hash = ? AND spent_at IS NOT NULL AND revoked_at IS NULL")
                        .param(hash)
                        .update()
                > 0;
        if (ended) {
            raiseAboveLimit(userId);
        }
        return ended;
    }

    private RefreshToken newToken(UUID familyId) {
        byte[] bytes = new byte[BYTES];
        random.nextBytes(bytes);
        return new RefreshToken(
                familyId, Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
    }
}
