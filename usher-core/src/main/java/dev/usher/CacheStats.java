package dev.usher;

/**
 * What a {@link UserCache} has done since it was made.
 *
 * @param nearHits answers that this process gave from its memory
 * @param sharedHits answers that came from Redis
 * @param sourceAnswers answers that came from the source, to the caller that loaded and to all who waited for it
 * @param unavailable calls that ended in a {@link UserUnavailableException}
 * @param loads calls of the source
 * @param loadFailures calls of the source that threw, or that answered what was not asked
 * @param fillsRefused loaded values that were not stored, because the user changed meanwhile or the claim was lost
 * @param offersStored rows offered by a caller and stored
 * @param offersRefused rows offered by a caller and not stored
 * @param claimWaits misses that found another process loading, and waited for it
 * @param unreadable entries in Redis that could not be read
 * @param sharedErrors calls of Redis that failed
 * @param pendingFences invalidations of all caches of this {@link UserCaches} that Redis has not confirmed yet
 */
public record CacheStats(
        long nearHits,
        long sharedHits,
        long sourceAnswers,
        long unavailable,
        long loads,
        long loadFailures,
        long fillsRefused,
        long offersStored,
        long offersRefused,
        long claimWaits,
        long unreadable,
        long sharedErrors,
        long pendingFences) {}
