package dev.usher.benchmarks;

import com.alicp.jetcache.Cache;
import com.alicp.jetcache.CacheBuilder;
import com.alicp.jetcache.CacheLoader;
import com.alicp.jetcache.SimpleCacheManager;
import com.alicp.jetcache.anno.CacheConsts;
import com.alicp.jetcache.anno.CacheType;
import com.alicp.jetcache.embedded.CaffeineCacheBuilder;
import com.alicp.jetcache.redis.lettuce.LettuceConnectionManager;
import com.alicp.jetcache.redis.lettuce.RedisLettuceCacheBuilder;
import com.alicp.jetcache.template.CacheBuilderTemplate;
import com.alicp.jetcache.template.NotifyMonitorInstaller;
import com.alicp.jetcache.template.QuickConfig;
import dev.usher.UserProfile;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.codec.ByteArrayCodec;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * JetCache over Lettuce: a cache of its {@code CacheManager} with a loader and its protection against stampedes, which holds within
 * one process.
 *
 * <p>Set up as "CacheManager" in {@code CreateCache.md} and "without Spring Boot" in {@code RedisWithLettuce.md} say; with both
 * levels, {@code syncLocal} and a {@code broadcastChannel} let other nodes drop their local copies. {@code cacheNullValue}
 * stays at its default, so absent users are not cached. With the protection, {@code getAll} loads missing users one after the
 * other.
 */
final class JetCacheContender implements Contender {

    private final RedisClient client;
    private final SimpleCacheManager manager = new SimpleCacheManager();
    private final Cache<Long, UserProfile> cache;

    private JetCacheContender(Site site, QuickConfig.Builder levels) {
        client = RedisClient.create(site.redisUri());
        client.setOptions(ClientOptions.builder()
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .build());
        // The builder's encoder, left at its default, is for messages between nodes; the cache has its own for
        // profiles.
        CacheBuilder remote = RedisLettuceCacheBuilder.createRedisLettuceCacheBuilder()
                .redisClient(client)
                .pubSubConnection(client.connectPubSub(ByteArrayCodec.INSTANCE))
                .broadcastChannel("usher-benchmarks");
        CacheBuilder local = CaffeineCacheBuilder.createCaffeineCacheBuilder();
        CacheBuilderTemplate template = new CacheBuilderTemplate(
                false, Map.of(CacheConsts.DEFAULT_AREA, local), Map.of(CacheConsts.DEFAULT_AREA, remote));
        template.getCacheMonitorInstallers().add(new NotifyMonitorInstaller(area -> remote));
        manager.setCacheBuilderTemplate(template);

        CacheLoader<Long, UserProfile> loader = new ProfileLoader(site.source())::load;
        cache = manager.getOrCreateCache(levels.expire(Duration.ofMinutes(30))
                .penetrationProtect(true)
                .loader(loader)
                .valueEncoder(JetCacheValues::encode)
                .valueDecoder(JetCacheValues::decode)
                .build());
    }

    static JetCacheContender remote(Site site) {
        return new JetCacheContender(site, QuickConfig.newBuilder("profile:").cacheType(CacheType.REMOTE));
    }

    static JetCacheContender both(Site site) {
        return new JetCacheContender(
                site,
                QuickConfig.newBuilder("profile:")
                        .cacheType(CacheType.BOTH)
                        .localLimit(site.nearSize())
                        .localExpire(Duration.ofMinutes(5))
                        .syncLocal(true));
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        return cache.get(id);
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        Map<Long, UserProfile> found = new HashMap<>(cache.getAll(new HashSet<>(ids)));
        found.values().removeIf(Objects::isNull);
        return found;
    }

    @Override
    public void fill(Long id, UserProfile row) {
        cache.put(id, row);
    }

    @Override
    public void changed(Long id) {
        cache.remove(id);
    }

    @Override
    public void close() {
        manager.close();
        LettuceConnectionManager.defaultManager().removeAndClose(client);
    }
}
