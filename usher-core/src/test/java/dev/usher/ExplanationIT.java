package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Guard;
import dev.usher.Explanation.Holding;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.KeySpace;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.cluster.SlotHash;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The explanation of one user, for operators. */
class ExplanationIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final UserProfile ANN = profile("Ann");
    private static final Holding<UserProfile> ABSENT = new Holding.Absent<>();

    private final Table table = new Table();

    @BeforeEach
    void clear() {
        table.put(42L, ANN);
    }

    @Test
    void aUserThatWasNeverAskedForIsOnlyInTheSource() {
        UserCache<Long, UserProfile> cache = cache(uri());
        RedisServer has = testRedis.serverOf(KEY);
        assertThat(cache.explain(42L))
                .isEqualTo(Explanation.<UserProfile>builder(KEY)
                        .slot(TestRedis.isCluster() ? SlotHash.getSlot(KEY) : null)
                        .primary(TestRedis.isCluster() ? has.host() + ":" + has.port() : null)
                        .source(value("Ann"))
                        .build());
        assertThat(cache.explain(42L).agree()).isTrue();
        assertThat(redis.exists(KEY)).as("nothing is stored").isZero();
    }

    @Test
    void aUserThatIsAskedForIsEverywhere() {
        UserCache<Long, UserProfile> cache = cache(uri());
        warm(cache);
        Explanation<UserProfile> explanation = cache.explain(42L);
        assertThat(explanation.near()).isEqualTo(value("Ann"));
        assertThat(explanation.shared()).isEqualTo(value("Ann"));
        assertThat(explanation.source()).isEqualTo(value("Ann"));
        assertThat(explanation.sharedTtl()).isBetween(Duration.ofMinutes(26), Duration.ofMinutes(30));
        assertThat(explanation.guard()).isEqualTo(Guard.FENCE);
        assertThat(explanation.guardTtl()).isBetween(Duration.ZERO, GuardProtocol.FENCE);
        assertThat(explanation.agree()).isTrue();
    }

    @Test
    void aChangeWithoutAnAnnouncementShows() {
        UserCache<Long, UserProfile> cache = cache(uri());
        warm(cache);
        table.put(42L, profile("Anna"));
        assertThat(cache.explain(42L).agree()).isFalse();
        assertThat(cache.explain(42L).source()).isEqualTo(value("Anna"));
        cache.invalidate(42L);
        assertThat(cache.explain(42L).agree()).isTrue();
    }

    @Test
    void anAbsentUserAndAClaim() {
        UserCache<Long, UserProfile> cache = cache(uri());
        redis.set("user:7:profile", "null");
        redis.psetex("{user:7:profile}:guard", 5_800, "somebody 99999999999999");
        Explanation<UserProfile> explanation = cache.explain(7L);
        assertThat(explanation.shared()).isEqualTo(ABSENT);
        assertThat(explanation.sharedTtl()).as("no end").isNull();
        assertThat(explanation.source()).isEqualTo(ABSENT);
        assertThat(explanation.guard()).isEqualTo(Guard.CLAIM);
        assertThat(explanation.agree()).isTrue();
    }

    @Test
    void aClaimThatWasGivenUpShowsAsWhatItWasGrantedOver() {
        UserCache<Long, UserProfile> cache = cache(uri());
        table.failure = new IllegalStateException("the database is gone");
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.find(42L));
        await().until(() -> cache.explain(42L).guard() == Guard.NONE);

        cache.invalidate(42L);
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.find(42L));
        table.failure = null;
        String guard = KeySpace.guardOf(cache.keyOf(42L));
        assertThat(redis.get(guard)).as("what is left of the claim").isNotEqualTo("-");
        await().until(() -> cache.explain(42L).guard() == Guard.FENCE);
    }

    @Test
    void aChangeThatIsNotConfirmedShows() {
        try (RedisServer deaf = RedisServer.start()) {
            UserCaches caches = open(deaf.uri());
            UserCache<Long, UserProfile> cache = caches.cache(UserProfile.FACET, Long.class, table);
            assertThat(cache.explain(42L).invalidationPending()).isFalse();
            deaf.stop();
            cache.invalidate(42L);
            assertThat(cache.explain(42L).invalidationPending()).isTrue();
            deaf.restart();
            await().until(() -> !cache.explain(42L).invalidationPending());
        }
    }

    @Test
    void anotherTypeIsNoAgreement() {
        UserCache<Long, UserProfile> cache = cache(uri());
        redis.lpush(KEY, "a list");
        assertThat(cache.explain(42L).shared()).isEqualTo(new Holding.Unknown<>("another type"));
        assertThat(cache.explain(42L).agree()).isFalse();
    }

    @Test
    void lookingStartsNothing() {
        UserCache<Long, UserProfile> cache = cache(uri());
        warm(cache);
        redis.pexpire(KEY, 60_000);
        warm(cache);
        // A read of a due entry starts its refresh; an explanation does not.
        await().pollDelay(Duration.ofMillis(1500))
                .until(() -> cache.explain(42L).agree());
        assertThat(cache.stats().refreshes()).isZero();
        await().until(() -> {
            cache.find(42L);
            return cache.stats().refreshes() == 1;
        });
    }

    @Test
    void whatCannotBeReadIsNoAgreement() {
        UserCache<Long, UserProfile> cache = cache(uri());
        redis.set(KEY, "{\"name\": Ann");
        assertThat(cache.explain(42L).shared()).isInstanceOf(Holding.Unknown.class);
        assertThat(cache.explain(42L).toString()).doesNotContain("\"name\": Ann");
        assertThat(cache.explain(42L).agree()).isFalse();
    }

    @Test
    void aTierThatFailsIsSaidToFail() {
        try (RedisServer gone = RedisServer.start()) {
            UserCache<Long, UserProfile> cache = cache(gone.uri());
            gone.stop();
            table.failure = new IllegalStateException("13800000000 is gone");
            Explanation<UserProfile> explanation = cache.explain(42L);
            assertThat(explanation.shared()).isInstanceOf(Holding.Unknown.class);
            assertThat(explanation.guard()).isEqualTo(Guard.UNKNOWN);
            assertThat(explanation.source()).isEqualTo(new Holding.Unknown<>("IllegalStateException"));
            assertThat(explanation.agree()).isFalse();
        }
    }

    @Test
    void itsTextShowsNoMobileNumber() {
        UserCache<Long, UserProfile> cache = cache(uri());
        warm(cache);
        assertThat(cache.explain(42L).toString()).contains("Ann").doesNotContain("13800000000");
    }

    private static void warm(UserCache<Long, UserProfile> cache) {
        await().until(() -> {
            long before = cache.stats().nearHits();
            cache.find(42L);
            return cache.stats().nearHits() > before;
        });
    }

    private UserCache<Long, UserProfile> cache(String uri) {
        Facet<UserProfile> patient = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
                .stalenessBound(Duration.ofMinutes(1))
                .build());
        return open(uri).cache(patient, Long.class, table);
    }

    private UserCaches open(String uri) {
        return open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(5)));
    }

    private static Holding<UserProfile> value(String name) {
        return new Holding.Value<>(profile(name));
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
