package dev.usher.benchmarks;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.UserProfile;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A cache of Caffeine and nothing else. */
final class CaffeineContender implements Contender {

    private final ProfileLoader loader;
    private final Cache<Long, @Nullable UserProfile> cache;

    CaffeineContender(Site site) {
        loader = new ProfileLoader(site.source());
        cache = Caffeine.newBuilder().maximumSize(site.nearSize()).build();
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        return cache.get(id, loader::load);
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        return cache.getAll(ids, loader::loadAll);
    }

    @Override
    public void fill(Long id, UserProfile row, Instant readAt) {
        cache.put(id, row);
    }

    @Override
    public void changed(Long id) {
        cache.invalidate(id);
    }

    @Override
    public void close() {}
}
