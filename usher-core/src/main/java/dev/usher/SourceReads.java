package dev.usher;

import dev.usher.Bulkhead.CrowdedException;
import dev.usher.Bulkhead.OverdueException;
import dev.usher.NearTier.Reservation;
import dev.usher.redis.Session;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the source is asked for one facet: by a few queries at a time, for callers of which only so many may wait. What it says stands in
 * memory as the last known answer. Thread-safe.
 */
final class SourceReads<K, V> {

    private final Engine engine;
    private final CachedFacet<K, V> facet;
    private final UserSource<K, V> source;
    private final NearTier<K, V> near;
    private final TrackedReads<K, V> reads;
    private final SourceErrorLog errorLog;
    private final SourceCalls<K, V> calls;
    private final BatchedLoads<K, Loaded<V>> loads;
    private final Bulkhead bulkhead;

    /** Set on a thread that queries the source. */
    private final ThreadLocal<@Nullable Boolean> querying = new ThreadLocal<>();

    SourceReads(
            Engine engine,
            CachedFacet<K, V> facet,
            UserSource<K, V> source,
            NearTier<K, V> near,
            TrackedReads<K, V> reads) {
        this.engine = engine;
        this.facet = facet;
        this.source = source;
        this.near = near;
        this.reads = reads;
        this.errorLog = new SourceErrorLog(facet.keys(), System::nanoTime);
        this.calls = new SourceCalls<>(source, facet.counters(), errorLog, System::nanoTime);
        this.loads = new BatchedLoads<>(this::query, facet.policy().maxLoads());
        this.bulkhead = new Bulkhead(facet.policy());
    }

    /**
     * Begins a call that may load, and may have to wait.
     *
     * @throws IllegalStateException when the calling thread queries the source
     */
    Bulkhead.Call begin(Steps steps) {
        requireNotQuerying();
        return bulkhead.begin(steps);
    }

    /**
     * Refuses a thread that queries the source, for any user: two sources that ask for each other's user would wait for ever.
     *
     * @throws IllegalStateException when the calling thread is such a one
     */
    void requireNotQuerying() {
        if (querying.get() != null) {
            throw new IllegalStateException("a source must not call the cache that it fills");
        }
    }

    private Map<K, Loaded<V>> query(Set<K> ids) throws Exception {
        engine.requireOpen();
        querying.set(true);
        try {
            return calls.load(ids);
        } finally {
            // Set to null and not removed: the slot of the thread is used again by its next query.
            querying.set(null);
        }
    }

    /** Ends the waits of callers that hold no thread. */
    void close() {
        bulkhead.close();
    }

    /** Whether all places of waiting callers are taken. */
    boolean isCrowded() {
        return bulkhead.isFull();
    }

    /** Whether the calling thread may load what is stored, and answers others. */
    boolean canLoadForOthers() {
        return source.canLoadForOthers();
    }

    /** Loads users whose answers memory may not give again, except as the last known ones. Each is loaded, or fails. */
    CompletableFuture<Void> load(List<Miss<K, V>> misses, Bulkhead.Call call) {
        return load(misses, key -> null, call);
    }

    /**
     * Loads users. Each is loaded, or fails.
     *
     * @param sessions by key, in which the answer may be given again from memory, or {@code null} when it may not
     * @return completed when that is done; it fails with an {@link Error} of the source
     */
    CompletableFuture<Void> load(
            List<Miss<K, V>> misses, Function<String, @Nullable Session> sessions, Bulkhead.Call call) {
        Set<K> ids = new LinkedHashSet<>();
        for (Miss<K, V> miss : misses) {
            ids.add(miss.id);
            miss.beginLoad();
        }
        List<@Nullable Reservation> reservations = reads.reserve(misses, sessions, NearTier.NEVER);
        CompletableFuture<Boolean> loaded = loads.load(ids, call, answer -> {
            misses.forEach(miss -> endLoad(miss, answer.get(miss.id)));
            return true;
        });
        return loaded.handle((done, failure) -> {
            try {
                if (failure != null) {
                    fail(misses, ids, Futures.causeOf(failure));
                }
            } finally {
                for (int i = 0; i < misses.size(); i++) {
                    Miss<K, V> miss = misses.get(i);
                    miss.isCached = near.publish(miss.id, reservations.get(i), miss.loadedToCache());
                }
                near.runMaintenance();
            }
            return null;
        });
    }

    private void fail(List<Miss<K, V>> misses, Set<K> ids, Throwable failure) {
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure instanceof CrowdedException) {
            refuseAll(misses, refusal(ids));
        } else if (failure instanceof OverdueException) {
            refuseAll(misses, tooLong(ids));
        } else {
            UserUnavailableException why = unavailable(ids, reasonOf(failure));
            // The interrupt of one caller is no reason for the others to fail.
            boolean isCalledOff = failure instanceof InterruptedException
                    || Thread.currentThread().isInterrupted();
            misses.forEach(isCalledOff ? miss -> miss.refuseLoad(why) : miss -> miss.failLoad(why));
        }
    }

    private void endLoad(Miss<K, V> miss, @Nullable Loaded<V> loaded) {
        Exception failure = loaded == null ? null : loaded.failure();
        if (failure == null) {
            miss.endLoad(facet.codec().prepare(miss.key, loaded == null ? null : loaded.value()));
        } else {
            miss.failLoad(unavailable(Set.of(miss.id), failure));
        }
    }

    /** What the source says of one user, or {@code null}. It is not stored. */
    @Nullable V ask(K id) throws Exception {
        Set<K> ids = Set.of(id);
        if (!canLoadForOthers()) {
            return Loaded.valueOf(calls.load(ids).get(id));
        }
        CallerSteps steps = engine.callerSteps();
        try (Bulkhead.Call call = begin(steps)) {
            return Loaded.valueOf(
                    steps.await(loads.load(ids, call), call::interrupt).get(id));
        } catch (CompletionException e) {
            Throwable failure = Futures.causeOf(e);
            if (failure instanceof Error error) {
                throw error;
            }
            throw failure instanceof Exception known ? known : e;
        }
    }

    /** What the source says, read on the calling thread and for it alone: without a claim, a place or another caller. */
    Map<K, Loaded<V>> askAlone(Set<K> ids) throws Exception {
        return query(ids);
    }

    /** Whether a call would have to wait for the source, and may not. */
    boolean isRefused(Bulkhead.Call call) {
        return call.isRefused() && loads.isBusy();
    }

    /** Fails loads of a call that may not wait, or no longer. */
    void refuse(List<Miss<K, V>> misses, Bulkhead.Call call) {
        Set<K> ids = misses.stream().map(miss -> miss.id).collect(Collectors.toSet());
        refuseAll(misses, call.nanosLeft() > 0 ? refusal(ids) : tooLong(ids));
    }

    private static <K, V> void refuseAll(List<Miss<K, V>> misses, UserUnavailableException why) {
        misses.forEach(miss -> miss.refuseLoad(why));
    }

    /** Counts a call that is refused, and says why. */
    UserUnavailableException refusal(Set<K> ids) {
        facet.counters().loadsRejected.increment();
        return UserUnavailableException.ofRefusal(facet.keys(), ids, "too many callers wait already (maxWaitingLoads)");
    }

    /** That a call may wait no longer. */
    UserUnavailableException tooLong(Set<K> ids) {
        return UserUnavailableException.ofRefusal(
                facet.keys(), ids, "nothing was loaded within " + maxWaitMillis() + " ms (maxWait)");
    }

    long maxWaitMillis() {
        return bulkhead.maxWait().toMillis();
    }

    /** The exception for users for which the source has not answered. */
    UserUnavailableException unavailable(Set<K> ids, Throwable failure) {
        return UserUnavailableException.of(
                facet.keys(), ids, "the source failed (" + SourceFailure.describe(failure) + ")", failure);
    }

    /** What a query threw, on whichever thread. */
    static Throwable reasonOf(Throwable failure) {
        Throwable cause = failure.getCause();
        return failure instanceof ExecutionException && cause != null ? cause : failure;
    }

    /** How the last call has failed, or {@code null}. */
    @Nullable String lastFailure() {
        return errorLog.latest();
    }

    /** How many loads wait for a query that may take them along, about. */
    int waiting() {
        return loads.waiting();
    }
}
