package dev.usher;

import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Changes whose keys are forgotten.
 *
 * @param changes how many
 * @param facets of which facets
 * @param first when the first of them was announced, in {@link System#nanoTime()}
 * @param last when the last of them was
 * @param lastKey of the last of them, for a proof that Redis takes fences
 */
record Overflow(int changes, Set<String> facets, long first, long last, String lastKey) {

    static Overflow of(String key, long now) {
        return new Overflow(1, Set.of(KeySpace.facetOf(key)), now, now, key);
    }

    Overflow and(String key, long now) {
        Set<String> all = Stream.concat(facets.stream(), Stream.of(KeySpace.facetOf(key)))
                .collect(Collectors.toUnmodifiableSet());
        return new Overflow(changes + 1, all, first, now, key);
    }

    /** The same, and yet another object. */
    Overflow anew() {
        return new Overflow(changes, facets, first, last, lastKey);
    }

    /** Whether the key may be one of the forgotten ones. */
    boolean covers(String key) {
        return facets.contains(KeySpace.facetOf(key));
    }
}
