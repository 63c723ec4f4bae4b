package dev.usher.redis;

import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * The keys that were revoked of late, by their hashes: what Redis says of them is not believed, since a push or an answer from before the revocation may
 * still be on its way. After that they are remembered until a minute has passed since they were revoked: when the server has lost its last writes by then, their
 * fences are {@linkplain #isUnfenced missing}. Thread-safe; while it is empty, a look at it costs next to nothing.
 */
final class Quarantine {

    /** How long a key is remembered: what a promoted replica may have lost. */
    private static final Duration LATELY = Duration.ofMinutes(1);

    /** How long a key is known to lack its fence that no caller has asked for. */
    private static final Duration UNFENCED = Duration.ofDays(1);

    /** By hash, until when, in {@link System#nanoTime()}. */
    private final ConcurrentMap<Long, Long> until = new ConcurrentHashMap<>();

    /** By hash, until when it counts as revoked lately. */
    private final ConcurrentMap<Long, Long> lately = new ConcurrentHashMap<>();

    /** By hash, until when it counts as not fenced. */
    private final ConcurrentMap<Long, Long> unfenced = new ConcurrentHashMap<>();

    private volatile boolean isEmpty = true;

    void add(long[] hashes, Duration life) {
        if (hashes.length == 0) {
            return;
        }
        long now = System.nanoTime();
        for (long hash : hashes) {
            put(until, hash, now + life.toNanos());
            put(lately, hash, now + LATELY.toNanos());
        }
        isEmpty = false;
    }

    private static void put(ConcurrentMap<Long, Long> ends, long hash, long end) {
        ends.merge(hash, end, (one, other) -> one - other > 0 ? one : other);
    }

    boolean contains(String key) {
        return contains(until, key);
    }

    /** Whether a key was revoked within the last minute. */
    boolean hasLately(String key) {
        return contains(lately, key);
    }

    /** The server may have lost its last writes: the fences of all that was revoked within the last minute are missing. */
    void fencesLost() {
        long now = System.nanoTime();
        lately.forEach((hash, end) -> {
            if (now - end < 0) {
                put(unfenced, hash, now + UNFENCED.toNanos());
            }
        });
    }

    /** Whether the fence of a key may have been lost since it was revoked, and has not been {@linkplain #fenced announced} again. */
    boolean isUnfenced(String key) {
        return contains(unfenced, key);
    }

    /** The fence of a key has been announced again. */
    void fenced(String key) {
        unfenced.remove(RevokedKeys.hashOf(key));
    }

    private boolean contains(ConcurrentMap<Long, Long> ends, String key) {
        if (isEmpty || ends.isEmpty()) {
            return false;
        }
        Long end = ends.get(RevokedKeys.hashOf(key));
        return end != null && System.nanoTime() - end < 0;
    }

    /** Drops what has ended. To be called now and then, by one thread. */
    void sweep() {
        if (isEmpty) {
            return;
        }
        long now = System.nanoTime();
        until.values().removeIf(end -> now - end >= 0);
        lately.values().removeIf(end -> now - end >= 0);
        unfenced.values().removeIf(end -> now - end >= 0);
        if (isNothingLeft()) {
            isEmpty = true;
            if (!isNothingLeft()) {
                isEmpty = false; // added meanwhile
            }
        }
    }

    private boolean isNothingLeft() {
        return until.isEmpty() && lately.isEmpty() && unfenced.isEmpty();
    }
}
