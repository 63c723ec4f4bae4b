package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.GuardProtocol;
import dev.usher.redis.RedisWay;
import dev.usher.redis.ServerMoment;
import dev.usher.testkit.FaultProxy.Direction;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows that are offered with a mark from before their query. */
class ReadMarkIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final UserProfile OLD = new UserProfile("13800000000", "Old", "", false, "", "");

    /** Longer than the TTL of a fence: Redis no longer knows of a change that came after the query. */
    private static final Duration TOO_LONG = GuardProtocol.FENCE.plusSeconds(1);

    private final Table table = new Table();
    private volatile Instant clock = Instant.now();

    @ParameterizedTest
    @ValueSource(strings = {"PT0S", "PT-6S", "PT-1H", "PT1H"})
    void howThisMachinesClockIsSetDoesNotCountForAMark(Duration set) {
        UserCache<Long, UserProfile> cache = node(uri()).cache(UserProfile.FACET, Long.class, table);
        ReadMark young = cache.beforeRead();
        ReadMark old = earlier(cache.beforeRead(), TOO_LONG);

        clock = clock.plus(set);

        assertThat(cache.save(42L, OLD, old)).as("a row from long ago").isFalse();
        assertThat(redis.exists(KEY)).isZero();
        assertThat(cache.save(42L, OLD, young)).as("a row from now").isTrue();
    }

    /** The case that an {@code Instant} cannot exclude, and the reason for marks. */
    @Test
    void aClockThatIsSetBackLetsAnOldRowInByAnInstant() {
        UserCache<Long, UserProfile> cache = node(uri()).cache(UserProfile.FACET, Long.class, table);
        Instant readAt = clock.minus(TOO_LONG);
        ReadMark mark = earlier(cache.beforeRead(), TOO_LONG);

        assertThat(cache.save(42L, OLD, readAt))
                .as("before the clock is set back")
                .isFalse();
        clock = readAt;

        assertThat(cache.save(42L, OLD, mark)).isFalse();
        assertThat(cache.save(42L, OLD, readAt)).isTrue();
    }

    @Test
    void aMarkFromBeforeTheConnectionWasLostIsVoid() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = node(proxy.uri()).cache(UserProfile.FACET, Long.class, table);
            ReadMark mark = cache.beforeRead();
            assertThat(cache.save(41L, OLD, mark)).isTrue();

            proxy.cut();
            await().until(() -> cache.save(43L, OLD, cache.beforeRead()));

            assertThat(cache.save(42L, OLD, mark)).isFalse();
            assertThat(redis.exists(KEY)).isZero();
        }
    }

    @Test
    void aMarkOfOtherCachesIsRefused() {
        UserCache<Long, UserProfile> here = node(uri()).cache(UserProfile.FACET, Long.class, table);
        UserCache<Long, UserProfile> there = node(uri()).cache(UserProfile.FACET, Long.class, table);
        assertThat(here.save(42L, OLD, there.beforeRead())).isFalse();
        assertThat(here.save(42L, OLD, here.beforeRead())).isTrue();
    }

    @Test
    void aMarkIsGoodForEveryFacetOfItsCaches() {
        UserCaches node = node(uri());
        UserCache<Long, UserProfile> profiles = node.cache(UserProfile.FACET, Long.class, table);
        UserCache<Long, String> names = node.cache(Facet.of("name", String.class), Long.class, ids -> Map.of());
        ReadMark mark = profiles.beforeRead();
        assertThat(profiles.save(42L, OLD, mark)).isTrue();
        assertThat(names.save(42L, "Old", mark)).isTrue();
    }

    /** The server that has stored the row may not have had the fence of a change that came after the query. */
    @Test
    void aRowIsDroppedThatWasStoredWhileTheServerBecameAnother() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = node(proxy.uri());
            UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
            ReadMark mark = cache.beforeRead();
            proxy.freeze(Direction.TO_CLIENT);

            CompletableFuture<Boolean> stored = CompletableFuture.supplyAsync(() -> cache.save(42L, OLD, mark));
            await().until(() -> redis.exists(KEY) == 1);
            node.engine().shared().primaryOf("user:42:profile").flushed();
            proxy.restore();

            assertThat(stored.get(20, TimeUnit.SECONDS)).isFalse();
            assertThat(redis.exists(KEY)).isZero();
        }
    }

    @Test
    void offersThatNoThreadWaitsForGoTogether() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = node(proxy.uri());
            UserCache<Long, UserProfile> profiles = node.cache(UserProfile.FACET, Long.class, table);
            UserCache<Long, UserStatus> statuses = node.cache(UserStatus.FACET, Long.class, ids -> Map.of());
            assertThat(profiles.find(42L)).isEmpty();
            redis.del(KEY, "{" + KEY + "}:guard");
            ReadMark mark = profiles.beforeRead();
            proxy.freeze(Direction.TO_CLIENT);

            CompletableFuture<Boolean> profile = profiles.saveAsync(42L, OLD, mark);
            CompletableFuture<Boolean> status = statuses.saveAsync(42L, UserStatus.ENABLED, mark);

            await().until(() -> redis.exists(KEY, "user:42:status") == 2);
            assertThat(profile).isNotDone();
            assertThat(status).isNotDone();
            assertThat(profiles.stats().offersStored()).isZero();
            proxy.restore();
            assertThat(profile.get(20, TimeUnit.SECONDS)).isTrue();
            assertThat(status.get(20, TimeUnit.SECONDS)).isTrue();
            assertThat(profiles.stats().offersStored()).isOne();
            assertThat(profiles.find(42L)).contains(OLD);
        }
    }

    @Test
    void anOfferThatRedisDoesNotAnswerEndsByItself() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = node(proxy.uri(), Duration.ofMillis(500));
            UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
            ReadMark mark = cache.beforeRead();
            proxy.freeze();

            CompletableFuture<Boolean> offer = cache.saveAsync(42L, OLD, mark);

            assertThat(offer.get(20, TimeUnit.SECONDS)).isFalse();
            assertThat(cache.stats().offersRefused()).isOne();
            assertThat(cache.stats().sharedErrors()).isOne();
        }
    }

    /** As if it had been taken so much earlier. */
    private static ReadMark earlier(ReadMark mark, Duration by) {
        assertThat(mark.moment().leastMillis()).isNotEqualTo(ServerMoment.UNKNOWN);
        return new ReadMark(mark.moment().earlierBy(by.toMillis()));
    }

    private UserCaches node(String uri) {
        return node(uri, Duration.ofSeconds(10));
    }

    private UserCaches node(String uri, Duration commandTimeout) {
        UserCaches node = open(
                UserCaches.builder().redis(uri).commandTimeout(commandTimeout).clock(() -> clock));
        await().until(() -> node.engine().shared().now().leastMillis() != ServerMoment.UNKNOWN);
        return node;
    }
}
