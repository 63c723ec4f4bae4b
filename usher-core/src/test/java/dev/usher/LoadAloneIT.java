package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Threads that may not load for others: here the thread of the test, while its flag is set. */
class LoadAloneIT extends NodesOnRedis {

    private static final Facet<String> NAME = Facet.of("name", String.class)
            .with(CachePolicy.builder()
                    .ttl(Duration.ofMinutes(10))
                    .maxLoads(1)
                    .serveStaleFor(Duration.ofMinutes(1))
                    .build());

    private static final long BLOCKING = 1;

    private final Map<Long, String> rows = new HashMap<>(Map.of(42L, "Ann", 43L, "Bob"));
    private final Thread testing = Thread.currentThread();
    private final CountDownLatch blocking = new CountDownLatch(1);
    private final CountDownLatch gate = new CountDownLatch(1);
    private final Set<Long> unreadable = new HashSet<>();
    private boolean isAlone = true;
    private volatile boolean isBroken;
    private final AtomicReference<@Nullable UserCache<Long, String>> askedBySource = new AtomicReference<>();

    @AfterEach
    void release() {
        gate.countDown();
    }

    @Test
    void suchAThreadReadsForItselfWaitsForNoPlaceAndAnotherThreadLoadsForTheRest() throws Exception {
        UserCache<Long, String> names = cache(null);
        CompletableFuture<?> other = CompletableFuture.runAsync(() -> names.find(BLOCKING));
        assertThat(blocking.await(10, TimeUnit.SECONDS)).isTrue();

        assertThat(names.find(42L)).contains("Ann");
        assertThat(names.findAll(List.of(42L, 43L, 44L))).isEqualTo(Map.of(42L, "Ann", 43L, "Bob"));
        assertThat(names.findAsync(44L)).isCompletedWithValue(Optional.empty());
        assertThat(names.explain(42L).source()).isEqualTo(new Explanation.Holding.Value<>("Ann"));
        assertThat(redis.exists("user:42:name", "user:43:name", "user:44:name")).isZero();

        gate.countDown();
        other.get(10, TimeUnit.SECONDS);
        await().until(() -> redis.exists("user:42:name", "user:43:name") == 2);
        isAlone = false;
        long loads = names.stats().loads();
        assertThat(names.find(42L)).contains("Ann");
        assertThat(names.stats().loads()).isEqualTo(loads);
    }

    @Test
    void itIsAnsweredByRedisWhereRedisKnows() {
        UserCache<Long, String> names = cache(null);
        redis.set("user:42:name", "\"Anna\"");

        assertThat(names.find(42L)).contains("Anna");
        assertThat(names.stats().loads()).isZero();
    }

    @Test
    void whatItMissesTwiceIsLoadedForOthersOnce() {
        Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
        UserCache<Long, String> names = cache(tasks::add);

        assertThat(names.find(42L)).contains("Ann");
        assertThat(names.findAll(List.of(42L, 43L))).hasSize(2);
        assertThat(tasks).hasSize(2);

        isAlone = false;
        await().pollInSameThread().until(() -> {
            for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
                task.run();
            }
            return "\"Ann\"".equals(redis.get("user:42:name")) && "\"Bob\"".equals(redis.get("user:43:name"));
        });
        awaitLoads();
        isAlone = true;
        redis.del("user:42:name");
        await().until(() -> names.findCached(List.of(42L)).isEmpty());
        assertThat(tasks).isEmpty();
        assertThat(names.find(42L)).contains("Ann");
        assertThat(tasks).as("once it has been loaded, it may be again").hasSize(1);
    }

    @Test
    void anExecutorThatTakesNothingDoesNotMatterToIt() {
        UserCache<Long, String> names = cache(task -> {
            throw new RejectedExecutionException("full");
        });
        assertThat(names.find(42L)).contains("Ann");
        assertThat(names.findAsync(43L)).isCompletedWithValue(Optional.of("Bob"));
    }

    @Test
    void aSourceThatCannotSayIsUnavailable() {
        UserCache<Long, String> names = cache(null);
        isAlone = false;
        names.find(42L);
        awaitLoads();
        isAlone = true;
        isBroken = true;
        redis.del("user:42:name");
        // A push has invalidated the entry in memory: it may be outdated.
        await().until(() -> names.findCached(List.of(42L)).isEmpty());

        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> names.find(42L))
                .withMessage("user:42:name is unavailable: the source failed (IllegalStateException)");
        assertThat(names.findAsync(43L)).isCompletedExceptionally();
        assertThat(names.stats().unavailable()).isEqualTo(2);
    }

    @Test
    void anUnreadableRowIsNotAskedForAgainForOthers() {
        List<Runnable> tasks = new ArrayList<>();
        UserCache<Long, String> names = cache(tasks::add);
        unreadable.add(43L);

        assertThat(names.lookUpAll(List.of(43L)).values()).allMatch(Lookup::isUnavailable);
        assertThat(tasks).isEmpty();
        assertThat(names.lookUpAll(List.of(42L, 43L)).values())
                .filteredOn(Lookup::isUnavailable)
                .hasSize(1);
        assertThat(tasks).as("for the other user").hasSize(1);
    }

    @Test
    void aSourceThatFailsIsNotAskedAgainForOthersNorForEachPartOfAList() {
        List<Runnable> tasks = new ArrayList<>();
        UserCache<Long, String> names = cache(tasks::add);
        LongStream.rangeClosed(601, 1_200).forEach(id -> redis.set("user:" + id + ":name", "\"user " + id + "\""));
        isBroken = true;

        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> names.find(42L));
        long loads = names.stats().loads();
        List<Long> all = LongStream.rangeClosed(1, 1_200).boxed().toList();
        assertThat(names.lookUpAll(all).values())
                .filteredOn(Lookup::isUnavailable)
                .hasSize(600);
        assertThat(tasks).isEmpty();
        assertThat(names.stats().loads())
                .as("the first call, and eight to see whether any user can be read")
                .isEqualTo(loads + 1 + SourceCalls.PROBES);
    }

    @Test
    void whatIsReadFreshDrivesOutWhatTheTiersHold() {
        UserCache<Long, String> names = cache(null);
        isAlone = false;
        names.find(42L);
        rows.put(42L, "Anna");
        isAlone = true;

        assertThat(names.findFresh(42L)).contains("Anna");
        assertThat(names.find(42L)).contains("Anna");
        await().until(() -> "\"Anna\"".equals(redis.get("user:42:name")));
    }

    @Test
    void aSourceThatCannotSayWhetherItMayLoadForOthersBreaksNoThreadOfTheExecutor() throws Exception {
        CompletableFuture<Void> task = new CompletableFuture<>();
        UserCache<Long, String> names = open(UserCaches.builder()
                        .redis(uri())
                        .commandTimeout(Duration.ofSeconds(5))
                        .executor(later -> task.completeAsync(() -> {
                            later.run();
                            return null;
                        })))
                .cache(NAME, Long.class, new UserSource<Long, String>() {
                    @Override
                    public Map<Long, String> load(Set<Long> ids) {
                        return Map.of(42L, "Ann");
                    }

                    @Override
                    public boolean canLoadForOthers() {
                        if (Thread.currentThread() != testing) {
                            throw new IllegalStateException("no transaction manager");
                        }
                        return false;
                    }
                });

        assertThat(names.find(42L)).contains("Ann");

        assertThat(task).succeedsWithin(Duration.ofSeconds(10));
    }

    @Test
    void itsSourceMayNotAskTheCacheEither() {
        UserCache<Long, String> names = cache(null);
        askedBySource.set(names);

        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> names.find(42L))
                .havingCause()
                .isInstanceOf(IllegalStateException.class)
                .withMessage("a source must not call the cache that it fills");
    }

    private UserCache<Long, String> cache(@Nullable Executor executor) {
        UserCaches.Builder builder = UserCaches.builder().redis(uri()).commandTimeout(Duration.ofSeconds(5));
        return open(executor == null ? builder : builder.executor(executor))
                .cache(NAME, Long.class, new UserSource<Long, String>() {
                    @Override
                    public Map<Long, String> load(Set<Long> ids) throws Exception {
                        return LoadAloneIT.this.load(ids);
                    }

                    @Override
                    public boolean canLoadForOthers() {
                        return !isAlone || Thread.currentThread() != testing;
                    }
                });
    }

    private Map<Long, String> load(Set<Long> ids) throws Exception {
        if (isBroken) {
            throw new IllegalStateException("the table is broken");
        }
        UserCache<Long, String> asked = askedBySource.get();
        if (asked != null && Thread.currentThread() == testing) {
            asked.find(ids.iterator().next());
        }
        if (ids.contains(BLOCKING)) {
            blocking.countDown();
            gate.await();
        }
        Map<Long, String> found = new HashMap<>(rows);
        found.keySet().retainAll(ids);
        Map<Long, Exception> failures = new HashMap<>();
        unreadable.stream()
                .filter(found::containsKey)
                .forEach(id -> failures.put(id, new IllegalStateException("the row of " + id)));
        if (!failures.isEmpty()) {
            found.keySet().removeAll(failures.keySet());
            throw new UnreadableUsersException(found, failures);
        }
        return found;
    }
}
