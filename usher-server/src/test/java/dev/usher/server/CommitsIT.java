package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.server.Node.Shared;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.FaultProxy.Direction;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.TransactionException;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionTemplate;

/** Which failures of a change are announced, on a real PostgreSQL behind a network that breaks at each step. */
class CommitsIT {

    private static final String DATABASE = Node.newDatabase();
    private static final FaultProxy PROXY = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
    private static final JdbcClient OPERATOR = JdbcClient.create(dataSource(DATABASE));
    private static final HikariDataSource POOL = new HikariDataSource();

    private final JdbcClient jdbc = JdbcClient.create(POOL);
    private final Commits commits = commits(POOL);
    private final AtomicInteger announced = new AtomicInteger();

    @BeforeAll
    static void makeTables() {
        POOL.setJdbcUrl(Node.through(PROXY, DATABASE));
        POOL.setUsername(Shared.POSTGRES.username());
        POOL.setPassword(Shared.POSTGRES.password());
        POOL.setMaximumPoolSize(1);
        POOL.setMinimumIdle(0);
        POOL.setConnectionTimeout(500);
        POOL.setInitializationFailTimeout(-1);
        for (String statement : List.of(
                "CREATE TABLE parent (id int PRIMARY KEY)",
                "CREATE TABLE users (id int PRIMARY KEY, status int NOT NULL CHECK (status < 9),"
                        + " parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")) {
            OPERATOR.sql(statement).update();
        }
    }

    @AfterAll
    static void closeAll() {
        POOL.close();
        PROXY.close();
    }

    @BeforeEach
    void aUserWhoIsEnabled() {
        OPERATOR.sql("TRUNCATE users").update();
        OPERATOR.sql("INSERT INTO users (id, status) VALUES (42, 1)").update();
        PROXY.restore();
    }

    /** Causes a failure in the middle of a change. */
    @FunctionalInterface
    interface Step {

        void run(CommitsIT test) throws Exception;
    }

    static Stream<Arguments> nothingIsCommitted() {
        return Stream.of(
                failing("the change is not valid", test -> {
                    throw new ProblemException(ProblemType.INVALID_FIELD);
                }),
                failing("the program fails", test -> {
                    throw new StackOverflowError();
                }),
                failing("a constraint", test -> test.update("UPDATE users SET status = 9")),
                failing(
                        "a constraint that is looked at by the commit",
                        test -> test.update("UPDATE users SET parent = 1")),
                failing("no such column", test -> test.update("UPDATE users SET missing = 1")),
                failing("a text that is no number", test -> test.update("UPDATE users SET status = 'x'::text::int")),
                failing("a statement that takes too long", test -> {
                    test.update("SET LOCAL statement_timeout = 20");
                    test.update("UPDATE users SET status = 2 FROM pg_sleep(10)");
                }),
                failing("a lock that is held", test -> {
                    try (OtherTransaction other = OtherTransaction.on(DATABASE)) {
                        other.execute("LOCK TABLE parent");
                        test.update("SET LOCAL lock_timeout = 20");
                        test.update("INSERT INTO parent VALUES (1)");
                    }
                }),
                failing("the connection is lost while a statement is sent", test -> {
                    PROXY.cutAfter(Direction.TO_SERVER, 0);
                    test.update("UPDATE users SET status = 2");
                }),
                failing("the connection is lost while a statement is answered", test -> {
                    PROXY.cutAfter(Direction.TO_CLIENT, 0);
                    test.update("UPDATE users SET status = 2");
                }),
                failing("an operator ends the connection before a statement", test -> {
                    test.endConnection();
                    test.update("UPDATE users SET status = 2");
                }));
    }

    static Stream<Arguments> theOutcomeIsUnknown() {
        return Stream.of(
                arguments("the connection is lost while the commit is sent", false, (Step)
                        test -> PROXY.cutAfter(Direction.TO_SERVER, 0)),
                arguments("the connection is lost while the commit is answered", true, (Step)
                        test -> PROXY.cutAfter(Direction.TO_CLIENT, 0)),
                arguments("an operator ends the connection before the commit", false, (Step) CommitsIT::endConnection),
                arguments("what follows the commit fails", true, (Step) test ->
                        TransactionSynchronizationManager.registerSynchronization(new TransactionSynchronization() {
                            @Override
                            public void afterCommit() {
                                throw new IllegalStateException("after the commit");
                            }
                        })));
    }

    private static Arguments failing(String what, Step step) {
        return arguments(what, step);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void nothingIsCommitted(String what, Step step) {
        assertThat(catchThrowable(() -> commit(step))).isNotNull();

        assertThat(status()).isEqualTo(1);
        assertThat(announced).hasValue(0);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void theOutcomeIsUnknown(String what, boolean isCommitted, Step step) {
        assertThat(catchThrowable(() -> commit(step))).isNotNull();

        assertThat(status()).isEqualTo(isCommitted ? 0 : 1);
        assertThat(announced).hasValue(1);
    }

    @Test
    void aDatabaseThatCannotBeReachedHasCommittedNothing() {
        PROXY.refuse();

        assertThat(catchThrowable(() -> commit(test -> {}))).isNotNull();

        assertThat(announced).hasValue(0);
    }

    @Test
    void aPoolWithoutAFreeConnectionHasCommittedNothing() throws Exception {
        try (var only = POOL.getConnection()) {
            assertThat(only.isValid(1)).isTrue();
            assertThat(catchThrowable(() -> commit(test -> {}))).isNotNull();
        }

        assertThat(announced).hasValue(0);
    }

    @Test
    void aDatabaseThatIsNotPreparedYetHasCommittedNothing() {
        Commits unprepared = commits(Node.unprepared(POOL));

        assertThat(catchThrowable(() -> unprepared.commit(() -> true, announced::incrementAndGet)))
                .isNotNull();

        assertThat(announced).hasValue(0);
    }

    @Test
    void aSuccessIsForTheCallerToAnnounce() {
        assertThat(commit(test -> {})).isEqualTo("changed");

        assertThat(status()).isZero();
        assertThat(announced).hasValue(0);
    }

    @Test
    void anAnnouncementThatFailsDoesNotHideTheFailure() {
        IllegalArgumentException why = new IllegalArgumentException("announcement");

        Throwable thrown = catchThrowable(() -> commits.commit(
                () -> {
                    update("UPDATE users SET status = 0");
                    PROXY.cutAfter(Direction.TO_CLIENT, 0);
                    return "changed";
                },
                () -> {
                    throw why;
                }));

        assertThat(thrown).isInstanceOf(TransactionException.class).hasSuppressedException(why);
    }

    private String commit(Step step) {
        return commits.commit(
                () -> {
                    update("UPDATE users SET status = 0");
                    try {
                        step.run(this);
                    } catch (Exception e) {
                        throw e instanceof RuntimeException known ? known : new IllegalStateException(e);
                    }
                    return "changed";
                },
                announced::incrementAndGet);
    }

    private void update(String sql) {
        jdbc.sql(sql).update();
    }

    private void endConnection() {
        int pid = jdbc.sql("SELECT pg_backend_pid()").query(Integer.class).single();
        OPERATOR.sql("SELECT pg_terminate_backend(?, 5000)")
                .param(pid)
                .query(Boolean.class)
                .single();
    }

    private int status() {
        return OPERATOR.sql("SELECT status FROM users").query(Integer.class).single();
    }

    private static Commits commits(DataSource database) {
        return new Commits(new TransactionTemplate(new JdbcTransactionManager(database)));
    }

    private static DataSource dataSource(String url) {
        return new DriverManagerDataSource(url, Shared.POSTGRES.username(), Shared.POSTGRES.password());
    }
}
