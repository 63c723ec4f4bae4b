package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.beans.factory.ObjectProvider;
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
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails.Standalone;
import org.springframework.boot.ssl.SslBundle;
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
 * The caches of an application, from its {@link UserSource} beans and its {@code spring.data.redis} settings.
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

        @Bean
        @ConditionalOnBean(DataRedisConnectionDetails.class)
        @ConditionalOnMissingBean({UserCaches.class, RedisEndpoint.class})
        RedisEndpoint usherRedisEndpoint(DataRedisConnectionDetails details, Environment environment) {
            RedisEndpoint.requireStandalone(details.getCluster(), details.getSentinel(), details.getMasterReplica());
            Standalone server = details.getStandalone();
            if (server == null) {
                throw new IllegalStateException("the connection details of Redis name no server");
            }
            DataRedisSettings settings = DataRedisSettings.of(environment);
            SslBundle bundle = details.getSslBundle();
            return RedisEndpoint.of(
                    RedisEndpoint.uri(
                            server.getHost(),
                            server.getPort(),
                            server.getDatabase(),
                            details.getUsername(),
                            details.getPassword()),
                    // The details do not report a rediss:// URL; Spring Boot checks the URL again too.
                    bundle != null || settings.hasTlsUrl(),
                    bundle,
                    settings.clientName());
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
    RedisEndpoint usherRedisEndpointOfSettings(Environment environment, ObjectProvider<SslBundles> bundles) {
        DataRedisSettings settings = DataRedisSettings.of(environment);
        String bundleName = settings.ssl().isOn() ? settings.ssl().bundle() : null;
        SslBundle bundle = bundleName == null ? null : bundles.getObject().getBundle(bundleName);
        return RedisEndpoint.of(settings, bundle);
    }

    @Bean
    @ConditionalOnMissingBean
    UserCaches userCaches(
            UsherProperties properties,
            RedisEndpoint redis,
            ObjectProvider<CacheMeters> meters,
            ObjectProvider<JsonMapper> mappers,
            Environment environment) {
        UserCaches.Builder builder = properties.builder().redis(redis.uri()).clientOptions(redis.options());
        meters.ifUnique(each -> each.showIn(builder));
        mappers.ifUnique(builder::jsonMapper);
        if (Threading.VIRTUAL.isActive(environment)) {
            builder.executor(new VirtualThreadTaskExecutor("usher-"));
        }
        return builder.build();
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
