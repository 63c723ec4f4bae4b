package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.AbstractDataSource;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** The reports on a table that differs from the description by the settings or a source. */
@ExtendWith(OutputCaptureExtension.class)
class UsersTableCheckTest {

    private final SwitchedDataSource database = new SwitchedDataSource();
    private final JdbcTemplate jdbc = new JdbcTemplate(database);

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(UsherAutoConfiguration.class, UsherJdbcAutoConfiguration.class))
            .withBean(DataSource.class, () -> database)
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1", "usher.jdbc.table=users");

    @AfterEach
    void drop() {
        database.isAway = false;
        jdbc.execute("DROP ALL OBJECTS");
    }

    private void create(String columns) {
        jdbc.execute("CREATE TABLE users (" + columns + ")");
    }

    private static final String REST = ", mobile varchar(16), name varchar(64), profile_photo varchar(64),"
            + " introduction varchar(64), certificate varchar(64)";
    private static final String FLAGS = ", is_media boolean, status smallint";

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    people | bigint | boolean | smallint | usher.jdbc.table: there is no table or view users, or this account may not read it (SQLSTATE 42S
                    users | bigint | | smallint | usher.jdbc.columns.is-media: there is no column is_media in users
                    users | bigint | boolean | | usher.jdbc.columns.status: there is no column status in users
                    users | | boolean | smallint | usher.jdbc.columns.id: there is no column id in users
                    users | uuid | boolean | smallint | usher.jdbc.id-type: the column id of users is of the type UUID, in which a Long cannot be looked up; ids in it are of the type uuid
                    users | varchar(36) | boolean | smallint | usher.jdbc.id-type: the column id of users is of the type CHARACTER VARYING, in which a Long cannot be looked up; ids in it are of the type string
                    users | binary(16) | boolean | smallint | usher.jdbc.id-type: the column id of users is of the type BINARY, in which a Long cannot be looked up; ids in it are of the type uuid
                    users | double precision | boolean | smallint | usher.jdbc.id-type: the column id of users is of the type DOUBLE PRECISION, in which a Long cannot be looked up
                    users | bigint | boolean | date | usher.jdbc.columns.status: the column status of users is of the type DATE, which holds neither numbers nor booleans
                    users | bigint | uuid | smallint | usher.jdbc.columns.is-media: the column is_media of users is of the type UUID, which holds neither numbers nor booleans
                    users | bigint | boolean | varbinary(8) | usher.jdbc.columns.status: the column status of users is of the type BINARY VARYING, which holds neither
                    """)
    void aDifferenceIsReportedWithItsSetting(
            String table, String id, String media, String status, String problem, CapturedOutput log) {
        String columns = (id == null ? "other int" : "id " + id)
                + REST
                + (media == null ? "" : ", is_media " + media)
                + (status == null ? "" : ", status " + status);
        jdbc.execute("CREATE TABLE " + table + " (" + columns + ")");

        runner.run(context -> assertThat(reportOf(context.getStartupFailure())).contains(problem));
    }

    @Test
    void allDifferencesAreReportedAtOnce() {
        create("id uuid, mobile varchar(16), status date");
        runner.run(context -> assertThat(reportOf(context.getStartupFailure()))
                .contains("usher.jdbc.columns.name: there is no column name in users")
                .contains("usher.jdbc.columns.is-media: ")
                .contains("usher.jdbc.id-type: ")
                .contains("usher.jdbc.columns.status: the column status of users is of the type DATE"));
    }

    @ParameterizedTest
    @CsvSource({"smallint, 1", "boolean, true", "varchar(8), 'true'", "varchar(8), '0'", "numeric(1), 0"})
    void aColumnOfNumbersOrBooleansPasses(String type, String value) {
        create("id bigint" + REST + ", is_media boolean, status " + type);
        jdbc.update("INSERT INTO users (id, status) VALUES (42, " + value + "), (43, NULL)");
        runner.run(context -> assertThat(context).hasNotFailed());
    }

    @Test
    void otherTextsInAllRowsFailTheStartButInSomeRowsDoNot() {
        create("id bigint" + REST + ", is_media boolean, status varchar(16)");
        jdbc.update("INSERT INTO users (id, status) VALUES (42, 'ACTIVE'), (43, '13800000000'), (44, NULL)");
        runner.run(context -> assertThat(reportOf(context.getStartupFailure()))
                .contains("usher.jdbc.columns.status: the column status of users holds neither numbers nor booleans")
                .doesNotContain("ACTIVE", "13800000000"));
        jdbc.update("INSERT INTO users (id, status) VALUES (45, '1')");
        runner.run(context -> assertThat(context).hasNotFailed());
    }

    @Test
    void idsThatAreNotFoundAsTheyAreSpelledFailTheStart() {
        create("id varchar(40)" + REST + FLAGS);
        jdbc.update("INSERT INTO users (id, status) VALUES (?, 1)", "{" + UUID.randomUUID() + "}");
        runner.withPropertyValues("usher.jdbc.id-type=uuid")
                .run(
                        context -> assertThat(reportOf(context.getStartupFailure()))
                                .contains(
                                        "usher.jdbc.id-type: the column id of users holds ids in a form that usher does not look up"));
    }

    @Test
    void theSourcesOfTheApplicationAreCheckedToo() {
        create("id bigint" + REST + FLAGS);
        jdbc.execute("CREATE TABLE titles (user_id uuid, title varchar(8))");
        runner.withBean(
                        "titles",
                        JdbcUserSource.class,
                        () -> JdbcUserSource.builder(database, Long.class)
                                .table("titles")
                                .idColumn("user_id")
                                .columns("title")
                                .build((row, number) -> row.getString("title")))
                .run(
                        context -> assertThat(reportOf(context.getStartupFailure()))
                                .contains(
                                        "    - the column user_id of titles is of the type UUID, in which a Long cannot be looked up"));
    }

    @Test
    void aTableThatIsCreatedLaterIsCheckedLater() {
        runner.withPropertyValues("usher.jdbc.check-at-start=false").run(context -> {
            assertThat(context).hasNotFailed();
            UserStatusCache<Long> statuses = statusesOf(context.getBean(UserStatusCache.class));
            assertThatThrownBy(() -> statuses.find(42L)).isInstanceOf(UserUnavailableException.class);
            create("id bigint" + REST + FLAGS);
            jdbc.update("INSERT INTO users (id, status) VALUES (42, 1)");
            assertThat(statuses.find(42L)).contains(UserStatus.ENABLED);
        });
    }

    @Test
    void anUnreachableDatabaseDoesNotFailTheStartAndItsTableIsCheckedBeforeTheFirstAnswer(CapturedOutput log) {
        create("id uuid" + REST + FLAGS);
        database.isAway = true;
        runner.run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(log)
                    .contains("The table users could not be checked at the start (java.sql.SQLException"
                            + " (SQLSTATE 08001)); it is checked before its first load");
            UserStatusCache<Long> statuses = statusesOf(context.getBean(UserStatusCache.class));
            assertThatThrownBy(() -> statuses.find(42L)).isInstanceOf(UserUnavailableException.class);
            database.isAway = false;
            assertThatThrownBy(() -> statuses.find(42L)).isInstanceOf(UserUnavailableException.class);
            assertThatThrownBy(() -> statuses.find(43L)).isInstanceOf(UserUnavailableException.class);
            String line =
                    "A table of users cannot be read as it is described: usher.jdbc.id-type: the column id of users is of"
                            + " the type UUID, in which a Long cannot be looked up";
            assertThat(log.getOut().split(line, -1)).as("logged once").hasSize(2);
        });
    }

    @Test
    void aDatabaseThatDoesNotAnswerDoesNotBlockTheStart(CapturedOutput log) {
        CountDownLatch end = new CountDownLatch(1);
        DefaultListableBeanFactory beans = new DefaultListableBeanFactory();
        DataSource silent = new AbstractDataSource() {
            @Override
            public Connection getConnection() throws SQLException {
                try {
                    end.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                throw new SQLException("gone", "08001");
            }

            @Override
            public Connection getConnection(String username, String password) throws SQLException {
                return getConnection();
            }
        };
        beans.registerSingleton(
                "statuses",
                JdbcUserSource.builder(silent, Long.class).table("users").build((row, number) -> UserStatus.ENABLED));
        new UsersTableCheck(beans, Duration.ofMillis(20)).afterSingletonsInstantiated();
        end.countDown();
        assertThat(log).contains("The table users could not be checked at the start (no answer for ");
    }

    @Test
    void anUnknownFailureDoesNotFailTheStart(CapturedOutput log) {
        DefaultListableBeanFactory beans = new DefaultListableBeanFactory();
        DataSource routing = new AbstractDataSource() {
            @Override
            public Connection getConnection() {
                throw new IllegalStateException("there is no tenant");
            }

            @Override
            public Connection getConnection(String username, String password) {
                return getConnection();
            }
        };
        beans.registerSingleton(
                "statuses",
                JdbcUserSource.builder(routing, Long.class).table("users").build((row, number) -> UserStatus.ENABLED));
        new UsersTableCheck(beans).afterSingletonsInstantiated();
        assertThat(log)
                .contains("The table users could not be checked at the start (java.lang.IllegalStateException);");
    }

    /** A refused statement would abort the transaction. */
    @Test
    void insideATransactionOnlyTheTypesOfTheColumnsAreChecked() {
        UUID id = UUID.randomUUID();
        create("id varchar(40)");
        jdbc.update("INSERT INTO users VALUES (?)", "{" + id + "}");
        JdbcUserSource<UUID, String> users =
                JdbcUserSource.builder(database, UUID.class).table("users").build((row, number) -> "a user");
        new TransactionTemplate(new DataSourceTransactionManager(database))
                .executeWithoutResult(
                        transaction -> assertThat(users.load(Set.of(id))).isEmpty());
        assertThatThrownBy(() -> users.load(Set.of(id))).isInstanceOf(UnfitUsersTableException.class);
        jdbc.update("UPDATE users SET id = ?", id);
        assertThat(users.load(Set.of(id))).as("after the row is corrected").containsKey(id);
    }

    @SuppressWarnings("unchecked")
    private static UserStatusCache<Long> statusesOf(UserStatusCache<?> cache) {
        return (UserStatusCache<Long>) cache;
    }

    private static String reportOf(@Nullable Throwable start) {
        Throwable failure = requireNonNull(start, "the start has not failed");
        return requireNonNull(new UnfitUsersTableFailureAnalyzer().analyze(failure), failure::toString)
                .getDescription();
    }

    /** An in-memory database that can be made unreachable. */
    private static final class SwitchedDataSource extends AbstractDataSource {

        private final JdbcDataSource h2 = new JdbcDataSource();
        volatile boolean isAway;

        SwitchedDataSource() {
            h2.setUrl("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
        }

        @Override
        public Connection getConnection() throws SQLException {
            if (isAway) {
                throw new SQLException("gone", "08001");
            }
            return h2.getConnection();
        }

        @Override
        public Connection getConnection(String username, String password) throws SQLException {
            return getConnection();
        }
    }
}
