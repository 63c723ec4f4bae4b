package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.EntryCodec.Prepared;
import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.LoadResult;
import org.jspecify.annotations.Nullable;

/**
 * The load of one user, as it goes on. Its steps come one after the other, on whichever thread, except for a renewal, which reads the token and
 * how it was granted.
 */
final class Miss<K, V> {

    final K id;
    final String key;
    private final Flight<K, V> flight;

    /** What stands in Redis and may be overwritten: it cannot be read, or will soon be gone. */
    byte @Nullable [] replaced;

    /** Under which a claim has been asked for, and may have been granted; {@code null} before. */
    volatile @Nullable String token;

    /** Under which token another process holds the claim, when last seen; {@code null} when none did. */
    @Nullable String heldUnder;

    /** The claim was granted where there was neither a value nor a guard. */
    volatile boolean isClaimedOverNothing;

    boolean isRefused;

    /** In a Cluster, the server that was asked last for this key does not have it, or not all of it: the source is to be asked, and nothing is stored. */
    boolean isElsewhere;

    /** Redis holds what is loaded, or nothing: in any case nothing older. */
    boolean isSettled;

    /** Redis was asked after that, and still held it. */
    boolean isReadBack;

    /** What is loaded stands in memory, as an answer or as the last known one. */
    boolean isCached;

    private @Nullable Prepared<V> loaded;

    /** Why nothing is loaded, once a load has failed. */
    private @Nullable UserUnavailableException failure;

    /** Whether that is the failure of the call that loads alone, which may not wait, or no longer. */
    private boolean isRefusedAlone;

    /** The step in which the next read takes place. */
    private int step;

    /** The step in which what is loaded was still true. */
    private int loadedIn;

    Miss(String key, Flight<K, V> flight) {
        this.id = flight.key();
        this.key = key;
        this.flight = flight;
    }

    boolean isOpen() {
        return !flight.isAnswered();
    }

    /** To be called right before something is sent that may answer. */
    void nextStep() {
        step = flight.nextStep();
    }

    String token() {
        return requireNonNull(token);
    }

    /** Begins a load: what was loaded before counts no more, and what will be is true from here on. */
    void beginLoad() {
        nextStep();
        loadedIn = step;
        loaded = null;
        failure = null;
        isRefusedAlone = false;
    }

    void endLoad(Prepared<V> prepared) {
        loaded = prepared;
    }

    void failLoad(UserUnavailableException why) {
        failure = why;
    }

    /** As {@link #failLoad}, where only the call that loads may not wait, or no longer; others may. */
    void refuseLoad(UserUnavailableException why) {
        failure = why;
        isRefusedAlone = true;
    }

    /** Why the load has failed, or {@code null}. */
    @Nullable UserUnavailableException failure() {
        return failure;
    }

    /** What was loaded was still true in the step under way. */
    void confirmLoaded() {
        loadedIn = step;
    }

    Entry<V> loaded() {
        return requireNonNull(loaded).entry();
    }

    /** What is to be stored of what was loaded, or {@code null} when it cannot be. */
    byte @Nullable [] loadedBytes() {
        return requireNonNull(loaded).bytes();
    }

    /** What memory may keep of what was loaded, or {@code null} when the load has failed, or the value is for its callers only. */
    @Nullable Entry<V> loadedToCache() {
        return loaded == null || loaded.bytes() == null ? null : loaded.entry();
    }

    /** Answers with what was loaded; what comes later is for callers that have joined since. */
    void answerLoaded() {
        flight.answer(new LoadResult<>(loaded(), Tier.SOURCE, loadedIn, false));
    }

    void completeShared(Entry<V> entry) {
        flight.complete(new LoadResult<>(entry, Tier.SHARED, step, false));
    }

    /** Lands what was loaded, or fails as the load has. */
    void completeLoaded() {
        completeLoaded(false);
    }

    /** As {@link #completeLoaded()}, with whether it is young enough for callers that have no better way to know. */
    void completeLoaded(boolean isWithinBound) {
        if (failure != null) {
            if (isRefusedAlone) {
                flight.refuse(failure);
            } else {
                flight.fail(failure);
            }
            return;
        }
        flight.complete(new LoadResult<>(loaded(), Tier.SOURCE, loadedIn, isWithinBound));
    }
}
