package dev.usher;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * One load for all callers of this process that miss the same entry at the same time.
 *
 * <p>A caller may be answered by a flight that began before it came, but never by what was read before it came: a
 * change may lie between the two. So each flight counts its steps, each read on the way begins a new one, and a caller
 * accepts only what was read in a step after the one in which it joined.
 *
 * @param <K> the type of what is loaded
 * @param <V> the type of its value
 */
final class SingleFlight<K, V> {

    private final ConcurrentMap<K, Flight<V>> flights = new ConcurrentHashMap<>();

    /** What a flight brings home. */
    @FunctionalInterface
    interface Load<V> {

        /** Loads, and tells the flight of each read {@linkplain Flight#nextStep before} it is sent. */
        Landing<V> run(Flight<V> flight);
    }

    /**
     * An entry, and where and when it was read.
     *
     * @param entry what was read
     * @param tier where
     * @param readIn the step in which it was read, or {@link #FOR_ALL}
     */
    record Landing<V>(Entry<V> entry, Tier tier, int readIn) {

        /** Answers every caller who has joined. */
        static final int FOR_ALL = Integer.MAX_VALUE;
    }

    /** A load under way. */
    static final class Flight<V> {

        private final CompletableFuture<Landing<V>> landing = new CompletableFuture<>();
        private final Thread pilot = Thread.currentThread();
        private volatile int step;

        /** Begins a step. To be called by the loading thread only, right before it sends what may answer. */
        int nextStep() {
            int next = step + 1;
            step = next;
            return next;
        }
    }

    /**
     * Runs the load, or waits for the one that is under way.
     *
     * @return what it brought, or {@code null} when the one under way has read it before this caller came: ask anew
     * @throws InterruptedException when the caller was interrupted while it waited
     * @throws ExecutionException when the load under way has failed
     */
    @Nullable Landing<V> fly(K key, Load<V> load) throws InterruptedException, ExecutionException {
        Flight<V> mine = new Flight<>();
        Flight<V> under = flights.putIfAbsent(key, mine);
        if (under == null) {
            return pilot(key, mine, load);
        }
        if (under.pilot == Thread.currentThread()) {
            throw new IllegalStateException("a source may not ask the cache that it fills");
        }
        int joinedIn = under.step;
        Landing<V> landing = under.landing.get();
        return joinedIn < landing.readIn() ? landing : null;
    }

    /** Lets callers who come from now on begin anew; those who have joined already are answered as before. */
    void forget(K key) {
        flights.remove(key);
    }

    private Landing<V> pilot(K key, Flight<V> flight, Load<V> load) {
        try {
            Landing<V> landing = load.run(flight);
            // Removed first: a passenger who has to ask anew must not meet this flight again.
            flights.remove(key, flight);
            flight.landing.complete(landing);
            return landing;
        } catch (Throwable failure) {
            flights.remove(key, flight);
            flight.landing.completeExceptionally(failure);
            throw failure;
        }
    }
}
