package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.usher.redis.RedisWay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A caller's change of a value is invisible to other callers, with each call and in each tier. */
class SharedValuesIT extends NodesOnRedis {

    /** A value as an application may write it, with mutable collections. */
    record Badges(List<String> names, Set<String> colours, Map<String, List<String>> byYear) {

        private static Badges make() {
            return new Badges(
                    new ArrayList<>(List.of("early")),
                    new TreeSet<>(Set.of("red")),
                    new HashMap<>(Map.of("2026", new ArrayList<>(List.of("kind")))));
        }

        /** The changes of a careless caller. */
        private void change() {
            quietly(() -> names.add("admin"));
            quietly(names::clear);
            quietly(() -> colours.add("gold"));
            quietly(() -> byYear.put("2027", List.of("admin")));
            quietly(() -> requireNonNull(byYear.get("2026")).add("admin"));
            quietly(() -> Collections.sort(names));
        }
    }

    /** A facet with mutable values and copyOnRead(). */
    static final class Bean {
        @JsonProperty
        public String name = "Ann";

        @JsonProperty
        public int[] numbers = {1, 2};

        private void change() {
            name = "admin";
            numbers[0] = 7;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Bean bean && name.equals(bean.name) && Arrays.equals(numbers, bean.numbers);
        }

        @Override
        public int hashCode() {
            return name.hashCode();
        }
    }

    @SuppressWarnings("ImmutableEnumChecker") // Lambdas without a state.
    enum Way {
        FIND(cache -> cache.find(42L).orElseThrow()),
        FIND_ASYNC(cache -> cache.findAsync(42L).join().orElseThrow()),
        FIND_ALL(cache -> requireNonNull(cache.findAll(List.of(41L, 42L)).get(42L))),
        LOOK_UP(cache -> cache.lookUp(42L).value().orElseThrow()),
        LOOK_UP_ALL(cache ->
                requireNonNull(cache.lookUpAll(List.of(42L)).get(42L)).value().orElseThrow()),
        FIND_FRESH(cache -> cache.findFresh(42L).orElseThrow()),
        FIND_CACHED(cache -> {
            cache.find(42L);
            // Without Redis, nothing is cached.
            return cache.findCached(List.of(42L))
                    .getOrDefault(42L, cache.find(42L))
                    .orElseThrow();
        }),
        EXPLAIN(cache -> value(cache.explain(42L).source())),
        EXPLAIN_MEMORY(cache -> {
            cache.find(42L);
            return cache.explain(42L).near() instanceof Explanation.Holding.Value<Object> held
                    ? held.value()
                    : cache.find(42L).orElseThrow();
        });

        private final Function<UserCache<Long, Object>, Object> call;

        Way(Function<UserCache<Long, Object>, Object> call) {
            this.call = call;
        }

        private static Object value(Explanation.Holding<Object> holding) {
            return ((Explanation.Holding.Value<Object>) holding).value();
        }
    }

    /** For each facet: the source holds one object, like a source with a cache of its own. */
    @SuppressWarnings("unchecked")
    private static UserCache<Long, Object> cache(UserCaches node, Facet<?> facet, Object row) {
        return node.cache((Facet<Object>) facet, Long.class, ids -> ids.contains(42L) ? Map.of(42L, row) : Map.of());
    }

    private static Facet<Badges> badges(int nearSize) {
        return Facet.of("badges", Badges.class)
                .with(CachePolicy.builder()
                        .ttl(Duration.ofMinutes(10))
                        .nearSize(nearSize)
                        .stalenessBound(Duration.ofMinutes(1))
                        .build());
    }

    static Stream<Arguments> waysAndTiers() {
        return Arrays.stream(Way.values())
                .flatMap(way -> IntStream.of(0, 1000).mapToObj(size -> Arguments.of(way, size)));
    }

    @ParameterizedTest(name = "{0}, {1} users in memory")
    @MethodSource("waysAndTiers")
    void aValueIsTheSameForLaterCallers(Way way, int nearSize) {
        assertThatNoChangeIsSeen(way, patient(uri()), badges(nearSize), Badges.make(), Badges.make());
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void aValueThatIsCopiedIsTheSameForLaterCallers(Way way) {
        Facet<Bean> beans = Facet.of("beans", Bean.class).copyOnRead();
        assertThatNoChangeIsSeen(
                way,
                patient(uri()),
                beans.with(beans.policy().toBuilder()
                        .stalenessBound(Duration.ofMinutes(1))
                        .build()),
                new Bean(),
                new Bean());
    }

    @ParameterizedTest
    @EnumSource(Way.class)
    void withoutRedisToo(Way way) throws Exception {
        try (RedisWay nowhere = way()) {
            nowhere.refuse();
            assertThatNoChangeIsSeen(
                    way, UserCaches.builder().redis(nowhere.uri()), badges(1000), Badges.make(), Badges.make());
        }
    }

    private void assertThatNoChangeIsSeen(
            Way way, UserCaches.Builder settings, Facet<?> facet, Object row, Object expected) {
        UserCaches node = open(settings);
        UserCache<Long, Object> cache = cache(node, facet, row);
        for (int i = 0; i < 3; i++) {
            Object mine = way.call.apply(cache);
            assertThat(mine).isEqualTo(expected);
            change(mine);
            assertThat(row).as("what the source holds").isEqualTo(expected);
            assertThat(cache.find(42L)).contains(expected);
            assertThat(way.call.apply(cache)).isEqualTo(expected);
        }
        UserCache<Long, Object> elsewhere = cache(open(settings), facet, expected);
        assertThat(elsewhere.find(42L)).as("what Redis holds").contains(expected);
    }

    /** A caller that waits for another caller's load gets its result. */
    @Test
    void callersThatWaitForOneLoadGetCopiesOfTheirOwn() {
        CountDownLatch gate = new CountDownLatch(1);
        Facet<Bean> beans = Facet.of("beans", Bean.class).copyOnRead();
        UserCaches node = open(patient(uri()));
        UserCache<Long, Bean> cache = node.cache(beans, Long.class, ids -> {
            gate.await();
            return Map.of(42L, new Bean());
        });
        List<CompletableFuture<Bean>> calls = Stream.generate(
                        () -> cache.findAsync(42L).thenApply(found -> found.orElseThrow()))
                .limit(3)
                .toList();
        await().until(() -> ((TieredUserCache<Long, Bean>) cache).waitingFor(42L) == 2);
        gate.countDown();

        List<Bean> values = calls.stream().map(CompletableFuture::join).toList();
        values.get(0).change();
        values.get(1).change();
        assertThat(values.get(2)).isEqualTo(new Bean());
        assertThat(cache.find(42L)).contains(new Bean());
    }

    // Facets whose values cannot be cached.

    interface Named {
        String getName();
    }

    record OfInterface(Named named) {}

    static Stream<Arguments> misfits() {
        return Stream.of(
                Arguments.of(
                        Facet.of("badges", OfInterface.class),
                        new OfInterface(() -> "13800000000"),
                        "use a record or a class"),
                Arguments.of(
                        Facet.of("badges", kotlin.Pair.class),
                        new kotlin.Pair<>("13800000000", 1),
                        "jackson-module-kotlin"),
                Arguments.of(Facet.of("badges", Thread.State[].class), Thread.State.values(), "copyOnRead()"),
                Arguments.of(Facet.of("badges", Bean.class), new Bean(), "copyOnRead()"));
    }

    @ParameterizedTest
    @MethodSource("misfits")
    void aFacetThatDoesNotFitIsSaidOnceAndAsksTheSourceOnly(Facet<Object> facet, Object row, String remedy) {
        UserCaches node = open(patient(uri()));
        AtomicInteger queries = new AtomicInteger();
        UserCache<Long, Object> cache = node.cache(facet, Long.class, ids -> {
            queries.incrementAndGet();
            return Map.of(42L, row);
        });
        AtomicInteger reads = new AtomicInteger();

        List<String> lines = LogLines.of("dev.usher", () -> {
            assertThat(cache.find(42L)).isPresent();
            redis.configResetstat();
            for (int i = 0; i < 49; i++) {
                assertThat(cache.find(42L)).isPresent();
            }
            reads.set((int) (RedisCalls.of(redis, "get") + RedisCalls.of(redis, "evalsha")));
        });

        assertThat(lines)
                .singleElement()
                .asString()
                .contains("'badges'", remedy)
                .doesNotContain("13800000000");
        assertThat(queries).hasValue(50);
        assertThat(reads.get())
                .as("calls of Redis but for the heartbeat of the register")
                .isLessThan(10);
        assertThat(redis.exists("user:42:badges")).isZero();
        assertThat(node.health().toString()).contains("badges", remedy).doesNotContain("13800000000");
        assertThat(node.health().isWell()).isFalse();
    }

    @Test
    void aMapperOfTheApplicationWritesItsFacets() {
        tools.jackson.databind.json.JsonMapper mapper = tools.jackson.databind.json.JsonMapper.builder()
                .addModule(new tools.jackson.module.kotlin.KotlinModule.Builder().build())
                .build();
        UserCaches node = open(patient(uri()).jsonMapper(mapper));
        AtomicInteger queries = new AtomicInteger();
        @SuppressWarnings("rawtypes")
        UserCache<Long, kotlin.Pair> pairs = node.cache(Facet.of("pair", kotlin.Pair.class), Long.class, ids -> {
            queries.incrementAndGet();
            return Map.of(42L, new kotlin.Pair<>("a", 1));
        });

        assertThat(pairs.find(42L)).contains(new kotlin.Pair<>("a", 1));
        assertThat(pairs.find(42L)).contains(new kotlin.Pair<>("a", 1));
        assertThat(queries).hasValue(1);
        assertThat(redis.get("user:42:pair")).isEqualTo("{\"first\":\"a\",\"second\":1}");
        assertThat(node.health().uncached()).isEmpty();
    }

    private static void change(Object value) {
        if (value instanceof Badges badges) {
            badges.change();
        } else {
            ((Bean) value).change();
        }
    }

    private static void quietly(Runnable change) {
        try {
            change.run();
        } catch (UnsupportedOperationException e) {
            // This is the expected outcome.
        }
    }
}
