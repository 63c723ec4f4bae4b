package dev.usher.redis;

import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The servers that could take the place of a primary, at a moment at which it was the primary.
 *
 * @param replicas all of them, whether they are connected or not
 * @param others another address of a replica, by the one that is in {@code replicas}: a primary may say either
 * @param missing what keeps them from being known, or the primary from being known to be it, in words; or {@code null}
 */
record Candidates(
        Set<ServerAddress> replicas,
        Map<ServerAddress, ServerAddress> others,
        @Nullable String missing) {

    /** Of replicas that have one address each. */
    Candidates(Set<ServerAddress> replicas, @Nullable String missing) {
        this(replicas, Map.of(), missing);
    }

    /** Of a server that nothing can take the place of. */
    static final Candidates NONE = new Candidates(Set.of(), null);

    static Candidates unknown(String missing) {
        return new Candidates(Set.of(), missing);
    }
}
