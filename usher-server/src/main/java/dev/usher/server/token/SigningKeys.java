package dev.usher.server.token;

import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import dev.usher.server.Dialect;
import dev.usher.server.PreparationStep;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.core.annotation.Order;
import org.springframework.dao.DataAccessException;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;
import org.springframework.transaction.TransactionException;
import org.springframework.transaction.support.TransactionOperations;

/**
 * The keys that sign and verify the tokens: from the settings, or from the database, for all nodes alike. Thread-safe.
 *
 * <p>A new key in the database is published first, and signs {@link #LEAD} later. Each node reads the table every five seconds, and signs only
 * if it has read it within the last fifteen. So when a key begins to sign, every node has read it, or knows that its own copy is too old. All
 * times are the database's.
 */
@Component
@Order(1)
public class SigningKeys implements PreparationStep {

    /** The time between the publication of a new key and its first signature. */
    static final Duration LEAD = Duration.ofMinutes(2);

    /** How long a verifier may cache the published keys. */
    static final Duration PUBLISHED_FOR = Duration.ofMinutes(1);

    private static final Logger log = LoggerFactory.getLogger(SigningKeys.class);

    private static final int READ_SECONDS = 5;

    /** A copy of the table that is older is not signed by. */
    private static final Duration TOO_OLD_TO_SIGN = Duration.ofSeconds(3 * READ_SECONDS);

    /** For clocks that differ: it covers the minute at most that a token is honoured past its end. */
    private static final Duration MARGIN = Duration.ofMinutes(2);

    private static final String FIRST = "access-tokens";

    /** The keys, each with the moment from which the next one signs. */
    private static final String WITH_SUCCESSORS = "(SELECT name, private_key, signs_from,"
            + " lead(signs_from) OVER (ORDER BY signs_from, name) AS replaced_at FROM signing_keys) AS replaced";

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final Dialect dialect;
    private final LongSupplier nanoTime;
    private final Duration keptFor;
    private final boolean given;
    private final List<RSAKey> others;
    private volatile @Nullable KeyRing ring;
    private volatile boolean missed;

    /**
     * The keys of the settings, or keys that are yet to be read.
     *
     * @throws IllegalStateException when a key in the settings cannot be used; it is not quoted
     */
    @Autowired
    SigningKeys(
            JdbcClient jdbc, TransactionOperations transactions, Dialect dialect, UsherServerProperties properties) {
        this(jdbc, transactions, dialect, properties, System::nanoTime);
    }

    SigningKeys(
            JdbcClient jdbc,
            TransactionOperations transactions,
            Dialect dialect,
            UsherServerProperties properties,
            LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.dialect = dialect;
        this.keptFor = properties.tokenTtl().plus(MARGIN);
        List<String> verification = properties.verificationKeys();
        this.others = IntStream.range(0, verification.size())
                .mapToObj(i -> RsaPem.ofSetting("usher.server.verification-keys[" + i + "]", verification.get(i))
                        .publicKey())
                .toList();
        String setting = properties.signingKey();
        this.given = setting != null && !setting.isBlank();
        if (setting != null && given) {
            RSAKey key = RsaPem.ofSetting("usher.server.signing-key", setting).privateKey();
            this.ring =
                    new KeyRing(List.of(new KeyRing.Signer(key, Duration.ZERO, null)), others, nanoTime.getAsLong());
        }
    }

    /** Reads the keys from the database, and generates the first one, unless the settings have given one. */
    @Override
    public void prepare() {
        if (!given) {
            var unused = read();
        }
    }

    /** Reads the table again. While that fails, the node goes on with the keys that it has read. */
    @Scheduled(fixedDelay = READ_SECONDS, timeUnit = TimeUnit.SECONDS)
    void reread() {
        if (given || ring == null) {
            return;
        }
        try {
            boolean holdsExpired = read();
            if (holdsExpired) {
                deleteExpired();
            }
            missed = false;
        } catch (DataAccessException | TransactionException | IllegalStateException e) {
            if (!missed) {
                missed = true;
                log.warn("The signing keys cannot be read, and those read before stay in use: {}", e.getMessage());
            }
        }
    }

    /**
     * The key to sign with, which every other node can verify by.
     *
     * @throws DataAccessException when this node has not read the table for too long, and cannot read it now
     */
    RSAKey signing() {
        if (!given && known().age(nanoTime.getAsLong()).compareTo(TOO_OLD_TO_SIGN) > 0) {
            var unused = read();
        }
        return current();
    }

    /**
     * The key that signs now, as far as this node knows.
     *
     * @throws ProblemException when the keys have not been read yet
     */
    RSAKey current() {
        return known().signing(nanoTime.getAsLong());
    }

    /**
     * The keys by which a token may be verified.
     *
     * @throws KeySourceException when there may be a key that this node has not read
     */
    List<JWK> select(JWKSelector selector) throws KeySourceException {
        KeyRing current = ring;
        if (current == null) {
            throw new KeySourceException("the signing keys are in the database, which has not been reached yet");
        }
        long now = nanoTime.getAsLong();
        List<JWK> selected = selector.select(current.verifying(now));
        if (selected.isEmpty() && !given && current.age(now).compareTo(LEAD) > 0) {
            throw new KeySourceException("the signing keys have not been read for too long");
        }
        return selected;
    }

    /** Whether tokens of a key that has verified some are still honoured. */
    boolean honours(String keyId) {
        KeyRing current = ring;
        return current != null && current.verifies(keyId, nanoTime.getAsLong());
    }

    /**
     * The public keys of all tokens that are honoured.
     *
     * @throws ProblemException when they have not been read yet
     */
    JWKSet published() {
        return known().verifying(nanoTime.getAsLong());
    }

    /**
     * A key that is going to sign.
     *
     * @param kid its name
     * @param signsFrom its first moment
     */
    public record Next(String kid, Instant signsFrom) {}

    /**
     * Makes the key that signs next, or answers the one that there is: two rotations at once make one key.
     *
     * @throws ProblemException when the key is in the settings
     */
    Next rotate() {
        if (given) {
            throw new ProblemException(ProblemType.KEY_IN_SETTINGS);
        }
        Next next = next().orElseGet(this::addUnlessThereIsOne);
        reread();
        return next;
    }

    private Next addUnlessThereIsOne() {
        // Before the lock, for which others wait.
        String pem = RsaPem.generate();
        return Objects.requireNonNull(transactions.execute(transaction -> {
            // This lock excludes itself, and no reader.
            jdbc.sql(dialect.lock("signing_keys")).update();
            return next().orElseGet(() -> add(pem));
        }));
    }

    private Optional<Next> next() {
        return jdbc.sql("SELECT private_key, " + dialect.epochSeconds("signs_from") + " AS signs_from FROM signing_keys"
                        + " WHERE signing_keys.signs_from > " + dialect.now()
                        + " ORDER BY signing_keys.signs_from DESC LIMIT 1")
                .query((row, number) -> new Next(keyOf(row).getKeyID(), instant(row)))
                .optional();
    }

    private Next add(String pem) {
        String kid = new RsaPem(pem, "the new key").privateKey().getKeyID();
        jdbc.sql("INSERT INTO signing_keys (name, private_key, signs_from) VALUES (?, ?, " + dialect.in(LEAD) + ")")
                .params(kid, pem)
                .update();
        Next next = next().orElseThrow();
        log.info("The signing key {} is published, and signs from {}", next.kid, next.signsFrom);
        return next;
    }

    private KeyRing known() {
        KeyRing current = ring;
        if (current == null) {
            throw new ProblemException(ProblemType.UNAVAILABLE);
        }
        return current;
    }

    /** Reads the table; true when it holds keys whose last token has expired. */
    private boolean read() {
        long now = nanoTime.getAsLong();
        List<KeyRing.Signer> found = find();
        if (found.isEmpty()) {
            // Two nodes that start at once both generate a key; the first insert wins, and both read that one.
            insertFirst(RsaPem.generate());
            found = find();
        }
        if (found.isEmpty()) {
            throw new IllegalStateException("the signing key vanished from the database");
        }
        ring = new KeyRing(found, others, now);
        return found.stream()
                .anyMatch(signer -> signer.endsIn() != null && signer.endsIn().isNegative());
    }

    private void insertFirst(String pem) {
        try {
            var unused = jdbc.sql(
                            "INSERT INTO signing_keys (name, private_key) VALUES (?, ?)" + dialect.orNothing("name"))
                    .params(FIRST, pem)
                    .update();
        } catch (DuplicateKeyException e) {
            // It is the one of another node.
        }
    }

    private List<KeyRing.Signer> find() {
        return jdbc.sql("SELECT private_key, " + dialect.secondsUntil("signs_from") + " AS signs_in, "
                        + dialect.secondsUntil("replaced_at") + " AS replaced_in FROM " + WITH_SUCCESSORS
                        + " ORDER BY signs_from, name")
                .query((row, number) -> {
                    BigDecimal replacedIn = row.getBigDecimal("replaced_in");
                    return new KeyRing.Signer(
                            keyOf(row),
                            seconds(row.getBigDecimal("signs_in")),
                            replacedIn == null ? null : seconds(replacedIn).plus(keptFor));
                })
                .list();
    }

    private void deleteExpired() {
        int deleted = jdbc.sql("DELETE FROM signing_keys WHERE name IN (SELECT name FROM " + WITH_SUCCESSORS
                        + " WHERE replaced_at < " + dialect.ago(keptFor) + ")")
                .update();
        if (deleted > 0) {
            log.info("Deleted {} signing keys, whose last tokens have expired", deleted);
        }
    }

    private static RSAKey keyOf(ResultSet row) throws SQLException {
        return new RsaPem(row.getString("private_key"), "a key in the table signing_keys").privateKey();
    }

    private static Instant instant(ResultSet row) throws SQLException {
        return Instant.EPOCH.plus(seconds(row.getBigDecimal("signs_from")));
    }

    private static Duration seconds(BigDecimal seconds) {
        return Duration.ofNanos(seconds.movePointRight(9).longValue());
    }
}
