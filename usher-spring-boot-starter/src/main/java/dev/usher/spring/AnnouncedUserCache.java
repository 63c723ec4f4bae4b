package dev.usher.spring;

import dev.usher.Lookup;
import dev.usher.ReadMark;
import dev.usher.RevocationReceipt;
import dev.usher.UserCache;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * A cache that says whom it revokes, before and after. The core's listeners are told of hashes only.
 */
final class AnnouncedUserCache<K, V> extends WrappedUserCache<K, V> {

    private final Supplier<RevokedIds<K>> listener;

    /**
     * Wraps a cache.
     *
     * @param listener asked for at each revocation
     */
    AnnouncedUserCache(UserCache<K, V> cache, Supplier<RevokedIds<K>> listener) {
        super(cache);
        this.listener = listener;
    }

    @Override
    public RevocationReceipt revoke(K id) {
        return revokeAll(List.of(id));
    }

    @Override
    public RevocationReceipt revokeAll(Collection<? extends K> ids) {
        if (ids.isEmpty()) {
            return cache.revokeAll(ids);
        }
        ids.forEach(cache::keyOf);
        Runnable afterwards = listener.get().revoking(ids);
        try {
            return cache.revokeAll(ids);
        } finally {
            afterwards.run();
        }
    }

    @Override
    public Optional<V> find(K id) {
        return cache.find(id);
    }

    @Override
    public Lookup<V> lookUp(K id) {
        return cache.lookUp(id);
    }

    @Override
    public Optional<V> findFresh(K id) {
        return cache.findFresh(id);
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        return cache.findAll(ids);
    }

    @Override
    public Map<K, Lookup<V>> lookUpAll(Collection<? extends K> ids) {
        return cache.lookUpAll(ids);
    }

    @Override
    public Map<K, Optional<V>> findCached(Collection<? extends K> ids) {
        return cache.findCached(ids);
    }

    @Override
    public CompletableFuture<Optional<V>> findAsync(K id) {
        return cache.findAsync(id);
    }

    @Override
    public ReadMark beforeRead() {
        return cache.beforeRead();
    }

    @Override
    public boolean save(K id, V value, ReadMark mark) {
        return cache.save(id, value, mark);
    }

    @Override
    public CompletableFuture<Boolean> saveAsync(K id, V value, ReadMark mark) {
        return cache.saveAsync(id, value, mark);
    }

    @Override
    public boolean save(K id, V value, Instant readAt) {
        return cache.save(id, value, readAt);
    }

    @Override
    public boolean invalidate(K id) {
        return cache.invalidate(id);
    }

    @Override
    public boolean invalidateAll(Collection<? extends K> ids) {
        return cache.invalidateAll(ids);
    }

    @Override
    public boolean forget(K id) {
        return cache.forget(id);
    }

    @Override
    public boolean forgetAll(Collection<? extends K> ids) {
        return cache.forgetAll(ids);
    }
}
