package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A user with an unreadable row, or with an unconfirmed change, makes no other user unavailable. */
class EachUserForItselfIT extends NodesOnRedis {

    private static final Facet<String> NAME = Facet.of("name", String.class)
            .with(CachePolicy.builder().ttl(Duration.ofMinutes(10)).maxLoads(1).build());

    private static final long FIRST = 1_000;
    private static final long BAD = 13;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch gate = new CountDownLatch(1);
    private final AtomicInteger queries = new AtomicInteger();
    private volatile boolean isBroken;
    private volatile @Nullable Way way = Way.THROWS;

    @AfterEach
    void close() {
        gate.countDown();
        threads.shutdownNow();
        redis.configSet("min-replicas-to-write", "0");
    }

    @Test
    void oneUnreadableRowFailsNoOtherUser() throws Exception {
        UserCache<Long, String> names = cache();
        Future<Optional<String>> first = threads.submit(() -> names.find(FIRST));
        await().until(() -> queries.get() == 1);
        List<Future<Optional<String>>> callers = new ArrayList<>();
        for (long id = 1; id <= 100; id++) {
            long user = id;
            callers.add(threads.submit(() -> names.find(user)));
        }
        await().until(() -> ((TieredUserCache<Long, String>) names).waitingForTheSource() == 100);
        gate.countDown();
        first.get(10, TimeUnit.SECONDS);
        List<Long> unavailable = new ArrayList<>();
        for (int i = 0; i < callers.size(); i++) {
            try {
                callers.get(i).get(10, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                unavailable.add(i + 1L);
            }
        }
        assertThat(unavailable).containsExactly(BAD);
    }

    @Test
    void aPendingFenceAndAFailingSourceFailNoUserThatRedisHolds() throws Exception {
        LongStream.range(1, 10).forEach(id -> redis.set("user:" + id + ":name", "\"user " + id + "\""));
        UserCache<Long, String> names = cache();
        redis.configSet("min-replicas-to-write", "1");
        assertThat(names.invalidate(1L)).as("Redis takes no fence").isFalse();
        Future<Map<Long, String>> list = threads.submit(() -> names.findAll(List.of(1L, 2L, 3L)));
        await().until(() -> queries.get() == 1);
        Future<Optional<String>> joined = threads.submit(() -> names.find(2L));
        await().until(() -> joined.isDone() || ((TieredUserCache<Long, String>) names).waitingFor(2L) == 1);
        isBroken = true;
        gate.countDown();
        assertThat(joined.get(10, TimeUnit.SECONDS)).contains("user 2");
        assertThat(list).failsWithin(Duration.ofSeconds(10));
    }

    @Test
    void aPendingFenceAndAHangingSourceDelayNoUserThatRedisHolds() throws Exception {
        LongStream.range(1, 10).forEach(id -> redis.set("user:" + id + ":name", "\"user " + id + "\""));
        UserCache<Long, String> names = cache();
        redis.configSet("min-replicas-to-write", "1");
        assertThat(names.invalidate(1L)).as("Redis takes no fence").isFalse();
        Future<Map<Long, String>> list = threads.submit(() -> names.findAll(List.of(1L, 2L, 3L)));
        await().until(() -> queries.get() == 1);

        assertThat(threads.submit(() -> names.find(2L)).get(10, TimeUnit.SECONDS))
                .contains("user 2");
        assertThat(list).isNotDone();
        gate.countDown();
        assertThat(list.get(10, TimeUnit.SECONDS)).hasSize(3);
    }

    @Test
    void theLogSaysOnceWhyTheSourceFails() {
        UserCache<Long, String> names = cache();
        isBroken = true;
        gate.countDown();
        List<String> lines = LogLines.of(
                "dev.usher",
                () -> LongStream.range(1, 20).forEach(id -> {
                    try {
                        names.find(id);
                    } catch (UserUnavailableException e) {
                        assertThat(e).hasMessageNotContaining("13800000000");
                    }
                }));
        assertThat(lines)
                .filteredOn(line -> line.contains("SQLException, SQLSTATE 42P01"))
                .hasSize(1);
        assertThat(lines).noneMatch(line -> line.contains("13800000000"));

        UserCaches node = opened.get(0);
        await().until(() -> node.health().nearOpen());
        assertThat(node.health().isWell()).isFalse();
        isBroken = false;
        names.find(1L);
        await().until(() -> node.health().isWell());
        assertThat(node.health().source()).isEmpty();
    }

    /** The kind of failure for one of several users, and the place of the call. */
    static Stream<Arguments> ways() {
        return Arrays.stream(Way.values())
                .flatMap(way -> Arrays.stream(Place.values()).map(place -> Arguments.of(way, place)));
    }

    /** The ways in which a source reports the failure. */
    enum Way {
        REPORTS,
        THROWS,
        ANSWERS_NULL
    }

    /** The places of the call. */
    enum Place {
        WITH_REDIS,
        WITHOUT_REDIS,
        /** On a thread that may not load for others. */
        ALONE
    }

    @ParameterizedTest
    @MethodSource("ways")
    void whicheverCallAsksOneUnreadableRowMakesOneUserUnavailable(Way how, Place place) {
        way = how;
        gate.countDown();
        try (RedisWay proxy = way()) {
            UserCaches node = open(patient(proxy.uri()));
            UserCache<Long, String> names = node.cache(NAME, Long.class, sourceFor(place));
            await().until(() -> node.health().nearOpen());
            if (place == Place.WITHOUT_REDIS) {
                proxy.refuse();
                await().until(() -> !node.health().nearOpen());
            }
            List<Long> all = LongStream.rangeClosed(1, 30).boxed().toList();
            List<Long> readable = all.stream().filter(id -> id != BAD).toList();

            assertThatExceptionOfType(UserUnavailableException.class)
                    .isThrownBy(() -> names.findAll(all))
                    .withMessageStartingWith("user:13:name is unavailable: the source failed (IllegalStateException)")
                    .satisfies(e -> assertThat(e.ids()).isEqualTo(Set.of(BAD)));
            assertThat(names.stats().unavailable()).isEqualTo(1);
            assertThat(names.findAll(readable)).hasSize(29);
            Map<Long, Lookup<String>> found = names.lookUpAll(all);
            assertThat(found).hasSize(30);
            found.forEach((id, answer) -> assertThat(answer.isUnavailable()).isEqualTo(id == BAD));
            readable.forEach(
                    id -> assertThat(requireNonNull(found.get(id)).value()).contains("user " + id));
            assertThatExceptionOfType(UserUnavailableException.class)
                    .isThrownBy(() -> requireNonNull(found.get(BAD)).value());

            Map<String, Consumer<Long>> calls = Map.of(
                    "find", names::find,
                    "lookUp", names::lookUp,
                    "findFresh", names::findFresh,
                    "findAsync", id -> joined(names.findAsync(id)));
            calls.forEach((name, call) -> {
                assertThatExceptionOfType(UserUnavailableException.class)
                        .as(name)
                        .isThrownBy(() -> call.accept(BAD))
                        .satisfies(e -> assertThat(e.ids()).isEqualTo(Set.of(BAD)));
                call.accept(1L);
            });
            assertThat(names.explain(BAD).source())
                    .isEqualTo(new Explanation.Holding.Unknown<>("IllegalStateException"));
            assertThat(names.explain(1L).source()).isEqualTo(new Explanation.Holding.Value<>("user 1"));
            assertThat(names.findCached(List.of(BAD)))
                    .as("an error is nowhere kept")
                    .isEmpty();
            assertThat(redis.exists("user:13:name")).isZero();
            if (place == Place.WITH_REDIS) {
                assertThat(redis.exists(readable.stream().map(names::keyOf).toArray(String[]::new)))
                        .isEqualTo(29);
                assertThat(names.stats().claimWaits()).as("claims given up").isZero();
            }
            way = null;
            assertThat(names.find(BAD)).as("as soon as it can be read").contains("user 13");
        }
    }

    @Test
    void aListWithOneUnconfirmedUserIsAnsweredForTheOthers() {
        LongStream.range(1, 10).forEach(id -> redis.set("user:" + id + ":name", "\"user " + id + "\""));
        UserCaches node = open(patient(uri()));
        UserCache<Long, String> names = node.cache(NAME, Long.class, this::load);
        gate.countDown();
        isBroken = true;
        redis.configSet("min-replicas-to-write", "1");
        assertThat(names.invalidate(1L)).isFalse();

        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> names.findAll(List.of(1L, 2L, 3L)))
                .satisfies(e -> assertThat(e.ids()).isEqualTo(Set.of(1L)));
        Map<Long, Lookup<String>> found = names.lookUpAll(List.of(1L, 4L, 5L));
        assertThat(requireNonNull(found.get(1L)).isUnavailable()).isTrue();
        assertThat(requireNonNull(found.get(4L)).value()).contains("user 4");
        assertThat(requireNonNull(found.get(5L)).value()).contains("user 5");
        assertThat(node.health().source()).isEqualTo(Map.of("name", "SQLException, SQLSTATE 42P01"));
        assertThat(node.health().isWell()).isFalse();
    }

    /** Of 1,200 users 600 are in Redis; for the rest the source is asked once, not for each part of the list. */
    @Test
    void aLongListIsNotAskedForPartByPartOfASourceThatFails() {
        LongStream.rangeClosed(601, 1_200).forEach(id -> redis.set("user:" + id + ":name", "\"user " + id + "\""));
        UserCache<Long, String> names = cache();
        gate.countDown();
        isBroken = true;
        Set<Long> all = LongStream.rangeClosed(1, 1_200).boxed().collect(Collectors.toCollection(LinkedHashSet::new));

        Map<Long, Lookup<String>> found = names.lookUpAll(all);
        assertThat(found).hasSize(1_200);
        assertThat(found.values()).filteredOn(Lookup::isUnavailable).hasSize(600);
        assertThat(queries.get()).isBetween(1, testRedis.servers().size());
        assertThat(names.stats().unavailable()).isEqualTo(600);
    }

    /** Unreadable rows, however many, are no sign of a failing source: the rest of the list is still loaded from it. */
    @Test
    void aListNamesAllUsersThatAreUnavailable() {
        UserCache<Long, String> names = open(patient(uri())).cache(NAME, Long.class, ids -> {
            Map<Long, Exception> failures = new HashMap<>();
            Map<Long, String> found = new HashMap<>();
            for (Long id : ids) {
                if (id <= 500) {
                    failures.put(id, new IllegalStateException("the row of " + id));
                } else {
                    found.put(id, "user " + id);
                }
            }
            if (!failures.isEmpty()) {
                throw new UnreadableUsersException(found, failures);
            }
            return found;
        });
        Set<Long> all = LongStream.rangeClosed(1, 600).boxed().collect(Collectors.toCollection(LinkedHashSet::new));

        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> names.findAll(all))
                .withMessageContaining("(and 499 others) is unavailable: the source failed (IllegalStateException)")
                .satisfies(e -> assertThat(e.ids()).hasSize(500));
        assertThat(names.lookUpAll(all).values())
                .filteredOn(found -> !found.isUnavailable())
                .hasSize(100);
    }

    private static void joined(CompletableFuture<?> answer) {
        try {
            answer.join();
        } catch (CompletionException e) {
            throw (RuntimeException) requireNonNull(e.getCause());
        }
    }

    private UserCache<Long, String> cache() {
        return open(patient(uri())).cache(NAME, Long.class, this::load);
    }

    private UserSource<Long, String> sourceFor(Place place) {
        return new UserSource<>() {
            @Override
            public Map<Long, String> load(Set<Long> ids) throws Exception {
                return EachUserForItselfIT.this.load(ids);
            }

            @Override
            public boolean canLoadForOthers() {
                return place != Place.ALONE;
            }
        };
    }

    private Map<Long, String> load(Set<Long> ids) throws Exception {
        queries.incrementAndGet();
        gate.await();
        if (isBroken) {
            throw new SQLException("no table for 13800000000", "42P01");
        }
        Map<Long, String> found = new HashMap<>();
        ids.forEach(id -> found.put(id, "user " + id));
        Way how = way;
        return how != null && ids.contains(BAD) ? unreadable(how, found) : found;
    }

    private static Map<Long, String> unreadable(Way how, Map<Long, String> found) {
        IllegalStateException failure = new IllegalStateException("the row of a user holds 2");
        switch (how) {
            case REPORTS -> {
                found.remove(BAD);
                throw new UnreadableUsersException(found, Map.of(BAD, failure));
            }
            case THROWS -> throw failure;
            case ANSWERS_NULL -> found.put(BAD, null);
        }
        return found;
    }
}
