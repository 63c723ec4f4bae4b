package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.GuardProtocol;
import dev.usher.redis.Session;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The read path and the write path on a real Redis, with the near tier turned off. */
@Tag("servers")
class TieredUserCacheIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final String GUARD = "{user:42:profile}:guard";
    private static final UserProfile ANN = profile("Ann");

    private static final Facet<UserProfile> PROFILE = UserProfile.FACET.with(
            UserProfile.FACET.policy().toBuilder().nearSize(0).build());
    private static final Facet<UserStatus> STATUS = UserStatus.FACET.with(
            UserStatus.FACET.policy().toBuilder().nearSize(0).build());

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final UserCache<Long, UserProfile> cache = node().cache(PROFILE, Long.class, table);

    @AfterEach
    void close() {
        table.gate.countDown();
        threads.shutdownNow();
    }

    // What is in Redis.

    @Test
    void aMissIsLoadedOnceAndThenAnsweredByRedis() {
        table.put(42L, ANN);
        assertThat(cache.find(42L)).contains(ANN);
        awaitLoads();
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(table.queries).hasValue(1);
        assertThat(redis.get(KEY))
                .isEqualTo("{\"mobile\":\"13800000000\",\"name\":\"Ann\",\"photo\":\"\",\"is_media\":false,"
                        + "\"intro\":\"\",\"certi\":\"\"}");
        assertThat(redis.pttl(KEY))
                .isBetween(
                        Duration.ofMinutes(27).minusSeconds(5).toMillis(),
                        Duration.ofMinutes(30).toMillis());
        assertThat(redis.get(GUARD)).isEqualTo("-");
        assertThat(cache.stats().sharedHits()).isEqualTo(1);
        assertThat(cache.stats().sourceAnswers()).isEqualTo(1);
        assertThat(cache.stats().loads()).isEqualTo(1);
    }

    @Test
    void aStatusIsOneOrZeroForUpToAnHour() {
        UserCaches node = node();
        var statuses =
                new UserStatusCache<Long>(node.cache(STATUS, Long.class, ids -> Map.of(42L, UserStatus.ENABLED)));
        assertThat(statuses.isEnabled(42L)).isTrue();
        awaitLoads();
        assertThat(redis.get("user:42:status")).isEqualTo("1");
        assertThat(redis.pttl("user:42:status"))
                .isBetween(
                        Duration.ofMinutes(54).minusSeconds(5).toMillis(),
                        Duration.ofMinutes(60).toMillis());
        redis.set("user:42:status", "0");
        assertThat(statuses.isEnabled(42L)).isFalse();
        assertThat(statuses.find(42L)).contains(UserStatus.DISABLED);
    }

    @Test
    void anAbsentUserThatIsAskedForAgainIsCachedForAMinute() {
        assertThat(cache.find(42L)).isEmpty();
        assertThat(redis.exists(KEY)).isZero();
        assertThat(cache.find(42L)).isEmpty();
        assertThat(cache.find(42L)).isEmpty();
        assertThat(table.queries).hasValue(2);
        awaitLoads();
        assertThat(redis.get(KEY)).isEqualTo("null");
        assertThat(redis.pttl(KEY)).isBetween(49_000L, 60_000L);
    }

    @Test
    void aUserThatDoesNotExistIsNotEnabled() {
        var statuses = new UserStatusCache<Long>(node().cache(STATUS, Long.class, ids -> Map.of()));
        assertThat(statuses.isEnabled(42L)).isFalse();
    }

    @Test
    void livesAreSpreadDownwards() {
        for (long id = 0; id < 50; id++) {
            table.put(id, ANN);
            cache.find(id);
        }
        awaitLoads();
        List<Long> lives = new ArrayList<>();
        for (long id = 0; id < 50; id++) {
            lives.add(redis.ttl("user:" + id + ":profile"));
        }
        assertThat(lives).allSatisfy(life -> assertThat(life).isBetween(1615L, 1800L));
        assertThat(Set.copyOf(lives)).hasSizeGreaterThan(10);
    }

    @Test
    void aPrefixKeepsApplicationsApart() {
        UserCaches other = open(patient(uri()).keyPrefix("shop:user"));
        UserCache<String, UserProfile> shop = other.cache(PROFILE, String.class, ids -> Map.of("a-1", ANN));
        assertThat(shop.find("a-1")).contains(ANN);
        awaitLoads();
        assertThat(redis.exists("shop:user:a-1:profile")).isEqualTo(1);
    }

    @Test
    void idsMayBeUuidsAndStrings() {
        UUID id = UUID.randomUUID();
        UserCaches node = node();
        UserCache<UUID, UserProfile> byUuid = node.cache(PROFILE, UUID.class, ids -> Map.of(id, ANN));
        assertThat(byUuid.find(id)).contains(ANN);
        awaitLoads();
        assertThat(redis.exists("user:" + id + ":profile")).isEqualTo(1);
    }

    // Entries that cannot be read.

    @ParameterizedTest
    @ValueSource(strings = {"{broken 13811112222", "[]", "13811112222", "\"\"", "\u0000"})
    void aValueThatCannotBeReadIsLoadedAgainAndOverwritten(String broken) {
        table.put(42L, ANN);
        redis.set(KEY, broken);
        List<String> log = logOf(() -> assertThat(cache.find(42L)).contains(ANN));
        awaitLoads();
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(table.queries).hasValue(1);
        assertThat(cache.stats().unreadable()).isEqualTo(1);
        assertThat(log)
                .singleElement()
                .asString()
                .contains(KEY)
                .doesNotContain("138000")
                .doesNotContain("broken");
    }

    @Test
    void aHashWhereAStringShouldBeIsLoadedAgainAndOverwritten() {
        table.put(42L, ANN);
        redis.hset(KEY, "mobile", "13811112222");
        List<String> log = logOf(() -> assertThat(cache.find(42L)).contains(ANN));
        awaitLoads();
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(cache.stats().unreadable()).isEqualTo(1);
        assertThat(cache.stats().sharedErrors()).isZero();
        assertThat(log).singleElement().asString().contains(KEY).doesNotContain("138000");
    }

    @Test
    void anUnknownStatusNeverMeansEnabled() {
        var statuses =
                new UserStatusCache<Long>(node().cache(STATUS, Long.class, ids -> Map.of(42L, UserStatus.DISABLED)));
        redis.set("user:42:status", "2");
        assertThat(statuses.isEnabled(42L)).isFalse();
        awaitLoads();
        assertThat(redis.get("user:42:status")).isEqualTo("0");
    }

    // A login's row.

    @Test
    void anOfferedRowIsAnsweredWithoutAQuery() {
        assertThat(cache.save(42L, ANN, Instant.now())).isTrue();
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(table.queries).hasValue(0);
        assertThat(cache.stats().offersStored()).isEqualTo(1);
    }

    @Test
    void anOfferDoesNotReplaceWhatIsCached() {
        table.put(42L, ANN);
        cache.find(42L);
        awaitLoads();
        redis.del(GUARD);
        assertThat(cache.save(42L, profile("Older"), Instant.now())).isFalse();
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(cache.stats().offersRefused()).isEqualTo(1);
    }

    @Test
    void anOfferFromBeforeAChangeIsRefused() {
        Instant readAt = Instant.now();
        cache.invalidate(42L);
        assertThat(cache.save(42L, profile("Old"), readAt)).isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void anOfferFromTheFutureOrFromLongAgoIsRefused() {
        assertThat(cache.save(42L, ANN, Instant.now().plusSeconds(60))).isFalse();
        assertThat(cache.save(42L, ANN, Instant.now().minus(GuardProtocol.FENCE)))
                .isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void theSpecificationsCallsAreReadThroughAndOffer() {
        var profiles = new UserProfileCache<>(cache);
        assertThat(profiles.save(42L)).isEmpty();
        profiles.invalidate(42L);
        table.put(42L, ANN);
        assertThat(profiles.save(42L)).contains(ANN);
        assertThat(profiles.save(42L)).contains(ANN);
        assertThat(table.queries).hasValue(2);
        assertThat(profiles.save(43L, profile("Bob"), Instant.now())).isTrue();
        assertThat(profiles.find(43L)).contains(profile("Bob"));
        assertThat(table.queries).hasValue(2);

        var statuses = new UserStatusCache<Long>(node().cache(STATUS, Long.class, ids -> Map.of()));
        assertThat(statuses.save(43L, UserStatus.ENABLED, Instant.now())).isTrue();
        assertThat(redis.get("user:43:status")).isEqualTo("1");
        assertThat(statuses.stats().offersStored()).isEqualTo(1);
        assertThat(profiles.stats().offersStored()).isEqualTo(1);
    }

    // Changes.

    @Test
    void aChangeIsSeenByTheNextCall() {
        table.put(42L, ANN);
        cache.find(42L);
        table.put(42L, profile("Anna"));
        assertThat(cache.invalidate(42L)).isTrue();
        assertThat(cache.find(42L)).contains(profile("Anna"));
    }

    @Test
    void aLoadAnswersCallersFromBeforeAChangeAndNoneFromAfterIt() throws Exception {
        table.put(42L, profile("Old"));
        table.holdBackAfterReading();
        Future<UserProfile> before = threads.submit(() -> cache.find(42L).orElseThrow());
        await().until(() -> table.queries.get() == 1);

        table.put(42L, profile("New"));
        UserCache<Long, UserProfile> elsewhere = node().cache(PROFILE, Long.class, table);
        elsewhere.invalidate(42L);
        Future<UserProfile> after = threads.submit(() -> cache.find(42L).orElseThrow());
        awaitWaiters(cache, 1);

        table.gate.countDown();
        assertThat(before.get()).isEqualTo(profile("Old"));
        assertThat(after.get()).isEqualTo(profile("New"));
        assertThat(cache.stats().fillsRefused()).isEqualTo(1);
        assertThat(cache.find(42L)).contains(profile("New"));
    }

    @Test
    void aCallerAfterAChangeOnThisNodeDoesNotWaitForTheOldLoad() throws Exception {
        table.put(42L, profile("Old"));
        table.holdBackAfterReading();
        Future<UserProfile> before = threads.submit(() -> cache.find(42L).orElseThrow());
        await().until(() -> table.queries.get() == 1);

        table.put(42L, profile("New"));
        cache.invalidate(42L);
        table.letOthersThrough();
        assertThat(cache.find(42L)).contains(profile("New"));
        table.gate.countDown();
        assertThat(before.get()).isEqualTo(profile("Old"));
        awaitLoads();
        assertThat(redis.get(KEY)).contains("New");
    }

    // One load for all.

    @Test
    void aHundredCallersOfOneProcessCauseOneQuery() throws Exception {
        table.put(42L, ANN);
        table.holdBackAfterReading();
        List<Future<UserProfile>> answers = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            answers.add(threads.submit(() -> cache.find(42L).orElseThrow()));
        }
        awaitWaiters(cache, 99);
        table.gate.countDown();
        for (Future<UserProfile> answer : answers) {
            assertThat(answer.get()).isEqualTo(ANN);
        }
        assertThat(table.queries).hasValue(1);
        assertThat(cache.stats().sourceAnswers())
                .as("answered by the fill, without asking Redis again")
                .isEqualTo(100);
    }

    @Test
    void whileALoadRunsItsClaimIsRenewedAndOthersWait() throws Exception {
        table.put(42L, ANN);
        table.holdBackAfterReading();
        Future<UserProfile> here = threads.submit(() -> cache.find(42L).orElseThrow());
        await().until(() -> table.queries.get() == 1);
        String claimed = redis.get(GUARD);
        UserCache<Long, UserProfile> elsewhere = node().cache(
                        PROFILE.with(PROFILE.policy().toBuilder()
                                .claimWait(Duration.ofMinutes(1))
                                .build()),
                        Long.class,
                        table);
        Future<UserProfile> there = threads.submit(() -> elsewhere.find(42L).orElseThrow());

        await().until(() -> deadlineOf(redis.get(GUARD)) > deadlineOf(claimed) + GuardProtocol.LEASE.toMillis());
        assertThat(redis.get(GUARD).split(" ")[0]).isEqualTo(claimed.split(" ")[0]);
        table.gate.countDown();
        assertThat(here.get()).isEqualTo(ANN);
        assertThat(there.get()).isEqualTo(ANN);
        assertThat(table.queries).hasValue(1);
        assertThat(elsewhere.stats().claimWaits()).isEqualTo(1);
        assertThat(elsewhere.stats().sharedHits()).isEqualTo(1);
    }

    @Test
    void theClaimOfADeadNodeIsTakenOver() throws Exception {
        table.put(42L, ANN);
        redis.psetex(GUARD, 6000, "dead " + (System.currentTimeMillis() + GuardProtocol.LEASE.toMillis()));
        assertThat(cache.find(42L)).contains(ANN);
        awaitLoads();
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(cache.stats().fillsRefused()).isZero();
        assertThat(GuardProtocol.LEASE).isLessThan(Duration.ofSeconds(1));
    }

    @Test
    void aCallerThatHasWaitedForAnotherProcessAsksTheSourceAndStoresNothing() {
        table.put(42L, ANN);
        UserCache<Long, UserProfile> impatient = node().cache(
                        PROFILE.with(PROFILE.policy().toBuilder()
                                // Longer than a busy machine takes to ask for the claim: later than that, no caller
                                // waits for it.
                                .claimWait(Duration.ofMillis(300))
                                .build()),
                        Long.class,
                        table);
        try (SlowClaim slow = new SlowClaim(redis, KEY)) {
            assertThat(impatient.find(42L)).contains(ANN);
            assertThat(redis.get(KEY)).isNull();
            assertThat(slow.isHeld()).isTrue();
            for (int i = 0; i < 10; i++) {
                assertThat(impatient.find(42L)).contains(ANN);
            }
            assertThat(impatient.stats().claimWaits())
                    .as("a claim that was awaited in vain is not awaited again")
                    .isEqualTo(1);
        }
        redis.psetex(GUARD, 5_800, "another " + (System.currentTimeMillis() + GuardProtocol.LEASE.toMillis()));
        assertThat(impatient.find(42L)).contains(ANN);
        assertThat(impatient.stats().claimWaits()).as("another claim is").isEqualTo(2);
    }

    // Sources that fail.

    @Test
    void aFailureOfTheSourceIsUnavailableAndNeverStored() {
        table.failure = new IllegalStateException("the database is gone");
        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> cache.find(42L))
                .withMessage("user:42:profile is unavailable: the source failed (IllegalStateException)")
                .withCause(table.failure);
        assertThat(redis.exists(KEY)).isZero();
        assertThat(cache.stats().loadFailures()).isEqualTo(1);
        assertThat(cache.stats().unavailable()).isEqualTo(1);

        table.failure = null;
        table.put(42L, ANN);
        assertThat(cache.find(42L)).as("the claim was given up at once").contains(ANN);
        assertThat(cache.stats().claimWaits()).isZero();
    }

    @Test
    void aSourceThatAnswersWhatWasNotAskedHasNotAnswered() {
        UserCache<Long, UserProfile> confused = node().cache(PROFILE, Long.class, ids -> Map.of(7L, ANN));
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> confused.find(42L));

        Map<Long, UserProfile> nothing = new HashMap<>();
        nothing.put(42L, null);
        UserCache<Long, UserProfile> empty = node().cache(PROFILE, Long.class, ids -> nothing);
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> empty.find(42L));
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aFailureReachesAllWaiters() throws Exception {
        table.holdBackAfterReading();
        table.failure = new IllegalStateException("the database is gone");
        Future<?> first = threads.submit(() -> cache.find(42L));
        await().until(() -> table.queries.get() == 1);
        Future<?> second = threads.submit(() -> cache.find(42L));
        awaitWaiters(cache, 1);
        table.gate.countDown();
        for (Future<?> caller : List.of(first, second)) {
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(caller::get)
                    .withCauseExactlyInstanceOf(UserUnavailableException.class)
                    .havingRootCause()
                    .isSameAs(table.failure);
        }
        assertThat(table.queries).hasValue(1);
        assertThat(cache.stats().unavailable()).isEqualTo(2);
    }

    @Test
    void anInterruptedCallerGetsAnExceptionAndStaysInterrupted() throws Exception {
        UserCache<Long, UserProfile> patient = node().cache(
                        PROFILE.with(PROFILE.policy().toBuilder()
                                .claimWait(Duration.ofMinutes(1))
                                .maxWait(Duration.ofMinutes(1))
                                .build()),
                        Long.class,
                        table);
        AtomicReference<Thread> thread = new AtomicReference<>();
        try (SlowClaim slow = new SlowClaim(redis, KEY)) {
            Future<Boolean> caller = threads.submit(() -> {
                thread.set(Thread.currentThread());
                assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> patient.find(42L));
                return Thread.currentThread().isInterrupted();
            });
            await().until(() -> patient.stats().claimWaits() == 1);
            assertThat(slow.isHeld()).isTrue();
            requireNonNull(thread.get()).interrupt();
            assertThat(caller.get()).isTrue();
        }
    }

    @Test
    void aRowReadBeforeAFlushIsNotStoredAfterIt() {
        UserCaches node = node();
        UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
        await().until(() -> node.engine().shared().session("user:42:profile") != null);
        Session before = node.engine().shared().session("user:42:profile");
        ReadMark mark = here.beforeRead();
        Instant readAt = Instant.now();
        redis.flushall(); // also deletes the fence of a change that came after the row was read
        await().until(() -> node.engine().shared().session("user:42:profile") != before);
        assertThat(here.save(42L, ANN, readAt)).isFalse();
        assertThat(here.save(42L, ANN, mark)).isFalse();
        await().until(() -> here.save(42L, ANN, Instant.now()));
    }

    // Redis that fails.

    @Test
    void aRedisThatFailsIsLoggedOnceAndFailsNoCall() {
        try (RedisServer doomed = RedisServer.start()) {
            UserCaches node = open(patient(doomed.uri()));
            var profiles = new UserProfileCache<>(node.cache(PROFILE, Long.class, table));
            table.put(42L, ANN);
            // From the beginning: the first failed call is logged, and that may be a heartbeat.
            List<String> log = logOf(() -> {
                profiles.find(42L);
                doomed.stop();
                assertThat(profiles.find(42L)).contains(ANN);
                assertThat(profiles.save(42L)).contains(ANN);
                assertThat(profiles.save(42L, ANN, Instant.now())).isFalse();
            });
            assertThat(log).hasSize(1);
            assertThat(profiles.stats().sharedErrors()).isGreaterThanOrEqualTo(2);

            doomed.restart();
            await().untilAsserted(() -> {
                profiles.find(42L);
                assertThat(profiles.stats().sharedHits()).isPositive();
            });
        }
    }

    @Test
    void aChangeThatRedisDidNotHearOfIsNotBelievedHereAndSentWhenItListens() {
        try (RedisServer deaf = RedisServer.start();
                RedisClient operator = RedisClient.create(deaf.uri())) {
            UserCaches node = open(patient(deaf.uri()));
            UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
            table.put(42L, ANN);
            here.find(42L);
            awaitLoads();

            client(operator, "PAUSE", "100000", "WRITE"); // reads are answered, with the old value
            table.put(42L, profile("Anna"));
            assertThat(here.invalidate(42L)).isFalse();
            assertThat(here.stats().pendingFences()).isEqualTo(1);
            assertThat(here.find(42L)).contains(profile("Anna"));

            client(operator, "UNPAUSE");
            await().until(() -> here.stats().pendingFences() == 0);
            assertThat(here.find(42L)).contains(profile("Anna"));
            awaitLoads();
            assertThat(operator.connect().sync().get(KEY)).contains("Anna");
        }
    }

    @Test
    void anApplicationStartsWithoutRedisAndUsesItWhenItAppears() {
        try (RedisServer late = RedisServer.start()) {
            late.stop();
            UserCaches node = open(patient(late.uri()));
            UserCache<Long, UserProfile> early = node.cache(PROFILE, Long.class, table);
            table.put(42L, ANN);
            assertThat(early.find(42L)).contains(ANN);
            late.restart();
            await().untilAsserted(() -> {
                early.find(42L);
                assertThat(early.stats().sharedHits()).isPositive();
            });
        }
    }

    @Test
    void whileAChangeIsNotConfirmedThisNodeBelievesNothingThatRedisSays() {
        UserCaches node = node();
        UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
        table.put(42L, ANN);
        here.find(42L);
        awaitLoads();
        String old = redis.get(KEY);
        table.put(42L, profile("Anna"));
        Object mark = node.engine().fences().announce(KEY);
        assertThat(here.find(42L)).contains(profile("Anna"));
        assertThat(redis.get(KEY)).isEqualTo(old);
        redis.del(KEY, GUARD);
        assertThat(here.save(42L, profile("Old"), Instant.now())).isFalse();

        Object later = node.engine().fences().announce(KEY);
        node.engine().fences().send(Map.of(KEY, mark));
        assertThat(node.engine().fences().isPending(KEY)).as("the later change").isTrue();
        node.engine().fences().send(Map.of(KEY, later));
        assertThat(node.engine().fences().isPending(KEY)).isFalse();
    }

    @Test
    void closingSendsPendingInvalidations() {
        UserCaches node = node();
        node.cache(PROFILE, Long.class, table);
        redis.set(KEY, "old");
        node.engine().fences().announce(KEY);
        node.close();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void closingSaysWhatCouldNotBeSent() {
        try (RedisServer gone = RedisServer.start()) {
            UserCaches node = open(patient(gone.uri()));
            UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
            gone.stop();
            assertThat(here.invalidate(42L)).isFalse();
            assertThat(logOf(node::close))
                    .singleElement()
                    .asString()
                    .startsWith("1 invalidations")
                    .contains(KEY);
        }
    }

    @Test
    void aClaimWhoseGrantWasNotHeardIsGivenUp() {
        try (RedisServer slow = RedisServer.start()) {
            UserCache<Long, UserProfile> here =
                    open(UserCaches.builder().redis(slow.uri())).cache(PROFILE, Long.class, table);
            table.put(42L, ANN);
            slow.freeze();
            assertThat(here.find(42L)).contains(ANN);
            slow.thaw();
            await().until(() -> {
                here.find(42L);
                return here.stats().sharedHits() > 0;
            });
            assertThat(here.stats().claimWaits()).isZero();
        }
    }

    @Test
    void withoutRedisACallerThatComesDuringAQueryIsAnsweredByIt() throws Exception {
        assertThat(queriesOfTwoCallersWithoutRedis(Duration.ofMinutes(1))).isEqualTo(1);
    }

    @Test
    void aQueryThatTookLongerThanTheBoundDoesNotAnswerACallerThatCameDuringIt() throws Exception {
        assertThat(queriesOfTwoCallersWithoutRedis(Duration.ZERO)).isEqualTo(2);
    }

    /** The second caller comes when the query of the first has read, and waits for its end. */
    private int queriesOfTwoCallersWithoutRedis(Duration bound) throws Exception {
        try (RedisServer gone = RedisServer.start()) {
            gone.stop();
            UserCache<Long, UserProfile> alone = open(patient(gone.uri()))
                    .cache(
                            PROFILE.with(PROFILE.policy().toBuilder()
                                    .stalenessBound(bound)
                                    .build()),
                            Long.class,
                            table);
            table.put(42L, ANN);
            table.holdBackAfterReading();
            Future<UserProfile> first = threads.submit(() -> alone.find(42L).orElseThrow());
            await().until(() -> table.queries.get() == 1);
            Future<UserProfile> second = threads.submit(() -> alone.find(42L).orElseThrow());
            awaitWaiters(alone, 1);
            table.gate.countDown();
            assertThat(first.get()).isEqualTo(ANN);
            assertThat(second.get()).isEqualTo(ANN);
            return table.queries.get();
        }
    }

    @Test
    void anInterruptedCallerIsStillAnsweredByRedis() {
        table.put(42L, ANN);
        cache.find(42L);
        awaitLoads();
        Thread.currentThread().interrupt();
        Optional<UserProfile> found = cache.find(42L);
        assertThat(Thread.interrupted()).as("still interrupted").isTrue();
        assertThat(found).contains(ANN);
        assertThat(cache.stats().sharedErrors()).isZero();
        assertThat(table.queries).hasValue(1);
    }

    @Test
    void noTextOfRedisReachesTheLogForItMayQuoteTheUser() {
        try (RedisServer strange = RedisServer.start("rename-command EVALSHA \"\"")) {
            List<String> log = logOf(() -> {
                UserCaches node = open(patient(strange.uri()));
                UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
                table.put(42L, ANN);
                assertThat(here.save(42L, ANN, Instant.now())).isFalse();
                assertThat(here.find(42L)).contains(ANN);
                assertThat(here.invalidate(42L)).isFalse();
            });
            assertThat(log)
                    .isNotEmpty()
                    .allSatisfy(line -> assertThat(line).contains("ERR").doesNotContain("138000", "Ann"));
        }
    }

    @Test
    void aRedisThatAnswersOneCallAndRefusesTheNextDoesNotFloodTheLog() {
        try (RedisServer full = RedisServer.start("maxmemory 1", "maxmemory-policy noeviction")) {
            List<String> log = logOf(() -> {
                UserCaches node = open(patient(full.uri()));
                UserCache<Long, UserProfile> here = node.cache(PROFILE, Long.class, table);
                table.put(42L, ANN);
                for (int i = 0; i < 50; i++) {
                    assertThat(here.find(42L)).contains(ANN);
                }
            });
            assertThat(log).singleElement().asString().contains("OOM");
        }
    }

    @Test
    void aValueThatCannotBeEncodedIsAnsweredAndNotStored() {
        Facet<UserProfile> mute = new Facet<>(
                "profile",
                new FacetCodec<>() {
                    @Override
                    public byte[] encode(UserProfile value) {
                        throw new IllegalStateException("cannot write " + value.mobile());
                    }

                    @Override
                    public UserProfile decode(byte[] bytes) {
                        throw new IllegalStateException("cannot read");
                    }
                },
                CachePolicy.of(Duration.ofMinutes(1)));
        UserCache<Long, UserProfile> unwritten = node().cache(mute, Long.class, table);
        table.put(42L, ANN);
        List<String> log = logOf(() -> {
            assertThat(unwritten.find(42L)).contains(ANN);
            assertThat(unwritten.find(42L)).contains(ANN);
            assertThat(unwritten.save(42L, ANN, Instant.now())).isFalse();
        });
        assertThat(redis.exists(KEY)).isZero();
        assertThat(unwritten.stats().claimWaits()).as("claims given up").isZero();
        assertThat(log).allSatisfy(line -> assertThat(line).doesNotContain("138000"));
    }

    // Bad input.

    @Test
    @SuppressWarnings("NullAway")
    void aUserThatWasNotFoundCannotBeSaved() {
        assertThatNullPointerException().isThrownBy(() -> cache.save(42L, null, Instant.now()));
        assertThat(redis.keys("user:*")).isEmpty();
    }

    @Test
    void aMalformedIdIsAnErrorAndTouchesNothing() {
        UserCaches node = node();
        UserCache<String, UserProfile> byName = node.cache(PROFILE, String.class, ids -> Map.of());
        for (String id : List.of("", "a b", "a{b}", "x".repeat(129), "a\nb")) {
            assertThatIllegalArgumentException().isThrownBy(() -> byName.find(id));
            assertThatIllegalArgumentException().isThrownBy(() -> byName.save(id, ANN, Instant.now()));
            assertThatIllegalArgumentException().isThrownBy(() -> byName.invalidate(id));
        }
        assertThat(redis.keys("user:*")).isEmpty();
    }

    /** With a cast, such an id passes the compiler. It must not become an absence. */
    @ParameterizedTest
    @MethodSource("idsOfOtherTypes")
    void anIdOfAnotherTypeIsAnErrorAndNeverAnAbsence(Class<?> idClass, Object other) {
        @SuppressWarnings("unchecked")
        UserCache<Object, UserProfile> careless = node().cache(PROFILE, (Class<Object>) idClass, ids -> Map.of());
        Map<String, ThrowingCallable> calls = Map.of(
                "find", () -> careless.find(other),
                "lookUp", () -> careless.lookUp(other),
                "findAll", () -> careless.findAll(List.of(other)),
                "findAsync", () -> careless.findAsync(other),
                "findFresh", () -> careless.findFresh(other),
                "save", () -> careless.save(other, ANN, Instant.now()),
                "invalidate", () -> careless.invalidate(other),
                "revoke", () -> careless.revoke(other),
                "explain", () -> careless.explain(other),
                "keyOf", () -> careless.keyOf(other));
        calls.forEach((name, call) -> assertThatThrownBy(call)
                .as(name)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(idClass.getSimpleName())
                .hasMessageContaining(other.getClass().getName()));
        assertThat(redis.keys("user:*")).isEmpty();
    }

    private static Stream<Arguments> idsOfOtherTypes() {
        List<Object> ids = List.of(42L, 42, UUID.randomUUID(), "42");
        return ids.stream()
                .flatMap(id -> Stream.concat(ids.stream(), Stream.of((short) 42))
                        .filter(other -> other.getClass() != id.getClass())
                        .map(other -> Arguments.of(id.getClass(), other)));
    }

    @Test
    void oneFacetHasOneCache() {
        UserCaches node = node();
        node.cache(PROFILE, Long.class, table);
        assertThatIllegalStateException()
                .isThrownBy(() -> node.cache(PROFILE, Long.class, table))
                .withMessageContaining("'profile'");
    }

    @Test
    void closedCachesSaySo() {
        UserCaches node = node();
        UserCache<Long, UserProfile> closed = node.cache(PROFILE, Long.class, table);
        node.close();
        node.close();
        assertThatIllegalStateException().isThrownBy(() -> closed.find(42L)).withMessage("the caches are closed");
        assertThatIllegalStateException().isThrownBy(() -> node.cache(STATUS, Long.class, ids -> Map.of()));
    }

    @Test
    void aRedisUriThatCannotBeReadIsNotQuoted() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> UserCaches.builder().redis("http://:secret@host"))
                .satisfies(e -> assertThat(e).hasNoCause().hasMessageNotContaining("secret"));
        assertThatIllegalStateException().isThrownBy(() -> UserCaches.builder().build());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> UserCaches.builder().keyPrefix("a{b"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> UserCaches.builder().commandTimeout(Duration.ZERO));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> UserCaches.builder().commandTimeout(Duration.ofDays(1)));
    }

    private UserCaches node() {
        return open(patient(uri()).commandTimeout(Duration.ofSeconds(10)));
    }

    private static void client(RedisClient operator, String... arguments) {
        var words = new CommandArgs<>(StringCodec.UTF8);
        List.of(arguments).forEach(words::add);
        operator.connect().sync().dispatch(CommandType.CLIENT, new StatusOutput<>(StringCodec.UTF8), words);
    }

    private static List<String> logOf(Runnable action) {
        return LogLines.of("dev.usher", action);
    }

    private static long deadlineOf(String guard) {
        return Long.parseLong(guard.split(" ")[1]);
    }

    private static void awaitWaiters(UserCache<Long, UserProfile> cache, int waiters) {
        await().until(() -> ((TieredUserCache<Long, UserProfile>) cache).waitingFor(42L) == waiters);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
