package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.RevocationListener;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import io.lettuce.core.RedisCredentialsProvider;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnThreading;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails.Sentinel;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails.Standalone;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.thread.Threading;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.core.env.Environment;
import org.springframework.core.task.VirtualThreadTaskExecutor;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.PlatformTransactionManager;
import tools.jackson.databind.json.JsonMapper;

/**
 * The caches of an application, from its {@link UserSource} beans and its {@code spring.data.redis} settings, or {@code usher.redis} for a Redis of
 * their own. A {@link RedisCredentialsProvider} bean names the account there instead of the settings.
 *
 * <p>The application's {@link JsonMapper}, if there is one, writes the JSON of the application's own facets, with its modules
 * and {@code spring.jackson} settings.
 *
 * <p>The meters of the caches go to the application's {@link MeterRegistry}, if it has one.
 *
 * <p>Each bean backs off if the application declares its own. Of several sources of one facet, one must be primary. A {@link
 * Facet} that the application declares is a cache too, if there is a source of its values: inject it as {@code UserCache<Long,
 * Badges>}. The caches of the specification can be injected that way as well.
 *
 * <p>Each {@link RevocationListener} among the beans is called when users are revoked.
 *
 * <p>The caches are aware of Spring's transactions: a change is announced after its commit, and what is read inside a
 * transaction is never stored.
 */
@AutoConfiguration(
        after = SslAutoConfiguration.class,
        afterName = "org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration")
@ConditionalOnBooleanProperty(name = "usher.enabled", matchIfMissing = true)
@EnableConfigurationProperties(UsherProperties.class)
public final class UsherAutoConfiguration {

    /** Spring Boot's connection details take precedence: they may be a service connection. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(DataRedisConnectionDetails.class)
    static class SpringDataRedis {

        private static final int DEFAULT_PORT = 6379;

        @Bean
        @ConditionalOnBean(DataRedisConnectionDetails.class)
        @ConditionalOnMissingBean({UserCaches.class, RedisEndpoint.class})
        RedisEndpoint usherRedisEndpoint(
                DataRedisConnectionDetails details,
                UsherProperties properties,
                ObjectProvider<SslBundles> bundles,
                ObjectProvider<RedisCredentialsProvider> credentials,
                Environment environment) {
            RedisEndpoint own = RedisEndpoint.ofOwn(properties, bundles, credentials);
            if (own != null) {
                return own;
            }
            RedisEndpoint.refuseReplicas(details.getMasterReplica());
            DataRedisSettings settings = DataRedisSettings.of(environment);
            DataRedisConnectionDetails.Cluster cluster = clusterIn(details);
            if (cluster != null) {
                RedisEndpoint.refuseDatabase(RedisEndpoint.APPLICATIONS, settings.database());
            }
            boolean hasBundle = details.getSslBundle() != null;
            return RedisEndpoint.of(
                    RedisEndpoint.APPLICATIONS,
                    uri(details),
                    cluster == null
                            ? List.of()
                            : cluster.getNodes().stream()
                                    .map(SpringDataRedis::text)
                                    .toList(),
                    // The details do not report a rediss:// URL; Spring Boot checks the URL again too.
                    hasBundle || settings.hasTlsUrl(),
                    hasBundle ? () -> Objects.requireNonNull(details.getSslBundle()) : null,
                    settings.clientName(),
                    credentials);
        }

        /** Sentinels take precedence, as in Spring Boot. */
        private static DataRedisConnectionDetails.@Nullable Cluster clusterIn(DataRedisConnectionDetails details) {
            return details.getSentinel() != null ? null : details.getCluster();
        }

        private static RedisURI uri(DataRedisConnectionDetails details) {
            if (clusterIn(details) != null) {
                // Of this, everything is used but the address.
                return uri(Standalone.of("localhost", DEFAULT_PORT, 0), details);
            }
            Sentinel sentinel = details.getSentinel();
            if (sentinel != null) {
                // Of this, everything is used but the address.
                RedisURI redis = uri(Standalone.of("localhost", DEFAULT_PORT, sentinel.getDatabase()), details);
                return RedisEndpoint.behind(
                        new DataRedisSettings.Sentinel(
                                sentinel.getMaster(),
                                sentinel.getNodes().stream()
                                        .map(SpringDataRedis::text)
                                        .toList(),
                                sentinel.getUsername(),
                                sentinel.getPassword()),
                        RedisEndpoint.APPLICATIONS,
                        redis);
            }
            Standalone server = details.getStandalone();
            if (server == null) {
                throw new IllegalStateException("the connection details of Redis name no server");
            }
            return uri(server, details);
        }

        private static RedisURI uri(Standalone server, DataRedisConnectionDetails details) {
            return RedisEndpoint.uri(
                    RedisEndpoint.APPLICATIONS,
                    server.getHost(),
                    server.getPort(),
                    server.getDatabase(),
                    details.getUsername(),
                    details.getPassword());
        }

        private static String text(DataRedisConnectionDetails.Node node) {
            boolean isBare = node.host().contains(":") && !node.host().startsWith("[");
            return (isBare ? "[" + node.host() + "]" : node.host()) + ":" + node.port();
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(MeterRegistry.class)
    static class Micrometer {

        @Bean
        CacheMeters usherCacheMeters(ObjectProvider<MeterRegistry> registries) {
            // If there are several, the primary registry: in Spring Boot it is the composite of the others.
            return builder -> registries.ifUnique(builder::meterRegistry);
        }
    }

    /** Names the registry of the caches' meters, in an application that has Micrometer. */
    @FunctionalInterface
    interface CacheMeters {

        void showIn(UserCaches.Builder builder);
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(PlatformTransactionManager.class)
    static class Transactions {

        @Bean
        static BeginOfTransaction.Registrar usherTransactionListening() {
            return new BeginOfTransaction.Registrar();
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(JdbcTemplate.class)
    @ConditionalOnBooleanProperty(name = "usher.jdbc.check-at-start", matchIfMissing = true)
    static class Tables {

        @Bean
        @Lazy(false)
        static UsersTableCheck usherUsersTableCheck(ConfigurableListableBeanFactory beans) {
            return new UsersTableCheck(beans);
        }
    }

    /** Virtual threads are not counted. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
    @ConditionalOnThreading(Threading.PLATFORM)
    static class ServletThreads {

        @Bean
        WebThreads usherWebThreads(Environment environment) {
            return WebThreads.of(environment);
        }
    }

    @Bean
    @ConditionalOnMissingBean({UserCaches.class, RedisEndpoint.class})
    RedisEndpoint usherRedisEndpointOfSettings(
            Environment environment,
            UsherProperties properties,
            ObjectProvider<SslBundles> bundles,
            ObjectProvider<RedisCredentialsProvider> credentials) {
        RedisEndpoint own = RedisEndpoint.ofOwn(properties, bundles, credentials);
        return own != null
                ? own
                : RedisEndpoint.of(RedisEndpoint.APPLICATIONS, DataRedisSettings.of(environment), bundles, credentials);
    }

    @Bean
    @ConditionalOnMissingBean
    UserCaches userCaches(
            UsherProperties properties,
            RedisEndpoint redis,
            ObjectProvider<CacheMeters> meters,
            ObjectProvider<JsonMapper> mappers,
            Environment environment) {
        UserCaches.Builder builder = properties.builder().clientOptions(redis.options());
        List<RedisURI> clusterNodes = redis.clusterNodes();
        if (clusterNodes.isEmpty()) {
            builder.redis(redis.uri());
        } else {
            builder.redisCluster(clusterNodes);
        }
        meters.ifUnique(each -> each.showIn(builder));
        mappers.ifUnique(builder::jsonMapper);
        if (Threading.VIRTUAL.isActive(environment)) {
            builder.executor(new VirtualThreadTaskExecutor("usher-"));
        }
        return builder.build();
    }

    /** Registers the listeners among the beans late: they may need the caches. */
    @Bean
    @Lazy(false)
    static SmartInitializingSingleton usherRevocationListeners(
            ObjectProvider<UserCaches> caches, ObjectProvider<RevocationListener> listeners) {
        return () -> caches.ifUnique(unique -> listeners.orderedStream().forEach(unique::onRevoked));
    }

    @Bean
    static UserIdClasses usherUserIdClasses(Environment environment) {
        return new UserIdClasses(environment);
    }

    @Bean
    static UserCacheRegistrar userCacheRegistrar() {
        return new UserCacheRegistrar();
    }

    @Bean
    FacetCaches usherFacetCaches(UserCaches caches, ConfigurableListableBeanFactory beans) {
        return new FacetCaches(caches, beans);
    }

    @Bean
    @ConditionalOnMissingBean
    @Conditional(OnUserSourceCondition.OfProfiles.class)
    <K> UserProfileCache<K> userProfileCache(
            FacetCaches caches,
            UserSource<K, UserProfile> source,
            ObjectProvider<Facet<UserProfile>> own,
            ObjectProvider<WebThreads> threads,
            UsherProperties properties) {
        return new UserProfileCache<>(caches.cacheOfBean(
                own.getIfAvailable(
                        () -> UserProfile.FACET.with(properties.profile().policy(maxWaitingLoads(threads)))),
                UserProfile.class,
                source));
    }

    @Bean
    @ConditionalOnMissingBean
    @Conditional(OnUserSourceCondition.OfStatuses.class)
    <K> UserStatusCache<K> userStatusCache(
            FacetCaches caches,
            UserSource<K, UserStatus> source,
            ObjectProvider<Facet<UserStatus>> own,
            ObjectProvider<WebThreads> threads,
            UsherProperties properties) {
        return new UserStatusCache<>(caches.cacheOfBean(
                own.getIfAvailable(
                        () -> UserStatus.FACET.with(properties.status().policy(maxWaitingLoads(threads)))),
                UserStatus.class,
                source));
    }

    /** How many callers of a facet may wait: a share of the web server's threads, or what the core says without one. */
    private static int maxWaitingLoads(ObjectProvider<WebThreads> threads) {
        WebThreads web = threads.getIfAvailable();
        return web == null ? UserProfile.FACET.policy().maxWaitingLoads() : web.maxWaitingLoads();
    }
}
