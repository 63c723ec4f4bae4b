package dev.usher;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link UserCache} has done since it was made: the figures that its meters show, without a meter registry.
 *
 * <p>Every {@code find}, {@code lookUp} or {@code findFresh} that has ended is counted once: as present or absent in the tier
 * that answered it, or as unavailable.
 *
 * <p>Statistics are made by usher alone. Later versions may count more. Immutable.
 */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY)
@JsonPropertyOrder({
    "nearPresent",
    "nearAbsent",
    "sharedPresent",
    "sharedAbsent",
    "sourcePresent",
    "sourceAbsent",
    "stalePresent",
    "staleAbsent",
    "unavailable",
    "loads",
    "loadFailures",
    "loadsRejected",
    "loadedUsers",
    "loadTime",
    "fillsRefused",
    "fillsNotEncoded",
    "offersStored",
    "offersRefused",
    "claimWaits",
    "refreshes",
    "nearInvalidations",
    "unreadable",
    "sharedErrors",
    "sharedBatches",
    "sharedReads",
    "pendingFences",
    "watermarkAge"
})
public final class CacheStats {

    private final long nearPresent;
    private final long nearAbsent;
    private final long sharedPresent;
    private final long sharedAbsent;
    private final long sourcePresent;
    private final long sourceAbsent;
    private final long stalePresent;
    private final long staleAbsent;
    private final long unavailable;
    private final long loads;
    private final long loadFailures;
    private final long loadsRejected;
    private final long loadedUsers;
    private final Duration loadTime;
    private final long fillsRefused;
    private final long fillsNotEncoded;
    private final long offersStored;
    private final long offersRefused;
    private final long claimWaits;
    private final long refreshes;
    private final long nearInvalidations;
    private final long unreadable;
    private final long sharedErrors;
    private final long sharedBatches;
    private final long sharedReads;
    private final long pendingFences;
    private final @Nullable Duration watermarkAge;

    /**
     * The counters of a facet, read one by one.
     *
     * @param sharedBatches of all facets
     * @param sharedReads of all facets
     * @param pendingFences of all facets
     * @param watermarkAge of all facets
     */
    CacheStats(
            Counters counters,
            long sharedBatches,
            long sharedReads,
            long pendingFences,
            @Nullable Duration watermarkAge) {
        this.nearPresent = counters.nearPresent.sum();
        this.nearAbsent = counters.nearAbsent.sum();
        this.sharedPresent = counters.sharedPresent.sum();
        this.sharedAbsent = counters.sharedAbsent.sum();
        this.sourcePresent = counters.sourcePresent.sum();
        this.sourceAbsent = counters.sourceAbsent.sum();
        this.stalePresent = counters.stalePresent.sum();
        this.staleAbsent = counters.staleAbsent.sum();
        this.unavailable = counters.unavailable.sum();
        this.loads = counters.loads.sum();
        this.loadFailures = counters.loadFailures.sum();
        this.loadsRejected = counters.loadsRejected.sum();
        this.loadedUsers = counters.loadedUsers.sum();
        this.loadTime = Duration.ofNanos(counters.loadNanos.sum());
        this.fillsRefused = counters.fillsRefused.sum();
        this.fillsNotEncoded = counters.fillsNotEncoded.sum();
        this.offersStored = counters.offersStored.sum();
        this.offersRefused = counters.offersRefused.sum();
        this.claimWaits = counters.claimWaits.sum();
        this.refreshes = counters.refreshes.sum();
        this.nearInvalidations = counters.nearInvalidations.sum();
        this.unreadable = counters.unreadable.sum();
        this.sharedErrors = counters.sharedErrors.sum();
        this.sharedBatches = sharedBatches;
        this.sharedReads = sharedReads;
        this.pendingFences = pendingFences;
        this.watermarkAge = watermarkAge;
    }

    /** Users that this process answered from memory. */
    public long nearPresent() {
        return nearPresent;
    }

    /** Times that this process knew from memory that there is no such user. */
    public long nearAbsent() {
        return nearAbsent;
    }

    /** Users that Redis answered. */
    public long sharedPresent() {
        return sharedPresent;
    }

    /** Times that Redis answered that there is no such user. */
    public long sharedAbsent() {
        return sharedAbsent;
    }

    /** Users that the source answered, to the caller that loaded and to all that waited for it. */
    public long sourcePresent() {
        return sourcePresent;
    }

    /** Times that the source answered that there is no such user. */
    public long sourceAbsent() {
        return sourceAbsent;
    }

    /** Users for which the last known answer was given, because no tier could answer. */
    public long stalePresent() {
        return stalePresent;
    }

    /** Times that the last known answer, given because no tier could answer, was that there is no such user. */
    public long staleAbsent() {
        return staleAbsent;
    }

    /** Calls that ended in a {@link UserUnavailableException}. */
    public long unavailable() {
        return unavailable;
    }

    /** Calls of the source. */
    public long loads() {
        return loads;
    }

    /** Calls of the source that threw, or that answered something else than was asked. */
    public long loadFailures() {
        return loadFailures;
    }

    /** Calls that were refused, because they would have had to wait and too many callers waited already. */
    public long loadsRejected() {
        return loadsRejected;
    }

    /** Users that the calls of the source asked for. */
    public long loadedUsers() {
        return loadedUsers;
    }

    /** The time that the calls of the source took, added up. */
    public Duration loadTime() {
        return loadTime;
    }

    /** Loaded values that Redis refused, because the user changed meanwhile or the claim was lost: Redis does not say which. */
    public long fillsRefused() {
        return fillsRefused;
    }

    /** Loaded values that the facet's codec could not encode, so that they were not stored. */
    public long fillsNotEncoded() {
        return fillsNotEncoded;
    }

    /** Rows offered by a caller and stored. */
    public long offersStored() {
        return offersStored;
    }

    /** Rows offered by a caller and not stored. */
    public long offersRefused() {
        return offersRefused;
    }

    /** Misses that found another process loading, and waited for it. */
    public long claimWaits() {
        return claimWaits;
    }

    /** Loads of entries that were about to expire, before a caller missed them. */
    public long refreshes() {
        return refreshes;
    }

    /** Changes of what this process has read that Redis has told it of, its own changes included. */
    public long nearInvalidations() {
        return nearInvalidations;
    }

    /** Entries in Redis that could not be read. */
    public long unreadable() {
        return unreadable;
    }

    /** Steps of loads, refreshes, offers and explanations for which Redis failed or was too slow. */
    public long sharedErrors() {
        return sharedErrors;
    }

    /** Calls of Redis that read, of all caches of the {@link UserCaches}. */
    public long sharedBatches() {
        return sharedBatches;
    }

    /** Reads that those calls carried, of all caches of the {@link UserCaches}. */
    public long sharedReads() {
        return sharedReads;
    }

    /** Invalidations that Redis has not confirmed yet, of all caches of the {@link UserCaches}. */
    public long pendingFences() {
        return pendingFences;
    }

    /**
     * How long ago the moment was up to which this process has provably seen every change, or {@code null} while it does not hear of
     * changes.
     */
    public @Nullable Duration watermarkAge() {
        return watermarkAge;
    }

    /** Answers that this process gave from its memory. */
    public long nearHits() {
        return nearPresent + nearAbsent;
    }

    /** Answers that came from Redis. */
    public long sharedHits() {
        return sharedPresent + sharedAbsent;
    }

    /** Answers that came from the source, to the caller that loaded and to all that waited for it. */
    public long sourceAnswers() {
        return sourcePresent + sourceAbsent;
    }

    /** Last known answers, given because no tier could answer. */
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

    @Override
    public String toString() {
        return "CacheStats[nearPresent=" + nearPresent
                + ", nearAbsent=" + nearAbsent
                + ", sharedPresent=" + sharedPresent
                + ", sharedAbsent=" + sharedAbsent
                + ", sourcePresent=" + sourcePresent
                + ", sourceAbsent=" + sourceAbsent
                + ", stalePresent=" + stalePresent
                + ", staleAbsent=" + staleAbsent
                + ", unavailable=" + unavailable
                + ", loads=" + loads
                + ", loadFailures=" + loadFailures
                + ", loadsRejected=" + loadsRejected
                + ", loadedUsers=" + loadedUsers
                + ", loadTime=" + loadTime
                + ", fillsRefused=" + fillsRefused
                + ", fillsNotEncoded=" + fillsNotEncoded
                + ", offersStored=" + offersStored
                + ", offersRefused=" + offersRefused
                + ", claimWaits=" + claimWaits
                + ", refreshes=" + refreshes
                + ", nearInvalidations=" + nearInvalidations
                + ", unreadable=" + unreadable
                + ", sharedErrors=" + sharedErrors
                + ", sharedBatches=" + sharedBatches
                + ", sharedReads=" + sharedReads
                + ", pendingFences=" + pendingFences
                + ", watermarkAge=" + watermarkAge
                + "]";
    }
}
