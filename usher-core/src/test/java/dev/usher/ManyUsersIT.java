package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** One request for many users, and the requests of many callers as one. */
class ManyUsersIT extends NodesOnRedis {

    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());
    private static final Facet<UserProfile> WITHOUT_MEMORY = UserProfile.FACET.with(
            UserProfile.FACET.policy().toBuilder().nearSize(0).build());

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void clear() {
        redis.configResetstat();
        LongStream.rangeClosed(1, 1_200).forEach(id -> table.put(id, profile(id)));
    }

    @AfterEach
    void close() {
        table.gate.countDown();
        threads.shutdownNow();
    }

    // A list of users.

    @Test
    @StandaloneOnly("It counts the commands of one server, of which each takes many keys")
    void aHundredColdUsersAreOneQueryAndAHandfulOfRoundTrips() {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        assertThat(cache.findAll(ids(1, 100))).isEqualTo(profiles(1, 100));
        assertThat(table.asked).containsExactly(new HashSet<>(ids(1, 100)));
        awaitLoads();
        assertThat(calls("mget"))
                .as("the read and the read-back, and one in each fill")
                .isEqualTo(2 + 2);
        assertThat(calls("evalsha")).as("claims and fills, 50 at a time").isEqualTo(4);
        assertThat(cache.stats().sourcePresent()).isEqualTo(100);
    }

    @Test
    @StandaloneOnly("It counts the commands of one server, of which each takes many keys")
    void withoutMemoryNothingIsReadBack() {
        UserCache<Long, UserProfile> cache = cache(WITHOUT_MEMORY);
        assertThat(cache.findAll(ids(1, 100))).isEqualTo(profiles(1, 100));
        awaitLoads();
        assertThat(calls("mget")).as("the read, and one in each fill").isEqualTo(1 + 2);
        assertThat(cache.findAll(ids(1, 100))).isEqualTo(profiles(1, 100));
        assertThat(table.asked).as("Redis has them").hasSize(1);
    }

    @Test
    void memoryHasRoomForSoManyAndForNoMore() {
        UserCache<Long, UserProfile> small =
                cache(PATIENT.with(PATIENT.policy().toBuilder().nearSize(10).build()));
        assertThat(small.findAll(ids(1, 30))).hasSize(30); // from the source
        awaitLoads();
        assertThat(inMemory(small, ids(1, 30))).isLessThanOrEqualTo(10);
        cache(PATIENT).findAll(ids(31, 90));
        awaitLoads();
        assertThat(small.findAll(ids(31, 60))).hasSize(30); // from Redis
        assertThat(inMemory(small, ids(1, 60))).isBetween(1L, 10L);
        ids(61, 90).forEach(small::find);
        assertThat(inMemory(small, ids(1, 90))).isBetween(1L, 10L);
    }

    private static long inMemory(UserCache<Long, UserProfile> cache, Set<Long> ids) {
        return ids.stream()
                .filter(id -> !(cache.explain(id).near() instanceof Explanation.Holding.Nothing))
                .count();
    }

    @Test
    @StandaloneOnly("It counts the commands of one server, of which each takes many keys")
    void aHundredWarmUsersAreOneReadAndThenNone() {
        cache(PATIENT).findAll(ids(1, 100));
        awaitLoads();
        UserCache<Long, UserProfile> elsewhere = cache(PATIENT);
        redis.configResetstat();
        assertThat(elsewhere.findAll(ids(1, 100))).isEqualTo(profiles(1, 100));
        assertThat(calls("mget")).isEqualTo(1);
        await().until(() -> {
            elsewhere.findAll(ids(1, 100));
            return elsewhere.stats().nearPresent() >= 100;
        });
        redis.configResetstat();
        long inMemory = elsewhere.stats().nearPresent();
        assertThat(elsewhere.findAll(ids(1, 100))).isEqualTo(profiles(1, 100));
        assertThat(calls("mget") + calls("get") + calls("evalsha")).isZero();
        assertThat(elsewhere.stats().nearPresent()).isEqualTo(inMemory + 100);
        assertThat(table.queries).hasValue(1);
    }

    @Test
    void eachUserComesFromTheNearestTierThatKnowsIt() {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        warm(cache, 1);
        long inMemory = cache.stats().nearPresent();
        cache(PATIENT).find(2L); // is in Redis
        awaitLoads();
        table.asked.clear();
        assertThat(cache.findAll(List.of(3L, 2L, 1L, 3L, 9_999L)))
                .isEqualTo(Map.of(1L, profile(1), 2L, profile(2), 3L, profile(3)));
        awaitLoads(); // a caller that comes before joins the load
        assertAsked(table, Set.of(3L, 9_999L));
        assertThat(cache.stats().nearPresent()).isEqualTo(inMemory + 1);
        assertThat(cache.stats().sourcePresent()).isEqualTo(2); // and the one from before
        assertThat(cache.stats().sourceAbsent()).isEqualTo(1);
        assertThat(redis.exists("user:9999:profile")).as("asked for once").isZero();
        cache.findAll(List.of(1L, 9_999L));
        awaitLoads();
        assertThat(redis.get("user:9999:profile")).isEqualTo("null");
    }

    @Tag("thorough")
    @Test
    void aLongListIsAskedForInParts() {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        assertThat(cache.findAll(ids(1, 1_200))).isEqualTo(profiles(1, 1_200));
        assertThat(table.asked.size())
                .isBetween(3, 3 * testRedis.servers().size())
                .isEqualTo(table.queries.get());
        assertThat(table.asked.stream().mapToInt(Set::size).sum()).isEqualTo(1_200);
        if (!TestRedis.isCluster()) {
            assertThat(table.asked).extracting(Set::size).containsExactly(500, 500, 200);
        }
        int queries = table.queries.get();
        assertThat(cache.findAll(ids(1, 1_200))).hasSize(1_200);
        assertThat(table.queries).hasValue(queries);
    }

    /** These users, and no others, were asked of the source, each once and in one query; in a Cluster in one for each server. */
    private static void assertAsked(Table table, Set<Long> ids) {
        assertThat(table.asked).hasSizeLessThanOrEqualTo(testRedis.servers().size());
        assertThat(table.asked.stream().flatMap(Set::stream)).containsExactlyInAnyOrderElementsOf(ids);
    }

    @Test
    void noIdsCauseNoCalls() {
        assertThat(cache(PATIENT).findAll(List.of())).isEmpty();
        assertThat(table.queries).hasValue(0);
        assertThat(calls("get") + calls("mget")).isZero();
    }

    @Test
    void whatCannotBeReadIsLoadedAndTheRestIsNot() {
        cache(PATIENT).findAll(ids(1, 4));
        awaitLoads();
        redis.set("user:2:profile", "{broken");
        redis.del("user:3:profile");
        redis.lpush("user:3:profile", "a list");
        table.asked.clear();
        assertThat(cache(WITHOUT_MEMORY).findAll(ids(1, 4))).isEqualTo(profiles(1, 4));
        assertAsked(table, Set.of(2L, 3L));
        awaitLoads();
        assertThat(redis.get("user:2:profile")).contains("user 2");
        assertThat(redis.get("user:3:profile")).contains("user 3");
    }

    @Test
    void callersWithOverlappingListsLoadEachUserOnceAndNoneWaitsForEver() throws Exception {
        UserCache<Long, UserProfile> cache = cache(WITHOUT_MEMORY);
        List<Future<Map<Long, UserProfile>>> callers = new ArrayList<>();
        for (int caller = 0; caller < 16; caller++) {
            List<Long> list = new ArrayList<>(ids(1, 200));
            Collections.shuffle(list, new Random(caller));
            callers.add(threads.submit(() -> cache.findAll(list)));
        }
        for (Future<Map<Long, UserProfile>> caller : callers) {
            assertThat(caller.get()).isEqualTo(profiles(1, 200));
        }
        assertThat(table.asked.stream().mapToInt(Set::size).sum()).isEqualTo(200);
    }

    @Test
    void whatAnotherProcessIsLoadingIsWaitedForAndTheRestIsLoaded() throws Exception {
        table.holdBackAfterReading();
        UserCache<Long, UserProfile> first = cache(PATIENT);
        Future<Optional<UserProfile>> other = threads.submit(() -> first.find(1L));
        await().until(() -> table.queries.get() == 1);
        table.letOthersThrough();
        Table own = new Table();
        LongStream.rangeClosed(1, 10).forEach(id -> own.put(id, profile(id)));
        UserCache<Long, UserProfile> second = node(uri()).cache(PATIENT, Long.class, own);
        Future<Map<Long, UserProfile>> all = threads.submit(() -> second.findAll(ids(1, 10)));
        await().until(() -> second.stats().claimWaits() == 1);
        assertThat(all).isNotDone();
        table.gate.countDown();
        assertThat(all.get()).isEqualTo(profiles(1, 10));
        assertThat(other.get()).contains(profile(1));
        assertAsked(own, ids(2, 10));
    }

    @Test
    void aUserThatChangesDuringTheLoadIsNotStoredAndTheOthersAre() throws Exception {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        table.holdBackAfterReading();
        Future<Map<Long, UserProfile>> all = threads.submit(() -> cache.findAll(ids(1, 3)));
        await().until(() -> table.queries.get() == 1);
        table.put(2, profile(22));
        table.letOthersThrough();
        cache.invalidate(2L);
        assertThat(cache.find(2L)).as("asked after the change").contains(profile(22));
        table.gate.countDown();
        assertThat(all.get()).containsEntry(1L, profile(1)).containsEntry(3L, profile(3));
        assertThat(cache.find(2L)).contains(profile(22));
        awaitLoads();
        assertThat(redis.mget("user:1:profile", "user:2:profile", "user:3:profile"))
                .extracting(stored -> stored.getValueOrElse("none"))
                .satisfiesExactly(
                        one -> assertThat(one).contains("user 1"),
                        two -> assertThat(two).contains("user 22"),
                        three -> assertThat(three).contains("user 3"));
        assertThat(cache.stats().fillsRefused()).isEqualTo(1);
    }

    @Test
    void aSourceThatFailsFailsTheListAndLeavesNothing() {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        table.failure = new IllegalStateException("the database is gone");
        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> cache.findAll(ids(1, 3)))
                .withMessage("user:1:profile (and 2 others) is unavailable: the source failed (IllegalStateException)")
                .withRootCauseInstanceOf(IllegalStateException.class);
        assertThat(cache.stats().unavailable()).isEqualTo(3);
        assertThat(redis.exists("user:1:profile", "user:2:profile", "user:3:profile"))
                .isZero();
        table.failure = null;
        assertThat(cache.findAll(ids(1, 3))).isEqualTo(profiles(1, 3));
        assertThat(cache.stats().claimWaits()).as("claims given up").isZero();
    }

    @Test
    void withoutRedisAListIsOneQuery() {
        try (RedisServer gone = RedisServer.start()) {
            gone.stop();
            UserCache<Long, UserProfile> alone = node(gone.uri()).cache(PATIENT, Long.class, table);
            assertThat(alone.findAll(ids(1, 300))).isEqualTo(profiles(1, 300));
            assertThat(alone.findAll(ids(1, 300)))
                    .as("kept for the staleness bound")
                    .hasSize(300);
            assertThat(table.queries).hasValue(1);
        }
    }

    @Test
    void oneMalformedIdIsAnErrorAndCausesNoCall() {
        UserCache<String, UserProfile> byName = node(uri()).cache(PATIENT, String.class, ids -> Map.of());
        assertThatIllegalArgumentException().isThrownBy(() -> byName.findAll(List.of("ann", "b o b")));
        assertThat(calls("get") + calls("mget")).isZero();
        assertThat(byName.stats().loads()).isZero();
    }

    // Many callers.

    @Test
    @StandaloneOnly("Each primary has its own sixteen, and a GET for each key in a batch")
    void readsThatComeWhileSixteenAreUnderWayShareOneCall() throws Exception {
        cache(PATIENT).findAll(ids(1, 100));
        awaitLoads();
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = node(proxy.uri()).cache(WITHOUT_MEMORY, Long.class, table);
            redis.configResetstat();
            proxy.freeze();
            List<Future<Optional<UserProfile>>> callers = ids(1, 100).stream()
                    .map(id -> threads.submit(() -> cache.find(id)))
                    .toList();
            await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).underWay() == 100);
            proxy.thaw();
            for (int i = 0; i < callers.size(); i++) {
                assertThat(callers.get(i).get()).contains(profile(i + 1));
            }
        }
        assertThat(calls("get")).isBetween(16L, 40L);
        assertThat(calls("mget")).isBetween(1L, 16L);
    }

    @Test
    void readsWithoutAWaiterAreNotSent() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(Duration.ofMillis(200)));
            UserCache<Long, UserProfile> cache = node.cache(WITHOUT_MEMORY, Long.class, table);
            await().until(() -> cache.stats().nearOpen());
            proxy.freeze();
            for (Future<Optional<UserProfile>> caller : submit(cache, 1, 100)) {
                assertThat(caller.get()).isPresent();
            }
            proxy.thaw();
            // A heartbeat from after the freeze has been answered, and so have all commands before it.
            await().until(() -> requireNonNull(cache.stats().watermarkAge()).toMillis() < 150);
            assertThat(cache.stats().sharedReads())
                    .isBetween(1L, 16L * testRedis.servers().size());
        }
    }

    @Tag("thorough")
    @Test
    @StandaloneOnly("In a Cluster, heartbeats are scripts as well")
    void aFrozenRedisIsNotSentMoreAndMoreScripts() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(Duration.ofMillis(100)));
            UserCache<Long, UserProfile> cache = node.cache(WITHOUT_MEMORY, Long.class, table);
            cache.invalidate(1_000L); // the script is known
            redis.configResetstat();
            proxy.freeze();
            assertThat(cache.invalidate(1_000L)).isFalse();
            for (int i = 0; i < 5; i++) {
                for (Future<Optional<UserProfile>> caller : submit(cache, 1, 100)) {
                    assertThat(caller.get()).isPresent();
                }
                await().pollDelay(Duration.ofMillis(700)).until(() -> true);
            }
            proxy.thaw();
            await().until(() -> cache.stats().pendingFences() == 0);
            assertThat(calls("evalsha"))
                    .as("the fence, and the fence again on each new connection")
                    .isLessThanOrEqualTo(4);
        }
    }

    @Test
    void aListTooLongForOneCallOfRedisIsStoredAllTheSame() {
        UserCaches node = open(UserCaches.builder().redis(uri()).commandTimeout(Duration.ofMillis(300)));
        UserCache<Long, Long> cache =
                node.cache(Facet.of("number", Long.class).with(WITHOUT_MEMORY.policy()), Long.class, ids -> {
                    table.queries.incrementAndGet();
                    return ids.stream().collect(Collectors.toMap(id -> id, id -> id));
                });
        cache.findAll(ids(1, 500)); // the scripts are known and the code is warm
        Set<Long> many = ids(1, 20_000);
        assertThat(cache.findAll(many)).hasSize(20_000);
        // On a busy machine a part of a call may take too long once; the whole call would take too long each time.
        await().pollInSameThread().until(() -> {
            int queries = table.queries.get();
            assertThat(cache.findAll(many)).hasSize(20_000);
            return table.queries.get() == queries;
        });
    }

    @Test
    void requestsThatComeWhileFourQueriesAreUnderWayShareOne() throws Exception {
        UserCache<Long, UserProfile> cache = cache(WITHOUT_MEMORY);
        table.holdBackAfterReading();
        List<Future<Optional<UserProfile>>> first = submit(cache, 1, 4);
        await().until(() -> table.queries.get() == 4);
        table.letOthersThrough();
        List<Future<Optional<UserProfile>>> others = submit(cache, 5, 100);
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingForTheSource() == 96);
        table.gate.countDown();
        for (Future<Optional<UserProfile>> caller : first) {
            assertThat(caller.get()).isPresent();
        }
        for (int i = 0; i < others.size(); i++) {
            assertThat(others.get(i).get()).contains(profile(i + 5));
        }
        assertThat(table.queries.get()).as("four, and those of the waiters").isBetween(5, 8);
        assertThat(cache.stats().loadedUsers()).isEqualTo(100);
    }

    @Test
    void aUserThatIsAskedForAnewIsMissingFromNoList() throws Exception {
        UserCache<Long, UserProfile> other = cache(PATIENT);
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        table.holdBackAfterReading();
        Future<Optional<UserProfile>> first = threads.submit(() -> cache.find(4L));
        await().until(() -> table.queries.get() == 1);
        table.letOthersThrough();
        // What the first has read is not stored, and too old for those that have come since.
        other.invalidate(4L);
        for (long rest = 1; rest <= 3; rest++) {
            List<Long> list =
                    rest == 1 ? List.of(1L, 4L) : ids(rest, 4).stream().toList();
            Future<Map<Long, UserProfile>> listed = threads.submit(() -> cache.findAll(list));
            await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(4L) > 0 || listed.isDone());
            table.gate.countDown();
            assertThat(listed.get()).containsOnlyKeys(list);
        }
        assertThat(first.get()).contains(profile(4));
    }

    // A caller that may not be blocked.

    @Test
    void whatIsInMemoryIsAnsweredAtOnceAndTheRestOnTheExecutor() throws Exception {
        BlockingQueue<Runnable> handed = new LinkedBlockingQueue<>();
        UserCache<Long, UserProfile> cache = node(handed::add).cache(PATIENT, Long.class, table);
        CompletableFuture<Optional<UserProfile>> cold = cache.findAsync(1L);
        Runnable query = handed.take();
        assertThat(table.queries).hasValue(0);
        query.run();
        assertThat(table.queries).hasValue(1);
        assertThat(cold).isNotDone();
        handed.take().run();
        assertThat(cold.get()).contains(profile(1));
        awaitLoads();
        warm(cache, 1);
        assertThat(cache.findAsync(1L)).isCompletedWithValue(Optional.of(profile(1)));
        assertThat(handed).isEmpty();
    }

    @Test
    void aListThatIsInterruptedWhileItWaitsDoesNotLoadItsOtherParts() throws Exception {
        UserCache<Long, UserProfile> cache = cache(PATIENT.with(
                PATIENT.policy().toBuilder().maxWait(Duration.ofMinutes(1)).build()));
        table.holdBackAfterReading();
        Future<Map<Long, UserProfile>> other = threads.submit(() -> cache.findAll(ids(1, 500)));
        await().until(() -> table.queries.get() == 1);
        table.letOthersThrough();
        BlockingQueue<Thread> caller = new LinkedBlockingQueue<>();
        Future<Map<Long, Lookup<UserProfile>>> list = threads.submit(() -> {
            caller.add(Thread.currentThread());
            return cache.lookUpAll(ids(1, 1_000));
        });
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(500L) == 1);
        caller.take().interrupt();
        assertThat(list.get(10, TimeUnit.SECONDS).values()).hasSize(1_000).allMatch(Lookup::isUnavailable);
        assertThat(table.asked).hasSize(1);
        table.gate.countDown();
        assertThat(other.get()).hasSize(500);
    }

    @Test
    void byDefaultTheWorkIsDoneOnThreadsOfItsOwn() throws Exception {
        List<String> loaders = new ArrayList<>();
        UserCache<Long, UserProfile> cache = node(uri()).cache(PATIENT, Long.class, ids -> {
            loaders.add(Thread.currentThread().getName());
            return Map.of(1L, profile(1));
        });
        assertThat(cache.findAsync(1L).get()).contains(profile(1));
        assertThat(loaders).containsExactly("usher-worker");
    }

    @Test
    void nothingIsDecodedOrLoadedOnAnEventLoop() {
        Set<String> threadNames = ConcurrentHashMap.newKeySet();
        FacetCodec<UserProfile> noting = new FacetCodec<>() {
            @Override
            public byte[] encode(UserProfile value) {
                threadNames.add(Thread.currentThread().getName());
                return PATIENT.codec().encode(value);
            }

            @Override
            public UserProfile decode(byte[] bytes) {
                threadNames.add(Thread.currentThread().getName());
                return PATIENT.codec().decode(bytes);
            }
        };
        UserCache<Long, UserProfile> cache = node(uri())
                .cache(new Facet<>("profile", noting, PATIENT.policy()), Long.class, ids -> {
                    threadNames.add(Thread.currentThread().getName());
                    return table.load(ids);
                });
        String mine = Thread.currentThread().getName();
        cache.findAll(ids(1, 100));
        cache.find(101L);
        warm(cache, 1);
        assertThat(threadNames).containsExactly(mine);
        assertThat(cache.findAsync(102L)
                        .thenApply(found -> Thread.currentThread().getName()))
                .succeedsWithin(Duration.ofSeconds(5))
                .isIn("usher-worker", mine);
        assertThat(threadNames).containsExactlyInAnyOrder(mine, "usher-worker");
    }

    @Test
    void aFailureReachesTheFutureAndAWrongIdTheCaller() {
        UserCache<Long, UserProfile> cache = cache(PATIENT);
        table.failure = new IllegalStateException("the database is gone");
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> cache.findAsync(1L).get())
                .withCauseInstanceOf(UserUnavailableException.class);
        UserCache<String, UserProfile> byName = node(uri()).cache(PATIENT, String.class, ids -> Map.of());
        assertThatIllegalArgumentException().isThrownBy(() -> byName.findAsync("b o b"));
    }

    @Test
    void whatFindsNoRoomIsUnavailable() {
        UserCaches node = node(uri());
        UserCache<Long, UserProfile> cache = node.cache(PATIENT, Long.class, table);
        node.engine().asyncReads().drainPermits();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> cache.findAsync(1L).get())
                .withCauseInstanceOf(UserUnavailableException.class);
        assertThat(cache.stats().unavailable()).isEqualTo(1);
    }

    /** Asks until memory answers: the push of a node's own fill may invalidate the entry that it has read back. */
    private static void warm(UserCache<Long, UserProfile> cache, long id) {
        long before = cache.stats().nearPresent();
        await().pollInSameThread().until(() -> {
            cache.find(id);
            return cache.stats().nearPresent() > before;
        });
    }

    @Test
    void closingLeavesNoCallerWaiting() {
        UserCaches node = node(uri());
        UserCache<Long, UserProfile> cache = node.cache(PATIENT, Long.class, table);
        table.holdBackAfterReading();
        List<CompletableFuture<Optional<UserProfile>>> answers =
                ids(1, 100).stream().map(cache::findAsync).toList();
        await().until(() -> table.queries.get() == 4);
        node.close();
        await().until(() -> answers.stream().allMatch(CompletableFuture::isDone));
        assertThat(answers).allMatch(CompletableFuture::isCompletedExceptionally);
    }

    private List<Future<Optional<UserProfile>>> submit(UserCache<Long, UserProfile> cache, long from, long to) {
        return ids(from, to).stream()
                .map(id -> threads.submit(() -> cache.find(id)))
                .toList();
    }

    private UserCache<Long, UserProfile> cache(Facet<UserProfile> facet) {
        return node(uri()).cache(facet, Long.class, table);
    }

    private UserCaches node(String uri) {
        return open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(5)));
    }

    private UserCaches node(Executor executor) {
        return open(UserCaches.builder()
                .redis(uri())
                .commandTimeout(Duration.ofSeconds(5))
                .executor(executor));
    }

    private static long calls(String command) {
        return RedisCalls.of(redis, command);
    }

    private static Set<Long> ids(long from, long to) {
        return LongStream.rangeClosed(from, to).boxed().collect(Collectors.toCollection(LinkedHashSet::new));
    }

    private static Map<Long, UserProfile> profiles(long from, long to) {
        return LongStream.rangeClosed(from, to).boxed().collect(Collectors.toMap(id -> id, ManyUsersIT::profile));
    }

    private static UserProfile profile(long id) {
        return new UserProfile("13800000000", "user " + id, "", false, "", "");
    }
}
