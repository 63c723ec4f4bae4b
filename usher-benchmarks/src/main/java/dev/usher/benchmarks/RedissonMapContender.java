package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.redisson.api.RMapCache;
import org.redisson.api.RedissonClient;
import org.redisson.api.options.MapCacheOptions;

/**
 * Redisson's {@code RMapCache}, with 30 minutes for each entry, as "Scripted eviction" in {@code collections.md} says.
 *
 * <p>A read gets an entry, or loads and puts it. Redisson's own read-through does not fit: it stores what a {@code MapLoader}
 * loads without a time to live ({@code RedissonMap.loadValue}), and it turns a failure of the loader into an absent user.
 */
final class RedissonMapContender implements Contender {

    private static final long TTL_MINUTES = 30;

    private final ProfileLoader loader;
    private final RedissonClient client;
    private final RMapCache<Long, UserProfile> map;

    RedissonMapContender(Site site) {
        loader = new ProfileLoader(site.source());
        client = RedissonProfiles.client(site);
        map = client.getMapCache(
                MapCacheOptions.<Long, UserProfile>name("profile").codec(RedissonProfiles.codec()));
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        UserProfile stored = map.get(id);
        if (stored != null) {
            return stored;
        }
        UserProfile row = loader.load(id);
        if (row != null) {
            map.fastPut(id, row, TTL_MINUTES, TimeUnit.MINUTES);
        }
        return row;
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        Set<Long> missing = new HashSet<>(ids);
        Map<Long, UserProfile> found = new HashMap<>(map.getAll(missing));
        missing.removeAll(found.keySet());
        if (!missing.isEmpty()) {
            Map<Long, UserProfile> rows = loader.loadAll(missing);
            map.putAll(rows, TTL_MINUTES, TimeUnit.MINUTES);
            found.putAll(rows);
        }
        return found;
    }

    @Override
    public void fill(Long id, UserProfile row) {
        map.fastPut(id, row, TTL_MINUTES, TimeUnit.MINUTES);
    }

    @Override
    public void changed(Long id) {
        map.fastRemove(id);
    }

    @Override
    public void close() {
        client.shutdown(0, 2, TimeUnit.SECONDS);
    }
}
