package dev.usher.benchmarks;

import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.cache.CacheManager;
import org.springframework.cache.annotation.CacheEvict;
import org.springframework.cache.annotation.CachePut;
import org.springframework.cache.annotation.Cacheable;
import org.springframework.cache.annotation.EnableCaching;
import org.springframework.cache.caffeine.CaffeineCacheManager;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.redis.cache.RedisCacheConfiguration;
import org.springframework.data.redis.cache.RedisCacheManager;
import org.springframework.data.redis.cache.RedisCacheWriter;
import org.springframework.data.redis.cache.RedisCacheWriter.RedisCacheWriterConfigurer;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializationContext.SerializationPair;
import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * Spring's cache abstraction: a bean with {@code @Cacheable(sync = true)}, {@code @CachePut} and {@code @CacheEvict}, and no call for
 * many users.
 *
 * <p>Set up as "Declarative Annotation-based Caching" in the manual of Spring Framework says, with {@code
 * CaffeineCacheManager}, or with {@code RedisCacheManager} as "Redis Cache" in that of Spring Data Redis says. Absent users are
 * cached, which is the default. {@code immediateWrites} is not the default. The Javadoc of {@code RedisCacheWriterConfigurer}
 * recommends it for caches whose writes must be visible at once: otherwise {@code @CacheEvict} returns before Redis has the
 * command.
 */
final class SpringContender implements Contender {

    private static final Duration TTL = Duration.ofMinutes(30);

    private final AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
    private final Profiles profiles;

    private SpringContender(Site site, Consumer<AnnotationConfigApplicationContext> manager) {
        ProfileLoader loader = new ProfileLoader(site.source());
        context.registerBean(Caching.class);
        context.registerBean(Profiles.class, () -> new Profiles(loader));
        manager.accept(context);
        context.refresh();
        profiles = context.getBean(Profiles.class);
    }

    static SpringContender caffeine(Site site) {
        return new SpringContender(
                site,
                context -> context.registerBean(CacheManager.class, () -> {
                    CaffeineCacheManager manager = new CaffeineCacheManager("profile");
                    manager.setCaffeine(
                            Caffeine.newBuilder().maximumSize(site.nearSize()).expireAfterWrite(TTL));
                    return manager;
                }));
    }

    static SpringContender redis(Site site) {
        // Without locks, the default.
        return redis(site, writer -> {});
    }

    static SpringContender lockingRedis(Site site) {
        return redis(site, RedisCacheWriterConfigurer::enableLocking);
    }

    private static SpringContender redis(Site site, Consumer<RedisCacheWriterConfigurer> locking) {
        return new SpringContender(site, context -> {
            context.registerBean(
                    LettuceConnectionFactory.class,
                    () -> new LettuceConnectionFactory(
                            LettuceConnectionFactory.createRedisConfiguration(site.redisUri())));
            context.registerBean(
                    CacheManager.class, () -> manager(context.getBean(LettuceConnectionFactory.class), locking));
        });
    }

    private static CacheManager manager(
            LettuceConnectionFactory connections, Consumer<RedisCacheWriterConfigurer> locking) {
        RedisCacheWriter writer =
                RedisCacheWriter.create(connections, configurer -> locking.accept(configurer.immediateWrites()));
        return RedisCacheManager.builder(writer)
                .cacheDefaults(RedisCacheConfiguration.defaultCacheConfig()
                        .entryTtl(TTL)
                        .serializeValuesWith(SerializationPair.fromSerializer(new ProfileSerializer())))
                .build();
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        return profiles.find(id);
    }

    @Override
    public void fill(Long id, UserProfile row) {
        profiles.fill(id, row);
    }

    @Override
    public void changed(Long id) {
        profiles.changed(id);
    }

    @Override
    public void close() {
        context.close();
    }

    /** Turns the annotations on. */
    @Configuration(proxyBeanMethods = false)
    @EnableCaching
    static class Caching {}

    /** The bean with the annotations. */
    static class Profiles {

        private final ProfileLoader loader;

        Profiles(ProfileLoader loader) {
            this.loader = loader;
        }

        @Cacheable(cacheNames = "profile", sync = true)
        public @Nullable UserProfile find(Long id) {
            return loader.load(id);
        }

        @CachePut(cacheNames = "profile", key = "#id")
        public UserProfile fill(Long id, UserProfile row) {
            return row;
        }

        @CacheEvict(cacheNames = "profile")
        public void changed(Long id) {
            // The annotation evicts the entry.
        }
    }

    /** The bytes that all contenders write. */
    private static final class ProfileSerializer implements RedisSerializer<UserProfile> {

        private final FacetCodec<UserProfile> codec = UserProfile.FACET.codec();

        @Override
        public byte[] serialize(@Nullable UserProfile profile) {
            // The cache does not call this for absent users; Spring's own serializers turn null into an empty array.
            return profile == null ? new byte[0] : codec.encode(profile);
        }

        @Override
        public @Nullable UserProfile deserialize(byte @Nullable [] stored) {
            return stored == null ? null : codec.decode(stored);
        }
    }
}
