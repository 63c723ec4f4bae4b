package dev.usher.benchmarks;

import dev.usher.CachePolicy;
import dev.usher.Facet;
import dev.usher.ReadMark;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** usher with its defaults, except for the size of its near tier. */
final class UsherContender implements Contender {

    private final UserCaches caches;
    private final UserCache<Long, UserProfile> cache;
    private final UserCache<Long, UserStatus> statuses;

    private UsherContender(Site site, CachePolicy policy) {
        caches = UserCaches.builder().redis(site.redisUri()).build();
        Facet<UserProfile> facet = UserProfile.FACET.with(policy);
        cache = caches.cache(facet, Long.class, site.source());
        statuses = caches.cache(UserStatus.FACET, Long.class, ids -> Map.of());
    }

    static UsherContender both(Site site) {
        // Entries stored together are refreshed together, a second before they expire; no run here lasts that long.
        return new UsherContender(
                site,
                UserProfile.FACET.policy().toBuilder().nearSize(site.nearSize()).build());
    }

    static UsherContender shared(Site site) {
        return new UsherContender(
                site, UserProfile.FACET.policy().toBuilder().nearSize(0).build());
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        return cache.find(id).orElse(null);
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        return cache.findAll(ids);
    }

    @Override
    public void fill(Long id, UserProfile row) {
        cache.save(id, row, cache.beforeRead());
    }

    @Override
    public Filling beforeRead() {
        ReadMark mark = cache.beforeRead();
        return (id, row) -> {
            var unused = cache.saveAsync(id, row, mark);
        };
    }

    /** As {@link #beforeRead}, for a login that has read the user's status as well, as that of a service does. */
    Filling beforeReadOfBothFacets() {
        ReadMark mark = cache.beforeRead();
        return (id, row) -> {
            var unused = cache.saveAsync(id, row, mark);
            var unusedToo = statuses.saveAsync(id, UserStatus.ENABLED, mark);
        };
    }

    @Override
    public void changed(Long id) {
        cache.invalidate(id);
    }

    @Override
    public void close() {
        caches.close();
    }
}
