package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import dev.usher.Facet;
import dev.usher.ReadMark;
import dev.usher.RevocationReceipt;
import dev.usher.TrustedRedis;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.TransactionSystemException;
import org.springframework.transaction.support.TransactionTemplate;

/** The caches inside Spring's transactions, on a real database. */
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("TransactionsIT") // runs its tests one after the other
class TransactionsIT {

    private static final Facet<String> NAME = Facet.of("name", String.class);

    private static RedisServer redisServer;
    private static PostgresServer postgres;
    private static RedisClient client;
    private static RedisCommands<String, String> redis;
    private static DriverManagerDataSource database;
    private static JdbcClient jdbc;

    private final TransactionTemplate transaction = transactions();
    private final AtomicInteger queries = new AtomicInteger();
    private final UserSource<Long, String> nameSource = this::loadNames;
    private final UserSource<Long, UserStatus> statusSource = this::loadStatuses;
    private final UserCaches node = node();
    private final UserCaches otherNode = node();
    private final UserCache<Long, String> names = cache(node, NAME, nameSource);
    private final UserStatusCache<Long> statuses = new UserStatusCache<>(cache(node, UserStatus.FACET, statusSource));
    private final UserCache<Long, String> otherNames = cache(otherNode, NAME, nameSource);
    private final UserStatusCache<Long> otherStatuses =
            new UserStatusCache<>(cache(otherNode, UserStatus.FACET, statusSource));

    @BeforeAll
    static void start() {
        redisServer = RedisServer.start();
        postgres = SharedPostgres.POSTGRES;
        client = RedisClient.create(redisServer.uri());
        redis = client.connect().sync();
        database = new DriverManagerDataSource(
                postgres.createDatabase("transactions"), postgres.username(), postgres.password());
        jdbc = JdbcClient.create(database);
        jdbc.sql("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, status int NOT NULL,"
                        + " CONSTRAINT one_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED)")
                .update();
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        redisServer.close();
    }

    @BeforeEach
    void fill() {
        redis.keys("*").stream().filter(key -> !key.contains(":nodes}")).forEach(redis::del);
        jdbc.sql("DELETE FROM users").update();
        jdbc.sql("INSERT INTO users VALUES (42, 'Ann', 1), (43, 'Bob', 1)").update();
    }

    @AfterEach
    void close() {
        node.close();
        otherNode.close();
        // The next test has the same users, which nodes that enter would ask the source for.
        redis.del("{user:nodes}:names");
    }

    // Changes.

    @Test
    void aChangeIsAnnouncedAfterTheCommitAndNotBefore() {
        warm(42);

        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            assertThat(names.invalidate(42L)).isFalse();
            assertThat(redis.get("user:42:name")).isEqualTo("\"Ann\"");
            // On another thread, which has no transaction.
            assertThat(otherNames.findAsync(43L)).succeedsWithin(Duration.ofSeconds(5));
        });

        assertThat(redis.get("user:42:name")).isNull();
        assertThat(names.find(42L)).contains("Anna");
        await().until(() -> otherNames.find(42L).equals(Optional.of("Anna")));
    }

    @Test
    void afterARollbackNothingIsAnnounced() {
        warm(42);
        int before = queries.get();

        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            names.invalidate(42L);
            statuses.disable(42L, () -> setStatus(42, 0));
            status.setRollbackOnly();
        });

        assertThat(redis.get("user:42:name")).isEqualTo("\"Ann\"");
        assertThat(names.find(42L)).contains("Ann");
        assertThat(statuses.isEnabled(42L)).isTrue();
        assertThat(queries).as("the entry is still cached").hasValue(before);
    }

    @Test
    void aChangeWithAnUnknownOutcomeIsAnnounced() {
        warm(42);

        // The database refuses the commit, and this manager reports an unknown outcome.
        TransactionTemplate uncertain = new TransactionTemplate(new DataSourceTransactionManager(database));
        assertThatExceptionOfType(TransactionSystemException.class)
                .isThrownBy(() -> uncertain.executeWithoutResult(status -> {
                    rename(42, "Bob");
                    names.invalidate(42L);
                }));

        assertThat(redis.get("user:42:name")).isNull();
        assertThat(names.find(42L)).contains("Ann");
    }

    @Test
    void aCommittedInnerTransactionIsAnnouncedThoughTheOuterOneIsRolledBack() {
        warm(42);
        warm(43);
        TransactionTemplate inner = transactions();
        inner.setPropagationBehavior(TransactionDefinition.PROPAGATION_REQUIRES_NEW);

        transaction.executeWithoutResult(outer -> {
            names.invalidate(42L);
            inner.executeWithoutResult(status -> {
                rename(43, "Bert");
                names.invalidate(43L);
            });
            assertThat(redis.exists("user:43:name")).isZero();
            assertThat(redis.exists("user:42:name")).isEqualTo(1);
            outer.setRollbackOnly();
        });

        assertThat(redis.exists("user:42:name")).isEqualTo(1);
        assertThat(names.find(43L)).contains("Bert");
    }

    @Test
    void aBanInsideATransactionHoldsOnEveryNodeWhenTheTransactionHasReturned() {
        for (long id : new long[] {42, 43}) {
            warm(id);
            RevocationReceipt inside = transaction.execute(status -> {
                RevocationReceipt receipt = statuses.disable(id, () -> setStatus(id, 0));
                assertThat(redis.get("user:" + id + ":status")).isEqualTo("1");
                return receipt;
            });

            assertThat(otherStatuses.isEnabled(id)).isFalse();
            assertThat(statuses.isEnabled(id)).isFalse();
            assertThat(inside.confirmed())
                    .as("no node can confirm before the commit")
                    .isFalse();
            assertThat(inside.reason()).isEqualTo(RevocationReceipt.Reason.AWAITING_COMMIT);
            assertThat(inside.nodesConfirmed()).isEmpty();
        }
    }

    @Test
    void manyBansOfOneTransactionAreSentTogetherAndWaitedForOnce() {
        statuses.disable(1L, () -> setStatus(1, 0)); // loads the scripts into Redis and warms the connection
        long signalsBefore = calls("rpush");
        long fencesBefore = calls("evalsha");

        transaction.executeWithoutResult(status -> {
            for (long id = 100; id < 200; id++) {
                long user = id;
                statuses.disable(user, () -> setStatus(user, 0));
            }
        });

        assertThat(calls("evalsha") - fencesBefore)
                .as("one fence for each user")
                .isGreaterThanOrEqualTo(100);
        assertThat(calls("rpush") - signalsBefore)
                .as("one revocation, and so one wait for the nodes, while the connection is held")
                .isOne();
    }

    @Test
    void changesOfManyUsersAndOfEveryFacetWaitForTheCommit() {
        warm(42);
        warm(43);
        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            setStatus(42, 0);
            assertThat(names.forget(42L)).isFalse();
            assertThat(names.invalidateAll(List.of(42L, 43L))).isFalse();
            assertThat(statuses.disableAll(List.of(43L), () -> setStatus(43, 0)).reason())
                    .isEqualTo(RevocationReceipt.Reason.AWAITING_COMMIT);
            assertThat(redis.keys("user:4?:*")).as("before the commit").hasSize(4);
        });
        assertThat(redis.keys("user:4?:*")).as("after it").isEmpty();
        assertThat(names.find(42L)).contains("Anna");
        assertThat(otherStatuses.isEnabled(42L)).as("forgotten in every facet").isFalse();
        assertThat(otherStatuses.isEnabled(43L)).isFalse();

        warm(42);
        transaction.executeWithoutResult(status -> {
            names.forgetAll(List.of(42L));
            names.revokeAll(List.of(42L));
            status.setRollbackOnly();
        });
        assertThat(redis.keys("user:42:*")).as("after a rollback").hasSize(2);
    }

    @Test
    void aBanAroundATransactionGetsItsReceipt() {
        warm(42);

        RevocationReceipt receipt =
                statuses.disable(42L, () -> transaction.executeWithoutResult(status -> setStatus(42, 0)));

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.nodesConfirmed()).hasSize(2);
        assertThat(otherStatuses.isEnabled(42L)).isFalse();
    }

    @Test
    void outsideOfATransactionAChangeIsAnnouncedAtOnce() {
        warm(42);
        rename(42, "Anna");
        assertThat(names.invalidate(42L)).isTrue();
        assertThat(names.find(42L)).contains("Anna");
    }

    @Test
    void withoutATransactionButInItsScopeAChangeIsAnnouncedAtOnce() {
        warm(42);
        transaction.setPropagationBehavior(TransactionDefinition.PROPAGATION_SUPPORTS);
        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            assertThat(names.invalidate(42L)).as("the row is committed already").isTrue();
            status.setRollbackOnly();
        });
        assertThat(names.find(42L)).contains("Anna");
    }

    @Test
    void anInvalidIdIsRefusedWhenItIsAnnounced() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> transaction.executeWithoutResult(status -> {
                    @SuppressWarnings({"unchecked", "rawtypes"})
                    boolean unused = ((UserCache) names).invalidate("forty two");
                }));
    }

    // Reads.

    @Test
    void afterAnAnnouncementATransactionReadsItsOwnWrites() {
        warm(42);

        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            setStatus(42, 0);
            names.invalidate(42L);

            assertThat(names.find(42L)).contains("Anna");
            assertThat(names.lookUp(42L).value()).contains("Anna");
            assertThat(names.findFresh(42L)).contains("Anna");
            assertThat(names.findAll(List.of(42L, 43L, 44L))).isEqualTo(Map.of(42L, "Anna", 43L, "Bob"));
            assertThat(names.lookUpAll(List.of(42L, 44L))).hasSize(2);
            assertThat(names.findAsync(42L)).isCompletedWithValue(Optional.of("Anna"));
            assertThat(names.findCached(List.of(42L))).isEmpty();
            assertThat(statuses.isEnabled(42L)).as("in every facet").isFalse();
            assertThat(statuses.cache().find(42L)).contains(UserStatus.DISABLED);
            status.setRollbackOnly();
        });

        assertThat(names.find(42L)).contains("Ann");
        assertThat(statuses.isEnabled(42L)).isTrue();
    }

    @Test
    void aRolledBackRowIsNeverStored() {
        transaction.executeWithoutResult(status -> {
            rename(42, "Anna");
            assertThat(names.find(42L)).as("not cached yet").contains("Anna");
            status.setRollbackOnly();
        });

        assertThat(names.find(42L)).contains("Ann");
        assertThat(otherNames.find(42L)).contains("Ann");
        assertThat(redis.get("user:42:name")).isEqualTo("\"Ann\"");
    }

    @Test
    void anOldSnapshotIsNeverStored() {
        transaction.setIsolationLevel(TransactionDefinition.ISOLATION_REPEATABLE_READ);
        transaction.executeWithoutResult(status -> {
            assertThat(names.find(43L)).as("takes the snapshot").contains("Bob");
            onAnotherThread(() -> {
                rename(42, "Anna");
                assertThat(otherNames.invalidate(42L)).isTrue();
            });
            assertThat(names.find(42L)).contains("Ann");
        });

        assertThat(names.find(42L)).contains("Anna");
        assertThat(otherNames.find(42L)).contains("Anna");
    }

    @Test
    void aCachedEntryAnswersInsideATransactionToo() {
        warm(42);
        int before = queries.get();
        transaction.executeWithoutResult(status -> {
            assertThat(names.find(42L)).contains("Ann");
            assertThat(names.findAll(List.of(42L))).containsOnlyKeys(42L);
            assertThat(statuses.isEnabled(42L)).isTrue();
        });
        assertThat(queries).hasValue(before);
    }

    @Test
    void readsInsideTransactionsStillFillTheCache() {
        transaction.setReadOnly(true);
        transaction.executeWithoutResult(status -> assertThat(names.find(42L)).contains("Ann"));
        await().until(() -> redis.exists("user:42:name") == 1);
        int before = queries.get();
        transaction.executeWithoutResult(status -> assertThat(names.find(42L)).contains("Ann"));
        assertThat(queries).hasValue(before);
    }

    @Test
    void aSourceThatFailsInsideATransactionIsUnavailable() {
        jdbc.sql("ALTER TABLE users RENAME TO gone").update();
        try {
            assertThatExceptionOfType(UserUnavailableException.class)
                    .isThrownBy(() -> transaction.executeWithoutResult(status -> names.find(42L)))
                    .withMessageContaining("user:42:name is unavailable")
                    .withMessageContaining("SQLSTATE 42P01");
        } finally {
            jdbc.sql("ALTER TABLE gone RENAME TO users").update();
        }
        assertThat(names.find(42L)).contains("Ann");
    }

    // Offers.

    @Test
    void aRowThatWasReadInsideATransactionIsOfferedAfterItsCommit() {
        transaction.executeWithoutResult(status -> {
            assertThat(names.save(42L, "Ann", Instant.now())).isFalse();
            assertThat(redis.exists("user:42:name")).isZero();
        });
        assertThat(redis.get("user:42:name")).isEqualTo("\"Ann\"");

        ReadMark mark = names.beforeRead();
        transaction.executeWithoutResult(status -> {
            assertThat(names.save(43L, "Bob", mark)).isFalse();
            assertThat(redis.exists("user:43:name")).isZero();
        });
        assertThat(redis.get("user:43:name")).isEqualTo("\"Bob\"");
        redis.del("user:43:name", "{user:43:name}:guard");

        transaction.executeWithoutResult(status -> {
            rename(43, "Bert");
            names.save(43L, "Bert", Instant.now());
            status.setRollbackOnly();
        });
        assertThat(redis.exists("user:43:name")).isZero();
    }

    private void warm(long id) {
        names.find(id);
        otherNames.find(id);
        statuses.find(id);
        otherStatuses.find(id);
    }

    private static void rename(long id, String name) {
        jdbc.sql("UPDATE users SET name = ? WHERE id = ?").params(name, id).update();
    }

    private static void setStatus(long id, int status) {
        jdbc.sql("UPDATE users SET status = ? WHERE id = ?").params(status, id).update();
    }

    /** How often clients and scripts have called a command of Redis. */
    private static long calls(String command) {
        return Pattern.compile("^cmdstat_" + command + ":calls=(\\d+),", Pattern.MULTILINE)
                .matcher(redis.info("commandstats"))
                .results()
                .mapToLong(line -> Long.parseLong(line.group(1)))
                .sum();
    }

    private static void onAnotherThread(Runnable task) {
        Thread thread = new Thread(task);
        thread.start();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Map<Long, String> loadNames(Set<Long> ids) {
        queries.incrementAndGet();
        Map<Long, String> found = new HashMap<>();
        jdbc.sql("SELECT id, name FROM users WHERE id IN (:ids)")
                .param("ids", ids)
                .query((row, number) -> {
                    found.put(row.getLong(1), row.getString(2));
                    return true;
                })
                .list();
        return found;
    }

    private Map<Long, UserStatus> loadStatuses(Set<Long> ids) {
        queries.incrementAndGet();
        Map<Long, UserStatus> found = new HashMap<>();
        jdbc.sql("SELECT id, status FROM users WHERE id IN (:ids)")
                .param("ids", ids)
                .query((row, number) -> {
                    found.put(row.getLong(1), UserStatus.of(row.getInt(2)));
                    return true;
                })
                .list();
        return found;
    }

    private static TransactionTemplate transactions() {
        JdbcTransactionManager manager = new JdbcTransactionManager(database);
        manager.addListener(new BeginOfTransaction());
        return new TransactionTemplate(manager);
    }

    private static UserCaches node() {
        return TrustedRedis.at(redisServer.uri())
                .commandTimeout(Duration.ofSeconds(5))
                .build();
    }

    private static <V> UserCache<Long, V> cache(UserCaches caches, Facet<V> facet, UserSource<Long, V> source) {
        return new FacetCaches(caches, new DefaultListableBeanFactory()).cache(facet, Long.class, source);
    }
}
