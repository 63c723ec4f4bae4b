package dev.usher;

import dev.usher.NearTier.Reservation;
import dev.usher.redis.Session;
import dev.usher.redis.SharedTier;
import dev.usher.redis.StoredValue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Predicate;
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
    private final Belief belief;
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
            Belief belief,
            Counters counters) {
        this.shared = shared;
        this.sessions = sessions;
        this.near = near;
        this.codec = codec;
        this.belief = belief;
        this.counters = counters;
    }

    /**
     * Reads, and caches what is found in memory.
     *
     * @param dueIn after which the life that is left in Redis is to be looked at, if the user is still asked for
     * @param steps where what is found is decoded
     * @return an entry for each, or {@code null} where there is none; it fails with a {@link dev.usher.redis.SharedTierException}
     */
    CompletableFuture<List<@Nullable Entry<V>>> readAndCache(List<Miss<K, V>> misses, Duration dueIn, Steps steps) {
        return read(
                misses,
                dueIn,
                steps,
                // One that is missing is claimed at once; many are claimed by a thread that has nothing else to do.
                values -> values.size() == 1 && values.get(0).bytes() == null,
                (miss, bytes) -> decodedOrReplaceable(miss, bytes));
    }

    /**
     * Reads back what has been stored, and caches what is found in memory: never what was loaded, but what Redis says, so that Redis will say when
     * it changes.
     *
     * @return as {@link #readAndCache}; where Redis still holds what was stored, the entry that was loaded
     */
    CompletableFuture<List<@Nullable Entry<V>>> readBack(List<Miss<K, V>> misses, Duration dueIn, Steps steps) {
        return read(
                misses,
                dueIn,
                steps,
                values -> {
                    for (int i = 0; i < misses.size(); i++) {
                        byte[] bytes = values.get(i).bytes();
                        if (bytes != null && !Arrays.equals(bytes, misses.get(i).loadedBytes())) {
                            return false;
                        }
                    }
                    return true;
                },
                (miss, bytes) -> {
                    miss.isReadBack = Arrays.equals(bytes, miss.loadedBytes());
                    return miss.isReadBack ? miss.loaded() : decodedOrReplaceable(miss, bytes);
                });
    }

    /**
     * Reads.
     *
     * @param needsNoStep whether what was read costs so little that the thread that has brought it may go on
     */
    private CompletableFuture<List<@Nullable Entry<V>>> read(
            List<Miss<K, V>> misses,
            Duration dueIn,
            Steps steps,
            Predicate<List<StoredValue>> needsNoStep,
            BiFunction<Miss<K, V>, byte @Nullable [], @Nullable Entry<V>> entryOf) {
        Reading reading = new Reading(misses, reserve(misses, sessions, dueIn), entryOf);
        BiConsumer<List<StoredValue>, @Nullable Throwable> goOn = (values, failure) -> {
            if (failure != null) {
                reading.fail(failure);
            } else {
                reading.cache(values, needsNoStep.test(values) ? Runnable::run : steps);
            }
        };
        if (misses.size() == 1) {
            var unused = shared.get(misses.get(0).key, steps)
                    .whenComplete((bytes, failure) -> goOn.accept(List.of(new StoredValue(bytes, null)), failure));
        } else {
            var unused = shared.getAll(misses.stream().map(miss -> miss.key).toList(), steps)
                    .whenComplete(goOn);
        }
        return reading;
    }

    /** A read under way. It is completed when what was read is cached. */
    private final class Reading extends CompletableFuture<List<@Nullable Entry<V>>> {

        private final List<Miss<K, V>> misses;
        private final List<@Nullable Reservation> reservations;
        private final BiFunction<Miss<K, V>, byte @Nullable [], @Nullable Entry<V>> entryOf;

        private Reading(
                List<Miss<K, V>> misses,
                List<@Nullable Reservation> reservations,
                BiFunction<Miss<K, V>, byte @Nullable [], @Nullable Entry<V>> entryOf) {
            this.misses = misses;
            this.reservations = reservations;
            this.entryOf = entryOf;
        }

        private void cache(List<StoredValue> values, Executor executor) {
            try {
                executor.execute(() -> {
                    try {
                        cache(values);
                    } catch (Throwable e) {
                        fail(e);
                    }
                });
            } catch (RuntimeException | Error e) {
                // Rejected, or no thread could be started.
                fail(e);
            }
        }

        private void cache(List<StoredValue> values) {
            List<@Nullable Entry<V>> entries = new ArrayList<>(misses.size());
            for (int i = 0; i < misses.size(); i++) {
                Miss<K, V> miss = misses.get(i);
                StoredValue value = values.get(i);
                miss.isElsewhere = value.isRefused();
                entries.add(value.isRefused() ? null : entryOf.apply(miss, value.bytes()));
            }
            keep(misses, reservations, entries);
            complete(entries);
        }

        /** Puts back what was in the places that are reserved. */
        private void fail(Throwable failure) {
            keep(misses, reservations, List.of());
            completeExceptionally(failure);
        }
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

    private void keep(
            List<Miss<K, V>> misses, List<@Nullable Reservation> reservations, List<@Nullable Entry<V>> entries) {
        for (int i = 0; i < misses.size(); i++) {
            keep(misses.get(i), reservations.get(i), i < entries.size() ? entries.get(i) : null);
        }
        near.runMaintenance();
    }

    private void keep(Miss<K, V> miss, @Nullable Reservation reservation, @Nullable Entry<V> entry) {
        near.publish(miss.id, reservation, entry);
        if (!belief.in(miss.key)) {
            // Of this node's own change, or of a ban, Redis may not know yet, and would not say that this is old.
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
