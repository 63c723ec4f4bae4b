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
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Queries of a source, batched when many are requested at once (natural batching): the number under way is limited; requests that come
 * meanwhile go with the next query, at most {@value #MAX_BATCH} ids together. A caller that has to wait for its query needs a place in the {@link
 * Bulkhead}, and is refused at once when there is none: a busy source does not hold all threads of an application.
 *
 * <p>A query runs in the steps of one of its callers, the leader. When it ends, the leader hands its place to the caller that has waited
 * longest, which leads the next query and drains the requests that wait. No request joins a query that has begun: a change
 * may lie between the two. Thread-safe, without a lock.
 *
 * @param <K> the type of an id
 * @param <V> the type of its value
 */
final class BatchedLoads<K, V> {

    private static final int MAX_BATCH = 500;

    private final Query<K, V> source;
    private final Semaphore places;
    private final Queue<Request<K, V>> waiting = new ConcurrentLinkedQueue<>();

    /** One query of the source. */
    @FunctionalInterface
    interface Query<K, V> {

        /** The values of the given ids, at least one, of those that exist. */
        Map<K, V> run(Set<K> ids) throws Exception;
    }

    /**
     * The request of a caller, until it is completed: with an answer or a failure, with {@code null} when the caller is to
     * lead a query, or cancelled when the caller has withdrawn it.
     */
    private static final class Request<K, V> extends CompletableFuture<@Nullable Map<K, V>> {

        private final Set<K> ids;

        /** The other requests of the batch, when its caller leads. */
        private final List<Request<K, V>> batch = new ArrayList<>();

        /** Whether its caller has begun to lead. */
        private volatile boolean hasBegun;

        private Request(Set<K> ids) {
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

    /** As {@link #load(Set, Bulkhead.Call, Function)}. */
    CompletableFuture<Map<K, V>> load(Set<K> ids, Bulkhead.Call call) {
        return load(ids, call, Function.identity());
    }

    /**
     * The values of the given ids, read after this call.
     *
     * @param then takes the answer, which may hold more than was asked for, and is unmodifiable; it runs in a step of the call
     * @param call that waits for its turn, or for the query of another leader; it holds no place while it leads a query
     * @return what has been made of the answer. It fails with a {@link CrowdedException} when the call would have to wait, and there is no place for it, with an {@link OverdueException} when it may wait no
     *     longer, with an {@link InterruptedException} when its thread was interrupted while it waited, with an {@link ExecutionException} when
     *     the query of another call has failed, with what that threw as its cause, and with what the query in its own steps threw; the thread is
     *     still interrupted when that is why
     */
    <R extends @Nullable Object> CompletableFuture<R> load(
            Set<K> ids, Bulkhead.Call call, Function<Map<K, V>, R> then) {
        Request<K, V> request = new Request<>(Set.copyOf(ids));
        if (places.tryAcquire()) {
            return lead(request, call, then);
        }
        try {
            call.requireMayWait();
        } catch (CrowdedException e) {
            return CompletableFuture.failedFuture(e);
        }
        enqueue(List.of(request));
        return call.within(request)
                .whenComplete((answer, failure) -> {
                    if (failure != null) {
                        withdraw(request);
                    }
                })
                .thenCompose(answer -> answer == null
                        ? lead(request, call, then)
                        : call.steps().run(() -> then.apply(answer)));
    }

    /** Whether a call that comes now finds as many queries under way as may be. */
    boolean isBusy() {
        return places.availablePermits() <= 0;
    }

    /** How many requests wait for a query, about. */
    int waiting() {
        return waiting.size();
    }

    private void withdraw(Request<K, V> request) {
        if (request.cancel(false)) {
            waiting.remove(request);
        } else if (request.isToLead()) {
            // Given to a caller that was about to leave.
            passOn();
        }
    }

    private void enqueue(List<Request<K, V>> requests) {
        waiting.addAll(requests);
        // The last query under way may have ended just before they were added.
        if (places.tryAcquire()) {
            passOn();
        }
    }

    /** Runs a query for a request and for those that wait. The place of one under way is this method's to give back. */
    private <R extends @Nullable Object> CompletableFuture<R> lead(
            Request<K, V> request, Bulkhead.Call call, Function<Map<K, V>, R> then) {
        call.leave();
        CompletableFuture<R> led = call.steps().run(() -> {
            request.hasBegun = true;
            return then.apply(leadNow(request, call));
        });
        var unused = led.whenComplete((answer, failure) -> {
            if (!request.hasBegun) {
                // There are no threads any more, for the other requests neither.
                places.release();
                for (Request<K, V> next = waiting.poll(); next != null; next = waiting.poll()) {
                    next.completeExceptionally(failure);
                }
            }
        });
        return led;
    }

    private Map<K, V> leadNow(Request<K, V> request, Bulkhead.Call call) throws Exception {
        try {
            Map<K, V> answer = queryBatch(request, call);
            request.batch.forEach(waiter -> waiter.complete(answer));
            return answer;
        } catch (Throwable failure) {
            if (failure instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            if (Thread.currentThread().isInterrupted()) {
                // That one caller was called off is no reason for the others to fail.
                enqueue(request.batch);
            } else {
                ExecutionException ofAnother = new ExecutionException(failure);
                request.batch.forEach(waiter -> waiter.completeExceptionally(ofAnother));
            }
            throw failure;
        }
    }

    private Map<K, V> queryBatch(Request<K, V> request, Bulkhead.Call call) throws Exception {
        call.loadBegins();
        try {
            Map<K, V> answer = query(drain(request));
            call.loadAnswered();
            return answer;
        } catch (Throwable failure) {
            boolean isCalledOff = failure instanceof InterruptedException
                    || Thread.currentThread().isInterrupted();
            call.loadFailed(!isCalledOff && !SourceFailure.mayBeOfOneRow(failure));
            throw failure;
        } finally {
            // Before the waiters are woken, so that the source need not wait for that.
            passOn();
        }
    }

    /** Drains the requests that wait into the leader's batch, in their order and as far as there is room; returns the ids of all. */
    private Set<K> drain(Request<K, V> leader) {
        Set<K> ids = new HashSet<>(leader.ids);
        Request<K, V> next = waiting.peek();
        while (next != null && ids.size() + next.ids.size() <= MAX_BATCH) {
            // Another leader may have been faster, and a request that was withdrawn may be left over.
            if (waiting.remove(next) && !next.isDone()) {
                leader.batch.add(next);
                ids.addAll(next.ids);
            }
            next = waiting.peek();
        }
        return ids;
    }

    /** One query, or several one after the other for a single request that is too large. */
    private Map<K, V> query(Set<K> ids) throws Exception {
        List<K> all = List.copyOf(ids);
        Map<K, V> answer = new HashMap<>();
        for (int from = 0; from < all.size(); from += MAX_BATCH) {
            answer.putAll(source.run(Set.copyOf(all.subList(from, Math.min(from + MAX_BATCH, all.size())))));
        }
        return Collections.unmodifiableMap(answer);
    }

    /** Hands the place of one under way to the request that has waited longest, or gives it back when none waits. */
    private void passOn() {
        do {
            for (Request<K, V> next = waiting.poll(); next != null; next = waiting.poll()) {
                boolean leads = next.complete(null);
                if (leads) {
                    return;
                }
            }
            places.release();
        } while (!waiting.isEmpty() && places.tryAcquire());
    }
}
