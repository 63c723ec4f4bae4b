package dev.usher.spring;

import dev.usher.CacheStats;
import dev.usher.Explanation;
import dev.usher.Facet;
import dev.usher.UserCache;

/**
 * A cache that wraps another one. What neither reads for a caller nor changes anything is that of the wrapped cache; for the rest, each kind of cache has to
 * say.
 */
abstract class WrappedUserCache<K, V> implements UserCache<K, V> {

    /** The wrapped cache. */
    final UserCache<K, V> cache;

    WrappedUserCache(UserCache<K, V> cache) {
        this.cache = cache;
    }

    @Override
    public final Explanation<V> explain(K id) {
        return cache.explain(id);
    }

    @Override
    public final String keyOf(K id) {
        return cache.keyOf(id);
    }

    @Override
    public final K idOf(String text) {
        return cache.idOf(text);
    }

    @Override
    public final Facet<V> facet() {
        return cache.facet();
    }

    @Override
    public final CacheStats stats() {
        return cache.stats();
    }
}
