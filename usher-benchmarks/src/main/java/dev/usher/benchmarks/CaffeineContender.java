package dev.usher.benchmarks;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.UserProfile;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A cache of Caffeine and nothing else. */
final class CaffeineContender implements Contender {

    private static final Duration TTL = Duration.ofMinutes(30);

    private final ProfileLoader loader;
    private final Cache<Long, @Nullable UserProfile> cache;

    /** The maintenance that waits for the next thread that writes; always empty where Caffeine's executor runs it. */
    private final Queue<Runnable> maintenance;

    private CaffeineContender(
            Site site, Queue<Runnable> maintenance, Executor executor, UnaryOperator<Caffeine<Object, Object>> more) {
        loader = new ProfileLoader(site.source());
        this.maintenance = maintenance;
        cache = more.apply(Caffeine.newBuilder().executor(executor).maximumSize(site.nearSize()))
                .build();
    }

    static CaffeineContender withDefaults(Site site) {
        return new CaffeineContender(
                site, new ConcurrentLinkedQueue<>(), ForkJoinPool.commonPool(), UnaryOperator.identity());
    }

    /** Set up like usher's near tier: a read leaves the maintenance to the next write. */
    static CaffeineContender alike(Site site) {
        return alike(site, UnaryOperator.identity());
    }

    /** With entries that end, too: a cache of users that is never wrong for longer than that. */
    static CaffeineContender alikeWithTtl(Site site) {
        return alike(site, caffeine -> caffeine.expireAfterWrite(TTL));
    }

    private static CaffeineContender alike(Site site, UnaryOperator<Caffeine<Object, Object>> more) {
        Queue<Runnable> maintenance = new ConcurrentLinkedQueue<>();
        return new CaffeineContender(site, maintenance, maintenance::add, more);
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        UserProfile found = cache.getIfPresent(id);
        if (found != null) {
            return found;
        }
        UserProfile row = cache.get(id, loader::load);
        runMaintenance();
        return row;
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        Map<Long, UserProfile> found = cache.getAll(ids, loader::loadAll);
        runMaintenance();
        return found;
    }

    @Override
    public void fill(Long id, UserProfile row) {
        cache.put(id, row);
        runMaintenance();
    }

    @Override
    public void changed(Long id) {
        cache.invalidate(id);
    }

    private void runMaintenance() {
        for (Runnable task = maintenance.poll(); task != null; task = maintenance.poll()) {
            task.run();
        }
    }

    @Override
    public void close() {}
}
