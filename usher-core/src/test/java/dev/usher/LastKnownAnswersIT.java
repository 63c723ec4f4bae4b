package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The answers while Redis, the source, or both do not answer: by facet, and for how long. */
class LastKnownAnswersIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final UserProfile ANN = profile("Ann");
    private static final UserProfile ANNA = profile("Anna");
    private final IllegalStateException gone = new IllegalStateException("the database is gone");

    private static final Facet<UserProfile> PROFILE = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());
    private static final Facet<UserStatus> STATUS = UserStatus.FACET.with(UserStatus.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final Table table = new Table();
    private final Map<Long, UserStatus> statusTable = new ConcurrentHashMap<>();
    private final AtomicInteger statusQueries = new AtomicInteger();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final RedisWay proxy = way();
    private final UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(Duration.ofSeconds(2)));

    @BeforeEach
    void fill() {
        letRedisBeBelieved(); // the node has been opened before Redis was emptied
        table.put(42L, ANN);
        statusTable.put(42L, UserStatus.ENABLED);
        statusTable.put(43L, UserStatus.DISABLED);
    }

    @AfterEach
    void close() {
        table.gate.countDown();
        threads.shutdownNow();
        proxy.close();
    }

    // Redis is down, and the source answers.

    @Test
    void withoutRedisAProfileIsCachedForTheBoundAndAStatusIsLoadedEachTime() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        UserCache<Long, UserStatus> statuses = node.cache(STATUS, Long.class, this::loadStatuses);
        loseRedis();
        for (int i = 0; i < 5; i++) {
            assertThat(profiles.lookUp(42L)).isEqualTo(new Lookup<>(Optional.of(ANN), Duration.ZERO));
            assertThat(statuses.find(42L)).contains(UserStatus.ENABLED);
        }
        assertThat(table.queries).hasValue(1);
        assertThat(statusQueries).hasValue(5);
    }

    @Test
    void withoutRedisNoQueryAnswersCallersOfAStatusThatCameDuringIt() throws Exception {
        Facet<UserProfile> closed = PROFILE.with(
                PROFILE.policy().toBuilder().serveStaleFor(Duration.ZERO).build());
        UserCache<Long, UserProfile> cache = node.cache(closed, Long.class, table);
        loseRedis();
        table.holdBackAfterReading();
        Future<Optional<UserProfile>> before = threads.submit(() -> cache.find(42L));
        await().until(() -> table.queries.get() == 1);
        table.put(42L, ANNA);
        Future<Optional<UserProfile>> after = threads.submit(() -> cache.find(42L));
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(42L) == 1);
        table.gate.countDown();
        assertThat(before.get()).contains(ANN);
        assertThat(after.get()).contains(ANNA);
    }

    // The source is down, and Redis answers.

    @Test
    void withoutTheSourceWhatIsCachedGoesOnAndAMissIsUnavailable() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        UserCache<Long, UserProfile> elsewhere = open(patient(uri())).cache(PROFILE, Long.class, table);
        table.failure = gone;
        assertThat(profiles.lookUp(42L)).isEqualTo(new Lookup<>(Optional.of(ANN), Duration.ZERO));
        assertThat(elsewhere.lookUp(42L)).isEqualTo(new Lookup<>(Optional.of(ANN), Duration.ZERO));
        assertUnavailable(() -> profiles.find(7L));
        assertThat(redis.exists("user:7:profile")).isZero();
        assertThat(profiles.stats().staleAnswers()).isZero();
    }

    @Test
    void aFailureIsForgottenAtOnce() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        for (boolean withRedis : new boolean[] {true, false}) {
            if (!withRedis) {
                loseRedis();
                assertThat(profiles.invalidate(42L)).isFalse();
            }
            table.failure = gone;
            int before = table.queries.get();
            assertUnavailable(() -> profiles.find(42L));
            assertUnavailable(() -> profiles.find(42L));
            assertThat(table.queries).as("a failure is not remembered").hasValue(before + 2);
            table.failure = null;
            assertThat(profiles.find(42L)).contains(ANN);
        }
    }

    // Both are down.

    @Test
    void withoutBothAProfileIsTheLastKnownOneAndSaysSo() throws Exception {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        long lostAt = System.nanoTime();
        loseRedis();
        table.failure = gone;

        Lookup<UserProfile> found = profiles.lookUp(42L);
        assertThat(found.value()).contains(ANN);
        assertThat(found.isStale()).isTrue();
        assertThat(found.staleFor()).isPositive();
        Duration sinceTheLastHeartbeat =
                Duration.ofNanos(System.nanoTime() - lostAt).plusSeconds(1);
        assertThat(found.staleFor()).isLessThan(sinceTheLastHeartbeat);
        assertThat(profiles.find(42L)).contains(ANN);
        assertThat(profiles.findAll(List.of(42L))).isEqualTo(Map.of(42L, ANN));
        assertThat(profiles.findAsync(42L).get()).contains(ANN);
        assertThat(new UserProfileCache<>(profiles).lookUp(42L).isStale()).isTrue();
        assertThat(profiles.stats().stalePresent()).isEqualTo(5);
        assertThat(profiles.stats().unavailable()).isZero();
        assertUnavailable(() -> profiles.find(7L));
    }

    @Test
    void withoutBothAnAnswerIsUnavailableOnceItIsTooOld() {
        Duration longest = Duration.ofSeconds(2);
        UserCache<Long, UserProfile> profiles = node.cache(
                PROFILE.with(PROFILE.policy().toBuilder().serveStaleFor(longest).build()), Long.class, table);
        warm(profiles);
        table.failure = gone;
        proxy.refuse();
        await().until(() -> proxy.connections() == 0);
        long lostAt = System.nanoTime();
        await().until(() -> !profiles.stats().nearOpen());
        long lastAskedAt = lostAt;
        int answers = 0;
        try {
            while (lastAskedAt - lostAt < longest.multipliedBy(3).toNanos()) {
                long askedAt = System.nanoTime();
                Lookup<UserProfile> found = profiles.lookUp(42L);
                lastAskedAt = askedAt;
                answers++;
                assertThat(found.value()).contains(ANN);
                assertThat(found.isStale()).isTrue();
            }
        } catch (UserUnavailableException e) {
            assertThat(e).hasRootCause(gone);
        }
        assertThat(answers).isPositive();
        assertThat(Duration.ofNanos(lastAskedAt - lostAt)).isBetween(longest.minusSeconds(1), longest);
        assertUnavailable(() -> profiles.find(42L));
    }

    @Test
    void withoutBothAStatusIsUnavailable() {
        UserCache<Long, UserStatus> statuses = node.cache(STATUS, Long.class, this::loadStatuses);
        await().until(() -> {
            statuses.find(42L);
            return statuses.stats().nearHits() > 0;
        });
        loseRedis();
        table.failure = gone;
        assertUnavailable(() -> new UserStatusCache<>(statuses).isEnabled(42L));
        assertUnavailable(() -> statuses.lookUp(42L));
        assertThat(statuses.stats().staleAnswers()).isZero();
    }

    @Test
    void aStatusThatMayBeServedStaleStandsAsItIsForAsLong() {
        Duration longest = Duration.ofSeconds(2);
        UserCache<Long, UserStatus> statuses = node.cache(
                STATUS.with(STATUS.policy().toBuilder().serveStaleFor(longest).build()),
                Long.class,
                this::loadStatuses);
        await().until(() -> {
            statuses.findAll(List.of(42L, 43L));
            return statuses.stats().nearHits() >= 10;
        });
        loseRedis();
        table.failure = gone;
        assertThat(statuses.lookUp(42L).isStale()).isTrue();
        assertThat(new UserStatusCache<>(statuses).isEnabled(42L)).isTrue();
        assertThat(statuses.find(43L)).contains(UserStatus.DISABLED);
        assertThat(new UserStatusCache<>(statuses).isEnabled(43L)).isFalse();
        await().atMost(longest.plusSeconds(1)).untilAsserted(() -> assertUnavailable(() -> statuses.find(42L)));
        assertUnavailable(() -> statuses.find(43L));
    }

    @Test
    void aUserThatWasAbsentIsAbsent() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        await().until(() -> {
            profiles.find(7L);
            return profiles.stats().nearAbsent() > 0;
        });
        loseRedis();
        table.failure = gone;
        Lookup<UserProfile> found = profiles.lookUp(7L);
        assertThat(found.value()).isEmpty();
        assertThat(found.isStale()).isTrue();
        assertThat(profiles.stats().staleAbsent()).isEqualTo(1);
    }

    @Test
    void anOutageDoesNotMakeEveryRequestWait() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        table.failure = gone;
        int before = table.queries.get();
        long from = System.nanoTime();
        for (int i = 0; i < 10_000; i++) {
            assertThat(profiles.find(42L)).contains(ANN);
        }
        Duration took = Duration.ofNanos(System.nanoTime() - from);
        assertThat(table.queries.get() - before).isLessThanOrEqualTo(1 + (int) took.toSeconds());
    }

    @Test
    void aSilentRedisIsNoBetter() {
        UserCache<Long, UserProfile> profiles = node.cache(
                PROFILE.with(PROFILE.policy().toBuilder()
                        .stalenessBound(Duration.ofMillis(300))
                        .build()),
                Long.class,
                table);
        warm(profiles);
        table.failure = gone;
        proxy.freeze();
        await().until(() -> profiles.lookUp(42L).isStale());
        assertThat(profiles.find(42L)).contains(ANN);
        proxy.thaw();
    }

    @Test
    void aRefusedCallerGetsTheLastKnownAnswer() {
        UserCache<Long, UserProfile> profiles = node.cache(
                PROFILE.with(PROFILE.policy().toBuilder()
                        .maxLoads(1)
                        .maxWaitingLoads(0)
                        .build()),
                Long.class,
                table);
        warm(profiles);
        table.put(7L, profile("Bob"));
        loseRedis();
        table.holdBackAfterReading();
        int before = table.queries.get();
        var unused = threads.submit(() -> profiles.find(7L));
        await().until(() -> table.queries.get() == before + 1);
        assertThat(profiles.lookUp(42L).isStale()).isTrue();
        assertThat(profiles.stats().loadsRejected()).isEqualTo(1);
    }

    @Test
    void aCallerWithoutAThreadThatFindsNoRoomGetsTheLastKnownAnswer() throws Exception {
        UserCaches busy = open(patient(proxy.uri()));
        UserCache<Long, UserProfile> profiles = busy.cache(PROFILE, Long.class, table);
        warm(profiles);
        proxy.refuse();
        await().until(() -> !profiles.stats().nearOpen());
        busy.engine().asyncReads().drainPermits();
        assertThat(profiles.findAsync(42L).get()).contains(ANN);
        assertThat(profiles.stats().stalePresent()).isEqualTo(1);
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> profiles.findAsync(7L).get())
                .withCauseInstanceOf(UserUnavailableException.class);
    }

    @Test
    void ofAListEachIsTheBestThatIsKnown() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        redis.del(KEY);
        redis.setex("user:43:profile", 1800, json("Bob"));
        proxy.restore();
        await().until(() -> profiles.stats().nearOpen());
        table.failure = gone;
        assertThat(profiles.findAll(List.of(42L, 43L))).isEqualTo(Map.of(42L, ANN, 43L, profile("Bob")));
        assertThat(profiles.stats().staleAnswers()).isEqualTo(1);
        long before = profiles.stats().unavailable();
        assertUnavailable(() -> profiles.findAll(List.of(42L, 43L, 44L)));
        assertThat(profiles.stats().unavailable()).isGreaterThan(before);
    }

    // Answers that are known to be outdated.

    @Test
    void aPushedChangeRemovesTheLastKnownAnswer() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        long pushes = profiles.stats().nearInvalidations();
        assertThat(open(patient(uri())).cache(PROFILE, Long.class, table).invalidate(42L))
                .isTrue();
        await().until(() -> profiles.stats().nearInvalidations() > pushes);
        loseRedis();
        table.failure = gone;
        assertUnavailable(() -> profiles.find(42L));
    }

    @Test
    void aChangeOnThisNodeRemovesTheLastKnownAnswerAlsoWhileItIsRepeated() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        table.failure = gone;
        assertThat(profiles.lookUp(42L).isStale()).isTrue();
        assertThat(profiles.invalidate(42L)).isFalse();
        assertUnavailable(() -> profiles.find(42L));
    }

    @Test
    void whatTheSourceSaidLastIsTheLastKnownAnswer() {
        UserCache<Long, UserProfile> profiles = node.cache(
                PROFILE.with(PROFILE.policy().toBuilder()
                        .claimWait(Duration.ofMillis(30))
                        .build()),
                Long.class,
                table);
        warm(profiles);
        loseRedis();
        table.put(42L, ANNA);
        redis.del(KEY);
        try (SlowClaim slow = new SlowClaim(redis, KEY)) {
            proxy.restore();
            await().until(() -> profiles.stats().nearOpen());
            assertThat(profiles.find(42L)).as("and not stored").contains(ANNA);
            assertThat(slow.isHeld()).isTrue();
        }
        loseRedis();
        table.failure = gone;
        assertThat(profiles.lookUp(42L).value()).contains(ANNA);
        assertThat(profiles.lookUp(42L).isStale()).isTrue();
    }

    @Test
    void whatWasReadWithoutRedisIsTheLastKnownAnswerPastItsBound() {
        UserCache<Long, UserProfile> profiles = node.cache(
                PROFILE.with(PROFILE.policy().toBuilder()
                        .stalenessBound(Duration.ofMillis(50))
                        .build()),
                Long.class,
                table);
        loseRedis();
        assertThat(profiles.find(42L)).contains(ANN);
        table.failure = gone;
        await().until(() -> profiles.lookUp(42L).isStale());
        assertThat(profiles.find(42L)).contains(ANN);
    }

    @Test
    void whatWasOfferedByThisNodeIsNewerThanWhatItRemembers() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        redis.del(KEY, "{" + KEY + "}:guard");
        proxy.restore();
        await().until(() -> profiles.save(42L, ANNA, Instant.now()));
        loseRedis();
        table.failure = gone;
        assertUnavailable(() -> profiles.find(42L));
    }

    // Redis and the source are back.

    @Test
    void aStaleAnswerIsNotStoredAndEndsSoonAfterTheSourceIsBack() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        redis.del(KEY);
        table.put(42L, ANNA);
        table.failure = gone;
        assertThat(profiles.lookUp(42L).isStale()).isTrue();
        proxy.restore();
        await().until(() -> profiles.stats().nearOpen());
        await().until(() -> {
            long before = table.queries.get();
            assertThat(profiles.find(42L)).contains(ANN);
            return table.queries.get() > before;
        });
        assertThat(redis.exists(KEY)).as("stored").isZero();
        assertUnavailable(
                () -> open(patient(uri())).cache(PROFILE, Long.class, table).find(42L));

        table.failure = null;
        assertEndsWithinASecond(profiles);
        awaitLoads();
        assertThat(redis.get(KEY)).contains("Anna");
    }

    @Test
    void aStaleAnswerEndsSoonAfterRedisIsBack() {
        UserCache<Long, UserProfile> profiles = node.cache(PROFILE, Long.class, table);
        warm(profiles);
        loseRedis();
        table.failure = gone;
        assertThat(profiles.lookUp(42L).isStale()).isTrue();
        redis.setex(KEY, 1800, json("Anna"));
        proxy.restore();
        await().pollInterval(Duration.ofMillis(5)).until(() -> {
            profiles.find(42L); // a stale answer is there when tracking begins
            return profiles.stats().nearOpen();
        });
        assertEndsWithinASecond(profiles);
    }

    private static void assertEndsWithinASecond(UserCache<Long, UserProfile> profiles) {
        long backAt = System.nanoTime();
        long askedAt = backAt;
        Lookup<UserProfile> found = profiles.lookUp(42L);
        while (found.value().equals(Optional.of(ANN))) {
            assertThat(found.isStale()).isTrue();
            assertThat(Duration.ofNanos(askedAt - backAt)).isLessThan(Duration.ofMillis(1_100));
            askedAt = System.nanoTime();
            found = profiles.lookUp(42L);
        }
        assertThat(found).isEqualTo(new Lookup<>(Optional.of(ANNA), Duration.ZERO));
    }

    private void loseRedis() {
        proxy.refuse();
        await().until(() -> node.engine().shared().session("user:42:profile") == null);
    }

    /** Asks until memory answers. */
    private static void warm(UserCache<Long, UserProfile> cache) {
        await().until(() -> {
            long before = cache.stats().nearHits();
            cache.find(42L);
            return cache.stats().nearHits() > before;
        });
    }

    private static void assertUnavailable(Runnable call) {
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(call::run);
    }

    private Map<Long, UserStatus> loadStatuses(Set<Long> ids) {
        statusQueries.incrementAndGet();
        RuntimeException failure = table.failure;
        if (failure != null) {
            throw failure;
        }
        Map<Long, UserStatus> found = new ConcurrentHashMap<>(statusTable);
        found.keySet().retainAll(ids);
        return found;
    }

    private static String json(String name) {
        return new String(PROFILE.codec().encode(profile(name)), StandardCharsets.UTF_8);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
