package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserCaches;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import io.lettuce.core.RedisURI;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The relay as a bean, without a server: what cannot be reached prevents no start. */
class UsherRelayAutoConfigurationTest {

    private final ApplicationContextRunner application = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(UsherRelayAutoConfiguration.class))
            .withUserConfiguration(Caches.class);

    @Configuration(proxyBeanMethods = false)
    static class Caches {

        @Bean
        UserCaches caches() {
            return UserCaches.builder().redis(RedisURI.create("127.0.0.1", 1)).build();
        }

        @Bean
        UserStatusCache<Long> statuses(UserCaches caches) {
            return new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, ids -> Map.of()));
        }
    }

    @Test
    void withoutTheSettingThereIsNoRelay() {
        application.run(context -> assertThat(context).doesNotHaveBean(RelayLifecycle.class));
    }

    @Test
    void itTakesTheDatabaseAndTheTableOfTheApplication() {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.ignored-columns=last_login",
                        "spring.datasource.url=jdbc:postgresql://127.0.0.1:1/app?sslmode=require",
                        "spring.datasource.username=app",
                        "spring.datasource.password=secret",
                        "usher.jdbc.table=Accounts.Users",
                        "usher.jdbc.columns.id=user_id")
                .run(context -> {
                    PostgresChangeFeed feed = context.getBean(PostgresChangeFeed.class);
                    assertThat(feed.address() + " " + feed.user() + " " + feed.password())
                            .isEqualTo("app at 127.0.0.1:1 app secret");
                    assertThat(feed.parameters()).containsExactly(Map.entry("sslmode", "require"));
                    WatchedTable table = feed.tables().get(0);
                    assertThat(table.qualifiedName()).isEqualTo("accounts.users");
                    assertThat(table.id()).isEqualTo("user_id");
                    assertThat(table.status()).isEqualTo("status");
                    assertThat(table.enabled()).containsExactlyInAnyOrder("1", "true");
                    assertThat(table.ignored()).containsExactly("last_login");
                    assertThat(context.getBean(RelayLifecycle.class).isRunning())
                            .isTrue();
                    assertThat(context.getBean(RelayHealthIndicator.class)
                                    .health()
                                    .getDetails())
                            .containsEntry("feed", "postgresql:usher");
                });
    }

    @Test
    void aUrlThatCannotBeReadIsNotQuoted() {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.url=jdbc:mysql://db,other/app?password=secret",
                        "usher.relay.table=users")
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessageContaining("usher.relay.url")
                        .hasMessageNotContaining("secret"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "usher.relay.slot|Fleet-1",
                "usher.relay.publication|a b",
                "usher.relay.table|a b",
                "usher.relay.id-column|a b",
                "usher.relay.status-column|a b",
                "usher.relay.ignored-columns|last_login,id",
                "usher.relay.max-retained|1KB",
                "usher.relay.username|",
            })
    void aSettingThatCannotBeIsNamed(String setting, String value) {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.url=jdbc:postgresql://127.0.0.1:1/app",
                        "usher.relay.username=relay",
                        "usher.relay.table=users",
                        setting + "=" + (value == null ? "" : value))
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .isInstanceOfSatisfying(
                                InvalidConfigurationPropertyValueException.class,
                                invalid -> assertThat(invalid.getName()).isEqualTo(setting)));
    }

    @Test
    void onMariaDbAndMySqlItFollowsTheBinlog() {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.slot=fleet",
                        "spring.datasource.url=jdbc:mariadb://127.0.0.1:1/App?user=app&sslMode=verify-ca",
                        "spring.datasource.username=app",
                        "spring.datasource.password=secret",
                        "usher.jdbc.table=`Users`")
                .run(context -> {
                    BinlogChangeFeed feed = context.getBean(BinlogChangeFeed.class);
                    assertThat(feed.name()).isEqualTo("binlog:fleet");
                    assertThat(feed.user() + " " + feed.password()).isEqualTo("app secret");
                    assertThat(feed.address().tls()).isEqualTo(BinlogAddress.Tls.VERIFY_CA);
                    assertThat(feed.tables().get(0).qualifiedName()).isEqualTo("App.Users");
                });
    }

    @Test
    void aTableThatTriggersFillIsReadWhereItIsSet() {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.feed=table",
                        "usher.relay.changes-table=fleet_changes",
                        "usher.relay.max-retained=10MB",
                        "spring.datasource.url=jdbc:mariadb://127.0.0.1:1/app?password=other&sslMode=verify-ca",
                        "spring.datasource.username=app",
                        "spring.datasource.password=secret",
                        "usher.jdbc.table=Users")
                .run(context -> {
                    TriggerTableFeed feed = context.getBean(TriggerTableFeed.class);
                    assertThat(feed.name()).isEqualTo("table:fleet_changes");
                    assertThat(feed.user()).isEqualTo("app");
                    assertThat(feed.address().withoutUser())
                            .isEqualTo("jdbc:mariadb://127.0.0.1:1/app?sslMode=verify-ca");
                    assertThat(feed.maxTable()).isEqualTo(20 << 20);
                    assertThat(feed.tables().get(0).name()).isEqualTo("Users");
                });
    }

    @Test
    void aUserThatIsSetIsAskedForAndNotTheOneOfTheUrl() {
        application
                .withPropertyValues(
                        "usher.relay.enabled=true",
                        "usher.relay.url=jdbc:postgresql://127.0.0.1:1/app?user=app&sslmode=disable&password=secret",
                        "usher.relay.username=relay",
                        "usher.relay.password=",
                        "usher.relay.table=users")
                .run(context -> {
                    PostgresChangeFeed feed = context.getBean(PostgresChangeFeed.class);
                    assertThat(feed.user()).isEqualTo("relay");
                    assertThat(feed.address().withoutUser())
                            .isEqualTo("jdbc:postgresql://127.0.0.1:1/app?sslmode=disable");
                    assertThat(context.getBean(UsherRelayProperties.class).toString())
                            .doesNotContain("secret");
                });
    }

    @Test
    void everySettingHasADescription() throws IOException {
        URL classes = ChangeRelay.class.getProtectionDomain().getCodeSource().getLocation();
        try (InputStream metadata = new URL(classes, "META-INF/spring-configuration-metadata.json").openStream()) {
            JsonNode properties = JsonMapper.shared().readTree(metadata).path("properties");
            assertThat(properties).hasSize(14);
            properties.forEach(
                    property -> assertThat(property.path("description").asString(""))
                            .as(property.path("name").asString())
                            .endsWith("."));
        }
    }
}
