package dev.usher;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One load for all callers of this process that miss the same entry at the same time.
 *
 * <p>A caller may join a load that began before it came, but must not get an answer that was read before it came: a change may lie
 * between the two. So each load counts its steps, each of its reads begins a new step, and a caller accepts only an answer that was
 * read in a later step than the one in which it joined.
 *
 * <p>A load may answer twice: with what it has read, which is good enough for the leader and for those that joined before; and later, when it
 * knows that this was still true then, for those that joined meanwhile.
 *
 * <p>A caller that asks for several entries first loads those that no other caller is loading, and then waits for the others. Thread-safe.
 *
 * @param <K> the type of the keys
 * @param <V> the type of its value
 */
final class SingleFlight<K, V> {

    private final ConcurrentMap<K, Flight<K, V>> flights = new ConcurrentHashMap<>();

    /** The work of the leader: the caller that loads for all. */
    @FunctionalInterface
    interface Load<K, V> {

        /**
         * Loads. It begins a {@linkplain Flight#nextStep step} of each flight before each read, and {@linkplain Flight#answer answers},
         * {@linkplain Flight#complete completes} or {@linkplain Flight#fail fails} each flight.
         *
         * @param call the leader's call, which may have to wait
         * @return completed when that is done; a flight that is only answered is completed or failed later
         */
        CompletableFuture<Void> run(List<Flight<K, V>> flights, Bulkhead.Call call);
    }

    /**
     * The result of a load.
     *
     * @param entry the entry that was read
     * @param tier the tier that had it
     * @param readIn the step in which it was read, or was still true
     * @param isWithinBound whether it is within the staleness bound, which is enough for callers that cannot ask Redis
     */
    record LoadResult<V>(Entry<V> entry, Tier tier, int readIn, boolean isWithinBound) {}

    /** What has become of several loads, once they are over. An entry that was neither found nor has failed is to be asked for anew. */
    static final class Outcomes<K, V> {

        private final List<K> keys;
        private final List<CompletableFuture<? extends @Nullable LoadResult<V>>> results;

        private Outcomes(int size) {
            keys = new ArrayList<>(size);
            results = new ArrayList<>(size);
        }

        private void add(K key, CompletableFuture<? extends @Nullable LoadResult<V>> result) {
            keys.add(key);
            results.add(result);
        }

        /**
         * Tells of each.
         *
         * @param failed takes what {@link #run(Object, Bulkhead.Call, Predicate, Load)} would have failed with
         */
        void forEach(BiConsumer<K, LoadResult<V>> found, BiConsumer<K, Throwable> failed) {
            for (int i = 0; i < keys.size(); i++) {
                LoadResult<V> result;
                try {
                    result = results.get(i).join();
                } catch (RuntimeException e) {
                    failed.accept(keys.get(i), Futures.causeOf(e));
                    continue;
                }
                if (result != null) {
                    found.accept(keys.get(i), result);
                }
            }
        }
    }

    /** A load under way, of one entry. Thread-safe; its steps are begun one after the other. */
    static final class Flight<K, V> {

        private final K key;
        private final ConcurrentMap<K, Flight<K, V>> flights;

        /** For the leader, and for waiters that joined before it was read. */
        private final CompletableFuture<LoadResult<V>> first = new CompletableFuture<>();

        /**
         * For waiters that have joined too late for the first result; {@code null} when there is no other. Completed with {@code null} when the
         * leader has given up, and they have to ask anew.
         */
        private volatile @Nullable CompletableFuture<@Nullable LoadResult<V>> last;

        /** Whether it is the leader alone that has failed, and the waiters have to ask anew. */
        private volatile boolean isRefused;

        private volatile int step;
        private int joined;

        private Flight(K key, ConcurrentMap<K, Flight<K, V>> flights) {
            this.key = key;
            this.flights = flights;
        }

        K key() {
            return key;
        }

        /** Begins a step. To be called right before a read is sent, by the load only. */
        int nextStep() {
            int next = step + 1;
            step = next;
            return next;
        }

        /** Answers the leader, and the waiters that have joined before this was read. Others still join. */
        void answer(LoadResult<V> result) {
            last = new CompletableFuture<>();
            first.complete(result);
        }

        /** Completes the load with a result, which the waiters get. The first result counts. */
        void complete(LoadResult<V> result) {
            // Removed first: a waiter that has to ask anew must not join this flight again.
            flights.remove(key, this);
            CompletableFuture<@Nullable LoadResult<V>> later = last;
            if (later == null) {
                first.complete(result);
            } else {
                later.complete(result);
            }
        }

        /**
         * Fails for the leader, and for the waiters that have no answer yet with an {@link ExecutionException}. Other flights of the same load go
         * on.
         */
        void fail(Throwable why) {
            flights.remove(key, this);
            CompletableFuture<@Nullable LoadResult<V>> later = last;
            if (later == null) {
                first.completeExceptionally(why);
            } else {
                later.completeExceptionally(new ExecutionException(why));
            }
        }

        /** Fails for the leader alone. The waiters, each of which may still wait, ask anew. */
        void refuse(Throwable why) {
            flights.remove(key, this);
            CompletableFuture<@Nullable LoadResult<V>> later = last;
            if (later == null) {
                isRefused = true;
                first.completeExceptionally(why);
            } else {
                later.complete(null);
            }
        }

        boolean isAnswered() {
            return first.isDone();
        }

        private synchronized Waiter<K, V> join() {
            joined++;
            return new Waiter<>(this, step);
        }

        private synchronized int joined() {
            return joined;
        }
    }

    /** A caller that has joined another caller's flight, and the step in which it has joined. */
    private record Waiter<K, V>(Flight<K, V> flight, int joinedIn) {

        /** The result, in the steps of the call, or {@code null} when the waiter has to ask anew. */
        private CompletableFuture<@Nullable LoadResult<V>> await(Bulkhead.Call call, Predicate<K> contentWithinBound) {
            return call.within(
                            Futures.then(flight.first, (result, failure) -> after(result, failure, contentWithinBound)))
                    .thenCompose(result -> call.steps().run(() -> result));
        }

        private CompletableFuture<@Nullable LoadResult<V>> after(
                @Nullable LoadResult<V> first, @Nullable Throwable failure, Predicate<K> contentWithinBound) {
            if (failure != null && !flight.isRefused) {
                return CompletableFuture.failedFuture(new ExecutionException(failure));
            }
            if (first != null && isAnsweredBy(first, contentWithinBound)) {
                return CompletableFuture.completedFuture(first);
            }
            CompletableFuture<@Nullable LoadResult<V>> last = flight.last;
            return last == null
                    ? CompletableFuture.completedFuture(null)
                    : last.thenApply(later -> later != null && isAnsweredBy(later, contentWithinBound) ? later : null);
        }

        private boolean isAnsweredBy(LoadResult<V> result, Predicate<K> contentWithinBound) {
            return joinedIn < result.readIn() || (result.isWithinBound() && contentWithinBound.test(flight.key));
        }
    }

    /** A flight that no caller can join. */
    static <K, V> Flight<K, V> alone(K key) {
        return new Flight<>(key, new ConcurrentHashMap<>());
    }

    /** Loads one entry, even while another caller is loading it. No other caller can join. The result comes when the load is over. */
    static <K, V> CompletableFuture<LoadResult<V>> leadAlone(K key, Bulkhead.Call call, Load<K, V> load) {
        Flight<K, V> flight = alone(key);
        return lead(List.of(flight), call, load).thenCompose(done -> flight.first);
    }

    /**
     * Loads an entry, or waits for another caller's load that is under way.
     *
     * @param call the call that loads or waits
     * @param contentWithinBound whether this caller cannot ask Redis, and accepts an answer within the staleness bound
     * @return the result, or {@code null} when the load under way had read before this caller came: ask anew. It fails as the load or {@link
     *     Bulkhead.Call#within the wait} has, with an {@link ExecutionException} when the load is that of another caller
     */
    CompletableFuture<? extends @Nullable LoadResult<V>> run(
            K key, Bulkhead.Call call, Predicate<K> contentWithinBound, Load<K, V> load) {
        Flight<K, V> mine = new Flight<>(key, flights);
        Flight<K, V> underWay = flights.putIfAbsent(key, mine);
        if (underWay != null) {
            return underWay.join().await(call, contentWithinBound);
        }
        var unused = lead(List.of(mine), call, load);
        return mine.first;
    }

    /**
     * As {@link #run(Object, Bulkhead.Call, Predicate, Load)} for each key, but first loads the keys that no other caller is loading. Each
     * key fails for itself.
     *
     * @param keys each of them once
     */
    CompletableFuture<Outcomes<K, V>> run(
            Collection<K> keys, Bulkhead.Call call, Predicate<K> contentWithinBound, Load<K, V> load) {
        Outcomes<K, V> outcomes = new Outcomes<>(keys.size());
        List<Flight<K, V>> mine = new ArrayList<>(keys.size());
        List<Waiter<K, V>> others = new ArrayList<>(0);
        for (K key : keys) {
            Flight<K, V> flight = new Flight<>(key, flights);
            Flight<K, V> underWay = flights.putIfAbsent(key, flight);
            if (underWay == null) {
                mine.add(flight);
                outcomes.add(key, flight.first);
            } else {
                others.add(underWay.join());
            }
        }
        CompletableFuture<Void> led = mine.isEmpty() ? CompletableFuture.completedFuture(null) : lead(mine, call, load);
        return others.isEmpty()
                ? led.thenApply(done -> outcomes)
                : led.thenCompose(done -> awaitAll(others, call, contentWithinBound, outcomes));
    }

    private static <K, V> CompletableFuture<Outcomes<K, V>> awaitAll(
            List<Waiter<K, V>> waiters, Bulkhead.Call call, Predicate<K> contentWithinBound, Outcomes<K, V> outcomes) {
        List<CompletableFuture<?>> results = new ArrayList<>(waiters.size());
        for (Waiter<K, V> waiter : waiters) {
            CompletableFuture<@Nullable LoadResult<V>> result = waiter.await(call, contentWithinBound);
            outcomes.add(waiter.flight.key, result);
            results.add(result);
        }
        return CompletableFuture.allOf(results.toArray(CompletableFuture[]::new))
                .handle((done, failure) -> outcomes);
    }

    /** How many entries are being loaded, about. */
    int size() {
        return flights.size();
    }

    /** How many callers have joined the flight under way. */
    int waitersOf(K key) {
        Flight<K, V> flight = flights.get(key);
        return flight == null ? 0 : flight.joined();
    }

    /** Lets callers that come from now on begin a new load; callers that have joined already still get this one's result. */
    void forget(K key) {
        flights.remove(key);
    }

    /** As {@link #forget}, of every key that is one of some. */
    void forgetIf(Predicate<K> isOne) {
        flights.keySet().removeIf(isOne);
    }

    /** Completed when each flight is answered or has failed. */
    private static <K, V> CompletableFuture<Void> lead(List<Flight<K, V>> mine, Bulkhead.Call call, Load<K, V> load) {
        return Futures.of(() -> load.run(mine, call)).handle((done, failure) -> {
            Throwable cause = failure == null ? null : Futures.causeOf(failure);
            // The interrupt of one caller must not fail the others.
            boolean isCalledOff = cause instanceof InterruptedException
                    || Thread.currentThread().isInterrupted();
            for (Flight<K, V> flight : mine) {
                if (flight.isAnswered()) {
                    continue; // what it was answered with is still being stored, or it is over
                }
                if (cause == null) {
                    flight.fail(new IllegalStateException("a load was neither completed nor failed"));
                } else if (isCalledOff) {
                    flight.refuse(cause);
                } else {
                    flight.fail(cause);
                }
            }
            return null;
        });
    }
}
