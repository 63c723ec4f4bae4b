package dev.usher.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Claiming;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.GuardProtocol.Filling;
import dev.usher.redis.GuardProtocol.Offer;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The effect of each script on its two keys, and its refusals. */
@Tag("servers")
class GuardScriptsIT {

    private static final String KEY = "user:42:profile";
    private static final String GUARD = "{user:42:profile}:guard";
    private static final String OTHER_KEY = "user:43:profile";
    private static final Duration TTL = Duration.ofMinutes(30);
    private static final byte[] VALUE = "value".getBytes(UTF_8);
    private static final Timeouts TIMEOUTS = (nanos, task) -> () -> {};

    private static TestRedis testRedis;
    private static ScheduledExecutorService scheduler;
    private static RedisClusterCommands<String, String> redis;
    private static SharedTier shared;
    private static GuardProtocol guards;

    /** On the server of the others: what is answered comes after what was sent before. */
    private static String later;

    @BeforeAll
    static void start() {
        testRedis = TestRedis.start();
        redis = testRedis.commands();
        scheduler = Executors.newSingleThreadScheduledExecutor();
        List<RedisURI> seeds = TestRedis.isCluster() ? RedisUris.cluster(testRedis.uri()) : List.of();
        RedisURI uri = seeds.isEmpty() ? RedisURI.create(testRedis.uri()) : seeds.get(0);
        shared =
                new SharedTier(settings(uri, seeds), "user", "node", scheduler, Runnable::run, size -> {}, new Quiet());
        shared.open();
        guards = shared.guards(KEY);
        later = LongStream.iterate(1, id -> id + 1)
                .mapToObj(id -> "user:" + id + ":profile")
                .filter(key -> testRedis.serverOf(key).equals(testRedis.serverOf(KEY)))
                .findFirst()
                .orElseThrow();
    }

    @AfterAll
    static void stop() {
        shared.close();
        scheduler.shutdownNow();
        testRedis.close();
    }

    @BeforeEach
    void flush() {
        redis.keys("*").forEach(redis::del); // after a FLUSHALL, rows that were read before would be refused
    }

    /** A script that Redis does not know is sent a second time, after the commands that were sent meanwhile. */
    @BeforeEach
    void loadTheScriptOfRenewals() {
        redis.scriptLoad(GuardScript.RENEW.source());
    }

    @Test
    void aClaimIsATokenWithItsDeadlineInAKeyThatOutlivesIt() throws Exception {
        assertThat(claim(KEY, "t1", null)).isInstanceOf(Claim.Granted.class);
        String[] guard = redis.get(GUARD).split(" ");
        assertThat(guard[0]).isEqualTo("t1");
        assertThat(Long.parseLong(guard[1]) - serverTime()).isBetween(1L, GuardProtocol.LEASE.toMillis());
        assertThat(redis.pttl(GUARD))
                .isGreaterThan(GuardProtocol.FENCE.toMillis())
                .isLessThanOrEqualTo(
                        GuardProtocol.FENCE.plus(GuardProtocol.LEASE).toMillis());
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aSecondClaimLearnsHowLongTheFirstHolds() throws Exception {
        claim(KEY, "t1", null);
        assertThat(claim(KEY, "t2", null))
                .isInstanceOfSatisfying(
                        Claim.Held.class,
                        held -> assertThat(held.left()).isPositive().isLessThanOrEqualTo(GuardProtocol.LEASE));
        assertThat(redis.get(GUARD)).startsWith("t1 ");
    }

    @Test
    void aClaimThatIsSentTwiceIsGrantedTwice() throws Exception {
        claim(KEY, "t1", null);
        assertThat(claim(KEY, "t1", null)).isInstanceOf(Claim.Granted.class);
    }

    @Test
    void aClaimOnAStoredValueReturnsIt() throws Exception {
        redis.set(KEY, "value");
        assertThat(claim(KEY, "t1", null))
                .isInstanceOfSatisfying(
                        Claim.Stored.class, stored -> assertThat(stored.value()).isEqualTo(VALUE));
        assertThat(redis.exists(GUARD)).isZero();
    }

    @Test
    void aFenceAndADeadClaimCanBeClaimed() throws Exception {
        fence();
        assertThat(claim(KEY, "t1", null)).isInstanceOf(Claim.Granted.class);
        passDeadlineOf("t1");
        assertThat(claim(KEY, "t2", null)).isInstanceOf(Claim.Granted.class);
    }

    @Test
    void aGuardThatIsNoneCanBeClaimedAndRefusesOffers() throws Exception {
        redis.hset(GUARD, "a", "b");
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isFalse();
        assertThat(claim(KEY, "t1", null)).isInstanceOf(Claim.Granted.class);
        redis.set(GUARD, "gibberish");
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        assertThat(claim(KEY, "t2", null)).isInstanceOf(Claim.Granted.class);
    }

    @Test
    void aFillStoresTheValueAndLeavesAFence() throws Exception {
        claim(KEY, "t1", null);
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isTrue();
        assertThat(redis.get(KEY)).isEqualTo("value");
        assertThat(redis.pttl(KEY)).isBetween(TTL.toMillis() - 5000, TTL.toMillis());
        assertFence();
    }

    @Test
    void aFillWithoutTheClaimIsRefused() throws Exception {
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).as("no guard").isFalse();
        claim(KEY, "t1", null);
        assertThat(fill(KEY, "t2", VALUE, TTL, null)).as("another's").isFalse();
        passDeadlineOf("t1");
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).as("past its deadline").isFalse();
        claim(KEY, "t3", null);
        fence();
        assertThat(fill(KEY, "t3", VALUE, TTL, null)).as("fenced").isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aFillDoesNotOverwriteWhatAForeignWriterHasStoredMeanwhile() throws Exception {
        claim(KEY, "t1", null);
        redis.setex(KEY, 1800, "by the Flask service");
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isFalse();
        assertThat(fill(KEY, "t1", VALUE, TTL, "{broken".getBytes(UTF_8))).isFalse();
        assertThat(redis.get(KEY)).isEqualTo("by the Flask service");
    }

    @Test
    void aFillIsTakenOnce() throws Exception {
        claim(KEY, "t1", null);
        fill(KEY, "t1", VALUE, TTL, null);
        assertThat(fill(KEY, "t1", "again".getBytes(UTF_8), TTL, null)).isFalse();
        assertThat(redis.get(KEY)).isEqualTo("value");
    }

    @Test
    void anOfferStoresTheValueAndLeavesAFence() throws Exception {
        assertThat(isStored(guards, KEY, System.nanoTime())).isTrue();
        assertThat(redis.get(KEY)).isEqualTo("value");
        assertThat(redis.pttl(KEY)).isBetween(TTL.toMillis() - 5000, TTL.toMillis());
        assertFence();
    }

    @Test
    void anOfferIsRefusedWhereAnythingIsKnown() throws Exception {
        redis.set(KEY, "other");
        assertThat(isStored(guards, KEY, System.nanoTime())).as("a value").isFalse();
        assertThat(redis.get(KEY)).isEqualTo("other");
        redis.del(KEY);
        fence();
        assertThat(isStored(guards, KEY, System.nanoTime())).as("a fence").isFalse();
        redis.del(GUARD);
        claim(KEY, "t1", null);
        assertThat(isStored(guards, KEY, System.nanoTime())).as("a claim").isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void anOfferIsRefusedFromTheMomentOnThatItNames() {
        assertThat(offerUntil(serverTime())).isEqualTo(0);
        assertThat(redis.exists(KEY)).isZero();
        assertThat(offerUntil(serverTime() + GuardProtocol.FENCE.toMillis())).isEqualTo(1);
    }

    @Test
    void anOfferThatWasReadLaterThanTheServersClockShowsIsRefused() {
        // The clock has been set back since: the age of the row is unknown.
        assertThat(offerUntil(serverTime() + GuardProtocol.FENCE.toMillis() + 10_000))
                .isEqualTo(0);
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void anOfferFromBeforeTheFirstSampleOfTheServersClockIsRefused() throws Exception {
        assertThat(isStored(guards, KEY, System.nanoTime() - Duration.ofHours(1).toNanos()))
                .isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void anOfferThatLayInAFrozenServersBufferIsJudgedWhenItIsRead() throws Exception {
        long tooOldFrom = serverTime() + 200;
        testRedis.serverOf(KEY).freeze();
        Future<Long> offer = scheduler.submit(() -> offerUntil(tooOldFrom));
        try {
            await().until(() -> System.currentTimeMillis() > tooOldFrom);
            assertThat(offer).isNotDone();
        } finally {
            testRedis.serverOf(KEY).thaw();
        }
        assertThat(offer.get(10, TimeUnit.SECONDS)).isEqualTo(0);
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aRowThatWasReadBeforeTheConnectionWasRestoredIsRefused() throws Exception {
        try (RedisServer forgetful = RedisServer.start();
                RedisPrimary primary = primary(forgetful)) {
            long readAt = System.nanoTime();
            assertThat(isStored(primary.guards(), "user:1:profile", readAt)).isTrue();
            fence(primary);
            forgetful.kill();
            forgetful.restart(); // without the fence
            await().ignoreExceptions().until(() -> primary.get(KEY, TIMEOUTS).join() == null);
            assertThat(isStored(primary.guards(), KEY, readAt)).isFalse();
            await().ignoreExceptions().until(() -> isStored(primary.guards(), KEY, System.nanoTime()));
        }
    }

    @Test
    void aFenceDropsTheValueWhateverItIs() throws Exception {
        redis.set(KEY, "value");
        fence();
        assertThat(redis.exists(KEY)).isZero();
        assertFence();
        redis.hset(KEY, "a", "b");
        fence();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aRenewalMovesTheDeadlineOfAHeldClaimOnly() throws Exception {
        redis.set(GUARD, "t1 " + (serverTime() + 100));
        guards.renew(KEY, "t2");
        guards.renew(KEY, "t1");
        claim(later, "after the renewals", null);
        assertThat(redis.get(GUARD)).startsWith("t1 ");
        assertThat(Long.parseLong(redis.get(GUARD).substring(3)) - serverTime()).isGreaterThan(200);
        assertThat(redis.pttl(GUARD)).isGreaterThan(GuardProtocol.FENCE.toMillis());

        fence();
        guards.renew(KEY, "t1");
        claim(later, "after the renewals", null);
        assertFence();
    }

    @Test
    void aReleasedClaimIsAFenceAndCannotFill() throws Exception {
        claim(KEY, "t1", null);
        guards.release(KEY, "t1", false);
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isFalse();
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        assertThat(claim(KEY, "t2", null)).isInstanceOf(Claim.Granted.class);
    }

    @Test
    void aClaimKnowsWhetherItWasGrantedOverNothing() throws Exception {
        assertThat(claim(KEY, "t1", null)).isEqualTo(new Claim.Granted(false, true));
        assertThat(claim(KEY, "t1", null)).as("over itself").isEqualTo(new Claim.Granted(false, false));
        fence();
        assertThat(claim(KEY, "t2", null)).as("over a fence").isEqualTo(new Claim.Granted(false, false));
        redis.del(GUARD);
        redis.hset(KEY, "a", "b");
        assertThat(claim(KEY, "t3", null)).as("over another type").isEqualTo(new Claim.Granted(true, false));
    }

    @Test
    void aClaimOverNothingThatIsGivenUpLeavesNothing() throws Exception {
        claim(KEY, "t1", null);
        guards.release(KEY, "t2", true);
        claim(later, "after the release", null);
        assertThat(redis.get(GUARD)).as("another's").startsWith("t1 ");

        guards.release(KEY, "t1", true);
        claim(later, "after the release", null);
        assertThat(redis.exists(GUARD)).isZero();
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isFalse();
    }

    @Test
    void anAbsenceLeavesNothingWhereTheClaimWasGrantedOverNothing() throws Exception {
        claim(KEY, "t1", null);
        assertThat(absent("t1", true)).isEqualTo(Fill.DROPPED);
        assertThat(redis.exists(KEY, GUARD)).isZero();
        assertThat(absent("t1", true)).as("a second time").isEqualTo(Fill.REFUSED);
    }

    @Test
    void anAbsenceLeavesAFenceWhereTheClaimWasGrantedOverOne() throws Exception {
        fence();
        claim(KEY, "t1", null);
        assertThat(absent("t1", false)).isEqualTo(Fill.DROPPED);
        assertThat(redis.exists(KEY)).isZero();
        assertFence();
    }

    @Test
    void anAbsenceThatAnotherNodeWaitsForIsStoredForAMoment() throws Exception {
        claim(KEY, "t1", null);
        claim(KEY, "t2", null);
        claim(KEY, "t3", null);
        guards.renew(KEY, "t1");
        assertThat(claim(KEY, "t1", null)).as("its own").isInstanceOf(Claim.Granted.class);
        claim(KEY, "t2", null);
        guards.renew(KEY, "t1");
        assertThat(absent("t1", true)).isEqualTo(Fill.STORED);
        assertThat(redis.get(KEY)).isEqualTo("value");
        assertThat(redis.pttl(KEY)).isBetween(1L, 1000L);
        assertFence();
    }

    @Test
    void anAbsenceIsRefusedWithoutTheClaimAndWhereAnybodyIsFound() throws Exception {
        assertThat(absent("t1", true)).as("no guard").isEqualTo(Fill.REFUSED);
        claim(KEY, "t1", null);
        assertThat(absent("t2", true)).as("another's").isEqualTo(Fill.REFUSED);
        redis.set(KEY, "by the Flask service");
        assertThat(absent("t1", true)).as("the user exists").isEqualTo(Fill.REFUSED);
        redis.del(KEY);
        fence();
        assertThat(absent("t1", true)).as("fenced").isEqualTo(Fill.REFUSED);
        assertFence();
    }

    @Test
    void anAwaitedClaimIsFilledAndRenewedAsAnyOther() throws Exception {
        claim(KEY, "t1", null);
        long left = redis.pttl(GUARD);
        assertThat(claim(KEY, "t2", null)).isInstanceOf(Claim.Held.class);
        assertThat(redis.get(GUARD)).matches("t1 0\\d{13}");
        assertThat(redis.pttl(GUARD)).as("its life").isLessThanOrEqualTo(left);
        assertThat(claim(KEY, "t2", null)).isInstanceOf(Claim.Held.class);
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isTrue();
    }

    @Test
    void aValueThatCannotBeReadIsClaimedAsIfItWereMissing() throws Exception {
        redis.set(KEY, "{broken");
        assertThat(claim(KEY, "t1", "{broken".getBytes(UTF_8))).isInstanceOf(Claim.Granted.class);
        assertThat(fill(KEY, "t1", VALUE, TTL, "{broken".getBytes(UTF_8))).isTrue();
        assertThat(redis.get(KEY)).isEqualTo("value");
        assertThat(claim(KEY, "t2", "{broken".getBytes(UTF_8)))
                .as("repaired meanwhile")
                .isInstanceOf(Claim.Stored.class);
    }

    @Test
    void aValueThatCannotBeReadAndIsDeletedMeanwhileIsNotReplaced() throws Exception {
        redis.set(KEY, "{broken");
        claim(KEY, "t1", "{broken".getBytes(UTF_8));
        redis.del(KEY);
        assertThat(fill(KEY, "t1", VALUE, TTL, "{broken".getBytes(UTF_8))).isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void anEntryOfAnotherTypeIsClaimedAndOverwritten() throws Exception {
        redis.hset(KEY, "a", "b");
        assertThat(claim(KEY, "t1", null)).isInstanceOf(Claim.Granted.class);
        assertThat(fill(KEY, "t1", VALUE, TTL, null)).isTrue();
        assertThat(redis.get(KEY)).isEqualTo("value");
    }

    @Test
    void eachClaimOfAListIsUnderItsOwnToken() throws Exception {
        List<Claiming> claims = List.of(
                new Claiming(KEY, "t1", null),
                new Claiming(OTHER_KEY, "t2", null),
                new Claiming("user:44:profile", "t1", null));
        assertThat(answerOf(shared.claim(claims, TIMEOUTS))).containsOnly(new Claim.Granted(false, true));
        assertThat(claims)
                .allSatisfy(claiming ->
                        assertThat(redis.get(KeySpace.guardOf(claiming.key()))).startsWith(claiming.token() + " "));
        assertThat(answerOf(shared.fill(
                        claims.stream().map(GuardScriptsIT::fillingOf).toList(), TIMEOUTS)))
                .containsOnly(Fill.STORED);
    }

    /** Claims last less than a second, which may pass on a busy machine. */
    @Test
    void manyClaimsAndFillsAreAnsweredAsEachByItself() {
        await().untilAsserted(() -> {
            flush();
            assertManyAreAnsweredAsEachByItself();
        });
    }

    private static void assertManyAreAnsweredAsEachByItself() throws Exception {
        List<Consumer<String>> states = List.of(
                key -> {},
                key -> redis.set(key, "value"),
                key -> redis.set(key, "{broken"),
                key -> redis.hset(key, "a", "b"),
                key -> redis.set(KeySpace.guardOf(key), "-"),
                key -> redis.set(KeySpace.guardOf(key), "another " + (serverTime() + 500)),
                key -> redis.hset(KeySpace.guardOf(key), "a", "b"));
        List<Claiming> alone = new ArrayList<>();
        List<Claiming> together = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Consumer<String> state = states.get(i % states.size());
            byte[] unreadable = i % states.size() == 2 && i % 2 == 0 ? "{broken".getBytes(UTF_8) : null;
            for (int first : new int[] {1000, 2000}) {
                String key = "user:" + (first + i) + ":profile";
                state.accept(key);
                (first == 1000 ? alone : together).add(new Claiming(key, "t", unreadable));
            }
        }
        redis.configResetstat();
        List<Claim> answers = answerOf(shared.claim(together, TIMEOUTS));
        assertThat(
                        TestRedis.isCluster()
                                ? 0
                                : redis.info("commandstats")
                                        .lines()
                                        .filter(line -> line.startsWith("cmdstat_evalsha:"))
                                        .map(line -> line.replaceAll(".*calls=(\\d+),.*", "$1"))
                                        .mapToInt(Integer::parseInt)
                                        .sum())
                .as("50 at a time, and 7 that replace something")
                .isLessThan(11);
        // Sent one after the other without waiting, for the claims last less than a second.
        List<Claim> expected = answersOf(alone, claiming -> shared.claim(List.of(claiming), TIMEOUTS));
        assertThat(answers).usingRecursiveComparison().ignoringFields("left").isEqualTo(expected);

        List<Fill> fills = answerOf(
                shared.fill(together.stream().map(GuardScriptsIT::fillingOf).toList(), TIMEOUTS));
        List<Fill> expectedFills = answersOf(alone, claiming -> shared.fill(List.of(fillingOf(claiming)), TIMEOUTS));
        assertThat(fills).isEqualTo(expectedFills).contains(Fill.STORED, Fill.REFUSED);
        for (int i = 0; i < 100; i++) {
            String mine = "user:" + (2000 + i) + ":profile";
            String other = "user:" + (1000 + i) + ":profile";
            assertThat(redis.type(mine)).isEqualTo(redis.type(other));
            if (redis.type(mine).equals("string")) {
                assertThat(redis.get(mine)).isEqualTo(redis.get(other));
            }
        }
    }

    @Test
    void aValueFarFromItsEndIsRefreshedLater() throws Exception {
        redis.setex(KEY, 1800, "value");
        assertThat(refresh("t1", Duration.ofMinutes(10)))
                .isInstanceOfSatisfying(
                        Refresh.Later.class,
                        later -> assertThat(later.left())
                                .isBetween(Duration.ofMinutes(20).minusSeconds(5), Duration.ofMinutes(20)));
        assertThat(redis.exists(GUARD)).isZero();
    }

    @Test
    void aValueNearItsEndIsClaimedAsWhatIsMissingIs() throws Exception {
        redis.setex(KEY, 1800, "value");
        assertThat(refresh("t1", TTL))
                .isInstanceOfSatisfying(
                        Refresh.Granted.class,
                        granted -> assertThat(granted.value()).isEqualTo(VALUE));
        assertThat(redis.get(GUARD)).startsWith("t1 ");
        assertThat(Long.parseLong(redis.get(GUARD).substring(3)) - serverTime())
                .isBetween(1L, GuardProtocol.LEASE.toMillis());
        assertThat(redis.pttl(GUARD))
                .isGreaterThan(GuardProtocol.FENCE.toMillis())
                .isLessThanOrEqualTo(
                        GuardProtocol.FENCE.plus(GuardProtocol.LEASE).toMillis());
        assertThat(redis.get(KEY)).as("it is answered meanwhile").isEqualTo("value");
        assertThat(redis.pttl(KEY)).as("and does not live longer").isLessThanOrEqualTo(TTL.toMillis());
    }

    @Test
    void whatHasNoEndOrIsNoValueIsNotRefreshed() throws Exception {
        assertThat(refresh("t1", TTL)).as("nothing").isInstanceOf(Refresh.Unneeded.class);
        redis.set(KEY, "value");
        assertThat(refresh("t1", TTL)).as("no end").isInstanceOf(Refresh.Unneeded.class);
        redis.del(KEY);
        redis.hset(KEY, "a", "b");
        redis.expire(KEY, 1);
        assertThat(refresh("t1", TTL)).as("another type").isInstanceOf(Refresh.Unneeded.class);
        assertThat(redis.exists(GUARD)).isZero();
    }

    @Test
    void anEntryThatAnotherClaimantLoadsIsNotRefreshed() throws Exception {
        claim(KEY, "t1", null);
        redis.setex(KEY, 1800, "value");
        assertThat(refresh("t2", TTL)).isInstanceOf(Refresh.Unneeded.class);
        assertThat(redis.get(GUARD)).startsWith("t1 ");
        passDeadlineOf("t1");
        assertThat(refresh("t2", TTL)).isInstanceOf(Refresh.Granted.class);
        assertThat(refresh("t3", TTL)).isInstanceOf(Refresh.Unneeded.class);
        redis.del(KEY);
        assertThat(claim(KEY, "t3", null)).as("its value has ended").isInstanceOf(Claim.Held.class);
    }

    @Test
    void aFenceIsNoObstacleToARefreshAndEndsIt() throws Exception {
        claim(KEY, "t1", null);
        fill(KEY, "t1", VALUE, TTL, null);
        assertFence();
        assertThat(refresh("t2", TTL)).isInstanceOf(Refresh.Granted.class);
        fence();
        assertThat(fill(KEY, "t2", VALUE, TTL, VALUE)).isFalse();
        assertThat(refresh("t3", TTL)).isInstanceOf(Refresh.Unneeded.class);
        assertThat(redis.exists(KEY)).isZero();
        assertFence();
    }

    @Test
    void aRefreshReplacesTheValueItWasGrantedFor() throws Exception {
        redis.setex(KEY, 100, "value");
        refresh("t1", TTL);
        assertThat(fill(KEY, "t1", "again".getBytes(UTF_8), TTL, VALUE)).isTrue();
        assertThat(redis.get(KEY)).isEqualTo("again");
        assertThat(redis.pttl(KEY)).isBetween(TTL.toMillis() - 5000, TTL.toMillis());
        assertFence();
    }

    @Test
    void aRefreshReplacesNothingElse() throws Exception {
        redis.setex(KEY, 100, "value");
        refresh("t1", TTL);
        redis.setex(KEY, 1800, "by the Flask service");
        assertThat(fill(KEY, "t1", "again".getBytes(UTF_8), TTL, VALUE)).isFalse();
        assertThat(redis.get(KEY)).isEqualTo("by the Flask service");
        redis.del(KEY);
        assertThat(fill(KEY, "t1", "again".getBytes(UTF_8), TTL, VALUE))
                .as("deleted by the Flask service")
                .isFalse();
        redis.hset(KEY, "a", "b");
        assertThat(fill(KEY, "t1", "again".getBytes(UTF_8), TTL, VALUE))
                .as("another type")
                .isFalse();
    }

    @Test
    void aRefreshRefusesOffersEvenWhenTheValueHasEnded() throws Exception {
        redis.setex(KEY, 100, "value");
        refresh("t1", TTL);
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        redis.del(KEY);
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        passDeadlineOf("t1");
        assertThat(isStored(guards, KEY, System.nanoTime())).isFalse();
        assertThat(redis.exists(KEY)).isZero();
    }

    @Test
    void aRedisThatIsFullTakesFencesAndRefusesFills() throws Exception {
        claim(KEY, "t1", null);
        claim(OTHER_KEY, "t2", null);
        redis.set(KEY, "old");
        redis.configSet("maxmemory", "1");
        try {
            fence();
            assertThat(redis.exists(KEY)).isZero();
            assertFence();
            assertThatExceptionOfType(SharedTierException.class)
                    .isThrownBy(() -> fill(OTHER_KEY, "t2", VALUE, TTL, null))
                    .withMessageContaining("OOM");
        } finally {
            redis.configSet("maxmemory", "0");
        }
    }

    @Test
    void scriptsThatRedisHasForgottenAreSentAgain() throws Exception {
        try (RedisServer own = RedisServer.start();
                RedisClient operator = RedisClient.create(own.uri())) {
            RedisCommands<String, String> there = operator.connect().sync();
            RedisLink link =
                    new RedisLink(Duration.ofSeconds(10), scheduler, new RedisErrorLog(RedisURI.create(own.uri())));
            // Without a register, whose heartbeat is an EVAL as well.
            link.connect(operator, RedisURI.create(own.uri()), connected -> CompletableFuture.completedStage(null))
                    .toCompletableFuture()
                    .get(10, TimeUnit.SECONDS);
            GuardProtocol alone = new GuardProtocol(link, new ServerClock());
            alone.awaitAll(List.of(alone.sendFence(KEY)));
            there.scriptFlush();
            there.configResetstat();
            alone.awaitAll(List.of(alone.sendFence(KEY)));
            alone.awaitAll(List.of(alone.sendFence(KEY)));
            assertThat(there.info("commandstats"))
                    .contains("cmdstat_eval:calls=1,")
                    .contains("cmdstat_evalsha:calls=2,");
            assertThat(there.get(GUARD)).isEqualTo("-");
        }
    }

    @Test
    void everyConnectionLoadsAllScripts() throws Exception {
        try (RedisServer own = RedisServer.start();
                RedisPrimary loading = primary(own);
                RedisClient operator = RedisClient.create(own.uri())) {
            RedisCommands<String, String> operating = operator.connect().sync();
            String[] all = GuardScript.ALL.stream().map(GuardScript::sha1).toArray(String[]::new);
            await().until(() -> !operating.scriptExists(all).contains(false));
            fence(loading);
            for (int i = 0; i < 1000; i++) {
                operating.eval("return " + i, ScriptOutputType.INTEGER); // as many as Redis evicts
            }
            assertThat(operating.scriptExists(all)).as("after 1000 others").doesNotContain(false);

            operating.scriptFlush();
            operating.clientKill(KillArgs.Builder.typeNormal().skipme());
            await().until(() -> !operating.scriptExists(all).contains(false));
        }
    }

    /** Offers a row that was read at a moment of {@link System#nanoTime()}. */
    private static boolean isStored(GuardProtocol guards, String key, long readAt) {
        return guards.offer(key, VALUE, TTL, guards.momentAt(readAt)).join() == Offer.STORED;
    }

    private static RedisSettings settings(RedisURI uri, List<RedisURI> seeds) {
        return new RedisSettings(
                uri,
                seeds,
                ClientOptions.create(),
                Duration.ofSeconds(10),
                new RedisSettings.Times(
                        Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofHours(24), Duration.ZERO),
                InstantSource.system(),
                System::nanoTime,
                RedisSettings.AwaitReplicas.AUTO);
    }

    private static RedisPrimary primary(RedisServer server) {
        RedisPrimary primary = new RedisPrimary(
                settings(RedisURI.create(server.uri()), List.of()), "user", "node", scheduler, size -> {}, new Quiet());
        primary.open();
        return primary;
    }

    /** Does nothing with what it is told. */
    private static final class Quiet implements RedisPrimary.Listener {

        @Override
        public void revoked(RevokedKeys users, IntConsumer processed) {
            processed.accept(0);
        }

        @Override
        public void changed(String key) {}

        @Override
        public void notUnderstood(RuntimeException failure) {}

        @Override
        public void disconnected(RedisPrimary primary) {}

        @Override
        public void identified(RedisPrimary primary, boolean hasAll) {}
    }

    private static void fence() throws SharedTierException {
        shared.awaitAll(List.of(KEY), List.of(shared.sendFence(KEY)));
    }

    private static void fence(RedisPrimary primary) throws SharedTierException {
        primary.guards().awaitAll(List.of(primary.guards().sendFence(KEY)));
    }

    private static long offerUntil(long tooOldFrom) {
        String[] keys = {KEY, GUARD};
        return redis.eval(
                GuardScript.OFFER.source(),
                ScriptOutputType.INTEGER,
                keys,
                "value",
                "1800000",
                "5000",
                Long.toString(tooOldFrom));
    }

    private static void assertFence() {
        assertThat(redis.get(GUARD)).isEqualTo("-");
        assertThat(redis.pttl(GUARD)).isBetween(GuardProtocol.FENCE.toMillis() - 2000, GuardProtocol.FENCE.toMillis());
    }

    /** Lets the deadline of a claim pass, while its key still lives. */
    private static void passDeadlineOf(String token) {
        redis.psetex(GUARD, GuardProtocol.FENCE.toMillis(), token + " " + (serverTime() - 1));
    }

    private static long serverTime() {
        var time = redis.time();
        return Long.parseLong(time.get(0)) * 1000 + Long.parseLong(time.get(1)) / 1000;
    }

    private static Claim claim(String key, String token, byte @Nullable [] unreadable) throws SharedTierException {
        return answerOf(shared.claim(List.of(new Claiming(key, token, unreadable)), TIMEOUTS))
                .get(0);
    }

    private static Fill absent(String token, boolean overNothing) throws SharedTierException {
        return guards.awaitAll(List.of(guards.absent(KEY, token, VALUE, overNothing)))
                .get(0);
    }

    private static Refresh refresh(String token, Duration ahead) throws SharedTierException {
        return guards.awaitAll(List.of(guards.refresh(KEY, token, ahead))).get(0);
    }

    private static boolean fill(String key, String token, byte[] value, Duration ttl, byte @Nullable [] replaced)
            throws SharedTierException {
        return answerOf(shared.fill(List.of(new Filling(key, token, value, ttl, replaced)), TIMEOUTS))
                        .get(0)
                == Fill.STORED;
    }

    private static Filling fillingOf(Claiming claiming) {
        return new Filling(claiming.key(), claiming.token(), VALUE, TTL, claiming.unreadable());
    }

    private static <T> T answerOf(CompletableFuture<T> command) throws SharedTierException {
        return shared.awaitAll(List.of(KEY), List.of(command)).get(0);
    }

    private static <R> List<R> answersOf(List<Claiming> each, Function<Claiming, CompletableFuture<List<R>>> command)
            throws SharedTierException {
        return shared
                .awaitAll(
                        each.stream().map(Claiming::key).toList(),
                        each.stream().map(command).toList())
                .stream()
                .flatMap(List::stream)
                .toList();
    }
}
