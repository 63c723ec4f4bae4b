package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An entry that is asked for is loaded again before it expires. */
class RefreshAheadIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final UserProfile ANN = profile("Ann");
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Facet<UserProfile> HOURLY = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .ttl(HOUR)
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final Table table = new Table();

    @BeforeEach
    void store() {
        table.put(42L, ANN);
    }

    @AfterEach
    void close() {
        table.gate.countDown();
    }

    @Test
    void anEntryThatIsAskedForDoesNotEnd() {
        UserCache<Long, UserProfile> cache = cache(HOURLY);
        cache.find(42L);
        nearlyOver();
        table.put(42L, profile("Anna")); // without an announcement
        askUntil(cache, () -> redis.pttl(KEY) > HOUR.toMillis() / 2);
        assertThat(cache.stats().refreshes()).isEqualTo(1);
        assertThat(table.queries).hasValue(2);
        askUntil(cache, () -> cache.find(42L).equals(Optional.of(profile("Anna"))));
    }

    @Test
    void itIsLoadedByOneProcessWhileAllAnswer() {
        UserCache<Long, UserProfile> here = cache(HOURLY);
        UserCache<Long, UserProfile> there = cache(HOURLY);
        here.find(42L);
        nearlyOver();
        table.holdBackAfterReading();
        askUntil(here, () -> {
            assertThat(there.find(42L)).contains(ANN);
            return table.queries.get() == 2;
        });
        // The other node has tried too, and found the claim.
        askUntil(here, () -> {
            assertThat(there.find(42L)).contains(ANN);
            return RedisCalls.of(redis, "pttl") >= 2;
        });
        table.gate.countDown();
        askUntil(here, () -> redis.pttl(KEY) > HOUR.toMillis() / 2);
        long readsAfter = RedisCalls.of(redis, "pttl");
        askUntil(here, () -> {
            there.find(42L);
            return RedisCalls.of(redis, "pttl") >= readsAfter + 1;
        });
        assertThat(here.stats().refreshes() + there.stats().refreshes()).isEqualTo(1);
        assertThat(table.queries).hasValue(2);
    }

    @Test
    void aChangeDuringTheLoadIsNotOverwritten() {
        UserCache<Long, UserProfile> cache = cacheThatIsLoadingAgain();
        table.put(42L, profile("Anna"));
        table.letOthersThrough();
        cache.invalidate(42L);
        assertThat(cache.find(42L)).contains(profile("Anna"));
        table.gate.countDown();
        askUntil(cache, () -> cache.stats().fillsRefused() == 1);
        assertThat(cache.find(42L)).contains(profile("Anna"));
        assertThat(redis.get(KEY)).contains("Anna");
    }

    @Test
    void whatAForeignWriterStoresDuringTheLoadIsNotOverwritten() {
        UserCache<Long, UserProfile> cache = cacheThatIsLoadingAgain();
        redis.setex(KEY, 1800, redis.get(KEY).replace("Ann", "Flask"));
        table.gate.countDown();
        askUntil(cache, () -> cache.stats().fillsRefused() == 1);
        assertThat(redis.get(KEY)).contains("Flask");
        askUntil(cache, () -> cache.find(42L).equals(Optional.of(profile("Flask"))));
    }

    @Test
    void anEntryThatAForeignWriterDeletesDuringTheLoadIsLoadedAnewForItsWaiters() throws Exception {
        UserCache<Long, UserProfile> cache =
                cache(HOURLY.with(HOURLY.policy().toBuilder().claimWait(HOUR).build()));
        cache.find(42L);
        nearlyOver();
        table.holdBackAfterReading();
        askUntil(cache, () -> table.queries.get() == 2);
        table.put(42L, profile("Anna"));
        table.letOthersThrough();
        redis.del(KEY);
        UserCache<Long, UserProfile> elsewhere =
                cache(HOURLY.with(HOURLY.policy().toBuilder().claimWait(HOUR).build()));
        Future<Optional<UserProfile>> waiting = elsewhere.findAsync(42L);
        await().until(() -> elsewhere.stats().claimWaits() == 1);
        table.gate.countDown();
        assertThat(waiting.get(10, TimeUnit.SECONDS)).contains(profile("Anna"));
        assertThat(redis.get(KEY)).contains("Anna");
        assertThat(cache.stats().fillsRefused()).isEqualTo(1);
        assertThat(table.queries)
                .as("the first, the refresh, and the one after it")
                .hasValue(3);
        assertThat(elsewhere.stats().loads()).isZero();
    }

    @Test
    void aSourceThatFailsLeavesTheEntryToItsEnd() {
        UserCache<Long, UserProfile> cache = cache(HOURLY);
        cache.find(42L);
        nearlyOver();
        table.failure = new IllegalStateException("the database is gone");
        askUntil(cache, () -> cache.stats().loadFailures() == 1);
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(cache.stats().unavailable()).isZero();
        table.failure = null;
        assertThat(cache(HOURLY).find(42L)).as("the claim is given up").contains(ANN);
    }

    @Test
    void withoutRefreshAheadNothingIsRefreshed() {
        UserCache<Long, UserProfile> cache =
                cache(HOURLY.with(HOURLY.policy().toBuilder().refreshAhead(0).build()));
        cache.find(42L);
        nearlyOver();
        long from = System.nanoTime();
        askUntil(cache, () -> System.nanoTime() - from > Duration.ofMillis(1500).toNanos());
        assertThat(cache.stats().refreshes()).isZero();
        assertThat(RedisCalls.of(redis, "pttl")).isZero();
    }

    @Test
    void anExecutorThatFailsNowAndThenFailsNoCallerAndIsUsedAgain() {
        AtomicInteger failures = new AtomicInteger();
        UserCaches caches = open(UserCaches.builder()
                .redis(uri())
                .commandTimeout(Duration.ofSeconds(5))
                .executor(task -> {
                    if (failures.incrementAndGet() <= 10) {
                        throw new OutOfMemoryError("unable to create native thread");
                    }
                    task.run();
                }));
        CachePolicy brief = HOURLY.policy().toBuilder()
                .ttl(Duration.ofMillis(800))
                .jitter(0)
                .refreshAhead(0.5)
                .build();
        UserCache<Long, UserProfile> cache = caches.cache(HOURLY.with(brief), Long.class, table);
        askUntil(cache, () -> cache.stats().refreshes() > 0);
        assertThat(failures).hasValueGreaterThan(10);
    }

    @Test
    void aSourceThatCannotSayWhetherItMayLoadIsAskedAgain() {
        AtomicInteger failures = new AtomicInteger();
        UserCaches caches = open(UserCaches.builder().redis(uri()).commandTimeout(Duration.ofSeconds(5)));
        CachePolicy brief = HOURLY.policy().toBuilder()
                .ttl(Duration.ofMillis(800))
                .jitter(0)
                .refreshAhead(0.5)
                .build();
        UserCache<Long, UserProfile> cache = caches.cache(HOURLY.with(brief), Long.class, new UserSource<>() {
            @Override
            public boolean canLoadForOthers() {
                // The threads of the caches refresh.
                if (Thread.currentThread().getName().equals("usher-worker") && failures.incrementAndGet() <= 10) {
                    throw new IllegalStateException("on purpose");
                }
                return true;
            }

            @Override
            public Map<Long, UserProfile> load(Set<Long> ids) throws InterruptedException {
                return table.load(ids);
            }
        });
        askUntil(cache, () -> cache.stats().refreshes() > 0);
        assertThat(failures).hasValueGreaterThan(10);
    }

    @Test
    void aRefreshOnTheThreadOfAnAnsweredCallerDoesNotRemoveItsAnswer() {
        UserCaches caches = open(UserCaches.builder()
                .redis(uri())
                .commandTimeout(Duration.ofSeconds(5))
                .executor(Runnable::run));
        UserCache<Long, UserProfile> cache = caches.cache(HOURLY, Long.class, ids -> {
            if (table.queries.get() > 0) {
                table.queries.incrementAndGet();
                throw new StackOverflowError();
            }
            return table.load(ids);
        });
        cache.find(42L);
        nearlyOver();
        askUntil(cache, () -> table.queries.get() > 1);
        assertThat(cache.find(42L)).contains(ANN);
    }

    @Test
    void aLifeShortenedByJitterIsNotDueAtOnce() {
        Facet<UserProfile> shortened = HOURLY.with(
                HOURLY.policy().toBuilder().jitter(0.9).refreshAhead(0.9).build());
        List<Long> users = LongStream.range(0, 100).boxed().toList();
        users.forEach(id -> table.put(id, ANN));
        cache(shortened).findAll(users);
        redis.configResetstat();
        UserCache<Long, UserProfile> reader = cache(shortened);
        await().until(() -> {
            reader.findAll(users);
            return RedisCalls.of(redis, "pttl") >= 100; // the TTL of each has been read
        });
        assertThat(reader.stats().refreshes()).isZero();
    }

    /** A cache whose refresh has read the row, and is held back before it can store it. */
    private UserCache<Long, UserProfile> cacheThatIsLoadingAgain() {
        UserCache<Long, UserProfile> cache = cache(HOURLY);
        cache.find(42L);
        nearlyOver();
        table.holdBackAfterReading();
        askUntil(cache, () -> table.queries.get() == 2);
        return cache;
    }

    private void nearlyOver() {
        awaitLoads();
        redis.configResetstat();
        redis.pexpire(KEY, HOUR.toMillis() / 20);
    }

    /** Calls repeatedly, since only entries that are asked for are refreshed. */
    private static void askUntil(UserCache<Long, UserProfile> cache, Callable<Boolean> condition) {
        await().until(() -> {
            assertThat(cache.find(42L)).isPresent();
            return condition.call();
        });
    }

    private UserCache<Long, UserProfile> cache(Facet<UserProfile> facet) {
        UserCaches caches = open(UserCaches.builder().redis(uri()).commandTimeout(Duration.ofSeconds(5)));
        return caches.cache(facet, Long.class, table);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
