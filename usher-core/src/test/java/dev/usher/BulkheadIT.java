package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Holding;
import dev.usher.redis.RedisWay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.assertj.core.api.ThrowableAssertAlternative;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** However many callers there are, the number of queries of the source is limited, with Redis and without. */
class BulkheadIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");

    private static final String ANN_AS_JSON =
            "{\"mobile\":\"13800000000\",\"name\":\"Ann\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}";

    private static final Facet<UserProfile> NARROW = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .maxLoads(3)
            .maxWaitingLoads(10)
            .build());

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch gate = new CountDownLatch(1);
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger maxUnderWay = new AtomicInteger();

    @AfterEach
    void close() {
        gate.countDown();
        threads.shutdownNow();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void queriesAndWaitersAreLimitedAndFurtherCallersAreRefusedAtOnce(boolean withRedis) throws Exception {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = narrowBehind(proxy, withRedis);
            List<Future<Optional<UserProfile>>> callers = new ArrayList<>();
            LongStream.range(0, 3).forEach(id -> callers.add(threads.submit(() -> cache.find(id))));
            // A query that begins later would load the users of callers that wait by then.
            await().until(() -> underWay.get() == 3);
            LongStream.range(3, 50).forEach(id -> callers.add(threads.submit(() -> cache.find(id))));
            await().until(() -> callers.stream().filter(Future::isDone).count() == 50 - 3 - 10);
            assertThat(underWay).hasValue(3);
            assertThat(((TieredUserCache<Long, UserProfile>) cache).waitingForTheSource())
                    .isEqualTo(10);
            for (Future<Optional<UserProfile>> refused :
                    callers.stream().filter(Future::isDone).toList()) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(refused::get)
                        .havingCause()
                        .isExactlyInstanceOf(UserUnavailableException.class)
                        .withMessageEndingWith("is unavailable: too many callers wait already (maxWaitingLoads)");
            }
            Future<Optional<UserProfile>> fresh = threads.submit(() -> cache.findFresh(77L));
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> fresh.get(10, TimeUnit.SECONDS))
                    .withCauseExactlyInstanceOf(UserUnavailableException.class);
            Future<Explanation<UserProfile>> explained = threads.submit(() -> cache.explain(77L));
            assertThat(explained.get(10, TimeUnit.SECONDS).source()).isInstanceOf(Holding.Unknown.class);
            assertThat(cache.stats().loadsRejected()).isEqualTo(37 + 2);
            assertThat(cache.stats().unavailable()).isEqualTo(37 + 1);

            gate.countDown();
            for (Future<Optional<UserProfile>> caller : callers) {
                try {
                    assertThat(caller.get()).contains(ANN);
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(UserUnavailableException.class);
                }
            }
            assertThat(maxUnderWay).hasValue(3);
            assertThat(cache.stats().sourcePresent()).isEqualTo(13);
            assertThat(cache.find(77L)).as("there is room again").contains(ANN);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void callersThatWaitForAnotherCallersLoadOfTheSameUserAreCountedToo(boolean withRedis) throws Exception {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = narrowBehind(proxy, withRedis);
            Future<Optional<UserProfile>> leader = threads.submit(() -> cache.find(1L));
            await().until(() -> underWay.get() == 1);
            List<Future<Optional<UserProfile>>> waiters = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                waiters.add(threads.submit(() -> cache.find(1L)));
            }
            await().until(() -> waiters.stream().filter(Future::isDone).count() == 50 - 10);
            for (Future<Optional<UserProfile>> refused :
                    waiters.stream().filter(Future::isDone).toList()) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(refused::get)
                        .withCauseExactlyInstanceOf(UserUnavailableException.class);
            }
            assertThat(cache.stats().loadsRejected()).isEqualTo(40);
            gate.countDown();
            assertThat(leader.get()).contains(ANN);
            await().until(() -> waiters.stream().allMatch(Future::isDone));
            assertThat(cache.stats().loadsRejected()).isEqualTo(40);
        }
    }

    @Test
    void aCallThatMayNotWaitForAnotherIsAnsweredByRedisAndElseRefused() {
        TieredUserCache<Long, UserProfile> cache = cacheOf(
                NARROW.with(NARROW.policy().toBuilder().maxWaitingLoads(0).build()));
        occupySource(cache);
        redis.set("user:1:profile", ANN_AS_JSON);
        redis.set("user:9:profile", ANN_AS_JSON);
        assertThat(cache.find(1L)).as("is being loaded by another caller").contains(ANN);
        assertThat(cache.find(9L)).contains(ANN);
        assertThat(cache.lookUpAll(List.of(1L, 2L, 7L, 9L)))
                .allSatisfy((id, found) -> assertThat(found.isUnavailable()).isEqualTo(id == 2 || id == 7));
        long claims = RedisCalls.of(redis, "evalsha");
        for (int i = 0; i < 100; i++) {
            assertUnavailable(() -> cache.find(7L)).withMessageEndingWith("(maxWaitingLoads)");
            assertUnavailable(() -> cache.find(2L)).withMessageEndingWith("(maxWaitingLoads)");
            assertUnavailable(() -> cache.findFresh(7L)).withMessageEndingWith("(maxWaitingLoads)");
        }
        // Renewals of the three claims go on meanwhile.
        assertThat(RedisCalls.of(redis, "evalsha") - claims).isLessThan(100);
    }

    @Test
    void oneCallHasOneDeadlineForAllItsWaits() throws Exception {
        TieredUserCache<Long, UserProfile> cache = cacheOf(NARROW.with(NARROW.policy().toBuilder()
                .maxWaitingLoads(1)
                .maxWait(Duration.ofMillis(200))
                .build()));
        List<Future<Optional<UserProfile>>> leaders = occupySource(cache);
        for (Supplier<?> call : List.<Supplier<?>>of(() -> cache.find(7L), () -> cache.find(1L))) {
            assertUnavailable(call).withMessageEndingWith("is unavailable: nothing was loaded within 200 ms (maxWait)");
        }
        long from = System.nanoTime();
        // Some of them wait for other callers, the rest for a turn at the source, in three parts.
        List<Long> many = LongStream.range(1, 1_300).boxed().toList();
        assertThat(cache.lookUpAll(many).values()).hasSize(1_299).allMatch(Lookup::isUnavailable);
        assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(Duration.ofSeconds(5));
        assertThat(cache.stats().loadsRejected()).as("a call takes one place").isZero();
        gate.countDown();
        for (Future<Optional<UserProfile>> leader : leaders) {
            assertThat(leader.get()).as("is not cut off").contains(ANN);
        }
        assertThat(cache.find(7L)).as("all places are free again").contains(ANN);
    }

    @Test
    void callersThatWaitForALoadAskAnewWhenItsLeaderMayWaitNoLonger() throws Exception {
        TieredUserCache<Long, UserProfile> cache = cacheOf(NARROW.with(
                NARROW.policy().toBuilder().maxWait(Duration.ofSeconds(2)).build()));
        occupySource(cache);
        Future<Optional<UserProfile>> leader = threads.submit(() -> cache.find(7L));
        await().until(() -> cache.waitingForTheSource() == 1);
        long from = System.nanoTime();
        await().until(() -> System.nanoTime() - from > Duration.ofMillis(1500).toNanos());
        Future<Optional<UserProfile>> waiter = threads.submit(() -> cache.find(7L));
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(leader::get)
                .withCauseExactlyInstanceOf(UserUnavailableException.class);
        await().until(() -> cache.waitingForTheSource() == 1);
        gate.countDown();
        assertThat(waiter.get()).contains(ANN);
    }

    @Test
    void aWaitForAnotherProcessIsOneOfThem() throws Exception {
        TieredUserCache<Long, UserProfile> other = cacheOf(NARROW);
        List<Future<Optional<UserProfile>>> leaders = occupySource(other);
        UserCache<Long, UserProfile> withoutPlaces = besides(0, Duration.ofMinutes(1));
        assertThat(withoutPlaces.find(1L))
                .as("finds no place, and asks the source")
                .contains(ANN);
        assertThat(withoutPlaces.stats().claimWaits()).isZero();

        UserCache<Long, UserProfile> withOne = besides(1, Duration.ofMinutes(1));
        Future<Optional<UserProfile>> inTheLastPlace = threads.submit(() -> withOne.find(1L));
        assertThat(inTheLastPlace.get(10, TimeUnit.SECONDS)).as("asks it soon").contains(ANN);
        assertThat(withOne.stats().claimWaits()).isEqualTo(1);

        UserCache<Long, UserProfile> withTwo = besides(2, Duration.ofSeconds(1));
        Future<Optional<UserProfile>> inAPlace = threads.submit(() -> withTwo.find(1L));
        assertThat(inAPlace.get(10, TimeUnit.SECONDS))
                .as("asks it at its deadline")
                .contains(ANN);
        assertThat(List.of(withoutPlaces, withOne, withTwo))
                .allSatisfy(cache -> assertThat(cache.stats().loadsRejected()).isZero());
        gate.countDown();
        for (Future<Optional<UserProfile>> leader : leaders) {
            assertThat(leader.get()).contains(ANN);
        }
    }

    private UserCache<Long, UserProfile> narrowBehind(RedisWay proxy, boolean withRedis) {
        UserCache<Long, UserProfile> cache = open(UserCaches.builder()
                        .redis(proxy.uri())
                        .commandTimeout(Duration.ofSeconds(5)))
                .cache(NARROW, Long.class, this::load);
        if (!withRedis) {
            proxy.refuse();
            await().until(() -> !cache.stats().nearOpen());
        }
        return cache;
    }

    /** The cache of another process, whose own source answers. */
    private UserCache<Long, UserProfile> besides(int places, Duration maxWait) {
        UserCache<Long, UserProfile> cache = open(patient(uri()))
                .cache(
                        NARROW.with(NARROW.policy().toBuilder()
                                .claimWait(Duration.ofMinutes(5))
                                .maxWait(maxWait)
                                .maxWaitingLoads(places)
                                .build()),
                        Long.class,
                        ids -> ids.stream().collect(Collectors.toMap(Function.identity(), id -> ANN)));
        await().until(() -> cache.stats().nearOpen());
        return cache;
    }

    /** Waits until as many queries are under way as the policy allows, of the users 1 to 3. */
    private List<Future<Optional<UserProfile>>> occupySource(UserCache<Long, UserProfile> cache) {
        List<Future<Optional<UserProfile>>> leaders = LongStream.range(1, 4)
                .mapToObj(id -> threads.submit(() -> cache.find(id)))
                .toList();
        await().until(() -> underWay.get() == 3);
        return leaders;
    }

    private TieredUserCache<Long, UserProfile> cacheOf(Facet<UserProfile> facet) {
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(facet, Long.class, this::load);
        await().until(() -> cache.stats().nearOpen());
        return (TieredUserCache<Long, UserProfile>) cache;
    }

    private static ThrowableAssertAlternative<UserUnavailableException> assertUnavailable(Supplier<?> call) {
        return assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(call::get);
    }

    private Map<Long, UserProfile> load(Set<Long> ids) throws InterruptedException {
        maxUnderWay.accumulateAndGet(underWay.incrementAndGet(), Math::max);
        try {
            gate.await();
            return ids.stream().collect(Collectors.toMap(Function.identity(), id -> ANN));
        } finally {
            underWay.decrementAndGet();
        }
    }
}
