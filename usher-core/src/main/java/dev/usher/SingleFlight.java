package dev.usher;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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

    /** Longer than any load that is worth waiting for. */
    static final Duration LONGEST_WAIT = Duration.ofSeconds(30);

    private final ConcurrentMap<K, Flight<V>> flights = new ConcurrentHashMap<>();

    /** Set on a thread that is loading. */
    private final ThreadLocal<Boolean> flying = new ThreadLocal<>();

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
     * @param readIn the step in which it was read
     * @param isWithinBound whether it is young enough for callers who have no better way to know
     */
    record Landing<V>(Entry<V> entry, Tier tier, int readIn, boolean isWithinBound) {

        Landing(Entry<V> entry, Tier tier, int readIn) {
            this(entry, tier, readIn, false);
        }
    }

    /** A load under way. */
    static final class Flight<V> {

        /** Completed with {@code null} when the pilot has given up, and the passengers have to ask anew. */
        private final CompletableFuture<@Nullable Landing<V>> landing = new CompletableFuture<>();

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
     * @param contentWithinBound whether this caller has no way to know better than by what is within the staleness bound
     * @return what it brought, or {@code null} when the one under way has read it before this caller came: ask anew
     * @throws InterruptedException when the caller was interrupted while it waited
     * @throws ExecutionException when the load under way has failed
     * @throws TimeoutException when the load under way takes longer than a caller can be expected to wait
     * @throws IllegalStateException when the calling thread is loading something for these flights already
     */
    @Nullable Landing<V> fly(K key, boolean contentWithinBound, Load<V> load)
            throws InterruptedException, ExecutionException, TimeoutException {
        if (flying.get() != null) {
            // For whichever key: two sources that ask for each other's would wait for ever.
            throw new IllegalStateException("a source may not ask the cache that it fills");
        }
        Flight<V> mine = new Flight<>();
        Flight<V> under = flights.putIfAbsent(key, mine);
        if (under == null) {
            return pilot(key, mine, load);
        }
        int joinedIn = under.step;
        Landing<V> landing = under.landing.get(LONGEST_WAIT.toMillis(), TimeUnit.MILLISECONDS);
        if (landing == null) {
            return null;
        }
        return joinedIn < landing.readIn() || (contentWithinBound && landing.isWithinBound()) ? landing : null;
    }

    /** How many callers wait for the flight under way, about. */
    int passengersOf(K key) {
        Flight<V> flight = flights.get(key);
        return flight == null ? 0 : flight.landing.getNumberOfDependents();
    }

    /** Lets callers who come from now on begin anew; those who have joined already are answered as before. */
    void forget(K key) {
        flights.remove(key);
    }

    private Landing<V> pilot(K key, Flight<V> flight, Load<V> load) {
        flying.set(true);
        try {
            Landing<V> landing = load.run(flight);
            // Removed first: a passenger who has to ask anew must not meet this flight again.
            flights.remove(key, flight);
            flight.landing.complete(landing);
            return landing;
        } catch (Throwable failure) {
            flights.remove(key, flight);
            if (Thread.currentThread().isInterrupted()) {
                // That one caller was called off is no reason for the others to fail.
                flight.landing.complete(null);
            } else {
                flight.landing.completeExceptionally(failure);
            }
            throw failure;
        } finally {
            flying.remove();
        }
    }
}
