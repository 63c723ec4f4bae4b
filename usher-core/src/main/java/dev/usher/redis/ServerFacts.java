package dev.usher.redis;

import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the server behind the connection of the scripts has said of itself: its role, its replication, how it makes room, how its failover is set up. Each is
 * asked at every connection, and now and then. Thread-safe; no thread waits.
 */
final class ServerFacts {

    private static final Logger log = LoggerFactory.getLogger(ServerFacts.class);

    private final RedisErrorLog errorLog;
    private final @Nullable Sentinels sentinels;
    private final boolean inCluster;
    private final Duration suspicion;
    private final Listener listener;
    private volatile @Nullable Eviction eviction;
    private volatile ServerRole role = ServerRole.PRIMARY;

    /** {@code null} from the loss of the connection until the server has been asked anew. */
    private volatile @Nullable Replication replication;

    /** Of the last server that has said it. */
    private volatile @Nullable String lastHistory;

    /** Why the last server could have been replaced unnoticed, or {@code null}. Guarded by this. */
    private @Nullable String lastUnfenced;

    /** Until when a server that is new to this node is not believed. */
    private volatile long suspectUntil = System.nanoTime();

    private volatile @Nullable String riskyFailover;

    /** What the listener is told when a server has said how it is replicated. */
    private enum Told {
        SAME_IDENTIFIED,
        OTHER_IDENTIFIED,
        REPLACED,
        NOTHING
    }

    /** What is told of a server, on an event loop. */
    interface Listener {

        /** How it is replicated, each time that it says so. */
        void replicated(Replication now);

        /**
         * Which one it is, after each connection.
         *
         * @param hasAll whether it is certainly the same one as before, which has lost nothing
         */
        void identified(boolean hasAll);

        /** That it has another history than before, over the same connection: it was a replica meanwhile. */
        void replaced();
    }

    /**
     * Of a server that has said nothing yet.
     *
     * @param errorLog knows its address
     * @param sentinels of the primary, or {@code null} without Sentinels
     * @param inCluster whether it is a primary of a Cluster
     * @param suspicion how long a server is not believed that is new to this node
     */
    ServerFacts(
            RedisErrorLog errorLog,
            @Nullable Sentinels sentinels,
            boolean inCluster,
            Duration suspicion,
            Listener listener) {
        this.errorLog = errorLog;
        this.inCluster = inCluster;
        this.sentinels = sentinels;
        this.suspicion = suspicion;
        this.listener = listener;
    }

    /** The connection is lost: the next server may be another one. */
    void lost() {
        replication = null;
    }

    /** How the server is replicated, or {@code null} while that is not known. */
    @Nullable Replication replication() {
        return replication;
    }

    /** Whether the server was a replica when it was asked last. */
    boolean isReplica() {
        return role == ServerRole.REPLICA;
    }

    /** Whether the server may be without the last fences, which all nodes now send again. */
    boolean isSuspect(long now) {
        return now - suspectUntil < 0;
    }

    private ServerStanding.Topology topology() {
        if (inCluster) {
            return ServerStanding.Topology.CLUSTER;
        }
        return sentinels == null ? ServerStanding.Topology.STANDALONE : ServerStanding.Topology.SENTINEL;
    }

    /**
     * What it has said of its role and its replicas.
     *
     * @param ofCluster in a Cluster, how long a primary that has been replaced is believed beyond the bound
     */
    ServerStanding standing(@Nullable String address, @Nullable Duration ofCluster) {
        ServerStanding.Topology topology = topology();
        Duration lag = topology == ServerStanding.Topology.SENTINEL ? Duration.ZERO : ofCluster;
        Replication known = replication;
        if (known == null) {
            return new ServerStanding(topology, address, null, null, null, lag);
        }
        boolean isSaid = !known.equals(Replication.UNKNOWN);
        ServerRole said = isSaid || role != ServerRole.PRIMARY ? role : null;
        String unfenced = unfenced(known);
        boolean isAlone =
                topology == ServerStanding.Topology.STANDALONE && said == ServerRole.PRIMARY && unfenced == null;
        return new ServerStanding(
                topology, address, said, isSaid ? known.replicas() : null, unfenced, isAlone ? Duration.ZERO : lag);
    }

    /** How Redis makes room when its memory is full, or {@code null} while that is not known. */
    @Nullable Eviction eviction() {
        return eviction;
    }

    /** Why this server cannot be the shared tier, and what to name instead, in words, or {@code null} when it can. */
    @Nullable String unfitServer() {
        String advice = role.advice();
        // Behind Sentinels, and in a Cluster, a replica is one that is about to become the primary, or no longer is.
        return advice == null || ((sentinels != null || inCluster) && role == ServerRole.REPLICA)
                ? null
                : "is " + advice;
    }

    /** Why a primary that has been replaced may take writes for too long, in words, or {@code null} when that is not known. */
    @Nullable String riskyFailover() {
        return riskyFailover;
    }

    /** Asks how it makes room. */
    void lookAtEviction(RedisAsyncCommands<String, byte[]> redis) {
        var unused = redis.info("memory").thenAccept(info -> {
            Eviction before = eviction;
            Eviction now = Eviction.parse(info);
            eviction = now;
            if (now != null && now.takesYoungGuards() && !now.equals(before)) {
                log.warn(
                        "The maxmemory-policy {} of this Redis may evict a guard that was written a moment ago: a login may then"
                                + " store a row from before a change. Choose allkeys-lru, allkeys-lfu or noeviction",
                        now.policy());
            }
        });
    }

    /**
     * Asks for its role and its replication. Completed on the event loop, and never failed: a server that does not say is not asked again over this
     * connection.
     */
    CompletionStage<?> lookAtRole(RedisAsyncCommands<String, byte[]> redis) {
        return redis.info("server")
                .thenCombine(redis.info("replication"), (server, replicating) -> server + replicating)
                .handle((info, failure) -> {
                    if (failure == null) {
                        noteRole(ServerRole.parse(info, inCluster));
                        noteReplication(Replication.parse(info));
                    } else if (RedisLink.isAnswer(
                            failure instanceof CompletionException ? failure.getCause() : failure)) {
                        noteRole(ServerRole.PRIMARY); // as far as is known
                        noteReplication(Replication.UNKNOWN);
                    }
                    return null;
                });
    }

    private void noteRole(ServerRole now) {
        ServerRole before = role;
        role = now;
        if (now != before && unfitServer() != null) {
            log.warn(
                    "Redis at {} is {}, with spring.data.redis.host and spring.data.redis.port, with spring.data.redis.url,"
                            + " or with redis(…) of UserCaches.builder()",
                    errorLog.address(),
                    now.advice());
        }
    }

    private void noteReplication(Replication now) {
        // The listener takes locks of its own, and asks this while it holds them.
        Told told = noted(now);
        switch (told) {
            case SAME_IDENTIFIED -> listener.identified(true);
            case OTHER_IDENTIFIED -> listener.identified(false);
            case REPLACED -> listener.replaced();
            case NOTHING -> {}
        }
        listener.replicated(now);
    }

    /**
     * A server is the same one as before, and has lost nothing, if it has the same history and is a primary: a server that is started anew or promoted begins
     * another one, and a replica has that of its primary. Any other may be without the last fences, which all nodes now send again: until they have had time
     * to, nothing that it says of facets that fail closed is believed.
     */
    private synchronized Told noted(Replication now) {
        boolean isFirst = replication == null; // over this connection
        String before = lastHistory;
        boolean isSame = now.history().equals(before) && !isReplica();
        boolean hasAll = isSame && !now.equals(Replication.UNKNOWN);
        if (!isReplica()) {
            lastHistory = now.history();
        }
        if (isFirst ? !hasAll : !isSame && !isReplica()) {
            suspectUntil = System.nanoTime() + suspicion.toNanos();
            if (before != null && !isReplica()) {
                log.info(
                        "Redis at {} may have lost its last writes: {}. The invalidations of the last minute are sent again, and facets"
                                + " that fail closed are read from the source for {} s",
                        errorLog.address(),
                        isSame
                                ? "it does not say its replication history"
                                : "its replication history is another than before",
                        suspicion.toSeconds());
            }
        }
        noteUnfenced(now);
        replication = now;
        if (isFirst) {
            return hasAll ? Told.SAME_IDENTIFIED : Told.OTHER_IDENTIFIED;
        }
        return isSame || isReplica() ? Told.NOTHING : Told.REPLACED;
    }

    private @Nullable String unfenced(Replication now) {
        return sentinels == null && !inCluster && role == ServerRole.PRIMARY ? now.unfenced() : null;
    }

    private void noteUnfenced(Replication now) {
        String why = unfenced(now);
        if (why != null && !why.equals(lastUnfenced)) {
            log.info("Redis at {} is unfenced, and no ban is confirmed: {}", errorLog.address(), why);
        }
        lastUnfenced = why;
    }

    /**
     * Looks whether a primary that is cut off stops taking writes before the Sentinels replace it. Where the account may not ask, nothing is
     * said.
     */
    void lookAtFailover(RedisAsyncCommands<String, byte[]> redis) {
        Sentinels current = sentinels;
        if (current == null) {
            return;
        }
        var unused = redis.configGet("min-replicas-*").handle((config, failure) -> {
            Duration downAfter = current.downAfter();
            String before = riskyFailover;
            String now = failure != null || downAfter == null ? null : Failover.riskOf(config, downAfter);
            riskyFailover = now;
            if (now != null && !now.equals(before)) {
                log.warn("A failover of this Redis is risky: {}", now);
            }
            return now;
        });
    }
}
