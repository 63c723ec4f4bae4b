package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The keys that invented ids leave in Redis, and the single query for concurrent callers. */
class InventedIdsIT extends NodesOnRedis {

    private static final int INVENTED = Thorough.pick(100_000, 4_000);
    private static final int TOGETHER = 500;

    /** A facet whose callers wait for another node's load until it has ended. */
    private static final Facet<UserProfile> UNHURRIED = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .claimWait(Duration.ofSeconds(10))
            .maxWait(Duration.ofSeconds(20))
            .build());

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void stopThreads() {
        threads.shutdownNow();
    }

    @Test
    void nothingIsLeftOfIdsThatAreAskedForOnce() {
        UserCache<Long, UserProfile> cache = node();
        long keysBefore = redis.dbsize();
        long trackedBefore = statistic("tracking_total_keys");
        long memoryBefore = statistic("used_memory");

        askForEach(cache);

        long keys = redis.dbsize() - keysBefore;
        long tracked = statistic("tracking_total_keys") - trackedBefore;
        System.out.printf(
                "after %,d invented ids: %,d keys more, %,d tracked keys more, %,d kB of Redis' memory more%n",
                INVENTED, keys, tracked, (statistic("used_memory") - memoryBefore) / 1024);
        // None at rest. On a busy machine, a claim may end before its load.
        assertThat(keys).as("keys").isLessThan(INVENTED / 10);
        assertThat(tracked).as("tracked keys").isLessThan(INVENTED / 10);
    }

    @Test
    void norOfOnesWhoseLoadHasFailed() {
        UserCache<Long, UserProfile> cache = node();
        long keysBefore = redis.dbsize();
        table.failure = new IllegalStateException("the database is down");
        for (long id = 0; id < 100; id++) {
            long invented = id;
            assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.find(invented));
        }
        // A fence would stay for five seconds.
        await().atMost(Duration.ofSeconds(2))
                .untilAsserted(() -> assertThat(redis.dbsize() - keysBefore).isLessThan(10));
    }

    @Test
    void anIdThatIsAskedForAgainIsRemembered() {
        UserCache<Long, UserProfile> cache = node();
        for (int i = 0; i < 10; i++) {
            assertThat(cache.find(7L)).isEmpty();
        }
        assertThat(table.queries).as("once before it is known, and once more").hasValue(2);
        assertThat(redis.get("user:7:profile")).isEqualTo("null");
    }

    @Test
    void concurrentCallersCauseOneQueryOnOneNodeAndOnSeveral() throws Exception {
        AtomicInteger queries = new AtomicInteger();
        Semaphore answers = new Semaphore(0);
        List<TieredUserCache<Long, UserProfile>> nodes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            nodes.add((TieredUserCache<Long, UserProfile>)
                    open(patient(uri())).<Long, UserProfile>cache(UNHURRIED, Long.class, ids -> {
                        queries.incrementAndGet();
                        answers.acquire();
                        return Map.of();
                    }));
        }
        for (TieredUserCache<Long, UserProfile> node : nodes) {
            await().until(() -> node.stats().nearOpen());
        }
        for (long id = 1; id <= 5; id++) {
            long invented = id;
            int before = queries.get();
            long waited = claimWaits(nodes);
            List<CompletableFuture<Boolean>> callers = IntStream.range(0, 30)
                    .mapToObj(i -> CompletableFuture.supplyAsync(
                            () -> nodes.get(i % 3).find(invented).isEmpty(), threads))
                    .toList();
            await().until(() ->
                    nodes.stream().mapToInt(node -> node.waitingFor(invented)).sum() == 27
                            && claimWaits(nodes) - waited == 2
                            && queries.get() > before);
            answers.release();
            for (CompletableFuture<Boolean> caller : callers) {
                assertThat(caller.get(10, TimeUnit.SECONDS)).isTrue();
            }
            assertThat(queries.get() - before).as("queries").isOne();
        }
    }

    private static long claimWaits(List<TieredUserCache<Long, UserProfile>> nodes) {
        return nodes.stream().mapToLong(node -> node.stats().claimWaits()).sum();
    }

    private void askForEach(UserCache<Long, UserProfile> cache) {
        for (long from = 0; from < INVENTED; from += TOGETHER) {
            assertThat(cache.findAll(
                            LongStream.range(from, from + TOGETHER).boxed().toList()))
                    .isEmpty();
        }
        for (long id = INVENTED; id < INVENTED + 200; id++) {
            assertThat(cache.find(id)).isEmpty();
        }
    }

    private UserCache<Long, UserProfile> node() {
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(UserProfile.FACET, Long.class, table);
        await().until(() -> cache.stats().nearOpen());
        return cache;
    }

    private static long statistic(String name) {
        Matcher figure =
                Pattern.compile("^" + name + ":(\\d+)", Pattern.MULTILINE).matcher(redis.info());
        assertThat(figure.find()).as(name).isTrue();
        return Long.parseLong(figure.group(1));
    }
}
