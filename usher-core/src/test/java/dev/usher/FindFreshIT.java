package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.protocol.ProtocolVersion;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The read past all tiers is exact, brings them up to date, and destroys nothing when it fails. */
class FindFreshIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final String GUARD = "{user:42:profile}:guard";
    private static final UserProfile ANN = profile("Ann");
    private static final UserProfile ANNA = profile("Anna");
    private final IllegalStateException gone = new IllegalStateException("the database is gone");
    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void fill() {
        table.put(42L, ANN);
    }

    @AfterEach
    void close() {
        table.gate.countDown();
        threads.shutdownNow();
    }

    @Test
    void aChangeWithoutAnAnnouncementIsSeenAndThenByAllNodes() {
        UserCache<Long, UserProfile> here = cache(uri());
        UserCache<Long, UserProfile> there = cache(uri());
        warm(here);
        warm(there);
        table.put(42L, ANNA);
        assertThat(here.find(42L)).contains(ANN);
        int queries = table.queries.get();

        assertThat(here.findFresh(42L)).contains(ANNA);
        assertThat(here.find(42L)).as("at once").contains(ANNA);
        assertThat(redis.get(KEY)).contains("Anna");
        await().until(() -> there.find(42L).equals(Optional.of(ANNA)));
        assertThat(table.queries).hasValue(queries + 1);
        assertThat(here.stats().loads()).isEqualTo(2);
        assertThat(here.stats().sourcePresent()).isEqualTo(2);
    }

    @Test
    void aUserThatWasNeverAskedForIsStored() {
        var profiles = new UserProfileCache<>(cache(uri()));
        assertThat(profiles.findFresh(42L)).contains(ANN);
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(redis.get(GUARD)).as("no claim is left").isEqualTo("-");
        assertThat(profiles.find(42L)).contains(ANN);
        assertThat(table.queries).hasValue(1);

        var statuses = new UserStatusCache<Long>(
                open(patient(uri())).cache(UserStatus.FACET, Long.class, ids -> Map.of(42L, UserStatus.DISABLED)));
        assertThat(statuses.findFresh(42L)).contains(UserStatus.DISABLED);
        assertThat(redis.get("user:42:status")).isEqualTo("0");
    }

    @Test
    void eachCallAsksTheSource() {
        UserCache<Long, UserProfile> cache = cache(uri());
        for (int i = 1; i <= 5; i++) {
            table.put(42L, profile("Ann " + i));
            assertThat(cache.findFresh(42L)).contains(profile("Ann " + i));
            assertThat(cache.find(42L)).contains(profile("Ann " + i));
            assertThat(table.queries).hasValue(i);
        }
    }

    @Test
    void aDeletedUserIsAbsent() {
        UserCache<Long, UserProfile> cache = open(patient(uri()))
                .cache(PATIENT, Long.class, ids -> table.queries.incrementAndGet() == 1 ? Map.of(42L, ANN) : Map.of());
        warm(cache);
        assertThat(cache.findFresh(42L)).isEmpty();
        assertThat(redis.get(KEY)).isEqualTo("null");
        assertThat(cache.find(42L)).isEmpty();
        assertThat(cache.stats().sourceAbsent()).isEqualTo(1);
    }

    @Test
    void aFailingSourceRemovesNoEntry() {
        UserCache<Long, UserProfile> here = cache(uri());
        UserCache<Long, UserProfile> there = cache(uri());
        warm(here);
        String stored = redis.get(KEY);
        table.failure = gone;
        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> here.findFresh(42L))
                .withRootCauseInstanceOf(IllegalStateException.class);
        assertThat(here.stats().unavailable()).isEqualTo(1);
        long hits = here.stats().nearHits();
        assertThat(here.find(42L)).contains(ANN);
        assertThat(here.stats().nearHits()).as("still in memory").isEqualTo(hits + 1);
        assertThat(redis.get(KEY)).isEqualTo(stored);
        redis.del(KEY);
        table.failure = null;
        assertThat(there.find(42L)).as("the claim was given up").contains(ANN);
        assertThat(there.stats().claimWaits()).isZero();
    }

    @Test
    void aFailingSourceTakesNoOtherClaim() {
        table.failure = gone;
        UserCache<Long, UserProfile> cache = cache(uri());
        try (SlowClaim slow = new SlowClaim(redis, KEY)) {
            assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.findFresh(42L));
            assertThat(slow.isHeld()).isTrue();
        }
    }

    @Test
    void theLastKnownAnswerIsNoExactOne() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = cache(proxy.uri());
            warm(cache);
            proxy.refuse();
            await().until(() -> !cache.stats().nearOpen());
            table.failure = gone;
            assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> cache.findFresh(42L));
            assertThat(cache.lookUp(42L).isStale()).as("nothing is destroyed").isTrue();
        }
    }

    @Test
    void anotherProcessThatIsLoadingAnOlderRowDoesNotStoreItAfterwards() throws Exception {
        Table older = new Table();
        older.put(42L, ANN);
        older.holdBackAfterReading();
        UserCache<Long, UserProfile> there = open(patient(uri())).cache(PATIENT, Long.class, older);
        UserCache<Long, UserProfile> here = cache(uri());
        Future<Optional<UserProfile>> loading = threads.submit(() -> there.find(42L));
        await().until(() -> older.queries.get() == 1);
        table.put(42L, ANNA);

        assertThat(here.findFresh(42L)).contains(ANNA);
        older.gate.countDown();
        assertThat(loading.get()).as("asked before").contains(ANN);
        awaitLoads();
        assertThat(there.stats().fillsRefused()).isEqualTo(1);
        assertThat(redis.get(KEY)).isNull();
        assertThat(here.find(42L)).contains(ANNA);
        assertThat(there.stats().nearHits()).isZero();
    }

    @Test
    void aChangeDuringTheQueryLeavesNothingOld() {
        UserCache<Long, UserProfile> there = cache(uri());
        UserCache<Long, UserProfile> here = open(patient(uri())).cache(PATIENT, Long.class, ids -> {
            Map<Long, UserProfile> read = table.load(ids);
            if (table.queries.get() == 2) {
                table.put(42L, ANNA);
                there.invalidate(42L);
            }
            return read;
        });
        warm(here);
        assertThat(here.findFresh(42L)).as("true at some moment of the call").contains(ANN);
        assertThat(redis.get(KEY)).isNull();
        assertThat(here.find(42L)).contains(ANNA);
    }

    @Test
    void anotherClaimantDoesNotStoreAnOlderRowAfterwards() {
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(PATIENT, Long.class, ids -> {
            redis.psetex(GUARD, 6_000, "another " + (System.currentTimeMillis() + 800));
            return table.load(ids);
        });
        assertThat(cache.findFresh(42L)).contains(ANN);
        assertThat(cache.stats().fillsRefused()).isEqualTo(1);
        assertThat(redis.get(GUARD)).as("fenced").isEqualTo("-");
    }

    /** Without pushes, and with a stored value that cannot be read back: only this node itself can drop its older answer. */
    @Test
    void thisNodesOlderEntryIsRemovedWithTheFill() {
        FacetCodec<UserProfile> json = PATIENT.codec();
        AtomicBoolean tried = new AtomicBoolean();
        FacetCodec<UserProfile> blind = new FacetCodec<>() {
            @Override
            public byte[] encode(UserProfile value) {
                return json.encode(value);
            }

            @Override
            public UserProfile decode(byte[] bytes) {
                UserProfile read = json.decode(bytes);
                if (read.equals(ANNA) && tried.getAndSet(true)) {
                    throw new IllegalStateException("cannot read");
                }
                return read;
            }
        };
        UserCache<Long, UserProfile> cache = open(patient(uri())
                        .clientOptions(ClientOptions.builder()
                                .protocolVersion(ProtocolVersion.RESP2)
                                .build()))
                .cache(new Facet<>("profile", blind, PATIENT.policy()), Long.class, table);
        warm(cache);
        table.put(42L, ANNA);
        assertThat(cache.find(42L)).contains(ANN);
        assertThat(cache.findFresh(42L)).contains(ANNA);
        assertThat(redis.get(KEY)).contains("Anna");
        assertThat(cache.find(42L)).contains(ANNA);
    }

    @Test
    void aForeignEntryWithoutAnEndIsDropped() {
        UserCache<Long, UserProfile> cache = cache(uri());
        redis.set(KEY, json("Flask"));
        assertThat(cache.find(42L)).contains(profile("Flask"));
        assertThat(cache.findFresh(42L)).contains(ANN);
        assertThat(cache.find(42L)).contains(ANN);
        awaitLoads();
        assertThat(redis.get(KEY)).contains("Ann");
    }

    @Test
    void withoutRedisThisNodeIsBroughtUpToDate() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = cache(proxy.uri());
            proxy.refuse();
            await().until(() -> !cache.stats().nearOpen());
            assertThat(cache.find(42L)).contains(ANN);
            table.put(42L, ANNA);
            assertThat(cache.find(42L)).as("kept").contains(ANN);
            int queries = table.queries.get();
            assertThat(cache.findFresh(42L)).contains(ANNA);
            assertThat(cache.find(42L)).contains(ANNA);
            assertThat(table.queries).hasValue(queries + 1);
        }
    }

    @Test
    void withASilentRedisThisNodeDoesNotAnswerFromBefore() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = cache(proxy.uri());
            warm(cache);
            proxy.freeze();
            table.put(42L, ANNA);
            assertThat(cache.find(42L)).as("the watermark is young enough").contains(ANN);
            assertThat(cache.findFresh(42L)).contains(ANNA);
            assertThat(cache.find(42L)).contains(ANNA);
            proxy.thaw();
        }
    }

    @Test
    void aLaterCallerIsNotAnsweredByAQueryThatHadReadBefore() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = open(patient(proxy.uri()));
            UserCache<Long, UserProfile> cache = node.cache(
                    PATIENT.with(PATIENT.policy().toBuilder().nearSize(0).build()), Long.class, table);
            proxy.refuse();
            await().until(() -> !cache.stats().nearOpen());
            table.holdBackAfterReading();
            Future<Optional<UserProfile>> before = threads.submit(() -> cache.find(42L));
            await().until(() -> table.queries.get() == 1);
            table.put(42L, ANNA);
            table.letOthersThrough();
            assertThat(cache.findFresh(42L)).contains(ANNA);
            assertThat(cache.find(42L)).contains(ANNA);
            table.gate.countDown();
            assertThat(before.get()).contains(ANN);
        }
    }

    private UserCache<Long, UserProfile> cache(String uri) {
        return open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(2)))
                .cache(PATIENT, Long.class, table);
    }

    /** Asks until memory answers. */
    private static void warm(UserCache<Long, UserProfile> cache) {
        await().until(() -> {
            long before = cache.stats().nearHits();
            cache.find(42L);
            return cache.stats().nearHits() > before;
        });
    }

    private static String json(String name) {
        return new String(PATIENT.codec().encode(profile(name)), StandardCharsets.UTF_8);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
