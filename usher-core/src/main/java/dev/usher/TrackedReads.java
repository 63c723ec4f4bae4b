package dev.usher;

import dev.usher.NearTier.Reservation;
import dev.usher.redis.Session;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * Reads of one facet over the connection on which Redis tells of changes. Memory caches their answers: a place is reserved before the read is
 * sent, so that a change that comes in between finds it. Thread-safe.
 */
final class TrackedReads<K, V> {

    private final SharedTier shared;
    private final Function<String, @Nullable Session> sessions;
    private final NearTier<K, V> near;
    private final EntryCodec<V> codec;
    private final FenceOutbox fences;
    private final Counters counters;
    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(TrackedReads.class));

    /**
     * Reads.
     *
     * @param sessions by key, in which what Redis answers may be cached in memory, or {@code null} when it may not be
     */
    TrackedReads(
            SharedTier shared,
            Function<String, @Nullable Session> sessions,
            NearTier<K, V> near,
            EntryCodec<V> codec,
            FenceOutbox fences,
            Counters counters) {
        this.shared = shared;
        this.sessions = sessions;
        this.near = near;
        this.codec = codec;
        this.fences = fences;
        this.counters = counters;
    }

    /**
     * Reads, and caches what is found in memory.
     *
     * @param dueIn after which the life that is left in Redis is to be looked at, if the user is still asked for
     * @return an entry for each, or {@code null} where there is none
     */
    List<@Nullable Entry<V>> readAndCache(List<Miss<K, V>> misses, Duration dueIn) throws SharedTierException {
        List<@Nullable Reservation> reservations = reserve(misses, sessions, dueIn);
        List<@Nullable Entry<V>> entries = new ArrayList<>(misses.size());
        try {
            List<byte @Nullable []> read = readAll(misses);
            for (int i = 0; i < misses.size(); i++) {
                entries.add(decodedOrReplaceable(misses.get(i), read.get(i)));
            }
            return entries;
        } finally {
            for (int i = 0; i < misses.size(); i++) {
                keep(misses.get(i), reservations.get(i), i < entries.size() ? entries.get(i) : null);
            }
            near.runMaintenance();
        }
    }

    private List<byte @Nullable []> readAll(List<Miss<K, V>> misses) throws SharedTierException {
        return misses.size() == 1
                ? Collections.singletonList(shared.get(misses.get(0).key))
                : shared.getAll(misses.stream().map(miss -> miss.key).toList());
    }

    /**
     * Reserves the places of what is about to be read.
     *
     * @param sessions by key, in which it will be read, or {@code null} when memory may not answer with it
     * @return for each a place, or {@code null} where there is none
     */
    List<@Nullable Reservation> reserve(
            List<Miss<K, V>> misses, Function<String, @Nullable Session> sessions, Duration dueIn) {
        List<@Nullable Reservation> reservations = new ArrayList<>(misses.size());
        for (Miss<K, V> miss : misses) {
            reservations.add(near.reserve(miss.id, sessions.apply(miss.key), dueIn));
        }
        return reservations;
    }

    private void keep(Miss<K, V> miss, @Nullable Reservation reservation, @Nullable Entry<V> entry) {
        near.publish(miss.id, reservation, entry);
        if (fences.isPending(miss.key)) {
            // Of this node's own change Redis does not know yet, and would not say that this is old.
            near.forget(miss.id);
        }
    }

    private @Nullable Entry<V> decodedOrReplaceable(Miss<K, V> miss, byte @Nullable [] bytes) {
        miss.replaced = null;
        if (bytes == null || codec.isUnfit()) {
            return null;
        }
        try {
            return codec.decode(bytes);
        } catch (UnreadableEntryException e) {
            noteUnreadable(miss.key, e.getMessage());
            miss.replaced = bytes;
            return null;
        }
    }

    /** Notes that what stands under a key is as good as nothing. */
    void noteUnreadable(String key, @Nullable String reason) {
        counters.unreadable.increment();
        log.warn("{} cannot be read ({}); it is loaded again and overwritten", key, reason);
    }
}
