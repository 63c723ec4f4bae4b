package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The log of a hundred calls with the same failure: one line for each facet. */
class RepeatedLinesIT extends NodesOnRedis {

    private static final int CALLS = 100;

    /** A codec that accepts texts with a certain beginning only. */
    private static final FacetCodec<String> CODEC = new FacetCodec<>() {
        @Override
        public byte[] encode(String value) {
            if (value.equals("unwritable")) {
                throw new IllegalStateException("cannot write 13800000000");
            }
            return ("=" + value).getBytes(java.nio.charset.StandardCharsets.UTF_8);
        }

        @Override
        public String decode(byte[] bytes) {
            String text = new String(bytes, java.nio.charset.StandardCharsets.UTF_8);
            if (!text.startsWith("=")) {
                throw new IllegalStateException("cannot read 13800000000");
            }
            return text.substring(1);
        }
    };

    /** Makes one call that fails. */
    interface Fault {

        void meet(UserCache<Long, String> cache, long id);
    }

    record Row(String name, String line, Fault fault) {

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Row> rows() {
        return Stream.of(
                new Row("an entry that is no value", "cannot be read", (cache, id) -> {
                    redis.set(cache.keyOf(id), "13800000000");
                    assertThat(cache.find(id)).contains("right");
                }),
                new Row("the same in a list", "cannot be read", (cache, id) -> {
                    redis.set(cache.keyOf(id), "13800000000");
                    assertThat(cache.findAll(List.of(id, id + 1_000_000))).hasSize(2);
                }),
                new Row("the same of a caller that only peeks", "cannot be read", (cache, id) -> {
                    redis.set(cache.keyOf(id), "13800000000");
                    assertThat(cache.findCached(List.of(id))).isEmpty();
                }),
                new Row("an entry of another type", "cannot be read", (cache, id) -> {
                    redis.hset(cache.keyOf(id), "mobile", "13800000000");
                    assertThat(cache.find(id)).contains("right");
                }),
                new Row(
                        "a value that cannot be written",
                        "is not cached",
                        (cache, id) -> assertThat(cache.find(-id - 1)).contains("unwritable")),
                new Row(
                        "an offered value that cannot be written",
                        "is not cached",
                        (cache, id) -> assertThat(cache.save(id, "unwritable", Instant.now()))
                                .isFalse()));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void aFaultThatEachCallMeetsIsSaidOnceForEachFacet(Row row) {
        UserCaches node = open(patient(uri()));
        UserCache<Long, String> first = node.cache(facet("first"), Long.class, RepeatedLinesIT::load);
        UserCache<Long, String> second = node.cache(facet("second"), Long.class, RepeatedLinesIT::load);
        assertThat(first.find(0L)).contains("right");
        assertThat(second.find(0L)).contains("right");

        List<String> lines = LogLines.of("dev.usher", () -> {
            for (long id = 1; id <= CALLS; id++) {
                row.fault.meet(first, id);
                row.fault.meet(second, id);
            }
        });

        assertThat(lines)
                .hasSize(2)
                .allSatisfy(line -> assertThat(line).contains(row.line).doesNotContain("13800000000"))
                .anySatisfy(line -> assertThat(line).contains(":first"))
                .anySatisfy(line -> assertThat(line).contains(":second"));
    }

    @Test
    void refreshesThatBreakOffAreSaidOnce() {
        Facet<String> hourly = facet("hourly");
        List<Long> users = LongStream.range(0, 20).boxed().toList();
        boolean[] breaks = {false};
        UserCache<Long, String> cache = open(patient(uri()))
                .cache(
                        hourly.with(hourly.policy().toBuilder()
                                .ttl(Duration.ofHours(1))
                                .build()),
                        Long.class,
                        ids -> {
                            if (breaks[0]) {
                                throw new StackOverflowError();
                            }
                            return load(ids);
                        });
        assertThat(cache.findAll(users)).hasSize(20);
        awaitLoads();
        users.forEach(id -> redis.pexpire(cache.keyOf(id), Duration.ofMinutes(3).toMillis()));
        breaks[0] = true;

        List<String> lines = LogLines.of(
                "dev.usher",
                () -> await().until(() -> {
                    assertThat(cache.findAll(users)).hasSize(20);
                    // Eight at a time: most have failed once all have begun. Some may share a query.
                    return cache.stats().refreshes() >= 20;
                }));

        assertThat(lines).singleElement().asString().startsWith("The refresh of user:");
    }

    @Test
    void changesOfManyTenantsThatCannotBeSentAreSaidOnce() {
        try (RedisWay proxy = way()) {
            UserCaches home = open(patient(proxy.uri()));
            List<UserCache<Long, String>> tenants = LongStream.range(0, 20)
                    .mapToObj(
                            i -> home.withPrefix("tenant-" + i).cache(facet("name"), Long.class, RepeatedLinesIT::load))
                    .toList();
            proxy.refuse();

            List<String> lines = LogLines.of(
                    "dev.usher",
                    () -> tenants.forEach(
                            tenant -> assertThat(tenant.invalidate(42L)).isFalse()));

            assertThat(lines)
                    .filteredOn(line -> line.contains("are not confirmed"))
                    .hasSize(1);
            proxy.restore();
            await().until(() ->
                    tenants.stream().allMatch(tenant -> tenant.stats().pendingFences() == 0));
        }
    }

    private static Facet<String> facet(String name) {
        return new Facet<>(name, CODEC, CachePolicy.of(Duration.ofMinutes(10)));
    }

    private static Map<Long, String> load(java.util.Set<Long> ids) {
        return ids.stream().collect(Collectors.toMap(id -> id, id -> id < 0 ? "unwritable" : "right"));
    }
}
