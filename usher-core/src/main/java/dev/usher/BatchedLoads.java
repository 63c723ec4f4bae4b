package dev.usher;

import dev.usher.Bulkhead.CrowdedException;
import dev.usher.Bulkhead.OverdueException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Queries of a source that ride together when many come at once (natural batching): only so many are under way at a time;
 * what is wanted while they are goes with the next one, as one query of at most {@value #MAX_BATCH} ids. A caller that has to wait for its
 * query has to be let in by the {@link Bulkhead}, and is refused at once else: what keeps one source busy does not hold all threads
 * of an application.
 *
 * <p>A query runs on the thread of one of its callers. When it ends, that thread hands its place to whoever has waited
 * longest, who leads the next query and takes the others along. Nobody is taken along by a query that has begun: a change
 * may lie between the two. Thread-safe, without a lock.
 *
 * @param <K> the type of an id
 * @param <V> the type of its value
 */
final class BatchedLoads<K, V> {

    private static final int MAX_BATCH = 500;

    private final Query<K, V> source;
    private final Semaphore places;
    private final Queue<Wish<K, V>> waiting = new ConcurrentLinkedQueue<>();

    /** One query of the source. */
    @FunctionalInterface
    interface Query<K, V> {

        /** The values of the given ids, at least one, of those that exist. */
        Map<K, V> run(Set<K> ids) throws Exception;
    }

    /**
     * What a caller wants, until it is completed: with an answer or a failure, with {@code null} when the caller is to
     * lead a query, or cancelled when it has withdrawn.
     */
    private static final class Wish<K, V> extends CompletableFuture<@Nullable Map<K, V>> {

        private final Set<K> ids;

        /** Those who ride along, when its caller leads. */
        private final List<Wish<K, V>> riders = new ArrayList<>();

        private Wish(Set<K> ids) {
            this.ids = ids;
        }

        private boolean isToLead() {
            return isDone() && !isCompletedExceptionally() && join() == null;
        }
    }

    /**
     * Of a source.
     *
     * @param maxUnderWay how many queries are under way at a time
     */
    BatchedLoads(Query<K, V> source, int maxUnderWay) {
        this.source = source;
        this.places = new Semaphore(maxUnderWay);
    }

    /**
     * The values of the given ids, read after this call.
     *
     * @param call that waits for its turn, or for the query of another in which it rides; it holds no place while it leads a query
     * @return an answer that may hold more than was asked for, unmodifiable
     * @throws CrowdedException when the call would have to wait, and there is no place for it
     * @throws InterruptedException when the caller was interrupted while it waited
     * @throws OverdueException when the call may wait no longer
     * @throws ExecutionException when the query in which it rode on another caller's thread has failed, with what that
     *     threw as its cause
     * @throws Exception what the query on this caller's own thread threw; the thread is still interrupted when that is why
     */
    Map<K, V> load(Set<K> ids, Bulkhead.Call call) throws Exception {
        Wish<K, V> wish = new Wish<>(Set.copyOf(ids));
        if (!places.tryAcquire()) {
            call.requireMayWait();
            Map<K, V> answer = awaitTurn(wish, call);
            if (answer != null) {
                return answer;
            }
        }
        call.leave();
        return lead(wish, call);
    }

    /** Whether a call that comes now finds as many queries under way as may be. */
    boolean isBusy() {
        return places.availablePermits() <= 0;
    }

    /** How many wishes wait for a query, about. */
    int waiting() {
        return waiting.size();
    }

    /** The answer, or {@code null} when the caller is to lead. */
    private @Nullable Map<K, V> awaitTurn(Wish<K, V> wish, Bulkhead.Call call)
            throws InterruptedException, ExecutionException, CrowdedException, OverdueException {
        enqueue(List.of(wish));
        try {
            return call.await(wish);
        } catch (Throwable failure) {
            if (wish.cancel(false)) {
                waiting.remove(wish);
            } else if (wish.isToLead()) {
                // Given to a caller who was about to leave.
                passOn();
            }
            throw failure;
        }
    }

    private void enqueue(List<Wish<K, V>> wishes) {
        waiting.addAll(wishes);
        // The last query under way may have ended just before they were added.
        if (places.tryAcquire()) {
            passOn();
        }
    }

    /** Runs a query for a wish and for what waits. The place of one under way is this method's to give back. */
    private Map<K, V> lead(Wish<K, V> wish, Bulkhead.Call call) throws Exception {
        try {
            Map<K, V> answer = queryWithRiders(wish, call);
            wish.riders.forEach(rider -> rider.complete(answer));
            return answer;
        } catch (Throwable failure) {
            if (failure instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            if (Thread.currentThread().isInterrupted()) {
                // That one caller was called off is no reason for the others to fail.
                enqueue(wish.riders);
            } else {
                wish.riders.forEach(rider -> rider.completeExceptionally(failure));
            }
            throw failure;
        }
    }

    private Map<K, V> queryWithRiders(Wish<K, V> wish, Bulkhead.Call call) throws Exception {
        call.loadBegins();
        try {
            Map<K, V> answer = query(takeAlong(wish));
            call.loadAnswered();
            return answer;
        } catch (Throwable failure) {
            boolean isCalledOff = failure instanceof InterruptedException
                    || Thread.currentThread().isInterrupted();
            call.loadFailed(!isCalledOff && !SourceFailure.mayBeOfOneRow(failure));
            throw failure;
        } finally {
            // Before the riders are woken, so that the source need not wait for that.
            passOn();
        }
    }

    /** Lets ride along what waits, in its order and as far as there is room; returns the ids of all. */
    private Set<K> takeAlong(Wish<K, V> leader) {
        Set<K> ids = new HashSet<>(leader.ids);
        Wish<K, V> next = waiting.peek();
        while (next != null && ids.size() + next.ids.size() <= MAX_BATCH) {
            // Another leader may have been faster, and a wish that was withdrawn may be left over.
            if (waiting.remove(next) && !next.isDone()) {
                leader.riders.add(next);
                ids.addAll(next.ids);
            }
            next = waiting.peek();
        }
        return ids;
    }

    /** One query, or several one after the other for a single wish that is too large. */
    private Map<K, V> query(Set<K> ids) throws Exception {
        List<K> all = List.copyOf(ids);
        Map<K, V> answer = new HashMap<>();
        for (int from = 0; from < all.size(); from += MAX_BATCH) {
            answer.putAll(source.run(Set.copyOf(all.subList(from, Math.min(from + MAX_BATCH, all.size())))));
        }
        return Collections.unmodifiableMap(answer);
    }

    /** Hands the place of one under way to the wish that has waited longest, or gives it back when none waits. */
    private void passOn() {
        do {
            for (Wish<K, V> next = waiting.poll(); next != null; next = waiting.poll()) {
                boolean leads = next.complete(null);
                if (leads) {
                    return;
                }
            }
            places.release();
        } while (!waiting.isEmpty() && places.tryAcquire());
    }
}
