package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.GuardProtocol;
import dev.usher.redis.RedisWay;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.micrometer.context.ContextRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.MDC;

/** Reads that hold no thread while they wait: for Redis, for another process's claim, for another caller's load. */
class AsyncReadsIT extends NodesOnRedis {

    private static final int MANY = 10_000;

    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .maxWait(Duration.ofMinutes(1))
            .claimWait(Duration.ofMinutes(1))
            .build());

    private static final ThreadLocal<String> TENANT = new ThreadLocal<>();

    private final Table table = new Table();
    private final ThreadPoolExecutor one = pool(1);
    private final ThreadPoolExecutor four = pool(4);

    private static ThreadPoolExecutor pool(int threads) {
        return new ThreadPoolExecutor(threads, threads, 1, TimeUnit.MINUTES, new LinkedBlockingQueue<>());
    }

    @BeforeEach
    void fill() {
        LongStream.rangeClosed(1, MANY).forEach(id -> table.put(id, profile(id)));
    }

    @AfterEach
    void stop() {
        table.gate.countDown();
        one.shutdownNow();
        four.shutdownNow();
    }

    private static UserProfile profile(long id) {
        return new UserProfile("", "user " + id, "", false, "", "");
    }

    private UserCaches node(Executor executor) {
        return open(patient(uri()).executor(executor));
    }

    private UserCache<Long, UserProfile> cache(Executor executor) {
        return node(executor).cache(PATIENT, Long.class, table);
    }

    private static List<CompletableFuture<Optional<UserProfile>>> findAll(
            UserCache<Long, UserProfile> cache, LongStream ids) {
        return ids.mapToObj(cache::findAsync).toList();
    }

    @Test
    void tenThousandUsersAtOnceNeedFourThreads() throws Exception {
        UserCache<Long, UserProfile> cache = cache(four);
        List<CompletableFuture<Optional<UserProfile>>> answers = findAll(cache, LongStream.rangeClosed(1, MANY));
        for (int i = 0; i < MANY; i++) {
            assertThat(answers.get(i).get(1, TimeUnit.MINUTES)).contains(profile(i + 1));
        }
        assertThat(four.getLargestPoolSize()).isEqualTo(4);
        assertThat(table.queries.get()).as("they share queries").isLessThan(MANY / 2);
        assertThat(cache.stats().loadedUsers()).isEqualTo(MANY);
        awaitLoads();
    }

    @Test
    void tenThousandCallersOfOneUserAreOneQueryAndHoldOneThread() throws Exception {
        table.holdBackAfterReading();
        UserCache<Long, UserProfile> cache = cache(four);
        CompletableFuture<Optional<UserProfile>> leader = cache.findAsync(7L);
        await().until(() -> table.queries.get() == 1);
        // They have come after the query began, and wait for its fill; no thread waits with them.
        List<CompletableFuture<Optional<UserProfile>>> answers =
                findAll(cache, LongStream.generate(() -> 7).limit(MANY));
        await().until(() -> four.getActiveCount() == 1 && four.getQueue().isEmpty());
        assertThat(answers).noneMatch(CompletableFuture::isDone);
        table.gate.countDown();
        assertThat(leader.get()).contains(profile(7));
        for (CompletableFuture<Optional<UserProfile>> answer : answers) {
            assertThat(answer.get(1, TimeUnit.MINUTES)).contains(profile(7));
        }
        assertThat(table.queries).hasValue(1);
    }

    @Test
    void noThreadWaitsForRedis() throws Exception {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = open(UserCaches.builder()
                            .redis(proxy.uri())
                            .executor(one)
                            .commandTimeout(Duration.ofMinutes(1)))
                    .cache(PATIENT, Long.class, table);
            assertThat(cache.findAsync(1L).get()).contains(profile(1));
            awaitLoads();
            proxy.freeze();
            List<CompletableFuture<Optional<UserProfile>>> answers = findAll(cache, LongStream.rangeClosed(2, 100));
            // A task behind them is run at once.
            one.submit(() -> {}).get(10, TimeUnit.SECONDS);
            assertThat(answers).noneMatch(CompletableFuture::isDone);
            await().until(() -> one.getActiveCount() == 0);
            proxy.thaw();
            for (CompletableFuture<Optional<UserProfile>> answer : answers) {
                assertThat(answer.get(1, TimeUnit.MINUTES)).isPresent();
            }
        }
    }

    @Test
    void noThreadWaitsForAnotherProcess() throws Exception {
        table.holdBackAfterReading();
        UserCache<Long, UserProfile> elsewhere = cache(four);
        CompletableFuture<Optional<UserProfile>> claimant = elsewhere.findAsync(1L);
        await().until(() -> table.queries.get() == 1);
        Table other = new Table();
        other.put(2, profile(2));
        UserCache<Long, UserProfile> cache = node(one).cache(PATIENT, Long.class, other);
        List<CompletableFuture<Optional<UserProfile>>> waiting =
                findAll(cache, LongStream.generate(() -> 1).limit(100));
        await().until(() -> cache.stats().claimWaits() > 0);
        assertThat(cache.findAsync(2L).get(10, TimeUnit.SECONDS)).contains(profile(2));
        assertThat(waiting).noneMatch(CompletableFuture::isDone);
        await().until(() -> one.getActiveCount() == 0);
        table.gate.countDown();
        assertThat(claimant.get()).contains(profile(1));
        for (CompletableFuture<Optional<UserProfile>> answer : waiting) {
            assertThat(answer.get(1, TimeUnit.MINUTES)).contains(profile(1));
        }
        assertThat(other.asked).containsExactly(Set.of(2L));
    }

    @Test
    void aCancelledCallerHarmsNoOther() throws Exception {
        table.holdBackAfterReading();
        UserCache<Long, UserProfile> cache = cache(four);
        CompletableFuture<Optional<UserProfile>> leader = cache.findAsync(1L);
        await().until(() -> table.queries.get() == 1);
        CompletableFuture<Optional<UserProfile>> waiter = cache.findAsync(1L);
        CompletableFuture<Optional<UserProfile>> other = cache.findAsync(1L);
        leader.cancel(true);
        waiter.cancel(true);
        table.gate.countDown();
        assertThat(other.get(1, TimeUnit.MINUTES)).contains(profile(1));
        assertThat(cache.find(1L)).contains(profile(1));
        assertThat(table.queries).hasValue(1);
    }

    @Test
    void whatACallerDoesWithItsAnswerHoldsNothingUp() throws Exception {
        table.holdBackAfterReading(); // until the caller has said what it does: of an answer that is there, it does
        // it itself
        UserCache<Long, UserProfile> cache = cache(four);
        CountDownLatch over = new CountDownLatch(1);
        CompletableFuture<String> busy = cache.findAsync(1L).thenApply(found -> {
            try {
                over.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return Thread.currentThread().getName();
        });
        table.gate.countDown();
        await().until(() -> four.getActiveCount() == 1);
        UserCache<Long, UserProfile> elsewhere = cache(one);
        await().until(() -> elsewhere.findCached(List.of(1L)).containsKey(1L));
        assertThat(cache.findAsync(2L).get(10, TimeUnit.SECONDS)).contains(profile(2));
        over.countDown();
        assertThat(busy.get()).startsWith("pool-");
    }

    @Test
    void theContextOfTheCallerIsThatOfItsLoadAndOfWhatItDoesNext() throws Exception {
        ContextRegistry.getInstance().registerThreadLocalAccessor("tenant", TENANT);
        Map<Long, String> seen = new ConcurrentHashMap<>();
        UserCache<Long, UserProfile> cache = node(one).cache(PATIENT, Long.class, ids -> {
            Map<Long, UserProfile> found = new HashMap<>();
            ids.forEach(id -> {
                seen.put(id, MDC.get("request") + " of " + TENANT.get());
                found.put(id, profile(id));
            });
            return found;
        });
        try {
            MDC.put("request", "r1");
            TENANT.set("acme");
            CompletableFuture<String> answer = cache.findAsync(1L)
                    .thenApply(found -> seen.get(1L) + ", then " + MDC.get("request") + " of " + TENANT.get());
            MDC.clear();
            TENANT.remove();
            assertThat(answer.get()).isEqualTo("r1 of acme, then r1 of acme");
            assertThat(cache.findAsync(2L).get()).isPresent();
            assertThat(seen.get(2L)).as("nothing is left on the thread").isEqualTo("null of null");
        } finally {
            MDC.clear();
            TENANT.remove();
            ContextRegistry.getInstance().removeThreadLocalAccessor("tenant");
        }
    }

    @Test
    void anExecutorThatRunsATaskOnTheThreadThatHandsItInDoesNotBlockAnEventLoop() throws Exception {
        Set<String> threads = ConcurrentHashMap.newKeySet();
        UserCache<Long, UserProfile> cache = node(Runnable::run).cache(PATIENT, Long.class, ids -> {
            threads.add(Thread.currentThread().getName());
            return table.load(ids);
        });
        assertThat(cache.findAsync(1L)
                        .thenApply(found -> Thread.currentThread().getName())
                        .get())
                .isIn("usher-worker", Thread.currentThread().getName());
        assertThat(threads).containsExactly("usher-worker");
    }

    @Test
    void aContextThatCannotBeRestoredHoldsUpNoCaller() throws Exception {
        ContextRegistry.getInstance()
                .registerThreadLocalAccessor(
                        "broken",
                        () -> "caller's",
                        value -> {
                            throw new IllegalStateException("on purpose");
                        },
                        () -> {});
        try {
            UserCache<Long, UserProfile> cache = cache(one);
            assertThat(cache.findAsync(1L).get(10, TimeUnit.SECONDS)).contains(profile(1));
            awaitLoads();
        } finally {
            ContextRegistry.getInstance().removeThreadLocalAccessor("broken");
        }
    }

    @Test
    void anExecutorOfOneThreadIsThatOfEachStep() throws Exception {
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        UserCache<Long, UserProfile> cache = node(one).cache(PATIENT, Long.class, ids -> {
            threads.add(Thread.currentThread());
            return table.load(ids);
        });
        // Handed in by the thread that later runs it.
        cache.findAsync(1L)
                .thenAccept(found -> threads.add(Thread.currentThread()))
                .get();
        assertThat(threads).containsExactly(one.submit(Thread::currentThread).get());
    }

    @Test
    void anExecutorWithoutThreadsHarmsNoCaller() throws Exception {
        UserCache<Long, UserProfile> cache = node(task -> {
                    throw new OutOfMemoryError("unable to create native thread");
                })
                .cache(PATIENT.with(PATIENT.policy().toBuilder().maxLoads(1).build()), Long.class, table);
        assertThat(cache.findAsync(1L).get(10, TimeUnit.SECONDS)).contains(profile(1));
        assertThat(cache.findAsync(2L).get(10, TimeUnit.SECONDS)).contains(profile(2));
    }

    @Test
    void aCallerTooManyIsRefusedThoughTheExecutorIsBusy() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        var unused = one.submit(() -> {
            over.await();
            return null;
        });
        UserCache<Long, UserProfile> cache = cache(one);
        List<CompletableFuture<Optional<UserProfile>>> answers =
                findAll(cache, LongStream.generate(() -> 1).limit(20_000));
        CompletableFuture<Optional<UserProfile>> refused = cache.findAsync(1L);
        assertThat(refused).isCompletedExceptionally();
        assertThat(cache.stats().loadsRejected()).isEqualTo(1);
        over.countDown();
        for (CompletableFuture<Optional<UserProfile>> answer : answers) {
            assertThat(answer.get(1, TimeUnit.MINUTES)).isPresent();
        }
        assertThat(cache.findAsync(2L).get(10, TimeUnit.SECONDS)).isPresent();
    }

    @Test
    void closedCachesLeaveNoCallerWaitingForASourceThatHangs() throws Exception {
        table.holdBackAfterReading();
        UserCaches node = node(four);
        Facet<UserProfile> brief = PATIENT.with(
                PATIENT.policy().toBuilder().maxWait(Duration.ofSeconds(1)).build());
        UserCache<Long, UserProfile> cache = node.cache(brief, Long.class, table);
        var leader = cache.findAsync(1L);
        await().until(() -> table.queries.get() == 1);
        CompletableFuture<Optional<UserProfile>> waiter = cache.findAsync(1L);
        node.close();
        await().until(waiter::isDone);
        assertThat(leader).isNotDone();
    }

    @Test
    void whatTheExecutorRejectsRunsOnThreadsOfTheCaches() throws Exception {
        UserCache<Long, UserProfile> cache = cache(task -> {
            throw new RejectedExecutionException("full");
        });
        assertThat(cache.findAsync(1L).get(10, TimeUnit.SECONDS)).contains(profile(1));
    }

    @Test
    void anErrorOfTheSourceReachesTheCaller() {
        StackOverflowError error = new StackOverflowError("on purpose");
        UserCache<Long, UserProfile> cache = node(one).cache(PATIENT, Long.class, ids -> {
            throw error;
        });
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> cache.findAsync(1L).get())
                .withCause(error);
    }

    @Test
    void theFailureOfAnotherCallersLoadNamesTheUserThatWasAskedFor() throws Exception {
        table.holdBackAfterReading();
        table.failure = new IllegalStateException("on purpose");
        UserCache<Long, UserProfile> cache = cache(four);
        CompletableFuture<?> list = CompletableFuture.supplyAsync(() -> cache.findAll(List.of(1L, 2L)));
        await().until(() -> table.queries.get() == 1);
        CompletableFuture<Optional<UserProfile>> waiter = cache.findAsync(1L);
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(1L) == 1);
        table.gate.countDown();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> list.get(10, TimeUnit.SECONDS))
                .havingCause()
                .isInstanceOfSatisfying(
                        UserUnavailableException.class,
                        of -> assertThat(of.ids()).hasSize(2));
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> waiter.get(10, TimeUnit.SECONDS))
                .havingCause()
                .withMessageEndingWith("another caller's load failed")
                .isInstanceOfSatisfying(
                        UserUnavailableException.class,
                        of -> assertThat(of.ids()).isEqualTo(Set.of(1L)));
    }

    @Test
    void anErrorOfAnotherCallersLoadIsNoErrorOfItsWaiters() throws Exception {
        StackOverflowError error = new StackOverflowError("on purpose");
        UserCache<Long, UserProfile> cache = node(four).cache(PATIENT, Long.class, ids -> {
            table.queries.incrementAndGet();
            table.gate.await();
            throw error;
        });
        CompletableFuture<Optional<UserProfile>> leader = cache.findAsync(1L);
        await().until(() -> table.queries.get() == 1);
        CompletableFuture<Optional<UserProfile>> waiter = cache.findAsync(1L);
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(1L) == 1);
        table.gate.countDown();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> leader.get(10, TimeUnit.SECONDS))
                .withCause(error);
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> waiter.get(10, TimeUnit.SECONDS))
                .havingCause()
                .isInstanceOf(UserUnavailableException.class)
                .withCause(error);
    }

    @Test
    void aListIsStoredThoughTheExecutorIsBusy() throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        var unused = one.submit(() -> {
            over.await();
            return null;
        });
        UserCache<Long, UserProfile> cache = cache(one);
        assertThat(cache.findAll(List.of(1L, 2L))).hasSize(2);
        // It waits for the fill of the list.
        assertThat(CompletableFuture.supplyAsync(() -> cache.find(1L)).get(10, TimeUnit.SECONDS))
                .contains(profile(1));
        awaitLoads();
        assertThat(redis.exists("user:1:profile", "user:2:profile")).isEqualTo(2);
        over.countDown();
    }

    @Test
    void aListIsStoredThoughAllThreadsAreBusyForLongerThanAClaimLives() throws Exception {
        CountDownLatch attached = new CountDownLatch(1);
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(PATIENT, Long.class, ids -> {
            attached.await(); // what is attached to an answer that is there already would run on this test's thread
            return table.load(ids);
        });
        CountDownLatch busy = new CountDownLatch(32);
        CountDownLatch over = new CountDownLatch(1);
        for (CompletableFuture<Optional<UserProfile>> answer : findAll(cache, LongStream.rangeClosed(101, 132))) {
            var unused = answer.thenAccept(found -> {
                busy.countDown();
                try {
                    over.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
        attached.countDown();
        assertThat(busy.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(cache.findAll(List.of(1L, 2L))).hasSize(2);
        long from = System.nanoTime();
        await().until(() -> System.nanoTime() - from > GuardProtocol.LEASE.toNanos() * 3 / 2);
        over.countDown();
        awaitLoads();
        assertThat(cache.stats().fillsRefused()).isZero();
        assertThat(redis.exists("user:1:profile", "user:2:profile")).isEqualTo(2);
    }

    @Test
    void aCallerIsAnsweredBeforeItsUserIsStored() throws Exception {
        UserCache<Long, UserProfile> cache = node(one).cache(PATIENT, Long.class, ids -> {
            // FILL is not processed before the end of this pause; GET would be.
            client("PAUSE", "60000", "WRITE");
            return table.load(ids);
        });
        try {
            assertThat(cache.find(1L)).contains(profile(1));
            assertThat(redis.exists("user:1:profile")).isZero();
            CompletableFuture<Optional<UserProfile>> later = cache.findAsync(1L);
            // It has come after the query: only what is stored, and read again, is new enough for it.
            assertThat(one.submit(() -> later.isDone()).get()).isFalse();
            client("UNPAUSE");
            assertThat(later.get(1, TimeUnit.MINUTES)).contains(profile(1));
            assertThat(redis.exists("user:1:profile")).isOne();
            assertThat(table.queries).hasValue(1);
        } finally {
            client("UNPAUSE");
        }
    }

    private static void client(String... arguments) {
        CommandArgs<String, String> all = new CommandArgs<>(StringCodec.UTF8);
        for (String argument : arguments) {
            all.add(argument);
        }
        redis.dispatch(CommandType.CLIENT, new StatusOutput<>(StringCodec.UTF8), all);
    }

    @Test
    void whatCannotBeStoredIsAnAnswerAllTheSame() throws Exception {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = open(UserCaches.builder().redis(proxy.uri()))
                    .cache(PATIENT, Long.class, ids -> {
                        proxy.freeze();
                        return table.load(ids);
                    });
            assertThat(cache.find(1L)).contains(profile(1));
            await().until(() -> cache.stats().sharedErrors() > 0);
            proxy.thaw();
            awaitLoads();
        }
    }

    @Test
    void blockingAndOtherCallersShareALoadInEitherOrder() throws Exception {
        BlockingQueue<CountDownLatch> gates = new LinkedBlockingQueue<>();
        AtomicInteger queries = new AtomicInteger();
        UserCache<Long, UserProfile> cache = node(four).cache(PATIENT, Long.class, ids -> {
            CountDownLatch gate = new CountDownLatch(1);
            queries.incrementAndGet();
            gates.add(gate);
            gate.await();
            return table.load(ids);
        });
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (boolean blockingLeads : new boolean[] {true, false}) {
                long id = blockingLeads ? 1 : 2;
                queries.set(0);
                List<Future<Optional<UserProfile>>> answers = new ArrayList<>();
                answers.add(blockingLeads ? threads.submit(() -> cache.find(id)) : cache.findAsync(id));
                CountDownLatch gate = requireNonNull(gates.poll(10, TimeUnit.SECONDS));
                answers.add(cache.findAsync(id));
                answers.add(threads.submit(() -> cache.find(id)));
                await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(id) == 2);
                gate.countDown();
                for (Future<Optional<UserProfile>> answer : answers) {
                    assertThat(answer.get(10, TimeUnit.SECONDS)).contains(profile(id));
                }
                assertThat(queries).hasValue(1);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void closedCachesLeaveNoCallerWaiting() {
        try (RedisWay proxy = way()) {
            UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(Duration.ofSeconds(2)));
            UserCache<Long, UserProfile> cache = node.cache(PATIENT, Long.class, table);
            proxy.freeze();
            ConcurrentLinkedQueue<CompletableFuture<?>> answers = new ConcurrentLinkedQueue<>();
            LongStream.rangeClosed(1, 1_000).forEach(id -> answers.add(cache.findAsync(id)));
            node.close();
            await().until(() -> answers.stream().allMatch(CompletableFuture::isDone));
            assertThat(answers).allMatch(CompletableFuture::isCompletedExceptionally);
        }
    }
}
