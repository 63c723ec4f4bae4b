package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.ResolvableType;
import org.springframework.jdbc.core.JdbcTemplate;

class UsherJdbcAutoConfigurationTest {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", true, "hello", "");

    private final ApplicationContextRunner withoutTable = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(
                    UsherAutoConfiguration.class,
                    UsherJdbcAutoConfiguration.class,
                    DataSourceAutoConfiguration.class,
                    JdbcTemplateAutoConfiguration.class))
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    private final ApplicationContextRunner runner = withoutTable.withPropertyValues(
            "usher.jdbc.table=users",
            databaseWith(
                    "CREATE TABLE IF NOT EXISTS users (id bigint PRIMARY KEY, mobile varchar(16), name varchar(64),"
                            + " profile_photo varchar(64), is_media boolean, introduction varchar(64),"
                            + " certificate varchar(64), status smallint)"));

    /** The URL setting of an empty in-memory database on which each connection runs a statement first. */
    private static String databaseWith(String statement) {
        return "spring.datasource.url=jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1;INIT=" + statement;
    }

    @Test
    void aTableOfTheSpecificationIsAllThatTheCachesNeed() {
        runner.withUserConfiguration(Caller.class).run(context -> {
            JdbcTemplate jdbc = context.getBean(JdbcTemplate.class);
            jdbc.update("INSERT INTO users VALUES (42, '13800000000', 'Ann', NULL, TRUE, 'hello', NULL, 1)");
            Caller caller = context.getBean(Caller.class);

            assertThat(caller.profiles.find(42L)).contains(ANN);
            assertThat(caller.profiles.find(43L)).isEmpty();
            assertThat(caller.statuses.isEnabled(42L)).isTrue();
        });
    }

    @Test
    void aTableWithFewerColumnsIsReadToo() {
        runner.withUserConfiguration(Caller.class)
                .withPropertyValues(
                        "usher.jdbc.table=\"Accounts\"",
                        "usher.jdbc.columns.id=account",
                        "usher.jdbc.columns.name=\"full name\"",
                        "usher.jdbc.columns.mobile=",
                        "usher.jdbc.columns.profile-photo=",
                        "usher.jdbc.columns.is-media=",
                        "usher.jdbc.columns.introduction=",
                        "usher.jdbc.columns.certificate=",
                        "usher.jdbc.columns.status=enabled",
                        databaseWith(
                                "CREATE TABLE IF NOT EXISTS \"Accounts\" (account bigint, \"full name\" varchar(64),"
                                        + " enabled boolean)"))
                .run(context -> {
                    JdbcTemplate jdbc = context.getBean(JdbcTemplate.class);
                    jdbc.update("INSERT INTO \"Accounts\" VALUES (42, 'Ann', FALSE)");
                    Caller caller = context.getBean(Caller.class);

                    assertThat(caller.profiles.find(42L)).contains(new UserProfile("", "Ann", "", false, "", ""));
                    assertThat(caller.statuses.find(42L)).contains(UserStatus.DISABLED);
                });
    }

    @ParameterizedTest
    @CsvSource({
        "LONG, java.lang.Long",
        "integer, java.lang.Integer",
        "uuid, java.util.UUID",
        "String, java.lang.String",
    })
    void theSourcesAreOfTheTypeOfTheIds(String setting, Class<?> idType) {
        runner.withPropertyValues("usher.jdbc.id-type=" + setting, "usher.jdbc.check-at-start=false")
                .run(context -> {
                    assertThat(context.getBeanNamesForType(sourceOf(idType, UserProfile.class)))
                            .containsExactly("usherJdbcProfileSource");
                    assertThat(context.getBeanNamesForType(sourceOf(idType, UserStatus.class)))
                            .containsExactly("usherJdbcStatusSource");
                    assertThat(context.getBeanNamesForType(sourceOf(Short.class, UserProfile.class)))
                            .isEmpty();
                    assertThat(context.getBeanFactory()
                                    .getMergedBeanDefinition("usherJdbcProfileSource")
                                    .getResolvableType()
                                    .as(UserSource.class)
                                    .resolveGeneric(0))
                            .isEqualTo(idType);
                });
    }

    @Test
    void withoutATableThereAreNoSources() {
        withoutTable.run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(context).doesNotHaveBean(UserSource.class);
        });
    }

    @Test
    void withoutAColumnOfStatusesThereIsNoSourceOfThem() {
        runner.withPropertyValues("usher.jdbc.columns.status=").run(context -> {
            assertThat(context).hasSingleBean(UserProfileCache.class);
            assertThat(context).doesNotHaveBean(UserStatusCache.class);
        });
    }

    @Test
    void itBacksOffFromTheApplicationsOwnSourceOfOneFacet() {
        ApplicationContextRunner unchecked = runner.withPropertyValues("usher.jdbc.check-at-start=false");
        unchecked.withBean("ownStatuses", OwnStatuses.class).run(context -> {
            assertThat(context).getBeans(UserSource.class).containsOnlyKeys("usherJdbcProfileSource", "ownStatuses");
            assertThat(context.getBeanNamesForType(sourceOf(UUID.class, UserProfile.class)))
                    .as("ids are those of the application's own source")
                    .hasSize(1);
        });
        unchecked
                .withUserConfiguration(OwnProfiles.class)
                .run(context -> assertThat(context)
                        .getBeans(UserSource.class)
                        .containsOnlyKeys("ownProfiles", "usherJdbcStatusSource"));
    }

    @Test
    void withoutCachesThereAreNoSources() {
        runner.withPropertyValues("usher.enabled=false")
                .run(context -> assertThat(context).doesNotHaveBean(UserSource.class));
    }

    @Test
    void withoutSpringsJdbcThereAreNoSources() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.jdbc"))
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(UserSource.class));
    }

    @Test
    void withoutADataSourceTheStartFailsAndSaysWhatIsMissing() {
        new ApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(UsherJdbcAutoConfiguration.class))
                .withPropertyValues("usher.jdbc.table=users")
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessage("usher.jdbc.table needs a DataSource, and there is none"));
    }

    @Test
    void amongSeveralDataSourcesOneMustBePrimaryOrNamed() {
        ApplicationContextRunner two = runner.withBean("users", DataSource.class, JdbcDataSource::new)
                .withBean("orders", DataSource.class, JdbcDataSource::new);
        two.run(context -> assertThat(context)
                .getFailure()
                .rootCause()
                .hasMessageContaining("users, orders")
                .hasMessageContaining("usher.jdbc.data-source"));
        two.withPropertyValues("usher.jdbc.data-source=users")
                .run(context -> assertThat(context).hasNotFailed());
        two.withPropertyValues("usher.jdbc.data-source=missing")
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining("Property usher.jdbc.data-source with value 'missing'"));
        runner.withBean("users", DataSource.class, JdbcDataSource::new, definition -> definition.setPrimary(true))
                .withBean("orders", DataSource.class, JdbcDataSource::new)
                .run(context -> assertThat(context).hasNotFailed());
    }

    @ParameterizedTest
    @CsvSource({
        "usher.jdbc.table, users u",
        "usher.jdbc.table, ''",
        "usher.jdbc.id-type, short",
        "usher.jdbc.columns.status, 1=1",
        "usher.jdbc.query-timeout, 0s",
    })
    void aWrongSettingFailsTheStartByName(String property, String value) {
        runner.withPropertyValues(property + "=" + value)
                .run(context -> assertThat(context).getFailure().hasStackTraceContaining(property));
    }

    private static ResolvableType sourceOf(Class<?> idType, Class<?> valueType) {
        return ResolvableType.forClassWithGenerics(UserSource.class, idType, valueType);
    }

    record Caller(UserProfileCache<Long> profiles, UserStatusCache<Long> statuses) {}

    @Configuration(proxyBeanMethods = false)
    static class OwnProfiles {

        @Bean
        UserSource<String, UserProfile> ownProfiles() {
            return ids -> Map.of();
        }
    }

    static final class OwnStatuses implements UserSource<UUID, UserStatus> {

        @Override
        public Map<UUID, UserStatus> load(Set<UUID> ids) {
            return Map.of();
        }
    }
}
