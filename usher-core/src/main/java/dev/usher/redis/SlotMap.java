package dev.usher.redis;

import dev.usher.redis.GuardProtocol.Offer;
import dev.usher.redis.Revocations.Acknowledged;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Which primary takes the writes of a key, and what follows from that it may be another one tomorrow. Thread-safe. */
interface SlotMap extends AutoCloseable {

    /** Connects, and waits until the connections stand or the first attempts have failed. */
    void open();

    RedisPrimary primaryOf(String key);

    /** The primaries of keys, at least one. */
    List<RedisPrimary> primaries();

    /** The primary that has the register of nodes, over connections of its own where that may move. */
    RedisPrimary registered();

    /** All of these. */
    List<RedisPrimary> all();

    /** Whether there are several primaries, as a rule. */
    boolean isCluster();

    /**
     * The session in which what Redis answers may be cached in memory, or {@code null} when it may not be. To be asked for before the read.
     *
     * @param failsClosed whether it may be answered only while this node hears of revocations
     */
    @Nullable Session sessionOfReads(String key, boolean failsClosed);

    /** Whether what Redis says of a key is believed, in a facet that fails closed. */
    boolean isBelieved(String key, long boundNanos);

    /** {@link GuardProtocol#sendFence}, wherever the key is. */
    CompletableFuture<?> sendFence(String key);

    /** A moment of {@link System#nanoTime()}, by the clock of whatever server will judge it. */
    ServerMoment momentAt(long nanoTime);

    /** {@link GuardProtocol#offer}. */
    CompletableFuture<Offer> offer(String key, byte[] value, Duration ttl, ServerMoment readAt);

    /**
     * Whether the fences of keys outlive their primaries, as far as that is not known from a later write to the register, which may be on another primary.
     *
     * @return {@code null} when the register is on their primary
     */
    @Nullable Acknowledged acknowledged(List<String> keys, Duration atMost);

    /** How often something that was confirmed may have been lost. */
    long losses();

    /** Whether something of these keys, or of the register, may have been lost since there had been so many losses. */
    boolean hasLostSince(Collection<String> keys, long losses);

    /** Whether a key has come to another primary since there had been so many losses, or its primary may have lost something. */
    boolean hasMovedSince(String key, long losses);

    /** What a primary had confirmed may have been lost. */
    void lost(RedisPrimary primary);

    @Override
    void close();
}
