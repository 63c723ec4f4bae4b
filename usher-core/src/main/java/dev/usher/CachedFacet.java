package dev.usher;

import dev.usher.redis.KeySpace;
import org.jspecify.annotations.Nullable;

/**
 * What belongs to one facet and is the same for all its users.
 *
 * @param facet what is cached
 * @param keys the names of its keys in Redis
 * @param codec writes, reads and hands out its values
 * @param counters of its cache
 * @param idType what the ids of users are
 * @param <K> the type of a user's id
 * @param <V> the type of the facet's value
 */
record CachedFacet<K, V>(Facet<V> facet, KeySpace keys, EntryCodec<V> codec, Counters counters, IdType idType) {

    /**
     * A facet.
     *
     * @param keyPrefix what all keys begin with
     */
    static <K, V> CachedFacet<K, V> of(Facet<V> facet, IdType idType, String keyPrefix, Counters counters) {
        return new CachedFacet<>(
                facet, new KeySpace(keyPrefix, facet.name()), new EntryCodec<>(facet), counters, idType);
    }

    CachePolicy policy() {
        return facet.policy();
    }

    /** The key of a user's value. */
    String keyOf(K id) {
        return keys.keyOf(id);
    }

    /** Refuses what can be no id, in the words of {@link IllegalArgumentException}. */
    void requireId(K id) {
        idType.require(id);
        KeySpace.requireId(id);
    }

    /**
     * The id that has a text.
     *
     * @throws IllegalArgumentException when none has
     */
    K idOf(String text) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.idOf(text);
        KeySpace.requireId(id);
        return id;
    }

    /** The id that has a text, or {@code null} when none has. */
    @SuppressWarnings("unchecked")
    @Nullable K idOrNull(String text) {
        return (K) idType.parseOrNull(text);
    }
}
