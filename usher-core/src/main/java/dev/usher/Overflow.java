package dev.usher;

import dev.usher.redis.KeySpace;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Changes that did not fit into the outbox, without their keys.
 *
 * @param changes their number
 * @param facets their facets
 * @param first the time of the first announcement, in {@link System#nanoTime()}
 * @param last the time of the last announcement
 */
record Overflow(int changes, Set<String> facets, long first, long last) {

    static Overflow of(String key, long now) {
        return new Overflow(1, Set.of(KeySpace.facetOf(key)), now, now);
    }

    Overflow and(String key, long now) {
        Set<String> all = Stream.concat(facets.stream(), Stream.of(KeySpace.facetOf(key)))
                .collect(Collectors.toUnmodifiableSet());
        return new Overflow(changes + 1, all, first, now);
    }

    /** Whether one of the changes may be of the key. */
    boolean covers(String key) {
        return facets.contains(KeySpace.facetOf(key));
    }
}
