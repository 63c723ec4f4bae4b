package dev.usher.redis;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The servers that could take the place of a primary, at a moment at which it was the primary.
 *
 * @param replicas all of them, whether they are connected or not
 * @param missing what keeps them from being known, or the primary from being known to be it, in words; or {@code null}
 */
record Candidates(Set<ServerAddress> replicas, @Nullable String missing) {

    /** Of a server that nothing can take the place of. */
    static final Candidates NONE = new Candidates(Set.of(), null);

    static Candidates unknown(String missing) {
        return new Candidates(Set.of(), missing);
    }
}
