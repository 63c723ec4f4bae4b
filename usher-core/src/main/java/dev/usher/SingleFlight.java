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
 * <p>A caller may be answered by a flight that began before it came, but never by what was read before it came: a
 * change may lie between the two. So each flight counts its steps, each read on the way begins a new one, and a caller
 * accepts only what was read in a step after the one in which it joined.
 *
 * <p>A caller who asks for several entries loads those that nobody is loading, and then waits for the others: never the other
 * way round, so that no two callers wait for each other.
 *
 * @param <K> the type of what is loaded
 * @param <V> the type of its value
 */
final class SingleFlight<K, V> {

    private final ConcurrentMap<K, Flight<K, V>> flights = new ConcurrentHashMap<>();

    /** Set on a thread that is loading. */
    private final ThreadLocal<@Nullable Boolean> flying = new ThreadLocal<>();

    /** What a caller does who has to load. */
    @FunctionalInterface
    interface Load<K, V> {

        /**
         * Loads, tells each flight of each read {@linkplain Flight#nextStep before} it is sent, and {@linkplain Flight#land
         * lands} or {@linkplain Flight#fail fails} each of them.
         *
         * @param call that loads, and may have to wait
         */
        void run(List<Flight<K, V>> flights, Bulkhead.Call call) throws InterruptedException;
    }

    /**
     * An entry, and where and when it was read.
     *
     * @param entry what was read
     * @param tier where
     * @param readIn the step in which it was read
     * @param isWithinBound whether it is young enough for callers who have no better way to know
     */
    record Landing<V>(Entry<V> entry, Tier tier, int readIn, boolean isWithinBound) {}

    /** A load under way, of one entry. */
    static final class Flight<K, V> {

        private final K key;

        /** Completed with {@code null} when the pilot has given up, and the passengers have to ask anew. */
        private final CompletableFuture<@Nullable Landing<V>> landing = new CompletableFuture<>();

        private final ConcurrentMap<K, Flight<K, V>> flights;
        private volatile int step;

        /** Why nothing was brought. Of the loading thread, which is told even where the passengers have to ask anew. */
        private @Nullable RuntimeException failure;

        private Flight(K key, ConcurrentMap<K, Flight<K, V>> flights) {
            this.key = key;
            this.flights = flights;
        }

        K key() {
            return key;
        }

        /** Begins a step. To be called by the loading thread only, right before it sends what may answer. */
        int nextStep() {
            int next = step + 1;
            step = next;
            return next;
        }

        /** Answers the passengers. The first landing counts. */
        void land(Landing<V> answer) {
            // Removed first: a passenger who has to ask anew must not meet this flight again.
            flights.remove(key, this);
            landing.complete(answer);
        }

        /** Ends without an answer, for its pilot and its passengers. Other flights of the same load go on. */
        void fail(RuntimeException why) {
            failure = why;
            crash(why);
        }

        /** Ends without an answer for its pilot alone. Its passengers, each of which may wait, ask anew. */
        void refuse(RuntimeException why) {
            failure = why;
            flights.remove(key, this);
            landing.complete(null);
        }

        boolean hasLanded() {
            return landing.isDone();
        }

        /** What was brought, or {@code null} when the flight had to be begun anew; for the pilot, once it is over. */
        private @Nullable Landing<V> landedOrThrow() {
            if (failure != null) {
                throw failure;
            }
            return landed();
        }

        /** What was brought, or {@code null} when nothing was. */
        private @Nullable Landing<V> landed() {
            return landing.isDone() && !landing.isCompletedExceptionally() ? landing.join() : null;
        }

        private void crash(Throwable failure) {
            flights.remove(key, this);
            if (failure instanceof InterruptedException
                    || Thread.currentThread().isInterrupted()) {
                // That one caller was called off is no reason for the others to fail.
                landing.complete(null);
            } else {
                landing.completeExceptionally(failure);
            }
        }
    }

    /** A place in somebody else's flight, taken while it was in a certain step. */
    private record Seat<K, V>(Flight<K, V> flight, int joinedIn) {

        /** What the flight brings, or {@code null} when its passenger has to ask anew. */
        private @Nullable Landing<V> await(Bulkhead.Call call, Predicate<K> contentWithinBound)
                throws InterruptedException, ExecutionException, TimeoutException, CrowdedException {
            Landing<V> landing = call.await(flight.landing);
            boolean answers = landing != null
                    && (joinedIn < landing.readIn()
                            || (landing.isWithinBound() && contentWithinBound.test(flight.key)));
            return answers ? landing : null;
        }
    }

    /** A flight by itself, which nobody can join. */
    static <K, V> Flight<K, V> alone(K key) {
        return new Flight<>(key, new ConcurrentHashMap<>());
    }

    /**
     * Loads one entry by itself, whoever else is loading it; nobody can join.
     *
     * @throws IllegalStateException when the calling thread is loading something for these flights already
     */
    Landing<V> flyAlone(K key, Bulkhead.Call call, Load<K, V> load) throws InterruptedException {
        requireNotFlying();
        Flight<K, V> flight = alone(key);
        pilot(List.of(flight), call, load);
        return requireNonNull(flight.landedOrThrow());
    }

    /**
     * Loads what nobody is loading, or waits for the load that is under way.
     *
     * @param call that loads or waits
     * @param contentWithinBound whether this caller has no way to know better than by what is within the staleness bound
     * @return what was brought, or {@code null} when the flight under way had read before this caller came: ask anew
     * @throws InterruptedException when the caller was interrupted while it waited
     * @throws ExecutionException when a load under way has failed
     * @throws TimeoutException when a load under way takes longer than the call may wait
     * @throws CrowdedException when the call would have to wait, and there is no place for it
     * @throws IllegalStateException when the calling thread is loading something for these flights already
     */
    @Nullable Landing<V> fly(K key, Bulkhead.Call call, Predicate<K> contentWithinBound, Load<K, V> load)
            throws InterruptedException, ExecutionException, TimeoutException, CrowdedException {
        requireNotFlying();
        Flight<K, V> mine = new Flight<>(key, flights);
        Seat<K, V> seat = seatIn(flights.putIfAbsent(key, mine));
        if (seat != null) {
            return seat.await(call, contentWithinBound);
        }
        pilot(List.of(mine), call, load);
        return mine.landedOrThrow();
    }

    /**
     * As {@link #fly(Object, Bulkhead.Call, Predicate, Load)} for each key, but first loads what no other caller is loading. Each key
     * fails for itself.
     *
     * @param keys each of them once
     * @param landings takes what was brought, also when something is thrown for the rest
     * @param failures takes why nothing was brought, as {@link #fly(Object, Bulkhead.Call, Predicate, Load)} would throw it. A key that
     *     is in neither of the two is to be asked for anew
     */
    void fly(
            Collection<K> keys,
            Bulkhead.Call call,
            Predicate<K> contentWithinBound,
            Load<K, V> load,
            Map<K, Landing<V>> landings,
            Map<K, Exception> failures)
            throws InterruptedException {
        requireNotFlying();
        List<Flight<K, V>> mine = new ArrayList<>(keys.size());
        List<Seat<K, V>> others = new ArrayList<>();
        for (K key : keys) {
            Flight<K, V> flight = new Flight<>(key, flights);
            Seat<K, V> seat = seatIn(flights.putIfAbsent(key, flight));
            if (seat == null) {
                mine.add(flight);
            } else {
                others.add(seat);
            }
        }
        try {
            if (!mine.isEmpty()) {
                pilot(mine, call, load);
            }
        } finally {
            for (Flight<K, V> flight : mine) {
                Landing<V> landed = flight.landed();
                if (landed != null) {
                    landings.put(flight.key, landed);
                } else if (flight.failure != null) {
                    failures.put(flight.key, flight.failure);
                }
            }
        }
        for (Seat<K, V> seat : others) {
            try {
                Landing<V> landing = seat.await(call, contentWithinBound);
                if (landing != null) {
                    landings.put(seat.flight.key, landing);
                }
            } catch (ExecutionException | TimeoutException | CrowdedException e) {
                failures.put(seat.flight.key, e);
            }
        }
    }

    /** Runs a load whose answer is for the calling thread alone, which is {@linkplain #requireNotFlying not loading} yet. */
    <T> T runAlone(Callable<T> load) throws Exception {
        flying.set(true);
        try {
            return load.call();
        } finally {
            flying.set(null);
        }
    }

    private static <K, V> @Nullable Seat<K, V> seatIn(@Nullable Flight<K, V> under) {
        return under == null ? null : new Seat<>(under, under.step);
    }

    /** How many entries are being loaded, about. */
    int size() {
        return flights.size();
    }

    /** How many callers wait for the flight under way, about. */
    int passengersOf(K key) {
        Flight<K, V> flight = flights.get(key);
        return flight == null ? 0 : flight.landing.getNumberOfDependents();
    }

    /** Lets callers who come from now on begin anew; those who have joined already are answered as before. */
    void forget(K key) {
        flights.remove(key);
    }

    /**
     * Refuses a thread that is loading something for these flights already.
     *
     * @throws IllegalStateException when it is
     */
    void requireNotFlying() {
        if (flying.get() != null) {
            // For whichever key: two sources that ask for each other's would wait for ever.
            throw new IllegalStateException("a source must not call the cache that it fills");
        }
    }

    private void pilot(List<Flight<K, V>> mine, Bulkhead.Call call, Load<K, V> load) throws InterruptedException {
        flying.set(true);
        try {
            load.run(mine, call);
            for (Flight<K, V> flight : mine) {
                if (!flight.hasLanded()) {
                    throw new IllegalStateException("a load was neither completed nor failed");
                }
            }
        } catch (Throwable failure) {
            mine.forEach(flight -> flight.crash(failure));
            throw failure;
        } finally {
            // Not removed: it would have to be made again for each load.
            flying.set(null);
        }
    }
}
