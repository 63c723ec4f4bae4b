package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisPrimary;
import dev.usher.redis.RedisWay;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Changes whose fences do not reach Redis, or not all of them, and the old values there. */
@Tag("servers")
class FenceOutboxIT extends NodesOnRedis {

    private static final UserProfile OLD = profile("Old");
    private static final UserProfile NEW = profile("New");

    /** A value as a fill stores it. */
    private static final String STORED =
            "{\"mobile\":\"13800000000\",\"name\":\"Old\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}";

    private static final Facet<UserProfile> PROFILE = UserProfile.FACET.with(
            UserProfile.FACET.policy().toBuilder().nearSize(0).build());

    /** Earlier than the default, but late enough for the steps of a test on a busy machine. */
    private static final Duration OFFERS_END = Duration.ofSeconds(3);

    private static final Timing SOON = TRUSTING.withOffersEnd(OFFERS_END);

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private RedisWay proxy;
    private static List<Long> alike;

    @BeforeAll
    static void chooseUsers() {
        alike = idsAlike("profile", 99);
    }

    @BeforeEach
    void startProxy() {
        proxy = way();
    }

    @AfterEach
    void stopProxy() {
        table.gate.countDown();
        threads.shutdownNow();
        proxy.close();
    }

    // Pending changes.

    @Test
    void whatCouldNotBeSentIsSentWhenRedisReturnsAmongNewChanges() {
        UserCaches here = node(FenceOutbox.LIMIT);
        UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
        LongStream.rangeClosed(1, 30).forEach(id -> redis.set(keyOf(id), STORED));
        proxy.refuse();
        changeAll(cache, 1, 20);
        assertThat(here.engine().fences().size()).isEqualTo(20);
        assertThat(here.engine().fences().oldest()).isPositive();

        proxy.restore();
        changeAll(cache, 10, 30);
        await().until(() -> here.engine().fences().size() == 0);
        LongStream.rangeClosed(1, 30).forEach(this::assertNotOld);
        assertThat(here.engine().fences().oldest()).isNull();
        assertThat(here.engine().fences().resent().sum()).isBetween(20L, 50L);
        assertThat(cache.find(5L)).contains(NEW);
    }

    @Test
    void aConnectionThatComesAndGoesLosesNothing() {
        UserCaches here = node(FenceOutbox.LIMIT);
        UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
        for (long round = 0; round < 6; round++) {
            long from = round * 20;
            LongStream.range(from, from + 20).forEach(id -> redis.set(keyOf(id), STORED));
            changeAll(cache, from, from + 6);
            proxy.refuse();
            changeAll(cache, from + 7, from + 12);
            proxy.restore();
            changeAll(cache, from + 13, from + 19);
            await().until(() -> proxy.connections() > 0);
        }
        await().until(() -> here.engine().fences().size() == 0);
        LongStream.range(0, 120).forEach(this::assertNotOld);
    }

    @Test
    @StandaloneOnly("A Cluster refuses REPLICAOF, by which the test gets another replication history")
    void whatRedisHadConfirmedIsSentAgainWhenItMayHaveComeBackWithOlderData() {
        UserCaches here = node(FenceOutbox.LIMIT);
        UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
        table.put(42L, NEW);
        assertThat(cache.invalidate(42L)).isTrue();
        proxy.refuse();
        await().until(() -> here.engine().fences().isPending(keyOf(42)));
        redis.set(keyOf(42), STORED);
        redis.del(KeySpace.guardOf(keyOf(42)));
        redis.replicaof("127.0.0.1", 1);
        redis.replicaofNoOne(); // another replication history

        proxy.restore();
        await().until(() -> {
            assertThat(cache.find(42L)).contains(NEW);
            return here.engine().fences().size() == 0;
        });
        assertNotOld(42);
        assertThat(cache.find(42L)).contains(NEW);
    }

    @Tag("thorough")
    @Test
    void fencesThatAreSentAgainTakeNoRoomOfOthers() {
        UserCaches here = node(3);
        UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
        List<Long> ids = idsAlike("profile", 9);
        change(cache, ids.subList(0, 5));
        assertThat(here.engine().fences().size()).isZero();
        proxy.refuse();
        await().until(() -> here.engine().fences().size() == 5);
        change(cache, ids.subList(5, 8));
        assertThat(here.engine().fences().isOverflowed()).isFalse();
        change(cache, ids.subList(8, 9));
        assertThat(here.engine().fences().isOverflowed()).isTrue();
    }

    @Test
    void closingSendsAllPendingInvalidations() {
        UserCaches here = node(FenceOutbox.LIMIT);
        for (long id = 0; id < 1_500; id++) {
            redis.set(keyOf(id), STORED);
            here.engine().fences().announce(keyOf(id));
        }
        here.close();
        assertThat(redis.keys("user:*")).isEmpty();
    }

    // More changes than the outbox can hold.

    @Test
    void whatFoundNoRoomIsFlushedAndNothingFromBeforeItStays() throws Exception {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        UserCaches here = open(builder(3).meterRegistry(registry));
        UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
        UserCache<Long, UserProfile> there = open(UserCaches.builder()
                        .redis(uri())
                        .commandTimeout(Duration.ofSeconds(2)))
                .cache(PROFILE, Long.class, table);
        for (long n = 1; n <= 50; n++) {
            table.put(on(n), OLD);
        }
        there.findAll(
                LongStream.rangeClosed(1, 50).map(FenceOutboxIT::on).boxed().toList());
        table.put(on(60), OLD);
        table.holdBackAfterReading();
        Future<Optional<UserProfile>> claimant = threads.submit(() -> there.find(on(60)));
        await().until(() -> table.queries.get() == 2);
        table.letOthersThrough();
        Instant readAt = Instant.now();

        proxy.refuse();
        changeOn(cache, 1, 10);
        changeOn(cache, 60, 62);
        assertThat(here.engine().fences().isOverflowed()).isTrue();
        assertThat(here.engine().fences().size()).isEqualTo(13);
        assertThat(registry.get("usher.fences.pending").gauge().value()).isEqualTo(13);
        assertThat(registry.get("usher.fences.overflows").functionCounter().count())
                .isEqualTo(1);
        assertThat(here.engine().fences().isPending(keyOf(on(99)))).isTrue();
        assertThat(here.engine().fences().isPending("user:" + on(10) + ":status"))
                .isFalse();

        proxy.restore();
        await().until(() -> {
            assertThat(cache.find(on(10))).contains(NEW);
            assertThat(cache.find(on(50))).contains(OLD);
            return redis.exists(keyOf(on(50))) == 0;
        });
        assertThat(there.save(on(61), OLD, readAt))
                .as("an offer after the first pass")
                .isTrue();
        assertThat(cache.find(on(61))).contains(NEW);
        assertThat(cache.stats().sharedHits()).isZero();

        await().until(() -> !here.engine().fences().isOverflowed());
        table.gate.countDown();
        assertThat(claimant.get())
                .as("the caller that had asked before the change")
                .contains(OLD);
        LongStream.rangeClosed(1, 62).map(FenceOutboxIT::on).forEach(this::assertNotOld);
        // The fences in the outbox are confirmed one by one, after the flush.
        await().until(() -> here.engine().fences().size() == 0);
        assertThat(registry.get("usher.fences.oldest.age").gauge().value()).isZero();
        assertThat(cache.find(on(60))).contains(NEW);
        await().until(() -> here.engine().underWay() == 0);
        assertThat(cache.find(on(60))).contains(NEW);
        assertThat(cache.stats().sharedHits() + cache.stats().nearHits())
                .as("Redis is used again")
                .isPositive();
    }

    @Tag("thorough")
    @Test
    void aChangeThatFindsNoRoomDuringTheFlushStartsItOver() {
        UserCaches here = node(0);
        here.cache(PROFILE, Long.class, table);
        UserCache<Long, UserProfile> there = open(patient(uri())).cache(PROFILE, Long.class, table);
        redis.set(keyOf(on(9)), STORED); // for the first pass
        here.engine().fences().announce(keyOf(on(1)));
        await().until(() -> redis.exists(keyOf(on(9))) == 0);
        redis.set(keyOf(on(2)), STORED); // for the second pass
        await().until(() -> requireNonNull(here.engine().fences().oldest()).compareTo(Duration.ofSeconds(2)) > 0);
        Instant readAt = Instant.now();
        here.engine().fences().announce(keyOf(on(3)));
        here.engine().fences().announce(keyOf(on(4)));
        await().until(() -> redis.exists(keyOf(on(2))) == 0);
        assertThat(there.save(on(3), OLD, readAt)).isTrue();

        await().atMost(Duration.ofSeconds(20))
                .until(() -> !here.engine().fences().isOverflowed());
        assertNotOld(on(3));
    }

    @Test
    void aConnectionThatIsLostDuringTheFlushStartsItOver() {
        UserCaches here = node(0);
        redis.set(keyOf(on(9)), STORED);
        redis.configResetstat();
        here.engine().fences().announce(keyOf(on(1)));
        await().until(() -> redis.exists(keyOf(on(9))) == 0);
        assertThat(RedisCalls.of(redis, "scan")).isEqualTo(1);
        proxy.cut(); // the connection is restored before the second pass
        await().atMost(Duration.ofSeconds(20))
                .until(() -> !here.engine().fences().isOverflowed());
        assertThat(RedisCalls.of(redis, "scan")).isGreaterThanOrEqualTo(3);
    }

    @Tag("thorough")
    @Test
    void aRedisThatTakesNoFencesHasNotBeenFlushedAlthoughItHoldsNothing() {
        try (RedisServer replica = RedisServer.start();
                RedisClient client = RedisClient.create(replica.uri())) {
            RedisCommands<String, String> operator = client.connect().sync();
            operator.replicaof("127.0.0.1", 1);
            UserCaches here = open(patient(replica.uri()).maxFences(0).timing(SOON));
            here.engine().fences().announce(keyOf(1));
            await().until(() ->
                    requireNonNull(here.engine().fences().oldest()).compareTo(OFFERS_END.plusSeconds(1)) > 0);
            assertThat(here.engine().fences().isOverflowed()).isTrue();
            operator.replicaofNoOne();
            await().until(() -> !here.engine().fences().isOverflowed());
        }
    }

    @Test
    void aFlushFencesAllOfItsFacetAndNothingElse() throws Exception {
        UserCaches here = open(patient(uri()));
        Map<String, String> ours = new HashMap<>();
        for (int id = 0; id < 5_000; id++) {
            ours.put(keyOf(id), STORED);
        }
        ours.put("user:a:b:profile", STORED);
        redis.mset(ours);
        redis.set("{user:guarded:profile}:guard", "token 1");
        List<String> foreign = List.of(
                "user:1",
                "user:1:cart",
                "user:1:status",
                "{user:1:status}:guard",
                "user::profile",
                "user:{1}:profile",
                "user:1:profile:old",
                "users:1:profile",
                "other:user:1:profile",
                "{other:user:1:profile}:guard",
                "{user:1:profile}:guards",
                "{user:1:profile}");
        foreign.forEach(key -> redis.set(key, "theirs"));

        flush(here, "user");
        assertThat(redis.exists(ours.keySet().toArray(String[]::new))).isZero();
        assertThat(redis.get("{user:guarded:profile}:guard")).isEqualTo("-");
        assertThat(foreign).allSatisfy(key -> assertThat(redis.get(key)).isEqualTo("theirs"));
        assertThat(redis.keys("*").stream().filter(key -> key.contains("other")))
                .hasSize(2);
    }

    @Test
    void aFlushTakesItsPrefixByTheLetter() throws Exception {
        String prefix = "a[b]?*\\c";
        UserCaches here = open(patient(uri()).keyPrefix(prefix));
        redis.set(prefix + ":1:profile", STORED);
        redis.set("abxyc:1:profile", STORED);
        flush(here, prefix);
        assertThat(redis.exists(prefix + ":1:profile")).isZero();
        assertThat(redis.get("abxyc:1:profile")).isEqualTo(STORED);
    }

    // The log lines.

    @Test
    void manyChangesThatCannotBeSentAreAFewLinesInTheLog() {
        try (RedisServer gone = RedisServer.start()) {
            UserCaches here = open(patient(gone.uri()).maxFences(100));
            UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
            gone.stop();
            List<String> log = logOf(() -> changeAll(cache, 1, 100));
            assertThat(log)
                    .singleElement()
                    .asString()
                    .startsWith("1 invalidations are not confirmed")
                    .contains("user:1:profile");

            List<String> later = logOf(() -> {
                gone.restart();
                await().until(() -> here.engine().fences().size() == 0);
                changeAll(cache, 1, 100);
            });
            assertThat(later).containsExactly("All pending invalidations have been sent");
        }
    }

    @Test
    void closingSaysThatThereWasNoRoomAndNothingOfWhatHadBeenConfirmed() {
        try (RedisServer gone = RedisServer.start()) {
            UserCaches here = open(patient(gone.uri()).maxFences(1));
            UserCache<Long, UserProfile> cache = here.cache(PROFILE, Long.class, table);
            assertThat(cache.invalidate(1L)).isTrue();
            gone.stop();
            await().until(() -> here.engine().fences().size() == 1);
            changeAll(cache, 2, 4);
            List<String> log = logOf(here::close);
            assertThat(log).hasSize(2);
            assertThat(log.get(0))
                    .startsWith("1 invalidations could not be sent")
                    .endsWith("[user:2:profile]");
            assertThat(log.get(1)).startsWith("2 more invalidations").endsWith("[profile]");
        }
    }

    private UserCaches node(int maxFences) {
        return open(builder(maxFences));
    }

    private UserCaches.Builder builder(int maxFences) {
        return patient(proxy.uri()).maxFences(maxFences).timing(SOON);
    }

    /** Of users of one server: of a Cluster, the others need no flush. */
    private void changeOn(UserCache<Long, UserProfile> cache, long first, long last) {
        change(
                cache,
                LongStream.rangeClosed(first, last)
                        .map(FenceOutboxIT::on)
                        .boxed()
                        .toList());
    }

    /** The user of this number on one server. */
    private static long on(long number) {
        return alike.get((int) number - 1);
    }

    private void changeAll(UserCache<Long, UserProfile> cache, long first, long last) {
        change(cache, LongStream.rangeClosed(first, last).boxed().toList());
    }

    private void change(UserCache<Long, UserProfile> cache, List<Long> ids) {
        ids.forEach(id -> {
            table.put(id, NEW);
            cache.invalidate(id);
        });
    }

    /** A flush for changes from long ago, so that it does not wait between its passes. */
    private static void flush(UserCaches node, String prefix) throws Exception {
        Overflow overflow = Overflow.of(
                prefix + ":any:profile",
                System.nanoTime() - Duration.ofMinutes(1).toNanos());
        for (RedisPrimary primary : node.engine().shared().primaries()) {
            new FullFlush(node.engine().shared(), primary, node.engine().scheduler(), prefix, overflow, OFFERS_END)
                    .run()
                    .get(20, TimeUnit.SECONDS);
        }
    }

    private void assertNotOld(long id) {
        String stored = redis.get(keyOf(id));
        assertThat(stored == null || stored.contains("New"))
                .as("%s holds %s", keyOf(id), stored)
                .isTrue();
    }

    private static String keyOf(long id) {
        return "user:" + id + ":profile";
    }

    /** The log lines of the outbox. */
    private static List<String> logOf(Runnable action) {
        return LogLines.of(FenceOutbox.class.getName(), action);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
