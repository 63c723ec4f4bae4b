package dev.usher.relay;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import org.springframework.util.StringUtils;

/** The relay in a Spring Boot application that has the caches of usher's starter: with {@code usher.relay.enabled}. */
@AutoConfiguration(
        afterName = {
            "dev.usher.spring.UsherAutoConfiguration",
            "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration"
        })
@ConditionalOnBooleanProperty("usher.relay.enabled")
@ConditionalOnBean(UserCaches.class)
@EnableConfigurationProperties(UsherRelayProperties.class)
public final class UsherRelayAutoConfiguration {

    /** Where the relay shows its meters, in an application that has Micrometer. */
    interface RelayMetering {

        void addTo(ChangeRelay.Builder builder);
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(MeterRegistry.class)
    static class Micrometer {

        @Bean
        RelayMetering usherRelayMetering(ObjectProvider<MeterRegistry> registries) {
            return builder -> registries.ifUnique(builder::meterRegistry);
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(HealthIndicator.class)
    static class Health {

        @Bean
        @ConditionalOnMissingBean(name = {"usherRelayHealthIndicator", "usherRelayHealthContributor"})
        RelayHealthIndicator usherRelayHealthContributor(RelayLifecycle relay) {
            return new RelayHealthIndicator(relay);
        }
    }

    /** By the URL: the write-ahead log of PostgreSQL, or the binlog of MariaDB or MySQL; or, where it is set so, a table that triggers fill. */
    @Bean
    @ConditionalOnMissingBean
    ChangeFeed usherChangeFeed(UsherRelayProperties properties, Environment environment) {
        String url = orOf(environment, properties.url(), "spring.datasource.url");
        if (url == null) {
            throw new InvalidConfigurationPropertyValueException(
                    "usher.relay.url",
                    null,
                    "the relay needs a database, and there is no spring.datasource.url either");
        }
        String user = orOf(environment, properties.username(), "spring.datasource.username");
        String password = StringUtils.hasText(properties.password()) ? properties.password() : null;
        if (password == null && !StringUtils.hasText(properties.username())) {
            password = environment.getProperty("spring.datasource.password");
        }
        long maxRetained = properties.maxRetained().toBytes();
        set(
                "usher.relay.max-retained",
                properties.maxRetained(),
                () -> ChangeRelay.builder().maxRetained(maxRetained));
        try {
            if (properties.feed() == UsherRelayProperties.Feed.TABLE) {
                return triggers(url, user, password, properties, environment);
            }
            return url.startsWith("jdbc:mariadb:") || url.startsWith("jdbc:mysql:")
                    ? binlog(url, user, password, properties, environment)
                    : postgres(url, user, password, properties, environment);
        } catch (IllegalStateException e) {
            // All else that a feed has to know is there.
            throw new InvalidConfigurationPropertyValueException(
                    "usher.relay.username",
                    null,
                    "the relay needs a role that reads the changes, and there is no spring.datasource.username, nor a user in"
                            + " the URL");
        }
    }

    /** What refuses a value names the setting. */
    private static void set(String setting, Object value, Runnable setter) {
        try {
            setter.run();
        } catch (IllegalArgumentException e) {
            throw new InvalidConfigurationPropertyValueException(setting, value, String.valueOf(e.getMessage()));
        }
    }

    private static void connect(FeedBuilder<?> feed, String url, @Nullable String user, @Nullable String password) {
        // It may hold a password, and is not quoted.
        set("usher.relay.url", "******", () -> feed.url(url));
        if (user != null) {
            feed.user(user);
        }
        if (password != null) {
            feed.password(password);
        }
    }

    private static ChangeFeed postgres(
            String url,
            @Nullable String user,
            @Nullable String password,
            UsherRelayProperties properties,
            Environment environment) {
        PostgresChangeFeed.Builder feed = PostgresChangeFeed.builder();
        connect(feed, url, user, password);
        set("usher.relay.slot", properties.slot(), () -> feed.slot(properties.slot()));
        set("usher.relay.publication", properties.publication(), () -> feed.publication(properties.publication()));
        return feed.watch(table(properties, environment, name -> name.toLowerCase(Locale.ROOT)))
                .build();
    }

    private static ChangeFeed binlog(
            String url,
            @Nullable String user,
            @Nullable String password,
            UsherRelayProperties properties,
            Environment environment) {
        BinlogChangeFeed.Builder feed = BinlogChangeFeed.builder();
        connect(feed, url, user, password);
        set("usher.relay.slot", properties.slot(), () -> feed.name(properties.slot()));
        return feed.watch(table(properties, environment, name -> name)).build();
    }

    private static ChangeFeed triggers(
            String url,
            @Nullable String user,
            @Nullable String password,
            UsherRelayProperties properties,
            Environment environment) {
        TriggerTableFeed.Builder feed = TriggerTableFeed.builder();
        connect(feed, url, user, password);
        boolean isFolded = url.startsWith("jdbc:postgresql:");
        set("usher.relay.changes-table", properties.changesTable(), () -> feed.changes(properties.changesTable()));
        return feed
                // The triggers stop later than the relay gives up: it has to see that.
                .maxTable(2 * properties.maxRetained().toBytes())
                .watch(table(properties, environment, name -> isFolded ? name.toLowerCase(Locale.ROOT) : name))
                .build();
    }

    /**
     * The table of users.
     *
     * @param folded what a name is to the database that is written without quotes in another setting
     */
    private static WatchedTable table(
            UsherRelayProperties properties, Environment environment, UnaryOperator<String> folded) {
        String table = orFolded(environment, properties.table(), "usher.jdbc.table", null, folded);
        if (table == null) {
            throw new InvalidConfigurationPropertyValueException(
                    "usher.relay.table",
                    null,
                    "the relay needs the table of users, and there is no usher.jdbc.table either");
        }
        String id = orFolded(environment, properties.idColumn(), "usher.jdbc.columns.id", "id", folded);
        String column = id == null ? "id" : id;
        set("usher.relay.table", table, () -> WatchedTable.of(table, "id"));
        set("usher.relay.id-column", column, () -> WatchedTable.of(table, column));
        String status = properties.statusColumn();
        if (status == null) {
            status = orFolded(environment, null, "usher.jdbc.columns.status", "status", folded);
        }
        WatchedTable plain = WatchedTable.of(table, column);
        WatchedTable watched = StringUtils.hasText(status) ? withStatus(plain, status, properties) : plain;
        String[] ignored = properties.ignoredColumns().toArray(String[]::new);
        set("usher.relay.ignored-columns", properties.ignoredColumns(), () -> watched.ignoring(ignored));
        return watched.ignoring(ignored);
    }

    private static WatchedTable withStatus(WatchedTable table, String column, UsherRelayProperties properties) {
        String[] enabled = properties.enabledValues().toArray(String[]::new);
        set("usher.relay.status-column", column, () -> table.status(column, "1"));
        set("usher.relay.enabled-values", properties.enabledValues(), () -> table.status(column, enabled));
        return table.status(column, enabled);
    }

    @Bean
    RelayLifecycle usherRelay(
            UsherRelayProperties properties,
            ChangeFeed feed,
            UserCaches caches,
            ObjectProvider<UserStatusCache<?>> statuses,
            ObjectProvider<UserProfileCache<?>> profiles,
            ObjectProvider<RelayMetering> metering) {
        return new RelayLifecycle(() -> {
            ChangeRelay.Builder relay = ChangeRelay.builder()
                    .feed(feed)
                    .caches(caches, users(statuses, profiles))
                    .maxRetained(properties.maxRetained().toBytes());
            metering.ifAvailable(meters -> meters.addTo(relay));
            return relay.start();
        });
    }

    private static UserCache<?, ?> users(
            ObjectProvider<UserStatusCache<?>> statuses, ObjectProvider<UserProfileCache<?>> profiles) {
        UserStatusCache<?> ofStatuses = statuses.getIfAvailable();
        return ofStatuses == null ? profiles.getObject().cache() : ofStatuses.cache();
    }

    private static @Nullable String orOf(Environment environment, @Nullable String set, String property) {
        return StringUtils.hasText(set) ? set : environment.getProperty(property);
    }

    private static @Nullable String orFolded(
            Environment environment,
            @Nullable String set,
            String property,
            @Nullable String otherwise,
            UnaryOperator<String> folded) {
        if (StringUtils.hasText(set)) {
            return set;
        }
        String other = environment.getProperty(property, otherwise == null ? "" : otherwise);
        if (other.isEmpty() && otherwise == null) {
            return null;
        }
        return other.startsWith("\"") || other.startsWith("`") ? other.replaceAll("[\"`]", "") : folded.apply(other);
    }
}
