package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.LoadResult;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SingleFlightTest {

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
    void aSourceThatCallsItsOwnCacheFails() {
        assertThatIllegalStateException()
                .isThrownBy(() -> run(1L, false, flight -> {
                    try {
                        run(1L, false, again -> loadResult("never", 0));
                    } catch (InterruptedException | ExecutionException | TimeoutException e) {
                        throw new AssertionError(e);
                    }
                    return loadResult("never", 0);
                }))
                .withMessage("a source must not call the cache that it fills");
    }

    @Test
    void aSourceThatCallsItsOwnCacheForAnotherUserFails() {
        assertThatIllegalStateException()
                .isThrownBy(() -> run(1L, false, flight -> {
                    try {
                        run(2L, false, again -> loadResult("never", 0));
                    } catch (InterruptedException | ExecutionException | TimeoutException e) {
                        throw new AssertionError(e);
                    }
                    return loadResult("never", 0);
                }));
    }

    @Test
    void completedLoadsAreReturnedAlthoughTheOthersFail() {
        Map<Long, LoadResult<String>> loadResults = new HashMap<>();
        assertThatIllegalStateException()
                .isThrownBy(() -> flights.run(
                        List.of(1L, 2L),
                        bulkhead.begin(),
                        any -> false,
                        (mine, call) -> {
                            mine.get(0).complete(loadResult("value", mine.get(0).nextStep()));
                            throw new IllegalStateException("the source is gone");
                        },
                        loadResults,
                        new HashMap<>()))
                .withMessage("the source is gone");
        assertThat(loadResults).containsOnlyKeys(1L);
        assertThat(flights.size()).isZero();
    }

    @Test
    void eachFlightOfAListFailsForItselfAndForItsWaiters() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        IllegalStateException failure = new IllegalStateException("the row cannot be read");
        Map<Long, LoadResult<String>> loadResults = new HashMap<>();
        Map<Long, Exception> failures = new HashMap<>();
        Future<?> leader = threads.submit(() -> {
            flights.run(
                    List.of(1L, 2L),
                    bulkhead.begin(),
                    any -> false,
                    (mine, call) -> {
                        started.countDown();
                        uninterrupted(joined);
                        mine.get(0).fail(failure);
                        mine.get(1).complete(loadResult("value", mine.get(1).nextStep()));
                    },
                    loadResults,
                    failures);
            return null;
        });
        uninterrupted(started);
        Map<Long, LoadResult<String>> brought = new HashMap<>();
        Map<Long, Exception> notBrought = new HashMap<>();
        Future<?> waiter = threads.submit(() -> {
            flights.run(
                    List.of(1L, 2L),
                    bulkhead.begin(),
                    any -> false,
                    (mine, call) -> {
                        throw new AssertionError("there was no flight to join");
                    },
                    brought,
                    notBrought);
            return null;
        });
        await().until(() -> flights.waitersOf(1L) == 1);
        await().until(() -> flights.size() == 2);
        joined.countDown();
        leader.get();
        waiter.get();
        assertThat(loadResults).containsOnlyKeys(2L);
        assertThat(failures).containsOnly(Map.entry(1L, failure));
        assertThat(brought).containsOnlyKeys(2L);
        assertThat(notBrought).containsOnlyKeys(1L);
        assertThat(notBrought.get(1L)).isInstanceOf(ExecutionException.class).hasCause(failure);
        assertThat(flights.size()).isZero();
    }

    @Test
    void aFailedFlightFailsItsLeader() {
        IllegalStateException failure = new IllegalStateException("the row cannot be read");
        assertThatIllegalStateException()
                .isThrownBy(() -> flights.leadAlone(
                        1L, bulkhead.begin(), (mine, call) -> mine.get(0).fail(failure)))
                .isSameAs(failure);
        assertThatIllegalStateException()
                .isThrownBy(() -> flights.run(
                        1L,
                        bulkhead.begin(),
                        any -> false,
                        (mine, call) -> mine.get(0).fail(failure)))
                .isSameAs(failure);
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
        assertThatExceptionOfType(Bulkhead.CrowdedException.class)
                .isThrownBy(() -> flights.run(1L, none.begin(), any -> false, (mine, call) -> {}));
        over.countDown();
        assertThat(leader.get()).isNotNull();
    }

    @Test
    void waitersOfARefusedLeaderAskAnew() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch joined = new CountDownLatch(1);
        IllegalStateException refusal = new IllegalStateException("there is no place");
        Future<LoadResult<String>> leader =
                threads.submit(() -> flights.run(1L, bulkhead.begin(), any -> false, (mine, call) -> {
                    started.countDown();
                    uninterrupted(joined);
                    mine.get(0).refuse(refusal);
                }));
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
        LoadResult<String> alone = flights.leadAlone(1L, bulkhead.begin(), (mine, call) -> {
            assertThat(flights.size()).isZero();
            var other = threads.submit(() -> run(1L, false, flight -> loadResult("other", flight.nextStep())));
            await().until(other::isDone);
            mine.get(0).complete(loadResult("alone", mine.get(0).nextStep()));
        });
        assertThat(alone.entry().value()).isEqualTo("alone");
    }

    @Test
    void aSourceThatCallsItsOwnCachePastAllTiersFails() {
        assertThatIllegalStateException()
                .isThrownBy(() -> flights.leadAlone(
                        1L, bulkhead.begin(), (mine, call) -> flights.leadAlone(1L, call, (again, same) -> {})))
                .withMessage("a source must not call the cache that it fills");
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

    private static void uninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("the test is over", e);
        }
    }

    /** A load of one key, in the form of a load of many. */
    private @Nullable LoadResult<String> run(
            long key, boolean contentWithinBound, Function<Flight<Long, String>, LoadResult<String>> load)
            throws InterruptedException, ExecutionException, TimeoutException {
        Map<Long, LoadResult<String>> loadResults = new HashMap<>();
        Map<Long, Exception> failures = new HashMap<>();
        flights.run(
                List.of(key),
                bulkhead.begin(),
                any -> contentWithinBound,
                (mine, call) -> mine.forEach(flight -> flight.complete(load.apply(flight))),
                loadResults,
                failures);
        if (failures.get(key) instanceof ExecutionException failure) {
            throw failure;
        }
        assertThat(failures).isEmpty();
        return loadResults.get(key);
    }
}
