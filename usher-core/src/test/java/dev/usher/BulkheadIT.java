package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Holding;
import dev.usher.testkit.FaultProxy;
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
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** However many ask, the source is never asked more than it can bear, with Redis and without. */
class BulkheadIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");

    private static final Facet<UserProfile> NARROW =
            UserProfile.FACET.with(UserProfile.FACET.policy().withMaxLoads(3).withMaxWaitingLoads(10));

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch gate = new CountDownLatch(1);
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger mostUnderWay = new AtomicInteger();

    @AfterEach
    void close() {
        gate.countDown();
        threads.shutdownNow();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void onlySoManyQueriesAreUnderWayOnlySoManyCallersWaitAndTheRestIsToldAtOnce(boolean withRedis) throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf(server.host(), server.port())) {
            UserCache<Long, UserProfile> cache = open(UserCaches.builder()
                            .redis("redis://" + proxy.host() + ":" + proxy.port())
                            .commandTimeout(Duration.ofSeconds(5)))
                    .cache(NARROW, Long.class, this::load);
            if (!withRedis) {
                proxy.refuse();
                await().until(() -> !cache.stats().nearOpen());
            }
            List<Future<Optional<UserProfile>>> callers = new ArrayList<>();
            LongStream.range(0, 3).forEach(id -> callers.add(threads.submit(() -> cache.find(id))));
            // A query that begins later would take along who waits by then.
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
                        .withMessageEndingWith("is unavailable: too many callers wait for the source already");
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
            assertThat(mostUnderWay).hasValue(3);
            assertThat(cache.stats().sourcePresent()).isEqualTo(13);
            assertThat(cache.find(77L)).as("there is room again").contains(ANN);
        }
    }

    private Map<Long, UserProfile> load(Set<Long> ids) throws InterruptedException {
        mostUnderWay.accumulateAndGet(underWay.incrementAndGet(), Math::max);
        try {
            gate.await();
            return ids.stream().collect(Collectors.toMap(Function.identity(), id -> ANN));
        } finally {
            underWay.decrementAndGet();
        }
    }
}
