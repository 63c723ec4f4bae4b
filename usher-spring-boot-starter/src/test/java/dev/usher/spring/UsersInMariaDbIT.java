package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.RedisServer;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceTransactionManagerAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** An application with its users in a real MariaDB, whose transactions go on seeing the rows of their first query. */
@Tag("thorough")
@EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
class UsersInMariaDbIT {

    private static MariaDbServer mariadb;
    private static RedisServer redis;

    @BeforeAll
    static void start() {
        mariadb = MariaDbServer.start();
        redis = RedisServer.start();
    }

    @AfterAll
    static void stop() {
        redis.close();
        mariadb.close();
    }

    @ParameterizedTest
    @CsvSource({
        "bigint, long, 42, 42",
        "char(36), uuid, 'd0e1f2a3-1111-4222-8333-444455556666', 'd0e1f2a3-1111-4222-8333-444455556666'",
        "binary(16), uuid, 'd0e1f2a3-1111-4222-8333-444455556666', x'd0e1f2a3111142228333444455556666'",
        "uuid, uuid, 'd0e1f2a3-1111-4222-8333-444455556666', 'd0e1f2a3-1111-4222-8333-444455556666'",
        "varchar(20), string, Ann, Ann",
    })
    void usersAreFoundReadAndInvalidated(String type, String idType, String id, String spelled) {
        String literal = spelled.startsWith("x'") ? spelled : "'" + spelled + "'";
        Object ann = idType.equals("long") ? Long.valueOf(id) : idType.equals("uuid") ? UUID.fromString(id) : id;
        run("of_" + type.replaceAll("\\W", ""), type, literal, idType, context -> {
            UserProfileCache<Object> profiles = profiles(context);
            UserStatusCache<Object> statuses = statuses(context);

            assertThat(profiles.find(ann)).contains(new UserProfile("13800000000", "李雷 😀", "", true, "  ", ""));
            assertThat(statuses.isEnabled(ann)).isTrue();

            JdbcTemplate jdbc = context.getBean(JdbcTemplate.class);
            assertThat(statuses.disable(ann, () -> jdbc.update("UPDATE users SET status = 0"))
                            .confirmed())
                    .isTrue();
            jdbc.update("UPDATE users SET name = 'Ann'");
            profiles.invalidate(ann);
            assertThat(statuses.isEnabled(ann)).isFalse();
            assertThat(profiles.find(ann)).map(UserProfile::name).contains("Ann");
        });
    }

    /** Such a text equals another one for the database, and is another user. */
    @Test
    void anIdInAnotherCaseIsAnotherUser() {
        run("of_cases", "varchar(20) COLLATE utf8mb4_general_ci", "'Ann'", "string", context -> {
            assertThat(profiles(context).find("ann")).isEmpty();
            assertThat(profiles(context).find("Ann")).isPresent();
        });
    }

    @Test
    void aRowOfAnOlderSnapshotIsNotStored() {
        run("of_snapshots", "bigint", "42", "long", context -> {
            UserProfileCache<Object> profiles = profiles(context);
            JdbcTemplate jdbc = context.getBean(JdbcTemplate.class);
            new TransactionTemplate(context.getBean(PlatformTransactionManager.class)).executeWithoutResult(inside -> {
                assertThat(name(jdbc)).isEqualTo("李雷 😀");
                CompletableFuture.runAsync(() -> {
                            jdbc.update("UPDATE users SET name = 'Ann'");
                            profiles.invalidate(42L);
                        })
                        .join();
                assertThat(name(jdbc)).as("the snapshot").isEqualTo("李雷 😀");

                var unused = profiles.find(42L);

                assertThat(CompletableFuture.supplyAsync(() -> profiles.find(42L))
                                .join())
                        .map(UserProfile::name)
                        .contains("Ann");
            });
            assertThat(profiles.find(42L)).map(UserProfile::name).contains("Ann");
            assertThat(profiles.findFresh(42L)).map(UserProfile::name).contains("Ann");
        });
    }

    private static String name(JdbcTemplate jdbc) {
        return requireNonNull(jdbc.queryForObject("SELECT name FROM users", String.class));
    }

    private static void run(
            String database, String type, String id, String idType, Consumer<ApplicationContext> application) {
        new ApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(
                        UsherAutoConfiguration.class,
                        UsherJdbcAutoConfiguration.class,
                        DataSourceAutoConfiguration.class,
                        DataSourceTransactionManagerAutoConfiguration.class,
                        JdbcTemplateAutoConfiguration.class))
                .withPropertyValues(
                        "spring.data.redis.url=" + redis.uri(),
                        "spring.datasource.url=" + tableIn(mariadb.createDatabase(database), type, id),
                        "spring.datasource.username=" + mariadb.username(),
                        "spring.datasource.password=" + mariadb.password(),
                        "usher.jdbc.table=users",
                        "usher.jdbc.id-type=" + idType,
                        "usher.key-prefix=" + database,
                        "usher.redis.command-timeout=5s")
                .run(context -> {
                    assertThat(context).hasNotFailed();
                    application.accept(context);
                });
    }

    private static String tableIn(String url, String type, String id) {
        JdbcTemplate jdbc = new JdbcTemplate(new DriverManagerDataSource(url, mariadb.username(), mariadb.password()));
        jdbc.execute("CREATE TABLE users (id " + type + " PRIMARY KEY, mobile varchar(16), name varchar(64),"
                + " profile_photo varchar(64), is_media boolean, introduction varchar(64), certificate varchar(64),"
                + " status tinyint NOT NULL) CHARACTER SET utf8mb4");
        jdbc.update("INSERT INTO users VALUES (" + id + ", '13800000000', '李雷 😀', NULL, true, '  ', NULL, 1)");
        return url;
    }

    @SuppressWarnings("unchecked")
    private static UserProfileCache<Object> profiles(ApplicationContext context) {
        return context.getBean(UserProfileCache.class);
    }

    @SuppressWarnings("unchecked")
    private static UserStatusCache<Object> statuses(ApplicationContext context) {
        return context.getBean(UserStatusCache.class);
    }
}
