package dev.usher.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * How Redis is reached, and by which clocks its silence is judged.
 *
 * @param uri where it is, and how to authenticate there
 * @param seeds of a Cluster, the servers that are asked first, with one account; else empty
 * @param clientOptions the client library's own settings
 * @param commandTimeout how long an answer is waited for
 * @param times after which silence counts
 * @param clock the clock of this machine, which goes on while the machine sleeps
 * @param nanoTime the clock of this machine that may stand still meanwhile, as {@link System#nanoTime}
 * @param awaitReplicas which writes count only when replicas have acknowledged them
 */
public record RedisSettings(
        RedisURI uri,
        List<RedisURI> seeds,
        ClientOptions clientOptions,
        Duration commandTimeout,
        Times times,
        InstantSource clock,
        LongSupplier nanoTime,
        AwaitReplicas awaitReplicas) {

    /** Of one server, as of {@code uri}. */
    public RedisSettings(
            RedisURI uri,
            ClientOptions clientOptions,
            Duration commandTimeout,
            Times times,
            InstantSource clock,
            LongSupplier nanoTime,
            AwaitReplicas awaitReplicas) {
        this(uri, List.of(), clientOptions, commandTimeout, times, clock, nanoTime, awaitReplicas);
    }

    /** The same for another address. */
    RedisSettings at(RedisURI other) {
        return new RedisSettings(other, seeds, clientOptions, commandTimeout, times, clock, nanoTime, awaitReplicas);
    }

    /**
     * Which writes count only when replicas have acknowledged them.
     *
     * @param ofRevocations how many replicas have to acknowledge a revocation, or {@link #ALL_CONNECTED}
     * @param ofHeartbeats whether all have to acknowledge a heartbeat
     */
    public record AwaitReplicas(int ofRevocations, boolean ofHeartbeats) {

        /** All replicas that are connected at that moment. */
        public static final int ALL_CONNECTED = -1;

        /** Revocations, by all that are connected. */
        public static final AwaitReplicas AUTO = new AwaitReplicas(ALL_CONNECTED, false);

        /** The same, and heartbeats. */
        public static final AwaitReplicas ALL = new AwaitReplicas(ALL_CONNECTED, true);

        int ofRevocations(Replication written) {
            return ofRevocations == ALL_CONNECTED ? written.replicas() : ofRevocations;
        }
    }

    /**
     * After which silence counts.
     *
     * @param silence after which a connection is given up and made anew, although the pulse asks for a sign of life
     * @param registerLife after which a node that does not report is dropped from the register of nodes
     * @param markLife after which a mark that a tenant's nodes have left is dropped, when none of them extends it
     * @param suspicion how long a server is not believed, in facets that fail closed, that is new to this node or has another history than before: the other
     *     nodes send their last fences to it meanwhile
     */
    public record Times(Duration silence, Duration registerLife, Duration markLife, Duration suspicion) {}
}
