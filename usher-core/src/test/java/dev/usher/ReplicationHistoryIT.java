package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.KeySpace;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.Range;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A server whose replication history is another one than before may have lost its last writes: fences are sent again, and statuses are read from the source. */
@Tag("servers")
class ReplicationHistoryIT {

    private static final Duration SHORT = Duration.ofMillis(500);
    private static final Duration SUSPICION = Duration.ofSeconds(4);
    private static final Duration BOUND = UserStatus.FACET.policy().believedFor();
    private static final Duration LONG = Duration.ofMinutes(5);

    private final Map<Long, UserStatus> rows =
            new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.ENABLED));
    private final AtomicInteger queries = new AtomicInteger();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private RedisServer server;
    private RedisCommands<String, String> redis;

    @BeforeEach
    void start() {
        server = open(RedisServer.start());
        redis = operatorOf(server);
    }

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    // Fences.

    @Test
    void aServerThatIsTheSameIsNotSentItsFencesAgain() {
        FaultProxy proxy = open(FaultProxy.inFrontOf(server.host(), server.port()));
        UserCaches node = node("redis://" + proxy.host() + ":" + proxy.port(), SHORT);
        UserStatusCache<Long> statuses = statuses(node);
        assertThat(statuses.invalidate(42L)).isTrue();
        proxy.refuse();
        await().until(() -> node.engine().fences().isPending("user:42:status"));
        redis.set("user:42:status", "0");
        redis.del(KeySpace.guardOf("user:42:status"));

        proxy.restore();

        await().until(() -> node.engine().fences().size() == 0);
        assertThat(redis.get("user:42:status")).isEqualTo("0");
        assertThat(node.engine().fences().resent().sum()).isZero();
        await().untilAsserted(() ->
                assertThat(statuses.isEnabled(42L)).as("what Redis says").isFalse());
        assertThat(node.engine().fences().isNeeded()).as("still remembered").isTrue();
    }

    @Test
    void aServerThatHasLostItsLastWritesIsSentThemAgain() {
        RedisServer copy = olderCopy("user:42:status", "1");
        UserCaches node = node(server.uri(), SHORT);
        assertThat(statuses(node).invalidate(42L)).isTrue();
        assertThat(redis.get("user:42:status")).isNull();

        loseWhatIsNotIn(copy);

        await().until(() -> redis.get("user:42:status") == null);
    }

    @Test
    void aServerThatComesBackWithOlderDataIsSentThemAgain() {
        redis.set("user:42:status", "1");
        redis.save();
        UserCaches node = node(server.uri(), SHORT);
        assertThat(statuses(node).invalidate(42L)).isTrue();

        server.kill();
        server.restart();

        await().until(() -> redis.get("user:42:status") == null);
    }

    /** The node that has announced the ban is gone. */
    @Test
    void aNodeThatHadReadTheUserFencesTheBanOfAnotherNodeAgain() {
        RedisServer copy = olderCopy("user:42:status", "1");
        UserCaches here = node(server.uri(), SHORT);
        UserStatusCache<Long> there = statuses(node(server.uri(), SHORT));
        await().until(() -> answersFromMemory(there));
        banAndGo(here);

        loseWhatIsNotIn(copy);

        await().until(() -> redis.get("user:42:status") == null);
    }

    @Test
    void aNodeThatHadNotFencesItWhenItIsAskedForTheUser() {
        RedisServer copy = olderCopy("user:42:status", "1");
        UserCaches here = node(server.uri(), SHORT);
        UserCaches there = node(server.uri(), SHORT);
        UserStatusCache<Long> statuses = statuses(there);
        banAndGo(here);
        long losses = there.engine().fences().losses();

        loseWhatIsNotIn(copy);
        await().until(() -> there.engine().fences().losses() > losses);

        assertThat(redis.get("user:42:status")).isEqualTo("1");
        assertThat(statuses.isEnabled(42L)).isFalse();
        await().until(() -> redis.get("user:42:status") == null);
        await().until(() -> there.engine().fences().size() == 0);
    }

    // Suspicion.

    @Test
    void statusesAreReadFromTheSourceAfterAStart() {
        redis.set("user:42:status", "1");
        rows.put(42L, UserStatus.DISABLED);
        UserCaches node = node(server.uri(), LONG);
        UserStatusCache<Long> statuses = statuses(node);
        await().until(() -> node.health().nearOpen());

        assertThat(statuses.isEnabled(42L)).isFalse();
        assertThat(node.cache(UserProfile.FACET, Long.class, ids -> Map.of()).find(42L))
                .isEmpty();
    }

    @Tag("thorough")
    @Test
    void statusesAreReadFromTheSourceAfterAPromotion() {
        // Longer than the new register is not believed.
        UserCaches node = node(server.uri(), SUSPICION);
        UserStatusCache<Long> statuses = statuses(node);
        await().until(() -> answersFromMemory(statuses));
        RedisServer copy = olderCopy("user:43:status", "1");
        redis.del("user:43:status");
        long losses = node.engine().fences().losses();
        rows.put(43L, UserStatus.DISABLED); // by a node that is gone

        loseWhatIsNotIn(copy);
        await().pollInterval(Duration.ofMillis(5))
                .until(() -> node.engine().fences().losses() > losses);

        long noticed = System.nanoTime();
        assertThat(statuses.isEnabled(43L)).isFalse();
        await().until(() -> node.engine().shared().isBelieved("user:43:status", BOUND.toNanos()));
        assertThat(Duration.ofNanos(System.nanoTime() - noticed)).isGreaterThan(SUSPICION.minusMillis(500));
    }

    @Test
    void aConnectionThatWasLostToTheSameServerIsNoReasonForSuspicion() {
        FaultProxy proxy = open(FaultProxy.inFrontOf(server.host(), server.port()));
        UserCaches node = node("redis://" + proxy.host() + ":" + proxy.port(), SHORT.multipliedBy(2));
        UserStatusCache<Long> statuses = statuses(node);
        await().until(() -> answersFromMemory(statuses));
        long losses = node.engine().fences().losses();

        List<String> lines = LogLines.of("dev.usher.redis.ServerFacts", () -> {
            proxy.cut();
            await().until(() -> node.engine().fences().losses() > losses);
            await().until(() -> answersFromMemory(statuses));
        });

        assertThat(lines).isEmpty();
    }

    @Test
    void itIsSaid() {
        UserCaches node = node(server.uri(), SHORT);
        await().until(() -> node.health().nearOpen());
        List<String> lines = LogLines.of("dev.usher.redis.ServerFacts", () -> {
            redis.replicaof("127.0.0.1", 1);
            await().until(() -> node.health().role() == CachesHealth.Role.REPLICA);
            long losses = node.engine().fences().losses();
            redis.replicaofNoOne();
            await().until(() -> node.engine().fences().losses() > losses);
        });

        assertThat(lines)
                .filteredOn(line -> line.contains("may have lost"))
                .singleElement()
                .asString()
                .startsWith("Redis at 127.0.0.1:" + server.port()
                        + " may have lost its last writes: its replication history is another than before.");
    }

    private void banAndGo(UserCaches here) {
        var unused = statuses(here).disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
        assertThat(redis.get("user:42:status")).isNull();
        await().until(() -> redis.zcount("{user:nodes}:seen", Range.create(1, 1_000_000)) == 2);
        here.close();
    }

    /** A copy of the server that has this value, and nothing that is written later. */
    private RedisServer olderCopy(String key, String value) {
        redis.set(key, value);
        RedisServer copy = open(RedisServer.replicaOf(server));
        operatorOf(copy).replicaofNoOne();
        return copy;
    }

    /** The server becomes a replica of a copy, and is promoted: its connections stay, and its last writes are gone. */
    private void loseWhatIsNotIn(RedisServer copy) {
        redis.replicaof(copy.host(), copy.port());
        await().until(() -> redis.info("replication").contains("master_link_status:up"));
        redis.replicaofNoOne();
    }

    private static boolean answersFromMemory(UserStatusCache<Long> statuses) {
        long hits = statuses.stats().nearHits();
        assertThat(statuses.isEnabled(42L)).isTrue();
        return statuses.stats().nearHits() > hits;
    }

    private UserStatusCache<Long> statuses(UserCaches node) {
        return new UserStatusCache<>(node.cache(UserStatus.FACET, Long.class, this::load));
    }

    private Map<Long, UserStatus> load(Set<Long> ids) {
        queries.incrementAndGet();
        return ids.stream().filter(rows::containsKey).collect(Collectors.toMap(id -> id, rows::get));
    }

    private UserCaches node(String uri, Duration suspicion) {
        return open(UserCaches.builder()
                .redis(uri)
                .commandTimeout(Duration.ofSeconds(2))
                .timing(Timing.STANDARD.withSuspicion(suspicion))
                .build());
    }

    private RedisCommands<String, String> operatorOf(RedisServer of) {
        RedisClient client = RedisClient.create(of.uri());
        opened.add(() -> client.shutdown(Duration.ZERO, Duration.ofSeconds(2)));
        return client.connect().sync();
    }

    private <T extends AutoCloseable> T open(T closeable) {
        opened.add(closeable);
        return closeable;
    }
}
