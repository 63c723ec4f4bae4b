package dev.usher.redis;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What is known of the server that this node takes for a primary, without asking it.
 *
 * @param topology how it is found
 * @param address as {@code host:port}, or {@code null} while no connection leads to a server that Sentinels have named
 * @param role or {@code null} while it has not said it
 * @param replicas how many are connected, or {@code null} while it has not said it
 * @param unfenced why another server could take its place while nodes go on believing it, in words, or {@code null} when none can, or that is not known
 * @param lag for how long, beyond the staleness bound, it may be believed after it has been replaced, or {@code null} when that is not known
 */
public record ServerStanding(
        Topology topology,
        @Nullable String address,
        @Nullable ServerRole role,
        @Nullable Integer replicas,
        @Nullable String unfenced,
        @Nullable Duration lag) {

    /** How a primary is found. */
    public enum Topology {
        /** By its own address. */
        STANDALONE,
        /** Its Sentinels name it. */
        SENTINEL,
        /** The servers of its Cluster name it. */
        CLUSTER
    }
}
