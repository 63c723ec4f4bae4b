package dev.usher;

import java.time.Duration;
import java.util.Optional;

/**
 * What was found of a user, and whether it is as recent as an answer should be.
 *
 * @param value the user's value, or empty for a user that does not exist
 * @param staleFor zero for an answer within the staleness bound. Otherwise nobody could say, this is the last known answer,
 *     and it was last known to be true so long ago, which {@link CachePolicy#serveStaleFor} allows
 * @param <V> the type of the facet's value
 */
public record Found<V>(Optional<V> value, Duration staleFor) {

    /** Whether this is the last known answer, in place of none. */
    public boolean isStale() {
        return !staleFor.isZero();
    }
}
