package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.redisson.api.RLocalCachedMap;
import org.redisson.api.RedissonClient;
import org.redisson.api.map.MapLoader;
import org.redisson.api.options.LocalCachedMapOptions;
import org.redisson.api.options.LocalCachedMapOptions.EvictionPolicy;
import org.redisson.api.options.LocalCachedMapOptions.ReconnectionStrategy;
import org.redisson.api.options.LocalCachedMapOptions.SyncStrategy;

/**
 * Redisson's {@code RLocalCachedMap} with its read-through, as "Local cache" and "Read-through strategy" in {@code
 * collections.md} say.
 *
 * <p>Its entries have no time to live, so the whole map has one: 30 minutes after the last minute in which an entry was loaded
 * or stored. Its loader runs under a lock in Redis for each entry.
 */
final class RedissonLocalContender implements Contender {

    private static final Duration TTL = Duration.ofMinutes(30);
    private static final long ASK_NANOS = Duration.ofMinutes(1).toNanos();

    private final ProfileLoader loader;
    private final RedissonClient client;
    private final RLocalCachedMap<Long, UserProfile> map;
    private final AtomicLong askedAt = new AtomicLong(System.nanoTime() - ASK_NANOS);

    RedissonLocalContender(Site site) {
        loader = new ProfileLoader(site.source());
        client = RedissonProfiles.client(site);
        map = client.getLocalCachedMap(LocalCachedMapOptions.<Long, UserProfile>name("local-profile")
                .codec(RedissonProfiles.codec())
                .cacheSize(site.nearSize())
                .evictionPolicy(EvictionPolicy.LRU)
                .timeToLive(Duration.ofMinutes(5))
                .syncStrategy(SyncStrategy.INVALIDATE)
                .reconnectionStrategy(ReconnectionStrategy.CLEAR)
                .loader(new Loader()));
    }

    /** Loads a missing entry, on a thread of Redisson. */
    private final class Loader implements MapLoader<Long, UserProfile> {

        @Override
        public @Nullable UserProfile load(Long id) {
            UserProfile row = loader.load(id);
            if (row != null) {
                live();
            }
            return row;
        }

        @Override
        public Iterable<Long> loadAllKeys() {
            // Needed only to load all users, which no row does.
            return List.of();
        }
    }

    /** Renews the map's time to live, asynchronously and at most once a minute: at each load it would cost one more command. */
    private void live() {
        long now = System.nanoTime();
        long asked = askedAt.get();
        if (now - asked >= ASK_NANOS && askedAt.compareAndSet(asked, now)) {
            var unused = map.expireAsync(TTL);
        }
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        return map.get(id);
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        return map.getAll(new HashSet<>(ids));
    }

    @Override
    public void fill(Long id, UserProfile row) {
        map.fastPut(id, row);
        live();
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
