package dev.usher;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link UserCache} has done since it was made: the figures that its meters show, without a meter registry.
 *
 * <p>Every {@code find}, {@code lookUp} or {@code findFresh} that has ended is counted once: as present or absent in the tier
 * that answered it, or as unavailable. The last four are of all caches of this {@link UserCaches} together.
 *
 * @param nearPresent users that this process answered from its memory
 * @param nearAbsent times that this process knew by itself that there is no such user
 * @param sharedPresent users that Redis answered
 * @param sharedAbsent times that Redis said that there is no such user
 * @param sourcePresent users that the source answered, to the caller that loaded and to all who waited for it
 * @param sourceAbsent times that the source said that there is no such user
 * @param stalePresent users for whom the last known answer was given, because nobody could say
 * @param staleAbsent times that the last known answer, given because nobody could say, was that there is no such user
 * @param unavailable calls that ended in a {@link UserUnavailableException}
 * @param loads calls of the source
 * @param loadFailures calls of the source that threw, or that answered what was not asked
 * @param loadsRejected calls that were refused, because they would have had to wait and too many callers waited already
 * @param loadedUsers users that those calls asked for
 * @param loadTime the time that those calls took, added up
 * @param fillsRefused loaded values that Redis refused, because the user changed meanwhile or the claim was lost: it does
 *     not say which
 * @param fillsNotEncoded loaded values that the facet's codec could not encode, so that they were not stored
 * @param offersStored rows offered by a caller and stored
 * @param offersRefused rows offered by a caller and not stored
 * @param claimWaits misses that found another process loading, and waited for it
 * @param refreshes loads begun of entries that were about to end, before anybody missed them
 * @param nearInvalidations changes of what this process has read that Redis has told it of, its own included
 * @param unreadable entries in Redis that could not be read
 * @param sharedErrors steps of loads, refreshes, offers and explanations that Redis failed or was too slow for
 * @param sharedBatches calls of Redis that read
 * @param sharedReads reads that rode in those calls
 * @param pendingFences invalidations that Redis has not confirmed yet
 * @param watermarkAge how long ago the moment was up to which this process has provably seen every change, or {@code null}
 *     while it does not hear of changes
 */
public record CacheStats(
        long nearPresent,
        long nearAbsent,
        long sharedPresent,
        long sharedAbsent,
        long sourcePresent,
        long sourceAbsent,
        long stalePresent,
        long staleAbsent,
        long unavailable,
        long loads,
        long loadFailures,
        long loadsRejected,
        long loadedUsers,
        Duration loadTime,
        long fillsRefused,
        long fillsNotEncoded,
        long offersStored,
        long offersRefused,
        long claimWaits,
        long refreshes,
        long nearInvalidations,
        long unreadable,
        long sharedErrors,
        long sharedBatches,
        long sharedReads,
        long pendingFences,
        @Nullable Duration watermarkAge) {

    /** Answers that this process gave from its memory. */
    public long nearHits() {
        return nearPresent + nearAbsent;
    }

    /** Answers that came from Redis. */
    public long sharedHits() {
        return sharedPresent + sharedAbsent;
    }

    /** Answers that came from the source, to the caller that loaded and to all who waited for it. */
    public long sourceAnswers() {
        return sourcePresent + sourceAbsent;
    }

    /** Last known answers, given because nobody could say. */
    public long staleAnswers() {
        return stalePresent + staleAbsent;
    }

    /**
     * Whether this process hears of every change. A facet is answered from memory while it does, and while {@link
     * #watermarkAge} is within the facet's {@linkplain CachePolicy#stalenessBound staleness bound}.
     */
    public boolean nearOpen() {
        return watermarkAge != null;
    }
}
