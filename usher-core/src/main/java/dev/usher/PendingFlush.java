package dev.usher;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The changes that found no room in the outbox, and the primaries that have been flushed for them. Each primary is flushed by itself: one that is away keeps no
 * user of the others from Redis. Thread-safe; asking takes no lock.
 *
 * @param <P> a primary
 */
final class PendingFlush<P> {

    private final Function<String, P> primaryOf;

    // Changed under the lock of this. A reader takes them in this order: the primaries that it sees are not those of an
    // earlier overflow.
    private volatile @Nullable Overflow overflow;
    private volatile Set<P> flushed = Set.of();

    /** The primaries that are being flushed, and whether something has come that this may have missed. */
    private final Map<P, Boolean> missed = new HashMap<>();

    /**
     * Of no changes.
     *
     * @param primaryOf the primary of a key
     */
    PendingFlush(Function<String, P> primaryOf) {
        this.primaryOf = primaryOf;
    }

    /** The changes that are not flushed on all primaries yet, or {@code null} when there are none. */
    @Nullable Overflow overflow() {
        return overflow;
    }

    /** Whether one of the changes may be of the key, and is not flushed yet. */
    boolean covers(String key) {
        Overflow current = overflow;
        return current != null && current.covers(key) && !flushed.contains(primaryOf.apply(key));
    }

    /**
     * Adds a change.
     *
     * @param all the primaries: those that have none of the changes need no flush
     * @return whether it is the first
     */
    synchronized boolean add(String key, long now, Collection<P> all) {
        Overflow before = overflow;
        if (before == null) {
            flushed = Set.copyOf(all);
        }
        mayHaveMissed(primaryOf.apply(key));
        overflow = before == null ? Overflow.of(key, now) : before.and(key, now);
        return before == null;
    }

    /** What a flush of a primary may have done may be lost, or be too little. */
    synchronized void mayHaveMissed(P primary) {
        missed.replace(primary, true);
        if (flushed.contains(primary)) {
            Set<P> left = new HashSet<>(flushed);
            left.remove(primary);
            flushed = Set.copyOf(left);
        }
    }

    /** As {@link #mayHaveMissed(Object)}, of all of them. */
    synchronized void mayHaveMissed() {
        missed.replaceAll((primary, before) -> true);
        flushed = Set.of();
    }

    /** Begins to flush a primary. Returns for what, or {@code null} when it is being flushed, or has been. */
    synchronized @Nullable Overflow begin(P primary) {
        Overflow current = overflow;
        if (current == null || flushed.contains(primary) || missed.putIfAbsent(primary, false) != null) {
            return null;
        }
        return current;
    }

    /**
     * Ends the flush of a primary.
     *
     * @param isFlushed whether nothing of it has failed
     * @param all the primaries
     * @return whether all of them have been flushed now
     */
    synchronized boolean end(P primary, boolean isFlushed, Collection<P> all) {
        boolean hasMissed = Boolean.TRUE.equals(missed.remove(primary));
        if (overflow == null || !isFlushed || hasMissed) {
            return false;
        }
        Set<P> now = new HashSet<>(flushed);
        now.add(primary);
        if (now.containsAll(all)) {
            overflow = null;
            flushed = Set.of();
            return true;
        }
        flushed = Set.copyOf(now);
        return false;
    }
}
