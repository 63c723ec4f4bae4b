package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import java.io.IOError;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BatchedLoadsTest {

    private static final long GATED = 1L;

    private final BlockingQueue<Call> calls = new LinkedBlockingQueue<>();
    private final List<Caller> callers = new CopyOnWriteArrayList<>();
    private final Queue<Thread> stillInterrupted = new ConcurrentLinkedQueue<>();
    private final ExecutorService database = Executors.newSingleThreadExecutor();
    private BatchedLoads<Long, String> loads = of(this::query);
    private Bulkhead bulkhead = new Bulkhead(1000, Duration.ofSeconds(30), System::nanoTime);

    @AfterEach
    void stop() {
        callers.forEach(caller -> caller.thread.interrupt());
        database.shutdownNow();
    }

    @Test
    void aFewCallersQueryAtOnceEachByItself() throws Exception {
        List<Caller> few =
                LongStream.range(0, 4).mapToObj(id -> caller(Set.of(id))).toList();
        List<Call> underWay = List.of(nextCall(), nextCall(), nextCall(), nextCall());
        assertThat(underWay)
                .extracting(Call::ids)
                .containsExactlyInAnyOrder(Set.of(0L), Set.of(1L), Set.of(2L), Set.of(3L));
        underWay.forEach(Call::answer);
        for (long id = 0; id < 4; id++) {
            assertThat(answerOf(few.get((int) id))).containsExactly(Map.entry(id, "value of " + id));
        }
    }

    @Test
    void callersThatComeWhileFourAreUnderWayShareOneQuery() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(100, 1);
        assertThat(calls).isEmpty();
        underWay.get(0).answer();
        Call shared = nextCall();
        assertThat(shared.ids()).hasSize(100);
        shared.answer();
        for (Caller caller : waiters) {
            assertAnswered(caller);
        }
        assertThat(calls).isEmpty();
    }

    @Test
    void aCallerBeyondTheLimitOfWaitersIsRefusedAtOnce() throws Exception {
        bulkhead = new Bulkhead(3, Duration.ofSeconds(30), System::nanoTime);
        List<Call> underWay = occupyAllPlaces();
        List<Caller> seated = waitingCallers(3, 1);
        assertThat(failureOf(caller(Set.of(7L)))).isInstanceOf(Bulkhead.CrowdedException.class);

        underWay.get(0).answer();
        Call shared = nextCall();
        assertThat(shared.ids()).as("without the refused caller").hasSize(3);
        assertThat(loads.waiting()).isZero();
        waitingCaller(Set.of(8L)); // the leader has given its place back
        assertThat(failureOf(caller(Set.of(7L))))
                .as("the waiters of the batch still hold their places")
                .isInstanceOf(Bulkhead.CrowdedException.class);

        shared.answer();
        for (Caller caller : seated) {
            assertAnswered(caller);
        }
        nextCall().answer();
        underWay.subList(1, 4).forEach(Call::answer);
        assertAllPlacesAreFree();
    }

    @Test
    void aCallerThatGivesUpLeavesItsPlace() throws Exception {
        bulkhead = new Bulkhead(1, Duration.ofMillis(100), System::nanoTime);
        List<Call> underWay = occupyAllPlaces();
        assertThat(failureOf(waitingCaller(Set.of(7L)))).isInstanceOf(TimeoutException.class);
        Caller gone = waitingCaller(Set.of(8L));
        gone.thread.interrupt();
        assertThat(failureOf(gone)).isInstanceOf(InterruptedException.class);
        assertThat(failureOf(waitingCaller(Set.of(9L)))).isInstanceOf(TimeoutException.class);
        underWay.forEach(Call::answer);
    }

    @Test
    void withoutPlacesToWaitACallerWithoutAPlaceIsRefused() throws Exception {
        loads = new BatchedLoads<>(this::query, 1);
        bulkhead = new Bulkhead(0, Duration.ofSeconds(30), System::nanoTime);
        Caller first = caller(Set.of(GATED));
        Call underWay = nextCall();
        assertThat(failureOf(caller(Set.of(7L)))).isInstanceOf(Bulkhead.CrowdedException.class);
        underWay.answer();
        assertAnswered(first);
        Caller next = caller(Set.of(7L));
        nextCall().answer();
        assertAnswered(next);
    }

    @Test
    void aBatchIsBounded() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(7, 100);
        underWay.get(0).answer();
        Call first = nextCall();
        assertThat(first.ids()).as("five requests").hasSize(500);
        first.answer();
        Call second = nextCall();
        assertThat(second.ids()).as("the other two").hasSize(200);
        second.answer();
        for (Caller caller : waiters) {
            assertAnswered(caller);
        }
    }

    @Test
    void aRequestThatDoesNotFitWaitsForTheNextQuery() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        waitingCallers(3, 200);
        underWay.get(0).answer();
        assertThat(nextCall().ids()).hasSize(400);
        underWay.get(1).answer();
        assertThat(nextCall().ids()).hasSize(200);
    }

    @Test
    void aRequestThatIsTooLargeIsQueriedInSeveralPartsOneAfterTheOther() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        Caller large = waitingCallers(1, 1_200).get(0);
        Caller small = waitingCaller(Set.of(7L));
        underWay.get(0).answer();
        for (int size : new int[] {500, 500, 200}) {
            Call part = nextCall();
            assertThat(part.ids()).hasSize(size).doesNotContain(7L);
            assertThat(calls).isEmpty();
            part.answer();
        }
        assertAnswered(large);
        nextCall().answer();
        assertAnswered(small);
    }

    @Test
    void aRequestIsNotAnsweredByAQueryThatHasBegun() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        Caller late = waitingCaller(Set.of(GATED));
        underWay.get(0).answerWith("old");
        Call fresh = nextCall();
        underWay.get(1).answerWith("old");
        assertThat(late.isDone()).isFalse();
        fresh.answerWith("new");
        assertThat(answerOf(late)).containsEntry(GATED, "new");
    }

    @Test
    void aFailureReachesAllCallersOfTheBatchAndIsForgotten() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(3, 1);
        underWay.get(0).answer();
        Exception failure = new IllegalArgumentException("the source is gone");
        nextCall().fail(failure);
        assertThat(failureOf(waiters.get(0))).as("the leader's").isSameAs(failure);
        for (Caller waiter : waiters.subList(1, 3)) {
            assertThat(failureOf(waiter))
                    .isInstanceOf(ExecutionException.class)
                    .cause()
                    .isSameAs(failure);
        }
        underWay.subList(1, 4).forEach(Call::answer);
        assertAllPlacesAreFree();
    }

    @Test
    void anErrorLeaksNoPlace() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(2, 1);
        Error error = new StackOverflowError("on purpose");
        underWay.get(0).fail(error);
        nextCall().fail(error);
        assertThat(failureOf(waiters.get(0))).isSameAs(error);
        assertThat(failureOf(waiters.get(1)))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isSameAs(error);
        underWay.subList(1, 4).forEach(call -> call.fail(error));
        assertAllPlacesAreFree();
    }

    @Test
    void anInterruptedWaiterWithdraws() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        Caller calledOff = waitingCaller(Set.of(5L));
        Caller other = waitingCaller(Set.of(6L));
        calledOff.thread.interrupt();
        assertThat(failureOf(calledOff)).isInstanceOf(InterruptedException.class);
        assertThat(loads.waiting()).isEqualTo(1);
        underWay.get(0).answer();
        Call next = nextCall();
        assertThat(next.ids()).containsExactly(6L);
        next.answer();
        assertAnswered(other);
        underWay.subList(1, 4).forEach(Call::answer);
        assertAllPlacesAreFree();
    }

    @Test
    void aCallerThatHasWaitedTooLongWithdraws() throws Exception {
        bulkhead = new Bulkhead(1000, Duration.ofMillis(10), System::nanoTime);
        List<Call> underWay = occupyAllPlaces();
        Caller impatient = caller(Set.of(5L));
        assertThat(failureOf(impatient)).isInstanceOf(TimeoutException.class);
        assertThat(loads.waiting()).isZero();
        underWay.forEach(Call::answer);
        awaitAllCallers();
        assertThat(calls).isEmpty();
        occupyAllPlaces();
    }

    @Test
    void aWaiterOfABatchMayWithdraw() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(3, 1);
        underWay.get(0).answer();
        Call shared = nextCall();
        waiters.get(1).thread.interrupt();
        assertThat(failureOf(waiters.get(1))).isInstanceOf(InterruptedException.class);
        shared.answer();
        assertAnswered(waiters.get(0));
        assertAnswered(waiters.get(2));
        underWay.subList(1, 4).forEach(Call::answer);
        assertAllPlacesAreFree();
    }

    @Test
    void anInterruptedLeaderDoesNotFailItsWaiters() throws Exception {
        assertThat(failuresOfAnInterruptedLeader()).isInstanceOf(InterruptedException.class);
    }

    @Test
    void anInterruptedLeaderDoesNotFailItsWaitersWhateverTheSourceThrows() throws Exception {
        loads = of(ids -> {
            try {
                return query(ids);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("called off", e);
            }
        });
        assertThat(failuresOfAnInterruptedLeader()).isInstanceOf(IllegalStateException.class);
    }

    private Throwable failuresOfAnInterruptedLeader() throws Exception {
        List<Call> underWay = occupyAllPlaces();
        List<Caller> waiters = waitingCallers(5, 1);
        underWay.get(0).answer();
        assertThat(nextCall().ids()).hasSize(5);
        for (Caller gone : List.of(waiters.get(1), waiters.get(3))) {
            gone.thread.interrupt();
            assertThat(failureOf(gone)).isInstanceOf(InterruptedException.class);
        }
        Caller leader = waiters.get(0);
        leader.thread.interrupt();
        Call again = nextCall();
        assertThat(again.ids()).as("without the callers that have left").hasSize(2);
        again.answer();
        assertAnswered(waiters.get(2));
        assertAnswered(waiters.get(4));
        Throwable failure = failureOf(leader);
        assertThat(stillInterrupted).contains(leader.thread);
        underWay.subList(1, 4).forEach(Call::answer);
        assertAllPlacesAreFree();
        return failure;
    }

    @Test
    void anInterruptedNewLeaderPassesTheLeadOn() throws Exception {
        loads = of(ids -> ids.contains(GATED) ? query(ids) : answerTo(ids));
        for (int i = 0; i < 300; i++) {
            CompletableFuture<Thread> toInterrupt = new CompletableFuture<>();
            // Passes the lead to the first waiter, and interrupts it before it has woken.
            start(Set.of(GATED), () -> {
                Map<Long, String> answer = load(Set.of(GATED));
                toInterrupt.get().interrupt();
                return answer;
            });
            Call first = nextCall();
            List<Call> others = new ArrayList<>();
            for (int other = 0; other < 3; other++) {
                caller(Set.of(GATED));
                others.add(nextCall());
            }
            Caller calledOff = waitingCaller(Set.of(5L));
            Caller next = waitingCaller(Set.of(6L));
            toInterrupt.complete(calledOff.thread);
            first.answer();
            assertAnswered(next);
            others.forEach(Call::answer);
            awaitAllCallers();
        }
        assertAllPlacesAreFree();
    }

    @Test
    void aQueryThatEndsAsARequestIsQueuedDoesNotMissIt() throws Exception {
        loads = of(ids -> ids.contains(GATED) ? query(ids) : answerTo(ids));
        bulkhead = new Bulkhead(1000, Duration.ofSeconds(5), System::nanoTime);
        List<Call> underWay = occupyAllPlaces();
        underWay.get(0).answer();
        soon(callers.get(0)::isDone);
        // In each round, one place is left for two callers that come at the same time.
        Phaser rounds = new Phaser(2);
        Callable<Map<Long, String>> loadsInEachRound = () -> {
            try {
                for (int i = 0; i < 100_000; i++) {
                    rounds.arriveAndAwaitAdvance();
                    load(Set.of(5L));
                }
                return load(Set.of(5L));
            } finally {
                rounds.arriveAndDeregister();
            }
        };
        Caller one = start(Set.of(5L), loadsInEachRound);
        Caller other = start(Set.of(5L), loadsInEachRound);
        assertAnswered(one);
        assertAnswered(other);
        underWay.forEach(Call::answer);
        assertAllPlacesAreFree();
    }

    @Test
    void everyOneOfManyCallersGetsItsOwnFreshAnswer() throws Exception {
        stress(false);
    }

    @Test
    void interruptsAndFailuresInTheMidstOfManyCallersLeakNoPlace() throws Exception {
        stress(true);
    }

    /** Many callers, and a source that answers with the time of its reading. If faulty, queries fail and callers are interrupted at random. */
    private void stress(boolean isFaulty) throws Exception {
        AtomicLong clock = new AtomicLong();
        AtomicInteger underWay = new AtomicInteger();
        AtomicInteger maxUnderWay = new AtomicInteger();
        AtomicInteger queries = new AtomicInteger();
        AtomicInteger failures = new AtomicInteger();
        loads = of(ids -> {
            if (ids.contains(GATED)) {
                return query(ids);
            }
            queries.incrementAndGet();
            maxUnderWay.accumulateAndGet(underWay.incrementAndGet(), Math::max);
            try {
                if (isFaulty && oneIn(50)) {
                    throw new IllegalStateException("at random");
                }
                if (isFaulty && oneIn(50)) {
                    throw new IOError(new IOException("at random"));
                }
                String readAt = database.submit(clock::toString).get();
                return ids.stream().collect(Collectors.toMap(Function.identity(), id -> readAt));
            } finally {
                underWay.decrementAndGet();
            }
        });
        for (int thread = 0; thread < 16; thread++) {
            start(Set.of(), () -> {
                for (int i = 0; i < 2_000; i++) {
                    Set<Long> ids =
                            random().longs(1 + i % 3, 100, 1_000).boxed().collect(Collectors.toSet());
                    long askedAt = clock.incrementAndGet();
                    if (isFaulty && oneIn(10)) {
                        callers.get(random().nextInt(callers.size())).thread.interrupt();
                    }
                    try {
                        Map<Long, String> answer = load(ids);
                        assertThat(answer).containsKeys(ids.toArray(Long[]::new));
                        assertThat(answer.values()).allMatch(readAt -> Long.parseLong(readAt) >= askedAt);
                    } catch (ExecutionException | InterruptedException | IllegalStateException | IOError e) {
                        failures.incrementAndGet();
                    }
                    Thread.interrupted();
                }
                return Map.of();
            });
        }
        for (Caller caller : callers) {
            caller.outcome.get(60, TimeUnit.SECONDS);
        }
        assertThat(maxUnderWay).hasValue(4);
        assertThat(queries).hasValueLessThan(16 * 2_000);
        assertThat(failures.get() > 0).isEqualTo(isFaulty);
        assertAllPlacesAreFree();
    }

    private static BatchedLoads<Long, String> of(BatchedLoads.Query<Long, String> source) {
        return new BatchedLoads<>(source, 4);
    }

    private static ThreadLocalRandom random() {
        return ThreadLocalRandom.current();
    }

    private static boolean oneIn(int many) {
        return random().nextInt(many) == 0;
    }

    /** A query under way, until the test completes or fails it. */
    private record Call(Set<Long> ids, CompletableFuture<Map<Long, String>> end) {

        void answer() {
            end.complete(answerTo(ids));
        }

        void answerWith(String value) {
            end.complete(ids.stream().collect(Collectors.toMap(Function.identity(), id -> value)));
        }

        void fail(Throwable failure) {
            end.completeExceptionally(failure);
        }
    }

    private static Map<Long, String> answerTo(Set<Long> ids) {
        return ids.stream().collect(Collectors.toMap(Function.identity(), id -> "value of " + id));
    }

    private Map<Long, String> load(Set<Long> ids) throws Exception {
        CallerSteps steps = new CallerSteps(Runnable::run);
        try (Bulkhead.Call call = bulkhead.begin(steps)) {
            return steps.await(loads.load(ids, call), call::interrupt);
        } catch (CompletionException e) {
            Throwable cause = Futures.causeOf(e);
            if (cause instanceof Error error) {
                throw error;
            }
            throw (Exception) cause;
        }
    }

    private Map<Long, String> query(Set<Long> ids) throws Exception {
        Call call = new Call(ids, new CompletableFuture<>());
        calls.add(call);
        try {
            return call.end.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw (Exception) requireNonNull(e.getCause());
        }
    }

    private Call nextCall() throws InterruptedException {
        return requireNonNull(calls.poll(10, TimeUnit.SECONDS), "no query has begun");
    }

    /** A thread that calls, and its result. */
    private record Caller(Set<Long> ids, Thread thread, FutureTask<Map<Long, String>> outcome) {

        boolean isDone() {
            return outcome.isDone();
        }
    }

    private Caller start(Set<Long> ids, Callable<Map<Long, String>> task) {
        FutureTask<Map<Long, String>> outcome = new FutureTask<>(task);
        Caller caller = new Caller(ids, new Thread(outcome), outcome);
        callers.add(caller);
        caller.thread.start();
        return caller;
    }

    private Caller caller(Set<Long> ids) {
        return start(ids, () -> {
            try {
                return load(ids);
            } finally {
                if (Thread.currentThread().isInterrupted()) {
                    stillInterrupted.add(Thread.currentThread());
                }
            }
        });
    }

    /** Starts a caller that finds no place, and returns once it waits. */
    private Caller waitingCaller(Set<Long> ids) {
        int before = loads.waiting();
        Caller caller = caller(ids);
        soon(() -> loads.waiting() == before + 1);
        return caller;
    }

    /** Starts callers that find no place and wait, each for the same number of ids of its own. */
    private List<Caller> waitingCallers(int count, int idsOfEach) {
        return IntStream.range(0, count)
                .mapToObj(caller -> waitingCaller(LongStream.range(0, idsOfEach)
                        .mapToObj(id -> 1_000 + (long) caller * idsOfEach + id)
                        .collect(Collectors.toSet())))
                .toList();
    }

    /** Starts four queries, which are all under way at once. */
    private List<Call> occupyAllPlaces() throws InterruptedException {
        List<Call> underWay = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            caller(Set.of(GATED));
            underWay.add(nextCall());
        }
        return underWay;
    }

    /** Asserts that there are exactly four places once all callers have gone. */
    private void assertAllPlacesAreFree() throws Exception {
        awaitAllCallers();
        assertThat(calls).isEmpty();
        assertThat(loads.waiting()).isZero();
        List<Call> underWay = occupyAllPlaces();
        Caller fifth = waitingCaller(Set.of(GATED));
        underWay.get(0).answer();
        nextCall().answer();
        assertAnswered(fifth);
        underWay.subList(1, 4).forEach(Call::answer);
        awaitAllCallers();
    }

    private void awaitAllCallers() {
        soon(() -> callers.stream().allMatch(Caller::isDone));
    }

    private static void soon(Callable<Boolean> condition) {
        await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(condition);
    }

    private static void assertAnswered(Caller caller) throws Exception {
        assertThat(answerOf(caller)).containsAllEntriesOf(answerTo(caller.ids));
    }

    private static Map<Long, String> answerOf(Caller caller) throws Exception {
        return caller.outcome.get(10, TimeUnit.SECONDS);
    }

    private static Throwable failureOf(Caller caller) {
        return requireNonNull(assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> answerOf(caller))
                .actual()
                .getCause());
    }
}
