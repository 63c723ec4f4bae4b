package dev.usher.server.token;

import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import dev.usher.server.PreparationStep;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
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
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.scheduling.annotation.Scheduled;
import org.springframework.stereotype.Component;
import org.springframework.transaction.TransactionException;
import org.springframework.transaction.support.TransactionOperations;

/**
 * The keys that sign and verify the tokens: from the settings, or from the database, for all nodes alike. Thread-safe.
 *
 * <p>A new key in the database is published first, and signs {@link #LEAD} later. Each node looks at the table every few seconds,
 * and signs only when it has done so a moment ago; so when a key begins to sign, every node knows it, or knows that it
 * knows too little. All times are the database's.
 */
@Component
@Order(1)
public class SigningKeys implements PreparationStep {

    /** How long everybody has to take notice of a new key before it signs. */
    static final Duration LEAD = Duration.ofMinutes(2);

    /** How long the published keys may be believed by whoever has fetched them. */
    static final Duration PUBLISHED_FOR = Duration.ofMinutes(1);

    private static final Logger log = LoggerFactory.getLogger(SigningKeys.class);

    private static final int LOOK_SECONDS = 5;

    /** After which what is known of the table is too old to sign by. */
    private static final Duration TOO_OLD_TO_SIGN = Duration.ofSeconds(3 * LOOK_SECONDS);

    /** For clocks that differ, also beyond the end of a token, which is honoured up to a minute longer for that reason. */
    private static final Duration MARGIN = Duration.ofMinutes(2);

    private static final String FIRST = "access-tokens";

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final LongSupplier nanoTime;
    private final Duration keptFor;
    private final boolean given;
    private final List<RSAKey> others;
    private volatile @Nullable KeyRing ring;
    private volatile boolean missed;

    /**
     * Keys that have not been read yet, unless the settings have them.
     *
     * @throws IllegalStateException when a key in the settings cannot be used; it is not quoted
     */
    @Autowired
    SigningKeys(JdbcClient jdbc, TransactionOperations transactions, UsherServerProperties properties) {
        this(jdbc, transactions, properties, System::nanoTime);
    }

    SigningKeys(
            JdbcClient jdbc,
            TransactionOperations transactions,
            UsherServerProperties properties,
            LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.jdbc = jdbc;
        this.transactions = transactions;
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

    /** Looks at the database again. Without it, the node goes on with what it knows. */
    @Scheduled(fixedDelay = LOOK_SECONDS, timeUnit = TimeUnit.SECONDS)
    void look() {
        if (given || ring == null) {
            return;
        }
        try {
            boolean isSomeOver = read();
            if (isSomeOver) {
                forget();
            }
            missed = false;
        } catch (DataAccessException | TransactionException | IllegalStateException e) {
            if (!missed) {
                missed = true;
                log.warn("The signing keys cannot be read, those known are used further: {}", e.getMessage());
            }
        }
    }

    /**
     * The key to sign with, by which every other node can verify.
     *
     * @throws DataAccessException when that cannot be said, for the database has been away
     */
    RSAKey signing() {
        if (!given && known().age(nanoTime.getAsLong()).compareTo(TOO_OLD_TO_SIGN) > 0) {
            var unused = read();
        }
        return known().signing(nanoTime.getAsLong());
    }

    /**
     * The keys by which a token may be verified.
     *
     * @throws KeySourceException when there may be others, of which this node has not heard
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

    /**
     * All keys whose tokens are honoured, without what is private.
     *
     * @throws ProblemException when they are not known yet
     */
    JWKSet published() {
        return known().verifying(nanoTime.getAsLong());
    }

    /**
     * A key that is going to sign.
     *
     * @param kid its name
     * @param signsFrom when it begins
     */
    public record Next(String kid, Instant signsFrom) {}

    /**
     * Makes the key that signs next. While there is one already, that is it: two who rotate at once have rotated once.
     *
     * @throws ProblemException when the key is in the settings
     */
    Next rotate() {
        if (given) {
            throw new ProblemException(ProblemType.KEY_IN_SETTINGS);
        }
        Next next = next().orElseGet(this::addUnlessThereIsOne);
        look();
        return next;
    }

    private Next addUnlessThereIsOne() {
        // Before the lock: it takes as long as others may wait for that.
        String pem = RsaPem.generate();
        return Objects.requireNonNull(transactions.execute(transaction -> {
            // It conflicts with itself, and with nothing that reads.
            jdbc.sql("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE").update();
            return next().orElseGet(() -> add(pem));
        }));
    }

    private Optional<Next> next() {
        return jdbc.sql("SELECT private_key, signs_from FROM signing_keys WHERE signs_from > now()"
                        + " ORDER BY signs_from DESC LIMIT 1")
                .query((row, number) -> new Next(keyOf(row).getKeyID(), instant(row)))
                .optional();
    }

    private Next add(String pem) {
        String kid = new RsaPem(pem, "the new key").privateKey().getKeyID();
        Next next = jdbc.sql("INSERT INTO signing_keys (name, private_key, signs_from)"
                        + " VALUES (?, ?, now() + make_interval(secs => ?)) RETURNING signs_from")
                .params(kid, pem, (double) LEAD.toSeconds())
                .query((row, number) -> new Next(kid, instant(row)))
                .single();
        log.info("The signing key {} is published, and signs from {}", kid, next.signsFrom);
        return next;
    }

    private KeyRing known() {
        KeyRing current = ring;
        if (current == null) {
            throw new ProblemException(ProblemType.UNAVAILABLE);
        }
        return current;
    }

    /** Reads the table, and says whether there are keys in it whose last token has expired. */
    private boolean read() {
        long now = nanoTime.getAsLong();
        List<KeyRing.Signer> found = find();
        if (found.isEmpty()) {
            // Two nodes that start at once both generate; the first insert wins, and both read it.
            jdbc.sql("INSERT INTO signing_keys (name, private_key) VALUES (?, ?) ON CONFLICT (name) DO NOTHING")
                    .params(FIRST, RsaPem.generate())
                    .update();
            found = find();
        }
        if (found.isEmpty()) {
            throw new IllegalStateException("the signing key vanished from the database");
        }
        ring = new KeyRing(found, others, now);
        return found.stream()
                .anyMatch(signer -> signer.endsIn() != null && signer.endsIn().isNegative());
    }

    private List<KeyRing.Signer> find() {
        return jdbc.sql("""
                        SELECT private_key, EXTRACT(EPOCH FROM signs_from - now()) AS signs_in,
                            EXTRACT(EPOCH FROM lead(signs_from) OVER (ORDER BY signs_from, name) - now()) AS replaced_in
                        FROM signing_keys ORDER BY signs_from, name
                        """)
                .query((row, number) -> {
                    BigDecimal replacedIn = row.getBigDecimal("replaced_in");
                    return new KeyRing.Signer(
                            keyOf(row),
                            seconds(row.getBigDecimal("signs_in")),
                            replacedIn == null ? null : seconds(replacedIn).plus(keptFor));
                })
                .list();
    }

    private void forget() {
        int forgotten = jdbc.sql("""
                        DELETE FROM signing_keys WHERE name IN (
                            SELECT name FROM (
                                SELECT name, lead(signs_from) OVER (ORDER BY signs_from, name) AS replaced_at
                                FROM signing_keys) AS keys
                            WHERE replaced_at < now() - make_interval(secs => ?))
                        """).param((double) keptFor.toSeconds()).update();
        if (forgotten > 0) {
            log.info("Deleted {} signing keys, whose last tokens have expired", forgotten);
        }
    }

    private static RSAKey keyOf(ResultSet row) throws SQLException {
        return new RsaPem(row.getString("private_key"), "a key in the table signing_keys").privateKey();
    }

    private static Instant instant(ResultSet row) throws SQLException {
        return row.getObject("signs_from", OffsetDateTime.class).toInstant();
    }

    private static Duration seconds(BigDecimal seconds) {
        return Duration.ofNanos(seconds.movePointRight(9).longValue());
    }
}
