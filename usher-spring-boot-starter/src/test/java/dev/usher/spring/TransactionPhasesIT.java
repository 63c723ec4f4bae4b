package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.Facet;
import dev.usher.RevocationReceipt;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.context.PayloadApplicationEvent;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.Ordered;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.TransactionException;
import org.springframework.transaction.event.TransactionPhase;
import org.springframework.transaction.event.TransactionalApplicationListener;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * When a change that is announced in a phase of a transaction reaches Redis, and what the call returns. It tries each phase
 * with each call, with a transaction manager that the starter {@linkplain BeginOfTransaction listens} to and with one that it
 * does not.
 */
class TransactionPhasesIT {

    private static final AtomicLong IDS = new AtomicLong(1000);

    private static RedisServer redisServer;
    private static PostgresServer postgres;
    private static RedisClient client;
    private static RedisCommands<String, String> redis;
    private static HikariDataSource database;
    private static UserCaches node;
    private static UserStatusCache<Long> statuses;

    /** Not aware of transactions. */
    private static UserCache<Long, String> barrier;

    @BeforeAll
    static void start() {
        redisServer = RedisServer.start();
        postgres = SharedPostgres.POSTGRES;
        client = RedisClient.create(redisServer.uri());
        redis = client.connect().sync();
        database = new HikariDataSource();
        database.setJdbcUrl(postgres.createDatabase("phases"));
        database.setUsername(postgres.username());
        database.setPassword(postgres.password());
        database.setMaximumPoolSize(3);
        new JdbcTemplate(database)
                .execute(
                        "CREATE TABLE marks (mark int, CONSTRAINT one_mark UNIQUE (mark) DEFERRABLE INITIALLY DEFERRED)");
        node = UserCaches.builder()
                .redis(redisServer.uri())
                .commandTimeout(Duration.ofSeconds(5))
                .build();
        statuses = new UserStatusCache<>(new FacetCaches(node, new DefaultListableBeanFactory())
                .cache(UserStatus.FACET, Long.class, ids -> Map.of()));
        barrier = node.cache(Facet.of("barrier", String.class), Long.class, ids -> Map.of());
    }

    @AfterAll
    static void stop() {
        node.close();
        client.shutdown();
        database.close();
        redisServer.close();
    }

    /** When the change has reached Redis. */
    private enum When {
        /** When the call returns. */
        AT_ONCE,
        /** When the outermost transaction has returned to its caller, and not when the call returns. */
        AFTERWARDS,
        NEVER
    }

    /** The calls of a service. Each returns whether the cache confirmed the change. */
    private enum Call {
        INVALIDATE {
            @Override
            boolean make(long id) {
                return statuses.invalidate(id);
            }
        },
        REVOKE {
            @Override
            boolean make(long id) {
                return confirmed(statuses.cache().revoke(id));
            }
        },
        DISABLE {
            @Override
            boolean make(long id) {
                return confirmed(statuses.disable(id, () -> {}));
            }
        },
        ENABLE {
            @Override
            boolean make(long id) {
                return confirmed(statuses.enable(id, () -> {}));
            }
        },
        INVALIDATE_ALL {
            @Override
            boolean make(long id) {
                return statuses.cache().invalidateAll(List.of(id));
            }
        },
        FORGET {
            @Override
            boolean make(long id) {
                return statuses.cache().forget(id);
            }
        },
        REVOKE_ALL {
            @Override
            boolean make(long id) {
                return confirmed(statuses.cache().revokeAll(List.of(id)));
            }
        },
        SAVE {
            @Override
            boolean make(long id) {
                return statuses.save(id, UserStatus.ENABLED, Instant.now());
            }
        },
        SAVE_MARKED {
            @Override
            boolean make(long id) {
                return statuses.cache()
                        .save(id, UserStatus.ENABLED, statuses.cache().beforeRead());
            }
        },
        SAVE_ASYNC {
            @Override
            boolean make(long id) {
                return statuses.saveAsync(id, UserStatus.ENABLED, statuses.beforeRead())
                        .join();
            }
        };

        abstract boolean make(long id);

        private static boolean confirmed(RevocationReceipt receipt) {
            assertThat(receipt.nodesConfirmed()).hasSize(receipt.confirmed() ? 1 : 0);
            assertThat(receipt.reason()).isEqualTo(receipt.confirmed() ? null : Reason.AWAITING_COMMIT);
            return receipt.confirmed();
        }

        boolean isOffer() {
            return this == SAVE || this == SAVE_MARKED || this == SAVE_ASYNC;
        }

        boolean isIn(long id) {
            // An offer that no thread waits for comes before what is sent later over the same connection.
            assertThat(barrier.invalidate(0L)).isTrue();
            return redis.exists(isOffer() ? "user:" + id + ":status" : "{user:" + id + ":status}:guard") == 1;
        }
    }

    /** Runs a call in a phase of transactions, and returns after they have ended. */
    @FunctionalInterface
    private interface Phase {

        void run(Transactions transactions, Runnable call);
    }

    /** Transactions of one manager. */
    private record Transactions(DataSourceTransactionManager manager) {

        static Transactions of(boolean listenedTo) {
            DataSourceTransactionManager manager = new DataSourceTransactionManager(database);
            if (listenedTo) {
                new BeginOfTransaction.Registrar().postProcessBeforeInitialization(manager, "transactionManager");
            }
            return new Transactions(manager);
        }

        void commit(Runnable work) {
            template().executeWithoutResult(status -> work.run());
        }

        void rollBack(Runnable work) {
            template().executeWithoutResult(status -> {
                work.run();
                status.setRollbackOnly();
            });
        }

        /** The database refuses the commit, and this manager reports an unknown outcome. */
        void commitWithUnknownOutcome(Runnable work) {
            try {
                commit(() -> {
                    work.run();
                    new JdbcTemplate(database).update("INSERT INTO marks VALUES (1), (1)");
                });
            } catch (TransactionException | DataAccessException e) {
                return;
            }
            throw new AssertionError("the commit has succeeded");
        }

        void inside(int propagation, Consumer<TransactionTemplate> work) {
            TransactionTemplate inner = template();
            inner.setPropagationBehavior(propagation);
            work.accept(inner);
        }

        private TransactionTemplate template() {
            return new TransactionTemplate(manager);
        }
    }

    /** A synchronization that the application registers. */
    private record Callback(
            int getOrder,
            Runnable beforeCommitted,
            Runnable beforeCompleted,
            Runnable committed,
            Consumer<Integer> completed)
            implements TransactionSynchronization {

        static Callback beforeCommit(Runnable call) {
            return new Callback(Ordered.LOWEST_PRECEDENCE, call, Callback::nothing, Callback::nothing, status -> {});
        }

        static Callback beforeCompletion(Runnable call) {
            return new Callback(Ordered.LOWEST_PRECEDENCE, Callback::nothing, call, Callback::nothing, status -> {});
        }

        static Callback afterCommit(Runnable call) {
            return new Callback(Ordered.LOWEST_PRECEDENCE, Callback::nothing, Callback::nothing, call, status -> {});
        }

        static Callback afterCompletion(int expected, Runnable call) {
            return new Callback(
                    Ordered.LOWEST_PRECEDENCE, Callback::nothing, Callback::nothing, Callback::nothing, status -> {
                        assertThat(status).isEqualTo(expected);
                        call.run();
                    });
        }

        private static void nothing() {}

        /** This callback, called before all others. */
        Callback first() {
            return new Callback(Ordered.HIGHEST_PRECEDENCE, beforeCommitted, beforeCompleted, committed, completed);
        }

        void register() {
            TransactionSynchronizationManager.registerSynchronization(this);
        }

        @Override
        public void beforeCommit(boolean readOnly) {
            beforeCommitted.run();
        }

        @Override
        public void beforeCompletion() {
            beforeCompleted.run();
        }

        @Override
        public void afterCommit() {
            committed.run();
        }

        @Override
        public void afterCompletion(int status) {
            completed.accept(status);
        }
    }

    /** When a change, and an offered row, of a phase reach Redis. */
    record Row(String name, Phase phase, When change, When offer) {}

    private static List<Row> rows(boolean listenedTo) {
        // Only a manager with the listener reports when a transaction begins, and so how old a row may be.
        When saved = listenedTo ? When.AFTERWARDS : When.NEVER;
        // Only with the listener does usher know of the commit before all other callbacks run.
        When committed = listenedTo ? When.AT_ONCE : When.AFTERWARDS;
        When savedCommitted = listenedTo ? When.AT_ONCE : When.NEVER;
        List<Row> rows = new ArrayList<>(List.of(
                new Row("outside", (t, call) -> call.run(), When.AT_ONCE, When.AT_ONCE),
                new Row("inside, committed", Transactions::commit, When.AFTERWARDS, saved),
                new Row("inside, rolled back", Transactions::rollBack, When.NEVER, When.NEVER),
                new Row("inside, unknown", Transactions::commitWithUnknownOutcome, When.AFTERWARDS, When.NEVER),
                new Row(
                        "before commit",
                        (t, call) -> t.commit(Callback.beforeCommit(call)::register),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "before completion, committed",
                        (t, call) -> t.commit(Callback.beforeCompletion(call)::register),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "before completion, rolled back",
                        (t, call) -> t.rollBack(Callback.beforeCompletion(call)::register),
                        When.NEVER,
                        When.NEVER),
                new Row(
                        "after commit",
                        (t, call) -> t.commit(Callback.afterCommit(call)::register),
                        committed,
                        savedCommitted),
                new Row(
                        "after commit, first of all callbacks",
                        (t, call) -> t.commit(Callback.afterCommit(call).first()::register),
                        committed,
                        savedCommitted),
                new Row(
                        "after commit, when something had been announced before",
                        (t, call) -> t.commit(() -> {
                            statuses.invalidate(1L);
                            Callback.afterCommit(call).register();
                        }),
                        When.AT_ONCE,
                        savedCommitted),
                new Row(
                        "after commit, in a transaction of its own",
                        (t, call) -> t.commit(Callback.afterCommit(() -> t.inside(
                                TransactionDefinition.PROPAGATION_REQUIRES_NEW,
                                inner -> inner.executeWithoutResult(status -> call.run())))::register),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "after completion, committed",
                        (t, call) -> t.commit(
                                Callback.afterCompletion(TransactionSynchronization.STATUS_COMMITTED, call)::register),
                        When.AT_ONCE,
                        When.NEVER),
                new Row(
                        "after completion, rolled back",
                        (t, call) -> t.rollBack(Callback.afterCompletion(
                                TransactionSynchronization.STATUS_ROLLED_BACK, call)::register),
                        When.AT_ONCE,
                        When.NEVER),
                new Row(
                        "after completion, unknown",
                        (t, call) -> t.commitWithUnknownOutcome(
                                Callback.afterCompletion(TransactionSynchronization.STATUS_UNKNOWN, call)::register),
                        When.AT_ONCE,
                        When.NEVER),
                new Row(
                        "after completion, first of all callbacks, in a transaction of its own",
                        (t, call) -> t.commit(() -> {
                            Callback.afterCompletion(
                                            TransactionSynchronization.STATUS_COMMITTED,
                                            () -> t.inside(
                                                    TransactionDefinition.PROPAGATION_REQUIRES_NEW,
                                                    inner -> inner.executeWithoutResult(status -> call.run())))
                                    .first()
                                    .register();
                            statuses.invalidate(1L);
                        }),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "in a new transaction inside, the outer one rolled back",
                        (t, call) -> t.rollBack(() -> t.inside(
                                TransactionDefinition.PROPAGATION_REQUIRES_NEW,
                                inner -> inner.executeWithoutResult(status -> call.run()))),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "in a new transaction inside, rolled back, the outer one committed",
                        (t, call) -> t.commit(() -> t.inside(
                                TransactionDefinition.PROPAGATION_REQUIRES_NEW,
                                inner -> inner.executeWithoutResult(status -> {
                                    call.run();
                                    status.setRollbackOnly();
                                }))),
                        When.NEVER,
                        When.NEVER),
                new Row(
                        "outside of the transaction around it, rolled back",
                        (t, call) -> t.rollBack(() -> t.inside(
                                TransactionDefinition.PROPAGATION_NOT_SUPPORTED,
                                inner -> inner.executeWithoutResult(status -> call.run()))),
                        When.AT_ONCE,
                        When.NEVER),
                new Row(
                        "in the scope of none",
                        (t, call) -> t.inside(
                                TransactionDefinition.PROPAGATION_SUPPORTS,
                                inner -> inner.executeWithoutResult(status -> call.run())),
                        When.AT_ONCE,
                        When.NEVER),
                // To invalidate a true entry is harmless; to store an undone row is not.
                new Row(
                        "in a part that is rolled back",
                        (t, call) -> t.commit(() -> t.inside(
                                TransactionDefinition.PROPAGATION_NESTED,
                                inner -> inner.executeWithoutResult(status -> {
                                    call.run();
                                    status.setRollbackOnly();
                                }))),
                        When.AFTERWARDS,
                        When.NEVER),
                new Row(
                        "inside, and a callback throws before",
                        (t, call) -> thrown(() -> t.commit(() -> {
                            Callback.afterCommit(TransactionPhasesIT::fail)
                                    .first()
                                    .register();
                            call.run();
                        })),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "inside, and a callback throws afterwards",
                        (t, call) -> thrown(() -> t.commit(() -> {
                            Callback.afterCommit(TransactionPhasesIT::fail).register();
                            call.run();
                        })),
                        When.AFTERWARDS,
                        saved),
                new Row(
                        "after commit, and a callback throws afterwards",
                        (t, call) -> thrown(() -> t.commit(() -> {
                            Callback.afterCommit(call).register();
                            Callback.afterCommit(TransactionPhasesIT::fail).register();
                        })),
                        committed,
                        savedCommitted),
                new Row(
                        "inside, and another announcement ends in an error",
                        (t, call) -> t.commit(() -> {
                            Runnable failing = EndOfTransaction.ofThisThread()
                                    .announcementOf(new Object(), () -> () -> {
                                        throw new LinkageError("of a driver");
                                    });
                            assertThat(failing).isNotNull();
                            call.run();
                        }),
                        When.AFTERWARDS,
                        // A row is not offered after a change in the same transaction.
                        When.NEVER)));
        for (TransactionPhase phase : TransactionPhase.values()) {
            boolean before = phase == TransactionPhase.BEFORE_COMMIT;
            boolean rolledBack = phase == TransactionPhase.AFTER_ROLLBACK;
            rows.add(new Row(
                    "in a listener, " + phase,
                    (t, call) -> {
                        try (GenericApplicationContext context = new GenericApplicationContext()) {
                            context.addApplicationListener(TransactionalApplicationListener.forPayload(
                                    phase, (Runnable event) -> event.run()));
                            context.refresh();
                            Runnable work = () -> context.publishEvent(new PayloadApplicationEvent<>(context, call));
                            if (rolledBack) {
                                t.rollBack(work);
                            } else {
                                t.commit(work);
                            }
                        }
                    },
                    before ? When.AFTERWARDS : When.AT_ONCE,
                    before ? saved : When.NEVER));
        }
        return rows;
    }

    static Stream<Arguments> phases() {
        return Stream.of(true, false)
                .flatMap(listenedTo -> rows(listenedTo).stream()
                        .map(row -> Arguments.of(row.name + (listenedTo ? "" : ", unheard"), row, listenedTo)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("phases")
    void isAnnounced(String name, Row row, boolean listenedTo) {
        Map<Call, String> found = new EnumMap<>(Call.class);
        Map<Call, String> expected = new EnumMap<>(Call.class);
        for (Call call : Call.values()) {
            When due = call.isOffer() ? row.offer : row.change;
            expected.put(call, due + ", told " + (due == When.AT_ONCE));
            found.put(call, outcome(row.phase, call, listenedTo));
        }
        assertThat(found).isEqualTo(expected);
    }

    private static String outcome(Phase phase, Call call, boolean listenedTo) {
        long id = IDS.incrementAndGet();
        List<Boolean> told = new ArrayList<>();
        List<Boolean> atOnce = new ArrayList<>();
        phase.run(Transactions.of(listenedTo), () -> {
            told.add(call.make(id));
            atOnce.add(call.isIn(id));
        });
        assertThat(TransactionSynchronizationManager.getResourceMap()).isEmpty();
        assertThat(told).hasSize(1);
        When when = atOnce.get(0) ? When.AT_ONCE : call.isIn(id) ? When.AFTERWARDS : When.NEVER;
        return when + ", told " + told.get(0);
    }

    private static void fail() {
        throw new IllegalStateException("of the application");
    }

    private static void thrown(Runnable work) {
        try {
            work.run();
        } catch (IllegalStateException e) {
            assertThat(e).hasMessage("of the application");
            return;
        }
        throw new AssertionError("nothing was thrown");
    }
}
