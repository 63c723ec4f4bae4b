package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.Load;
import dev.usher.SingleFlight.LoadResult;
import dev.usher.SingleFlight.Outcomes;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SingleFlightTest {

    private static final CompletableFuture<Void> DONE = CompletableFuture.completedFuture(null);

    private final SingleFlight<Long, String> flights = new SingleFlight<>();
    private final Bulkhead bulkhead = new Bulkhead(1000, Duration.ofSeconds(30), System::nanoTime);
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void stop() {
        threads.shutdownNow();
    }

    @Test
    void aWaiterThatJoinsBeforeTheReadIsAnswered() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            started.countDown();
            uninterrupted(joined);
            return loadResult("value", flight.nextStep());
        }));
        uninterrupted(started);
        Future<LoadResult<String>> waiter = join();
        joined.countDown();
        assertThat(leader.get()).isNotNull();
        assertThat(waiter.get()).isSameAs(leader.get());
    }

    @Test
    void aWaiterThatJoinsAfterTheReadHasToAskAnew() throws Exception {
        CountDownLatch read = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            int readIn = flight.nextStep();
            read.countDown();
            uninterrupted(joined);
            return loadResult("old", readIn);
        }));
        uninterrupted(read);
        Future<LoadResult<String>> waiter = join();
        joined.countDown();
        assertThat(leader.get()).isNotNull();
        assertThat(waiter.get()).isNull();
    }

    @Test
    void aLaterStepOfTheSameFlightAnswersTheWaitersFromBeforeIt() throws Exception {
        CountDownLatch read = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            flight.nextStep();
            read.countDown();
            uninterrupted(joined);
            return loadResult("stored", flight.nextStep());
        }));
        uninterrupted(read);
        Future<LoadResult<String>> waiter = join();
        joined.countDown();
        assertThat(waiter.get()).isSameAs(leader.get());
    }

    @Test
    void aFailureReachesEveryWaiterAndIsForgotten() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            started.countDown();
            uninterrupted(joined);
            throw new IllegalArgumentException("the source is gone");
        }));
        uninterrupted(started);
        Future<LoadResult<String>> waiter = join();
        joined.countDown();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(leader::get)
                .havingCause()
                .isInstanceOf(IllegalArgumentException.class);
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(waiter::get)
                .havingRootCause()
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(run(1L, false, flight -> loadResult("next", flight.nextStep())))
                .isNotNull();
    }

    @Test
    void aCallerAfterAForgottenFlightBeginsItsOwn() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            int readIn = flight.nextStep();
            started.countDown();
            uninterrupted(over);
            return loadResult("before", readIn);
        }));
        uninterrupted(started);
        flights.forget(1L);
        LoadResult<String> after = run(1L, false, flight -> loadResult("after", flight.nextStep()));
        assertThat(after).isNotNull();
        assertThat(after.entry().value()).isEqualTo("after");
        over.countDown();
        assertThat(leader.get().entry().value()).isEqualTo("before");
    }

    @Test
    void anOldFlightThatEndsLeavesTheNewOneAlone() throws Exception {
        AtomicReference<Flight<Long, String>> second = new AtomicReference<>();
        run(1L, false, first -> {
            flights.forget(1L);
            CountDownLatch started = new CountDownLatch(1);
            var unused = threads.submit(() -> run(1L, false, flight -> {
                second.set(flight);
                started.countDown();
                uninterrupted(new CountDownLatch(1));
                return loadResult("never", 0);
            }));
            uninterrupted(started);
            return loadResult("first", first.nextStep());
        });
        assertThat(join()).isNotDone();
        assertThat(second.get()).isNotNull();
    }

    @Test
    void completedLoadsAreReturnedAlthoughTheOthersFail() {
        IllegalStateException failure = new IllegalStateException("the source is gone");
        Outcomes<Long, String> outcomes = runAll(List.of(1L, 2L), false, (mine, call) -> {
            mine.get(0).complete(loadResult("value", mine.get(0).nextStep()));
            throw failure;
        });
        assertThat(foundOf(outcomes)).containsOnlyKeys(1L);
        assertThat(failuresOf(outcomes)).containsExactly(Map.entry(2L, failure));
        assertThat(flights.size()).isZero();
    }

    @Test
    void aFlightThatIsLeftOpenFails() {
        Outcomes<Long, String> outcomes = runAll(List.of(1L), false, (mine, call) -> DONE);
        assertThat(failuresOf(outcomes).get(1L)).hasMessage("a load was neither completed nor failed");
        assertThat(flights.size()).isZero();
    }

    @Test
    void eachFlightOfAListFailsForItselfAndForItsWaiters() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        IllegalStateException failure = new IllegalStateException("the row cannot be read");
        Future<Outcomes<Long, String>> leader = threads.submit(() -> runAll(List.of(1L, 2L), false, (mine, call) -> {
            started.countDown();
            uninterrupted(joined);
            mine.get(0).fail(failure);
            mine.get(1).complete(loadResult("value", mine.get(1).nextStep()));
            return DONE;
        }));
        uninterrupted(started);
        Future<Outcomes<Long, String>> waiter = threads.submit(() -> runAll(List.of(1L, 2L), false, (mine, call) -> {
            throw new AssertionError("there was no flight to join");
        }));
        await().until(() -> flights.waitersOf(1L) == 1 && flights.waitersOf(2L) == 1);
        joined.countDown();
        assertThat(foundOf(leader.get())).containsOnlyKeys(2L);
        assertThat(failuresOf(leader.get())).containsExactly(Map.entry(1L, failure));
        assertThat(foundOf(waiter.get())).containsOnlyKeys(2L);
        assertThat(failuresOf(waiter.get()).get(1L))
                .isInstanceOf(ExecutionException.class)
                .hasCause(failure);
        assertThat(flights.size()).isZero();
    }

    @Test
    void aFailedFlightFailsItsLeader() {
        IllegalStateException failure = new IllegalStateException("the row cannot be read");
        Load<Long, String> failing = (mine, call) -> {
            mine.get(0).fail(failure);
            return DONE;
        };
        assertThatIllegalStateException()
                .isThrownBy(() -> awaited(call -> SingleFlight.leadAlone(1L, call, failing)))
                .isSameAs(failure);
        assertThatIllegalStateException()
                .isThrownBy(() -> awaited(call -> flights.run(1L, call, any -> false, failing)))
                .isSameAs(failure);
    }

    @Test
    void aFirstAnswerIsForTheLeaderAndForThoseThatJoinedBeforeTheRead() throws Exception {
        CompletableFuture<Void> stored = new CompletableFuture<>();
        AtomicReference<Flight<Long, String>> flight = new AtomicReference<>();
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        CountDownLatch read = new CountDownLatch(1);
        CountDownLatch lateJoined = new CountDownLatch(1);
        Future<LoadResult<String>> leader =
                threads.submit(() -> awaited(call -> flights.run(1L, call, any -> false, (mine, same) -> {
                    flight.set(mine.get(0));
                    started.countDown();
                    uninterrupted(joined);
                    int readIn = mine.get(0).nextStep();
                    read.countDown();
                    uninterrupted(lateJoined);
                    mine.get(0).answer(loadResult("row", readIn));
                    var unused = stored.thenRun(() -> {
                        int storedIn = requireNonNull(flight.get()).nextStep();
                        requireNonNull(flight.get()).complete(loadResult("row", storedIn));
                    });
                    return DONE;
                })));
        uninterrupted(started);
        Future<LoadResult<String>> early = join();
        joined.countDown();
        uninterrupted(read);
        Future<LoadResult<String>> late = join();
        lateJoined.countDown();
        assertThat(leader.get().entry().value()).isEqualTo("row");
        assertThat(early.get()).isSameAs(leader.get());
        assertThat(late).as("its answer would have been read before it came").isNotDone();
        assertThat(flights.size()).isEqualTo(1);
        stored.complete(null);
        assertThat(late.get().readIn()).isGreaterThan(leader.get().readIn());
        assertThat(flights.size()).isZero();
    }

    @Test
    void theEndOfALoadIsNotThatOfAFlightThatIsAnsweredAlready() throws Exception {
        CompletableFuture<LoadResult<String>> stored = new CompletableFuture<>();
        CompletableFuture<Void> rest = new CompletableFuture<>();
        CountDownLatch answered = new CountDownLatch(1);
        Future<Outcomes<Long, String>> leader =
                threads.submit(() -> awaited(call -> flights.run(List.of(1L, 2L), call, any -> false, (mine, same) -> {
                    Flight<Long, String> first = mine.get(0);
                    first.answer(loadResult("row", first.nextStep()));
                    var unused = stored.thenAccept(first::complete);
                    answered.countDown();
                    return rest;
                })));
        uninterrupted(answered);
        Future<LoadResult<String>> late = join();
        rest.completeExceptionally(new StackOverflowError("on purpose"));
        assertThat(foundOf(leader.get())).containsOnlyKeys(1L);
        assertThat(failuresOf(leader.get())).containsOnlyKeys(2L);
        assertThat(late).isNotDone();
        assertThat(flights.size()).as("what is being stored").isEqualTo(1);
        stored.complete(loadResult("row", 7));
        assertThat(late.get().readIn()).isEqualTo(7);
        assertThat(flights.size()).isZero();
    }

    @Test
    void aCallWithoutAPlaceIsRefusedAndLeavesTheLoadAlone() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch over = new CountDownLatch(1);
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            int readIn = flight.nextStep();
            started.countDown();
            uninterrupted(over);
            return loadResult("value", readIn);
        }));
        uninterrupted(started);
        Bulkhead none = new Bulkhead(0, Duration.ofSeconds(30), System::nanoTime);
        assertThatIllegalStateException()
                .isThrownBy(() -> awaited(none, call -> flights.run(1L, call, any -> false, (mine, same) -> DONE)))
                .withCauseInstanceOf(Bulkhead.CrowdedException.class);
        over.countDown();
        assertThat(leader.get()).isNotNull();
    }

    @Test
    void waitersOfARefusedLeaderAskAnew() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        IllegalStateException refusal = new IllegalStateException("there is no place");
        Future<LoadResult<String>> leader =
                threads.submit(() -> awaited(call -> flights.run(1L, call, any -> false, (mine, same) -> {
                    started.countDown();
                    uninterrupted(joined);
                    mine.get(0).refuse(refusal);
                    return DONE;
                })));
        uninterrupted(started);
        Future<LoadResult<String>> waiter = join();
        joined.countDown();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(leader::get)
                .withCause(refusal);
        assertThat(waiter.get()).isNull();
        assertThat(flights.size()).isZero();
    }

    @Test
    void aLoadAloneCannotBeJoined() throws Exception {
        LoadResult<String> alone = awaited(call -> SingleFlight.leadAlone(1L, call, (mine, same) -> {
            assertThat(flights.size()).isZero();
            var other = threads.submit(() -> run(1L, false, flight -> loadResult("other", flight.nextStep())));
            await().until(other::isDone);
            mine.get(0).complete(loadResult("alone", mine.get(0).nextStep()));
            return DONE;
        }));
        assertThat(alone.entry().value()).isEqualTo("alone");
    }

    @Test
    void aCallerThatCannotAskRedisAcceptsAnAnswerWithinTheBound() throws Exception {
        for (boolean withinBound : new boolean[] {true, false}) {
            CountDownLatch read = new CountDownLatch(1);
            CountDownLatch joined = new CountDownLatch(1);
            Future<LoadResult<String>> leader = threads.submit(() -> run(1L, true, flight -> {
                int readIn = flight.nextStep();
                read.countDown();
                uninterrupted(joined);
                return new LoadResult<>(new Entry<>("value"), Tier.SOURCE, readIn, withinBound);
            }));
            uninterrupted(read);
            Future<LoadResult<String>> content = join(true);
            Future<LoadResult<String>> strict = join(false);
            joined.countDown();
            assertThat(content.get()).isSameAs(withinBound ? leader.get() : null);
            assertThat(strict.get()).isNull();
        }
    }

    @Test
    void anInterruptedLeaderDoesNotFailTheWaiters() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        AtomicReference<Thread> thread = new AtomicReference<>();
        Future<LoadResult<String>> leader = threads.submit(() -> run(1L, false, flight -> {
            thread.set(Thread.currentThread());
            started.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            throw new IllegalStateException("called off");
        }));
        uninterrupted(started);
        Future<LoadResult<String>> waiter = join();
        requireNonNull(thread.get()).interrupt();
        assertThatExceptionOfType(ExecutionException.class).isThrownBy(leader::get);
        assertThat(waiter.get()).as("asks anew").isNull();
    }

    /** Starts a caller that joins the load under way, and returns once it waits for the result. */
    private Future<LoadResult<String>> join() {
        return join(false);
    }

    private Future<LoadResult<String>> join(boolean contentWithinBound) {
        int before = flights.waitersOf(1L);
        Future<LoadResult<String>> waiter = threads.submit(() -> run(1L, contentWithinBound, flight -> {
            throw new AssertionError("there was no flight to join");
        }));
        await().until(() -> flights.waitersOf(1L) == before + 1);
        return waiter;
    }

    private static LoadResult<String> loadResult(String value, int readIn) {
        return new LoadResult<>(new Entry<>(value), Tier.SOURCE, readIn, false);
    }

    private static Map<Long, LoadResult<String>> foundOf(Outcomes<Long, String> outcomes) {
        Map<Long, LoadResult<String>> found = new HashMap<>();
        outcomes.forEach(found::put, (key, failure) -> {});
        return found;
    }

    private static Map<Long, Throwable> failuresOf(Outcomes<Long, String> outcomes) {
        Map<Long, Throwable> failures = new HashMap<>();
        outcomes.forEach((key, loadResult) -> {}, failures::put);
        return failures;
    }

    private static void uninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("the test is over", e);
        }
    }

    /** A load of one key, in the form of a load of many. */
    private @Nullable LoadResult<String> run(
            long key, boolean contentWithinBound, Function<Flight<Long, String>, LoadResult<String>> load) {
        Outcomes<Long, String> outcomes = runAll(List.of(key), contentWithinBound, (mine, call) -> {
            mine.forEach(flight -> flight.complete(load.apply(flight)));
            return DONE;
        });
        Throwable failure = failuresOf(outcomes).get(key);
        if (failure != null) {
            throw Futures.thrown(failure);
        }
        return foundOf(outcomes).get(key);
    }

    private Outcomes<Long, String> runAll(List<Long> keys, boolean contentWithinBound, Load<Long, String> load) {
        return awaited(call -> flights.run(keys, call, any -> contentWithinBound, load));
    }

    private <T extends @Nullable Object> T awaited(Function<Bulkhead.Call, CompletableFuture<? extends T>> run) {
        return awaited(bulkhead, run);
    }

    private static <T extends @Nullable Object> T awaited(
            Bulkhead bulkhead, Function<Bulkhead.Call, CompletableFuture<? extends T>> run) {
        CallerSteps steps = new CallerSteps(Runnable::run);
        try (Bulkhead.Call call = bulkhead.begin(steps)) {
            return steps.await(run.apply(call), call::interrupt);
        } catch (CompletionException e) {
            throw Futures.thrown(e);
        }
    }
}
