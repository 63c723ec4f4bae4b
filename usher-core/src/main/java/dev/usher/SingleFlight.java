package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.Bulkhead.CrowdedException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One load for all callers of this process that miss the same entry at the same time.
 *
 * <p>A caller may join a load that began before it came, but must not get an answer that was read before it came: a change may lie
 * between the two. So each load counts its steps, each of its reads begins a new step, and a caller accepts only an answer that was
 * read in a later step than the one in which it joined.
 *
 * <p>A caller that asks for several entries first loads those that no other caller is loading, and then waits for the others: never the
 * other way round, so that no two callers wait for each other.
 *
 * @param <K> the type of the keys
 * @param <V> the type of its value
 */
final class SingleFlight<K, V> {

    private final ConcurrentMap<K, Flight<K, V>> flights = new ConcurrentHashMap<>();

    /** Set on a thread that is loading. */
    private final ThreadLocal<@Nullable Boolean> loading = new ThreadLocal<>();

    /** The work of the leader: the caller that loads for all. */
    @FunctionalInterface
    interface Load<K, V> {

        /**
         * Loads. It begins a {@linkplain Flight#nextStep step} of each flight before each read, and {@linkplain Flight#complete completes} or
         * {@linkplain Flight#fail fails} each flight.
         *
         * @param call the leader's call, which may have to wait
         */
        void run(List<Flight<K, V>> flights, Bulkhead.Call call) throws InterruptedException;
    }

    /**
     * The result of a load.
     *
     * @param entry the entry that was read
     * @param tier the tier that had it
     * @param readIn the step in which it was read
     * @param isWithinBound whether it is within the staleness bound, which is enough for callers that cannot ask Redis
     */
    record LoadResult<V>(Entry<V> entry, Tier tier, int readIn, boolean isWithinBound) {}

    /** A load under way, of one entry. */
    static final class Flight<K, V> {

        private final K key;

        /** Completed with {@code null} when the leader has given up, and the waiters have to ask anew. */
        private final CompletableFuture<@Nullable LoadResult<V>> loadResult = new CompletableFuture<>();

        private final ConcurrentMap<K, Flight<K, V>> flights;
        private volatile int step;

        /** The leader's failure, which it gets also where the waiters only have to ask anew. Written and read by its thread. */
        private @Nullable RuntimeException failure;

        private Flight(K key, ConcurrentMap<K, Flight<K, V>> flights) {
            this.key = key;
            this.flights = flights;
        }

        K key() {
            return key;
        }

        /** Begins a step. To be called by the leader's thread only, right before it sends a read. */
        int nextStep() {
            int next = step + 1;
            step = next;
            return next;
        }

        /** Completes the load with a result, which the waiters get. The first result counts. */
        void complete(LoadResult<V> answer) {
            // Removed first: a waiter that has to ask anew must not join this flight again.
            flights.remove(key, this);
            loadResult.complete(answer);
        }

        /** Fails for the leader and the waiters. Other flights of the same load go on. */
        void fail(RuntimeException why) {
            failure = why;
            failWaiters(why);
        }

        /** Fails for the leader alone. The waiters, each of which may still wait, ask anew. */
        void refuse(RuntimeException why) {
            failure = why;
            flights.remove(key, this);
            loadResult.complete(null);
        }

        boolean isCompleted() {
            return loadResult.isDone();
        }

        /** The result, or {@code null} when the leader has to ask anew; for the leader, once the load is over. */
        private @Nullable LoadResult<V> resultOrThrow() {
            if (failure != null) {
                throw failure;
            }
            return result();
        }

        /** The result, or {@code null} when there is none. */
        private @Nullable LoadResult<V> result() {
            return loadResult.isDone() && !loadResult.isCompletedExceptionally() ? loadResult.join() : null;
        }

        private void failWaiters(Throwable failure) {
            flights.remove(key, this);
            if (failure instanceof InterruptedException
                    || Thread.currentThread().isInterrupted()) {
                // The interrupt of one caller must not fail the others.
                loadResult.complete(null);
            } else {
                loadResult.completeExceptionally(failure);
            }
        }
    }

    /** A caller that has joined another caller's flight, and the step in which it has joined. */
    private record Waiter<K, V>(Flight<K, V> flight, int joinedIn) {

        /** The result, or {@code null} when the waiter has to ask anew. */
        private @Nullable LoadResult<V> await(Bulkhead.Call call, Predicate<K> contentWithinBound)
                throws InterruptedException, ExecutionException, TimeoutException, CrowdedException {
            LoadResult<V> loadResult = call.await(flight.loadResult);
            boolean answers = loadResult != null
                    && (joinedIn < loadResult.readIn()
                            || (loadResult.isWithinBound() && contentWithinBound.test(flight.key)));
            return answers ? loadResult : null;
        }
    }

    /** A flight that no caller can join. */
    static <K, V> Flight<K, V> alone(K key) {
        return new Flight<>(key, new ConcurrentHashMap<>());
    }

    /**
     * Loads one entry, even while another caller is loading it. No other caller can join.
     *
     * @throws IllegalStateException when the calling thread is already loading for this instance
     */
    LoadResult<V> leadAlone(K key, Bulkhead.Call call, Load<K, V> load) throws InterruptedException {
        requireNotLoading();
        Flight<K, V> flight = alone(key);
        lead(List.of(flight), call, load);
        return requireNonNull(flight.resultOrThrow());
    }

    /**
     * Loads an entry, or waits for another caller's load that is under way.
     *
     * @param call the call that loads or waits
     * @param contentWithinBound whether this caller cannot ask Redis, and accepts an answer within the staleness bound
     * @return the result, or {@code null} when the load under way had read before this caller came: ask anew
     * @throws InterruptedException when the caller was interrupted while it waited
     * @throws ExecutionException when a load under way has failed
     * @throws TimeoutException when a load under way takes longer than the call may wait
     * @throws CrowdedException when the call would have to wait, and there is no place for it
     * @throws IllegalStateException when the calling thread is already loading for this instance
     */
    @Nullable LoadResult<V> run(K key, Bulkhead.Call call, Predicate<K> contentWithinBound, Load<K, V> load)
            throws InterruptedException, ExecutionException, TimeoutException, CrowdedException {
        requireNotLoading();
        Flight<K, V> mine = new Flight<>(key, flights);
        Waiter<K, V> waiter = waiterFor(flights.putIfAbsent(key, mine));
        if (waiter != null) {
            return waiter.await(call, contentWithinBound);
        }
        lead(List.of(mine), call, load);
        return mine.resultOrThrow();
    }

    /**
     * As {@link #run(Object, Bulkhead.Call, Predicate, Load)} for each key, but first loads the keys that no other caller is loading. Each
     * key fails for itself.
     *
     * @param keys each of them once
     * @param loadResults gets the results, also when this throws for the rest
     * @param failures gets the failures that {@link #run(Object, Bulkhead.Call, Predicate, Load)} would throw. A key in neither of the
     *     two maps is to be asked for anew
     */
    void run(
            Collection<K> keys,
            Bulkhead.Call call,
            Predicate<K> contentWithinBound,
            Load<K, V> load,
            Map<K, LoadResult<V>> loadResults,
            Map<K, Exception> failures)
            throws InterruptedException {
        requireNotLoading();
        List<Flight<K, V>> mine = new ArrayList<>(keys.size());
        List<Waiter<K, V>> others = new ArrayList<>();
        for (K key : keys) {
            Flight<K, V> flight = new Flight<>(key, flights);
            Waiter<K, V> waiter = waiterFor(flights.putIfAbsent(key, flight));
            if (waiter == null) {
                mine.add(flight);
            } else {
                others.add(waiter);
            }
        }
        try {
            if (!mine.isEmpty()) {
                lead(mine, call, load);
            }
        } finally {
            for (Flight<K, V> flight : mine) {
                LoadResult<V> result = flight.result();
                if (result != null) {
                    loadResults.put(flight.key, result);
                } else if (flight.failure != null) {
                    failures.put(flight.key, flight.failure);
                }
            }
        }
        for (Waiter<K, V> waiter : others) {
            try {
                LoadResult<V> result = waiter.await(call, contentWithinBound);
                if (result != null) {
                    loadResults.put(waiter.flight.key, result);
                }
            } catch (ExecutionException | TimeoutException | CrowdedException e) {
                failures.put(waiter.flight.key, e);
            }
        }
    }

    /** Runs a load whose answer is for the calling thread alone, which is {@linkplain #requireNotLoading not loading} yet. */
    <T> T runAlone(Callable<T> load) throws Exception {
        loading.set(true);
        try {
            return load.call();
        } finally {
            loading.set(null);
        }
    }

    private static <K, V> @Nullable Waiter<K, V> waiterFor(@Nullable Flight<K, V> underWay) {
        return underWay == null ? null : new Waiter<>(underWay, underWay.step);
    }

    /** How many entries are being loaded, about. */
    int size() {
        return flights.size();
    }

    /** How many callers wait for the flight under way, about. */
    int waitersOf(K key) {
        Flight<K, V> flight = flights.get(key);
        return flight == null ? 0 : flight.loadResult.getNumberOfDependents();
    }

    /** Lets callers that come from now on begin a new load; callers that have joined already still get this one's result. */
    void forget(K key) {
        flights.remove(key);
    }

    /**
     * Refuses a thread that is already loading for this instance.
     *
     * @throws IllegalStateException when the calling thread is such a one
     */
    void requireNotLoading() {
        if (loading.get() != null) {
            // For any key: two sources that ask for each other's user would wait for ever.
            throw new IllegalStateException("a source must not call the cache that it fills");
        }
    }

    private void lead(List<Flight<K, V>> mine, Bulkhead.Call call, Load<K, V> load) throws InterruptedException {
        loading.set(true);
        try {
            load.run(mine, call);
            for (Flight<K, V> flight : mine) {
                if (!flight.isCompleted()) {
                    throw new IllegalStateException("a load was neither completed nor failed");
                }
            }
        } catch (Throwable failure) {
            mine.forEach(flight -> flight.failWaiters(failure));
            throw failure;
        } finally {
            // Set to null and not removed: the slot of the thread is used again by its next load.
            loading.set(null);
        }
    }
}
