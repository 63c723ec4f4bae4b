package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisWay;
import dev.usher.redis.Session;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.protocol.ProtocolVersion;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** The near tier on a real Redis: tracking, lost connections and flushes. */
@Tag("servers")
class NearTierIT extends NodesOnRedis {

    private static final String KEY = "user:42:profile";
    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final Map<Long, UserProfile> table = new ConcurrentHashMap<>();
    private final AtomicInteger queries = new AtomicInteger();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void flush() {
        table.put(42L, profile("Ann"));
    }

    @AfterEach
    void close() {
        threads.shutdownNow();
    }

    @Test
    void whatWasReadIsAnsweredFromMemoryWithoutACallOfRedis() {
        UserCache<Long, UserProfile> cache = node(uri(), PATIENT);
        warm(cache);
        long reads = reads();
        assertThat(reads).isPositive();
        for (int i = 0; i < 1000; i++) {
            assertThat(cache.find(42L)).contains(profile("Ann"));
        }
        assertThat(reads()).isEqualTo(reads);
        assertThat(queries).hasValue(1);
        assertThat(cache.stats().nearHits()).isGreaterThanOrEqualTo(1000);
    }

    @Test
    void aChangeOnOneNodeIsSeenByTheOthersAndAtOnceByItself() {
        UserCache<Long, UserProfile> here = node(uri(), PATIENT);
        UserCache<Long, UserProfile> there = node(uri(), PATIENT);
        warm(here);
        warm(there);
        table.put(42L, profile("Anna"));
        here.invalidate(42L);
        assertThat(here.find(42L)).contains(profile("Anna"));
        await().until(() -> there.find(42L).equals(Optional.of(profile("Anna"))));
    }

    @Test
    void whileAChangeIsBeingAnnouncedItsNodeDoesNotAnswerFromBeforeIt() throws Exception {
        UserCaches caches = open(UserCaches.builder().redis(uri()).commandTimeout(Duration.ofSeconds(20)));
        UserCache<Long, UserProfile> cache = caches.cache(PATIENT, Long.class, this::load);
        warm(cache);
        table.put(42L, profile("Anna"));
        client("PAUSE", "20000", "WRITE"); // so that the fence is delayed
        try {
            Future<Boolean> announced = threads.submit(() -> cache.invalidate(42L));
            await().until(() -> cache.find(42L).equals(Optional.of(profile("Anna"))));
            assertThat(announced).isNotDone();
        } finally {
            client("UNPAUSE");
        }
    }

    @Test
    void aForeignWriterIsHeard() {
        UserCache<Long, UserProfile> cache = node(uri(), PATIENT);
        warm(cache);
        redis.setex(KEY, 1800, redis.get(KEY).replace("Ann", "Flask"));
        await().until(() -> cache.find(42L).orElseThrow().name().equals("Flask"));
        redis.del(KEY);
        await().until(() -> cache.find(42L).orElseThrow().name().equals("Ann"));
    }

    @Test
    void aFlushOfRedisFlushesTheMemory() {
        UserCache<Long, UserProfile> cache = node(uri(), PATIENT);
        warm(cache);
        table.put(42L, profile("Anna"));
        redis.flushall();
        await().until(() -> cache.find(42L).orElseThrow().name().equals("Anna"));
        warm(cache);
    }

    @Test
    void aLostConnectionClosesTheMemoryAtOnceAndARestoredOneOpensIt() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = node(proxy.uri(), PATIENT);
            warm(cache);
            proxy.refuse();
            await().until(() -> proxy.connections() == 0);
            table.put(42L, profile("Anna"));
            await().until(() -> cache.find(42L).orElseThrow().name().equals("Anna"));
            proxy.restore();
            await().until(() -> cache.invalidate(42L));
            await().until(() -> {
                cache.find(42L);
                return redis.exists(KEY) == 1;
            });
            warm(cache);
            redis.setex(KEY, 1800, redis.get(KEY).replace("Anna", "Flask"));
            await().until(() -> cache.find(42L).orElseThrow().name().equals("Flask"));
        }
    }

    /** An answer that a reader has received, but not yet cached, when the change comes. */
    @Test
    void aPushBetweenTheReplyAndItsCachingLeavesNoEntry() throws Exception {
        HeldCodec held = new HeldCodec();
        UserCache<Long, UserProfile> cache = node(uri(), held.facet());
        redis.setex(KEY, 1800, json("Ann"));
        Future<Optional<UserProfile>> early = held.whileDecoding(threads, () -> cache.find(42L), () -> {
            long pushes = cache.stats().nearInvalidations();
            redis.setex(KEY, 1800, json("Anna"));
            await().until(() -> cache.stats().nearInvalidations() > pushes);
        });
        assertThat(early.get()).contains(profile("Ann"));
        assertThat(cache.find(42L)).as("asked after the change").contains(profile("Anna"));
    }

    @Test
    void aDisconnectBetweenTheReplyAndItsCachingLeavesNoEntry() throws Exception {
        HeldCodec held = new HeldCodec();
        try (RedisWay proxy = way()) {
            UserCache<Long, UserProfile> cache = node(proxy.uri(), held.facet());
            redis.setex(KEY, 1800, json("Ann"));
            Future<Optional<UserProfile>> early = held.whileDecoding(threads, () -> cache.find(42L), () -> {
                proxy.refuse();
                await().until(() -> !cache.stats().nearOpen());
                redis.setex(KEY, 1800, json("Anna")); // without an announcement
                proxy.restore();
                await().until(() -> cache.stats().nearOpen());
            });
            assertThat(early.get()).contains(profile("Ann"));
            assertThat(cache.find(42L)).as("asked after the change").contains(profile("Anna"));
        }
    }

    @Test
    void aFlushBetweenTheReplyAndItsCachingLeavesNoEntry() throws Exception {
        HeldCodec held = new HeldCodec();
        UserCaches node = open(uri());
        UserCache<Long, UserProfile> cache = node.cache(held.facet(), Long.class, this::load);
        table.put(42L, profile("Anna"));
        redis.setex(KEY, 1800, json("Ann"));
        Future<Optional<UserProfile>> early = held.whileDecoding(threads, () -> cache.find(42L), () -> {
            Session before = node.engine().shared().session("user:42:profile");
            redis.flushall();
            await().until(() -> node.engine().shared().session("user:42:profile") != before);
        });
        assertThat(early.get()).contains(profile("Ann"));
        assertThat(cache.find(42L)).as("asked after the change").contains(profile("Anna"));
    }

    @Test
    void aRestartedServerIsAskedAgain() {
        try (RedisServer restarted = RedisServer.start()) {
            UserCache<Long, UserProfile> cache = node(restarted.uri(), PATIENT);
            warm(cache);
            table.put(42L, profile("Anna"));
            restarted.kill();
            await().until(() -> !cache.stats().nearOpen());
            assertThat(cache.find(42L)).as("not from before").contains(profile("Anna"));
            restarted.restart();
            await().until(() -> cache.stats().nearOpen());
            warm(cache);
            redis(restarted, changed -> changed.setex(KEY, 1800, json("Flask")));
            await().until(() -> cache.find(42L).equals(Optional.of(profile("Flask"))));
        }
    }

    @Test
    void anAnswerFromBeforeTrackingIsRemovedWhenTrackingBegins() {
        try (RedisServer late = RedisServer.start()) {
            late.stop();
            UserCache<Long, UserProfile> cache = node(late.uri(), PATIENT);
            warm(cache);
            assertThat(cache.find(42L)).as("kept, for the staleness bound").contains(profile("Ann"));
            assertThat(queries).hasValue(1);
            table.put(42L, profile("Anna"));
            late.restart();
            await().until(() -> cache.stats().nearOpen());
            assertThat(cache.find(42L)).contains(profile("Anna"));
        }
    }

    @Test
    void anAnswerOfTheSourceInPlaceOfRedisIsNotCachedWhileRedisTracksReads() {
        UserCaches node = open(uri());
        UserCache<Long, UserProfile> cache = node.cache(PATIENT, Long.class, this::load);
        await().until(() -> cache.stats().nearOpen());
        node.engine()
                .fences()
                .announce(KEY); // so that this node does not read Redis, which then does not track the key
        cache.find(42L);
        cache.find(42L);
        assertThat(queries).hasValue(2);
        assertThat(cache.stats().nearHits()).isZero();
    }

    @Test
    void aSilentConnectionIsBelievedForTheStalenessBoundOnly() {
        try (RedisWay proxy = way()) {
            Duration bound = Duration.ofMillis(400);
            UserCache<Long, UserProfile> cache = node(
                    proxy.uri(),
                    UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
                            .stalenessBound(bound)
                            .build()));
            warm(cache);
            table.put(42L, profile("Anna"));
            long frozenAt = System.nanoTime();
            proxy.freeze();
            long askedAt = frozenAt;
            long oldAskedAt = frozenAt;
            while (cache.find(42L).orElseThrow().name().equals("Ann")) {
                oldAskedAt = askedAt;
                askedAt = System.nanoTime();
            }
            assertThat(Duration.ofNanos(oldAskedAt - frozenAt)).isLessThanOrEqualTo(bound.plusMillis(20));
            proxy.thaw();
        }
    }

    @Test
    void anAbsentUserIsAnsweredFromMemoryOnceAskedForAgain() {
        UserCache<Long, UserProfile> cache = node(uri(), PATIENT);
        await().until(() -> {
            cache.find(7L);
            return cache.stats().nearHits() > 0;
        });
        assertThat(queries).hasValue(2);
        table.put(7L, profile("Late"));
        cache.invalidate(7L);
        assertThat(cache.find(7L)).contains(profile("Late"));
    }

    @Test
    void aServerThatRefusesToTrackIsReportedAndAnsweredFromMemoryForTheBound() {
        redis.aclSetuser(
                "untracked",
                AclSetuserArgs.Builder.on().nopass().allKeys().allChannels().allCommands());
        redis.dispatch(
                CommandType.ACL,
                new StatusOutput<>(StringCodec.UTF8),
                new CommandArgs<>(StringCodec.UTF8)
                        .add("SETUSER")
                        .add("untracked")
                        .add("-client"));
        assertIsReportedOnceAndBelievedForTheBoundOnly(
                testRedis.serverOf(KEY), UserCaches.builder().redis(testRedis.uriAs("untracked:none")), false);
    }

    @Test
    void aServerWithoutResp3IsReportedOnceAndAnsweredFromMemoryForTheBound() {
        try (RedisServer old = RedisServer.start("rename-command HELLO \"\"")) {
            assertIsReportedOnceAndBelievedForTheBoundOnly(
                    old, UserCaches.builder().redis(old.uri()), true);
        }
    }

    @Test
    void aConnectionWithoutPushesIsNotBelievedToTrack() {
        try (RedisServer plain = RedisServer.start()) {
            assertIsReportedOnceAndBelievedForTheBoundOnly(
                    plain,
                    UserCaches.builder()
                            .redis(plain.uri())
                            .clientOptions(ClientOptions.builder()
                                    .protocolVersion(ProtocolVersion.RESP2)
                                    .build()),
                    true);
        }
    }

    /** A connection that is not told of changes is not told of this one either. */
    @Test
    void anOfferThatIsStoredIsNewerThanMemory() {
        UserCache<Long, UserProfile> cache = open(UserCaches.builder()
                        .redis(uri())
                        .clientOptions(ClientOptions.builder()
                                .protocolVersion(ProtocolVersion.RESP2)
                                .build()))
                .cache(PATIENT, Long.class, this::load);
        warm(cache);
        redis.del(KEY, "{" + KEY + "}:guard");
        assertThat(cache.find(42L)).as("in memory").contains(profile("Ann"));

        assertThat(cache.save(42L, profile("Anna"), cache.beforeRead())).isTrue();

        assertThat(cache.find(42L)).contains(profile("Anna"));
    }

    private void assertIsReportedOnceAndBelievedForTheBoundOnly(
            RedisServer server, UserCaches.Builder builder, boolean resp2Only) {
        Logger logger = (Logger) LoggerFactory.getLogger("dev.usher.redis.TrackedConnection");
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        logger.addAppender(log);
        try {
            UserCaches caches = open(builder.commandTimeout(Duration.ofSeconds(5)));
            UserCache<Long, UserProfile> cache = caches.cache(
                    UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
                            .stalenessBound(Duration.ofMillis(300))
                            .build()),
                    Long.class,
                    this::load);
            warm(cache);
            redis(server, foreign -> foreign.setex(KEY, 1800, json("Flask")));
            await().until(() -> cache.find(42L).equals(Optional.of(profile("Flask"))));
            assertThat(cache.stats().nearOpen()).isFalse();
            assertThat(caches.health().resp2Only()).isEqualTo(resp2Only);
            assertThat(log.list)
                    .extracting(ILoggingEvent::getFormattedMessage)
                    .isNotEmpty()
                    .hasSizeLessThanOrEqualTo(testRedis.servers().contains(server) && TestRedis.isCluster() ? 4 : 1)
                    .allMatch(line -> line.startsWith("This Redis does not track reads"));
        } finally {
            logger.detachAppender(log);
        }
    }

    private static void client(String... arguments) {
        var words = new CommandArgs<>(StringCodec.UTF8);
        List.of(arguments).forEach(words::add);
        redis.dispatch(CommandType.CLIENT, new StatusOutput<>(StringCodec.UTF8), words);
    }

    /** Redis accepts CLIENT TRACKING there too, but cannot push. */
    @Test
    void aServerThatIsBusyWhenItIsAskedToTrackIsAskedAgain() {
        try (RedisServer busy = RedisServer.start("lua-time-limit 1");
                FaultProxy proxy = FaultProxy.inFrontOf(busy.host(), busy.port());
                RedisClient operator = RedisClient.create(busy.uri())) {
            RedisCommands<String, String> commands = operator.connect().sync();
            UserCache<Long, UserProfile> cache = node("redis://" + proxy.host() + ":" + proxy.port(), PATIENT);
            await().until(() -> cache.stats().nearOpen());
            proxy.refuse();
            await().until(() -> !cache.stats().nearOpen());
            var unused = operator.connect().async().eval("while true do end", ScriptOutputType.STATUS);
            proxy.restore();
            await().until(() -> proxy.connections() == 2);
            await().during(Duration.ofMillis(300)).until(() -> !cache.stats().nearOpen()); // Redis has been asked
            commands.scriptKill();
            await().until(() -> cache.stats().nearOpen());
        }
    }

    @Test
    void anEntryOfAnotherNodeIsNotCachedBeforeThisNodesOwnChangeIsConfirmed() throws Exception {
        UserCaches node = open(uri());
        UserCache<Long, UserProfile> here = node.cache(PATIENT, Long.class, this::load);
        CountDownLatch gate = new CountDownLatch(1);
        UserCache<Long, UserProfile> there = open(uri()).cache(PATIENT, Long.class, ids -> {
            gate.await();
            return Map.of(42L, profile("Ann"));
        });
        Future<Optional<UserProfile>> loading = threads.submit(() -> there.find(42L));
        await().until(() -> redis.exists(KeySpace.guardOf(KEY)) == 1);
        Future<Optional<UserProfile>> waiting = threads.submit(() -> here.find(42L));
        await().until(() -> here.stats().claimWaits() == 1);
        table.put(42L, profile("Anna"));
        node.engine().fences().announce(KEY); // an invalidation that Redis does not take
        gate.countDown();
        assertThat(loading.get()).contains(profile("Ann"));
        assertThat(waiting.get()).as("asked before the change").contains(profile("Ann"));
        assertThat(here.find(42L)).as("asked after the change").contains(profile("Anna"));
    }

    private static void redis(RedisServer other, Consumer<RedisCommands<String, String>> change) {
        try (RedisClient operator = RedisClient.create(other.uri())) {
            change.accept(operator.connect().sync());
        }
    }

    /** Asks until memory answers. */
    private static void warm(UserCache<Long, UserProfile> cache) {
        long before = cache.stats().nearHits();
        await().until(() -> {
            cache.find(42L);
            return cache.stats().nearHits() > before;
        });
    }

    /** A codec whose next decoding can be held back: on the caller's thread, between the reply of Redis and its caching. */
    private static final class HeldCodec implements FacetCodec<UserProfile> {

        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        Facet<UserProfile> facet() {
            return new Facet<>("profile", this, PATIENT.policy());
        }

        /** Runs an action while a reader is held back. */
        Future<Optional<UserProfile>> whileDecoding(
                ExecutorService threads, Callable<Optional<UserProfile>> reader, Runnable action) throws Exception {
            Future<Optional<UserProfile>> answer = threads.submit(reader);
            reached.await();
            action.run();
            released.countDown();
            return answer;
        }

        @Override
        public byte[] encode(UserProfile value) {
            return PATIENT.codec().encode(value);
        }

        @Override
        public UserProfile decode(byte[] bytes) {
            if (reached.getCount() > 0) {
                reached.countDown();
                try {
                    released.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException("the test is over", e);
                }
            }
            return PATIENT.codec().decode(bytes);
        }
    }

    private UserCache<Long, UserProfile> node(String uri, Facet<UserProfile> facet) {
        return open(uri).cache(facet, Long.class, this::load);
    }

    private UserCaches open(String uri) {
        return open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofMillis(300)));
    }

    private Map<Long, UserProfile> load(Set<Long> ids) {
        queries.incrementAndGet();
        Map<Long, UserProfile> found = new ConcurrentHashMap<>(table);
        found.keySet().retainAll(ids);
        return found;
    }

    private static long reads() {
        return RedisCalls.of(redis, "get") + RedisCalls.of(redis, "mget");
    }

    private static String json(String name) {
        return new String(PATIENT.codec().encode(profile(name)), StandardCharsets.UTF_8);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
