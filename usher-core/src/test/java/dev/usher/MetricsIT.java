package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.distribution.HistogramSupport;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Every meter moves when it should, by what it should, and no other meter does. */
class MetricsIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final String JSON = new String(UserProfile.FACET.codec().encode(ANN), StandardCharsets.UTF_8);
    private static final String KEY = "user:42:profile";
    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Map<Long, UserProfile> table = new ConcurrentHashMap<>(Map.of(42L, ANN));
    private Map<String, Double> before = Map.of();
    private volatile boolean down;

    @Test
    void aMissIsALoad() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);

        cache.find(42L);
        assertMoved(
                "usher.requests{facet=profile, outcome=present, tier=source} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=answered} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                // Redis pushes even this node's own fill, since the node had read the missing key.
                "usher.near.invalidations{facet=profile} 1",
                "usher.shared.batch.size{} 2 of 2");
    }

    @Test
    void whatMemoryHoldsIsAHitOfMemoryAndOfNothingElse() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        await().until(() -> {
            cache.find(42L);
            return cache.stats().nearHits() > 0;
        });
        moved();

        cache.find(42L);
        assertMoved("usher.requests{facet=profile, outcome=present, tier=near} 1");
    }

    @Test
    void whatRedisHoldsIsAHitOfRedis() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        redis.setex(KEY, 60, JSON);

        cache.find(42L);
        assertMoved(
                "usher.requests{facet=profile, outcome=present, tier=shared} 1", "usher.shared.batch.size{} 1 of 1");
    }

    @Test
    void anAbsentUserIsCountedAsSuchInEveryTier() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);

        cache.find(7L);
        await().until(() -> cache.stats().nearInvalidations() == 1); // the push of the absence that was not stored
        assertMoved(
                "usher.requests{facet=profile, outcome=absent, tier=source} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=answered} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                "usher.near.invalidations{facet=profile} 1",
                "usher.shared.batch.size{} 1 of 1");

        cache.find(7L); // and now it is stored, and read back
        assertMoved(
                "usher.requests{facet=profile, outcome=absent, tier=source} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=answered} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                "usher.near.invalidations{facet=profile} 1",
                "usher.shared.batch.size{} 2 of 2");

        cache.find(7L);
        assertMoved("usher.requests{facet=profile, outcome=absent, tier=shared} 1", "usher.shared.batch.size{} 1 of 1");

        await().until(() -> {
            cache.find(7L);
            return cache.stats().nearHits() > 0;
        });
        moved();
        cache.find(7L);
        assertMoved("usher.requests{facet=profile, outcome=absent, tier=near} 1");
    }

    @Test
    void aFailedLoadLeavesItsCallerWithoutAnAnswer() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, ids -> {
            throw new IllegalStateException("the database is down");
        });

        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.find(42L));
        assertMoved(
                "usher.requests{facet=profile, outcome=unavailable, tier=none} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=failed} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                "usher.shared.batch.size{} 1 of 1");
    }

    @Test
    void aLastKnownAnswerIsCountedAsStale() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = metered(proxy.uri(), PATIENT, this::loadUnlessDown);
            await().until(() -> {
                cache.findAll(List.of(7L, 42L));
                return cache.stats().nearPresent() > 0 && cache.stats().nearAbsent() > 0;
            });
            proxy.refuse();
            await().until(() -> gauge("usher.near.open") == 0);
            down = true;
            cache.find(42L);
            cache.find(7L);
            moved();

            cache.find(42L);
            cache.find(42L);
            cache.find(7L);
            assertMoved(
                    "usher.requests{facet=profile, outcome=present, tier=stale} 2",
                    "usher.requests{facet=profile, outcome=absent, tier=stale} 1");
            assertThat(cache.stats().staleAnswers()).isEqualTo(5);
        }
    }

    @Test
    void aLoadThatMayNotWaitIsCounted() throws InterruptedException {
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        Facet<UserProfile> narrow = PATIENT.with(
                PATIENT.policy().toBuilder().maxLoads(1).maxWaitingLoads(0).build());
        UserCache<Long, UserProfile> cache = metered(uri(), narrow, ids -> {
            loading.countDown();
            gate.await();
            return load(ids);
        });
        Thread first = thread(() -> cache.find(42L));
        loading.await();
        moved();
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.find(7L));
        assertMovedMeanwhile(
                "usher.loads.rejected{facet=profile} 1",
                "usher.requests{facet=profile, outcome=unavailable, tier=none} 1",
                "usher.shared.batch.size{} 1 of 1");
        assertThat(cache.stats().loadsRejected()).isEqualTo(1);
        gate.countDown();
        first.join();
    }

    @Test
    void aChangeDuringALoadRefusesTheFill() {
        UserCache<Long, UserProfile> other = node(uri()).cache(PATIENT, Long.class, this::load);
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, ids -> {
            Map<Long, UserProfile> read = load(ids);
            other.invalidate(42L);
            return read;
        });

        cache.find(42L);
        assertMoved(
                "usher.requests{facet=profile, outcome=present, tier=source} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=answered} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                "usher.fills.refused{facet=profile, reason=changed} 1",
                "usher.shared.batch.size{} 1 of 1");
    }

    @Test
    void aValueThatCannotBeEncodedIsNotStored() {
        FacetCodec<UserProfile> json = UserProfile.FACET.codec();
        FacetCodec<UserProfile> broken = new FacetCodec<>() {
            @Override
            public byte[] encode(UserProfile value) {
                throw new IllegalArgumentException("never");
            }

            @Override
            public UserProfile decode(byte[] bytes) {
                return json.decode(bytes);
            }
        };
        UserCache<Long, UserProfile> cache =
                metered(uri(), new Facet<>("profile", broken, PATIENT.policy()), this::load);

        cache.find(42L);
        assertMoved(
                "usher.requests{facet=profile, outcome=present, tier=source} 1",
                "usher.loads{facet=profile} 1",
                "usher.load.duration{facet=profile, outcome=answered} 1",
                "usher.source.batch.size{facet=profile} 1 of 1",
                "usher.fills.refused{facet=profile, reason=codec} 1",
                "usher.shared.batch.size{} 1 of 1");
    }

    @Test
    void anOfferIsStoredOrRefused() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);

        cache.save(42L, ANN, Instant.now());
        assertMoved("usher.offers{facet=profile, outcome=stored} 1");

        cache.save(42L, ANN, Instant.now());
        assertMoved("usher.offers{facet=profile, outcome=refused} 1");
    }

    @Test
    void aMissThatAnotherProcessIsLoadingWaitsForItOnce() throws InterruptedException {
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch gate = new CountDownLatch(1);
        UserCache<Long, UserProfile> other = node(uri()).cache(PATIENT, Long.class, ids -> {
            loading.countDown();
            gate.await();
            return load(ids);
        });
        UserCache<Long, UserProfile> cache = metered(
                uri(),
                PATIENT.with(PATIENT.policy().toBuilder()
                        .claimWait(Duration.ofMinutes(1))
                        .build()),
                this::load);
        Thread there = thread(() -> other.find(42L));
        loading.await();
        Thread here = thread(() -> cache.find(42L));
        await().until(() -> cache.stats().claimWaits() == 1);
        gate.countDown();
        there.join();
        here.join();

        Map<String, String> moved = moved();
        assertThat(moved)
                .containsEntry("usher.claims.waited{facet=profile}", "1")
                .containsEntry("usher.requests{facet=profile, outcome=present, tier=shared}", "1")
                .doesNotContainKey("usher.loads{facet=profile}");
    }

    @Test
    void anEntryThatCannotBeReadIsCounted() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        redis.set(KEY, "{broken");

        cache.find(42L);
        assertThat(moved()).containsEntry("usher.shared.unreadable{facet=profile}", "1");
    }

    @Test
    void aPushedChangeIsCountedOnce() {
        UserCache<Long, UserProfile> other = node(uri()).cache(PATIENT, Long.class, this::load);
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        cache.find(42L);
        awaitLoads();
        moved();

        other.invalidate(42L);
        await().until(() -> cache.stats().nearInvalidations() == 2);
        assertMoved("usher.near.invalidations{facet=profile} 1");
    }

    @Test
    void whatIsLoadedBeforeItsEndIsCounted() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        redis.setex(KEY, 60, JSON); // of a TTL of half an hour
        await().until(() -> {
            cache.find(42L);
            return redis.pttl(KEY) > Duration.ofMinutes(20).toMillis();
        });
        await().until(() -> cache.stats().loads() == 1);
        assertThat(moved())
                .contains(
                        Map.entry("usher.refreshes{facet=profile}", "1"), Map.entry("usher.loads{facet=profile}", "1"));
    }

    @Test
    void withoutRedisTheNearTierIsClosedAndChangesWaitToBeSent() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = metered(proxy.uri(), PATIENT, this::load);
            assertThat(gauge("usher.near.open")).isEqualTo(1);
            assertThat(cache.stats().nearOpen()).isTrue();

            proxy.refuse();
            await().until(() -> gauge("usher.near.open") == 0);
            assertThat(gauge("usher.near.watermark.age")).isNaN();
            assertThat(cache.stats().watermarkAge()).isNull();
            assertThat(cache.stats().nearOpen()).isFalse();
            moved();

            cache.find(42L);
            assertThat(moved())
                    .containsEntry("usher.shared.errors{facet=profile}", "1")
                    .containsEntry("usher.requests{facet=profile, outcome=present, tier=source}", "1");

            cache.invalidate(42L);
            assertThat(gauge("usher.fences.pending")).isEqualTo(1);
            assertThat(cache.stats().pendingFences()).isEqualTo(1);
            assertThat(gauge("usher.fences.oldest.age")).isBetween(0.0, 20.0).isNotZero();

            moved();
            proxy.restore();
            await().until(() -> gauge("usher.fences.pending") == 0 && gauge("usher.near.open") == 1);
            assertThat(gauge("usher.fences.oldest.age")).isZero();
            assertThat(moved()).containsEntry("usher.fences.resent{}", "1");
        }
    }

    @Test
    void theWatermarkIsAsOldAsTheSilenceOfRedis() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = metered(proxy.uri(), PATIENT, this::load);
            await().until(() -> gauge("usher.near.watermark.age") < 0.5);

            proxy.freeze();
            await().until(() -> gauge("usher.near.watermark.age") > 1.0);
            assertThat(gauge("usher.near.watermark.age")).isLessThan(10.0);
            assertThat(cache.stats().watermarkAge()).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(10));

            proxy.thaw();
            await().until(() -> gauge("usher.near.watermark.age") < 0.5);
        }
    }

    @Test
    void readsThatWaitAreBatched() throws InterruptedException {
        List<Long> ids = idsAlike("profile", 20);
        ids.forEach(id -> redis.setex("user:" + id + ":profile", 60, JSON));
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = metered(proxy.uri(), PATIENT, this::load);
            proxy.freeze();
            List<Thread> callers =
                    ids.stream().map(id -> thread(() -> cache.find(id))).toList();
            await().until(() -> callers.stream().allMatch(caller -> caller.getState() == Thread.State.TIMED_WAITING));
            assertMovedMeanwhile("usher.shared.batch.size{} 16 of 16");
            assertThat(cache.stats().sharedBatches()).isEqualTo(16);

            proxy.thaw();
            for (Thread caller : callers) {
                caller.join();
            }
            assertMoved(
                    "usher.shared.batch.size{} 1 of 4",
                    "usher.requests{facet=profile, outcome=present, tier=shared} 20");
            assertThat(cache.stats().sharedReads()).isEqualTo(20);
        }
    }

    @Test
    void theStatisticsAreTheMeters() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        for (long id = 40; id < 45; id++) {
            for (int i = 0; i < 5; i++) {
                cache.find(id);
            }
            cache.save(id, ANN, Instant.now());
        }
        CacheStats stats = cache.stats();
        Map<String, String> figures = new TreeMap<>(Map.ofEntries(
                entry("usher.requests{facet=profile, outcome=present, tier=near}", stats.nearPresent()),
                entry("usher.requests{facet=profile, outcome=absent, tier=near}", stats.nearAbsent()),
                entry("usher.requests{facet=profile, outcome=present, tier=shared}", stats.sharedPresent()),
                entry("usher.requests{facet=profile, outcome=absent, tier=shared}", stats.sharedAbsent()),
                entry("usher.requests{facet=profile, outcome=present, tier=source}", stats.sourcePresent()),
                entry("usher.requests{facet=profile, outcome=absent, tier=source}", stats.sourceAbsent()),
                entry("usher.loads{facet=profile}", stats.loads()),
                entry("usher.load.duration{facet=profile, outcome=answered}", stats.loads() - stats.loadFailures()),
                entry("usher.offers{facet=profile, outcome=refused}", stats.offersRefused()),
                entry("usher.refreshes{facet=profile}", stats.refreshes()),
                entry("usher.near.invalidations{facet=profile}", stats.nearInvalidations()),
                Map.entry("usher.source.batch.size{facet=profile}", stats.loads() + " of " + stats.loadedUsers()),
                Map.entry("usher.shared.batch.size{}", stats.sharedBatches() + " of " + stats.sharedReads())));
        figures.values().removeIf("0"::equals);
        assertThat(moved()).isEqualTo(figures);
        assertThat(registry.get("usher.load.duration")
                        .tag("outcome", "answered")
                        .timer()
                        .totalTime(TimeUnit.NANOSECONDS))
                .isEqualTo((double) stats.loadTime().toNanos());
    }

    @Test
    void noTagNamesAUser() {
        UserCache<Long, UserProfile> cache = metered(uri(), PATIENT, this::load);
        cache.find(42L);
        cache.find(7L);
        cache.invalidate(42L);

        Map<String, Set<String>> values = registry.getMeters().stream()
                .flatMap(meter -> meter.getId().getTags().stream())
                .collect(Collectors.groupingBy(Tag::getKey, Collectors.mapping(Tag::getValue, Collectors.toSet())));
        assertThat(values)
                .isEqualTo(Map.of(
                        "facet", Set.of("profile"),
                        "tier", Set.of("near", "shared", "source", "stale", "none"),
                        "outcome",
                                Set.of("present", "absent", "unavailable", "answered", "failed", "stored", "refused"),
                        "reason", Set.of("changed", "codec")));
    }

    @Test
    void closingRemovesTheMetersAndWithoutARegistryThereAreNone() {
        metered(uri(), PATIENT, this::load);
        assertThat(registry.getMeters()).isNotEmpty();
        opened.get(0).close();
        assertThat(registry.getMeters()).isEmpty();

        node(uri()).cache(PATIENT, Long.class, this::load).find(42L);
        assertThat(registry.getMeters()).isEmpty();
        assertThat(Metrics.globalRegistry.getMeters()).isEmpty();
    }

    /** A cache with meters, whose near tier is open. */
    private UserCache<Long, UserProfile> metered(
            String uri, Facet<UserProfile> facet, UserSource<Long, UserProfile> source) {
        UserCaches caches = open(UserCaches.builder()
                .redis(uri)
                .commandTimeout(Duration.ofSeconds(5))
                .meterRegistry(registry));
        UserCache<Long, UserProfile> cache = caches.cache(facet, Long.class, source);
        await().until(() -> gauge("usher.near.open") == 1);
        return cache;
    }

    private UserCaches node(String uri) {
        return open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(5)));
    }

    private Map<Long, UserProfile> loadUnlessDown(Set<Long> ids) {
        if (down) {
            throw new IllegalStateException("the database is down");
        }
        return load(ids);
    }

    private Map<Long, UserProfile> load(Set<Long> ids) {
        return ids.stream().filter(table::containsKey).collect(Collectors.toMap(Function.identity(), table::get));
    }

    private double gauge(String name) {
        return registry.get(name).gauge().value();
    }

    private void assertMoved(String... expected) {
        awaitLoads();
        assertMovedMeanwhile(expected);
    }

    /** As {@link #assertMoved}, while users are being loaded. */
    private void assertMovedMeanwhile(String... expected) {
        assertThat(moved().entrySet().stream().map(meter -> meter.getKey() + " " + meter.getValue()))
                .containsExactlyInAnyOrder(expected);
    }

    /** The change of each meter since the last call; for a distribution, the change of its count and of its total. */
    private Map<String, String> moved() {
        Map<String, Double> now = new TreeMap<>();
        for (Meter meter : registry.getMeters()) {
            String name = meter.getId().getName()
                    + meter.getId().getTags().stream()
                            .map(tag -> tag.getKey() + "=" + tag.getValue())
                            .collect(Collectors.joining(", ", "{", "}"));
            if (meter instanceof FunctionCounter counter) {
                now.put(name, counter.count());
            } else if (meter instanceof HistogramSupport distribution) {
                now.put(name, (double) distribution.takeSnapshot().count());
                if (!(meter instanceof Timer)) {
                    now.put(name + " of", distribution.takeSnapshot().total());
                }
            }
        }
        Map<String, String> moved = new TreeMap<>();
        now.forEach((name, value) -> {
            long by = (long) (value - before.getOrDefault(name, 0.0));
            Double total = now.get(name + " of");
            if (by != 0 && !name.endsWith(" of")) {
                String of = total == null ? "" : " of " + (long) (total - before.getOrDefault(name + " of", 0.0));
                moved.put(name, by + of);
            }
        });
        before = now;
        return moved;
    }

    private static Map.Entry<String, String> entry(String meter, long value) {
        return Map.entry(meter, Long.toString(value));
    }

    private static Thread thread(Runnable task) {
        Thread thread = new Thread(task);
        thread.start();
        return thread;
    }
}
