package dev.usher;

import java.util.Optional;

/**
 * A user's values in two facets, read together.
 *
 * @param first the value in the facet of the cache that was asked, or empty for a user that does not exist there
 * @param second the value in the other facet, or empty for a user that does not exist there
 * @param <V> the type of the first facet's value
 * @param <W> the type of the second facet's value
 */
public record Both<V, W>(Optional<V> first, Optional<W> second) {}
