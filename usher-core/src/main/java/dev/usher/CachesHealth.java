package dev.usher;

import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * How the caches of an application are doing: what an operator asks first. Asking costs no call of Redis or of the source.
 *
 * @param redis whether Redis answers
 * @param trouble what is wrong with Redis, in the words of the log and without any of a user, or {@code null} while it answers: why it
 *     cannot be reached, or with which code it refuses, and which command
 * @param nearOpen whether Redis tells this process of every change, so that it answers from memory
 * @param watermarkAge how long ago the moment was up to which this process has provably seen every change, or {@code null}
 *     while it does not hear of changes
 * @param pendingFences invalidations that Redis has not confirmed yet
 * @param oldestPendingFence for how long the oldest of them has been waiting, or {@code null} when there is none
 * @param fencesOverflowed whether there were more of them than are kept one by one: all entries of the facets concerned are dropped
 *     when Redis is back
 * @param resp2Only whether Redis speaks RESP2 only, over which it cannot tell of changes: a server older than Redis 6, or a proxy
 * @param riskyEviction the {@code maxmemory-policy} of Redis if it is one that may take a guard too early, else {@code null}
 * @param source by the name of a facet, how the last call of its source has failed, ten seconds ago at most: the class of the exception and the SQLSTATE,
 *     without its message; empty while the sources answer
 * @param uncached by the name of a facet, why its values are not cached, and what is to be changed; empty when all are
 */
public record CachesHealth(
        Redis redis,
        @Nullable String trouble,
        boolean nearOpen,
        @Nullable Duration watermarkAge,
        long pendingFences,
        @Nullable Duration oldestPendingFence,
        boolean fencesOverflowed,
        boolean resp2Only,
        @Nullable String riskyEviction,
        Map<String, String> source,
        Map<String, String> uncached) {

    /** The maps are copied. */
    public CachesHealth {
        source = Collections.unmodifiableMap(new TreeMap<>(source));
        uncached = Collections.unmodifiableMap(new TreeMap<>(uncached));
    }

    /** Whether Redis answers. */
    public enum Redis {
        /** It does. */
        ANSWERING,
        /** It does, but the last call has failed: it refuses, or is too slow now and then. */
        FAILING,
        /** It is connected and does not answer in time, so that nobody waits for it. */
        SILENT,
        /** It is not connected. */
        UNREACHABLE
    }

    /** Within which an invalidation is confirmed when all is well, also after a connection has been restored. */
    private static final Duration SOON = Duration.ofSeconds(2);

    /**
     * Whether everything is as it should be. When it is not, users are still answered as far as they are known: by memory and Redis,
     * by the source, or with the last known answer.
     */
    public boolean isWell() {
        boolean fencesLand = oldestPendingFence == null || oldestPendingFence.compareTo(SOON) < 0;
        return redis == Redis.ANSWERING
                && nearOpen
                && fencesLand
                && !fencesOverflowed
                && riskyEviction == null
                && source.isEmpty()
                && uncached.isEmpty();
    }
}
