package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Holding;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SlotMove;
import io.lettuce.core.RedisURI;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.api.sync.RedisAdvancedClusterCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** On a Cluster, a slot that is being moved, or a primary that is away, costs its own users, and no others. */
@Tag("thorough")
class EachPrimaryForItselfIT {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final String STORED =
            "{\"mobile\":\"13800000000\",\"name\":\"Ann\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}";
    private static final Facet<UserProfile> WITHOUT_MEMORY = UserProfile.FACET.with(
            UserProfile.FACET.policy().toBuilder().nearSize(0).build());

    private static RedisCluster cluster;
    private static RedisClusterClient client;
    private static RedisAdvancedClusterCommands<String, String> redis;

    private final Table table = new Table();
    private final List<AutoCloseable> opened = new ArrayList<>();

    @BeforeAll
    static void start() {
        cluster = RedisCluster.builder()
                .replicas(0)
                .directives("cluster-require-full-coverage no")
                .start();
        client = RedisClusterClient.create(cluster.servers().stream()
                .map(server -> RedisURI.create(server.uri()))
                .toList());
        redis = client.connect().sync();
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        cluster.close();
    }

    @BeforeEach
    void fill() {
        int slot = cluster.slotOf(keyOf(42));
        RedisServer home = cluster.servers().get(1);
        if (!cluster.primaryOf(slot).equals(home)) {
            cluster.moveSlot(slot, home);
        }
        redis.keys("*").forEach(redis::del);
        ids().forEach(id -> table.put(id, ANN));
    }

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    // A slot that is being moved.

    @Test
    void usersOfAListAreStoredThoughOneCannotBeRead() {
        UserCaches node = node();
        UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
        long moved = 42;
        SlotMove move = beginMove(keyOf(moved));
        try {
            // Of its key, the source says that it is on the target, if anywhere.
            assertThat(cache.findAll(ids())).hasSize(ids().size());
            NodesOnRedis.awaitLoads(node);
            assertStoredBut(moved);
            assertThat(cache.explain(moved).near()).isInstanceOf(Holding.Nothing.class);
        } finally {
            move.end();
        }
        awaitStored(cache, moved);
    }

    @Test
    void usersOfAListAreStoredThoughOneCannotBeClaimed() {
        UserCaches node = node();
        UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
        long moved = 42;
        redis.set(keyOf(moved), "{broken"); // is to be claimed; its guard is not there
        SlotMove move = beginMove(keyOf(moved));
        try {
            assertThat(cache.findAll(ids())).hasSize(ids().size());
            NodesOnRedis.awaitLoads(node);
            assertStoredBut(moved);
        } finally {
            move.moveKeys();
            move.end();
        }
        awaitStored(cache, moved);
    }

    @Test
    void usersOfAListAreStoredThoughOneCannotBeFilled() throws Exception {
        UserCaches node = node();
        UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
        long moved = 42;
        table.holdBackAfterReading();
        CompletableFuture<Map<Long, UserProfile>> found = CompletableFuture.supplyAsync(() -> cache.findAll(ids()));
        await().until(() -> table.queries.get() > 0); // the claims on one primary at least are made
        SlotMove move = beginMove(keyOf(moved));
        try {
            table.gate.countDown();
            assertThat(found.get()).hasSize(ids().size());
            NodesOnRedis.awaitLoads(node);
            assertStoredBut(moved);
            assertThat(cache.stats().fillsRefused()).isEqualTo(1);
        } finally {
            move.moveKeys();
            move.end();
        }
        awaitStored(cache, moved);
    }

    @Test
    void anOfferIsRefusedWhileItsSlotIsMovedAndTakenAfterwards() {
        UserCache<Long, UserProfile> cache = node().cache(WITHOUT_MEMORY, Long.class, table);
        SlotMove move = beginMove(keyOf(42));
        try {
            assertThat(cache.save(42L, ANN, cache.beforeRead())).isFalse();
            assertThat(redis.exists(keyOf(42))).isZero();
        } finally {
            move.end();
        }
        await().until(() -> cache.save(42L, ANN, cache.beforeRead()));
    }

    // A primary that is away.

    @Test
    void fencesOfOtherPrimariesAreSentWhileOneIsSilent() throws Exception {
        List<FaultProxy> proxies = proxies();
        // The silent connections stay: what was sent over them has no end for now.
        UserCaches node = node(proxies, 10_000, NodesOnRedis.TRUSTING.withSilence(Duration.ofMinutes(1)));
        UserCache<Long, UserProfile> cache = node.cache(WITHOUT_MEMORY, Long.class, table);
        int away = indexOf(cluster.primaryOf(keyOf(42)));
        // So many of them that those of the others are not among the first that are sent.
        List<Long> silent = LongStream.rangeClosed(1, 2_000)
                .filter(id -> isOn(away, id))
                .boxed()
                .toList();
        List<Long> others =
                ids().stream().filter(id -> !isOn(away, id)).limit(10).toList();
        List<Long> all = new ArrayList<>(silent);
        all.addAll(others);
        proxies.forEach(FaultProxy::freeze);
        assertThat(cache.invalidateAll(all)).isFalse();
        assertThat(node.engine().fences().size()).isEqualTo(all.size());

        for (int i = 0; i < proxies.size(); i++) {
            if (i != away) {
                proxies.get(i).thaw();
            }
        }
        await().until(() -> node.engine().fences().size() == silent.size());
        proxies.get(away).thaw();
        await().atMost(Duration.ofSeconds(20))
                .until(() -> node.engine().fences().size() == 0);
    }

    @Test
    void changesThatFindNoRoomKeepTheUsersOfTheirOwnPrimaryFromRedis() {
        List<FaultProxy> proxies = proxies();
        UserCaches node = node(proxies, 3);
        UserCache<Long, UserProfile> cache = node.cache(WITHOUT_MEMORY, Long.class, table);
        int away = indexOf(cluster.primaryOf(keyOf(42)));
        List<Long> there = ids().stream().filter(id -> isOn(away, id)).toList();
        List<Long> elsewhere = ids().stream().filter(id -> !isOn(away, id)).toList();
        ids().forEach(id -> redis.set(keyOf(id), STORED));
        proxies.get(away).refuse();

        there.subList(0, 5).forEach(cache::invalidate);
        assertThat(node.engine().fences().isOverflowed()).isTrue();
        assertThat(there).allMatch(id -> node.engine().fences().isPending(keyOf(id)));
        assertThat(elsewhere).noneMatch(id -> node.engine().fences().isPending(keyOf(id)));
        assertThat(elsewhere.subList(0, 5)).allMatch(cache::invalidate);
        table.asked.clear();
        assertThat(cache.findAll(elsewhere.subList(5, elsewhere.size()))).hasSize(elsewhere.size() - 5);
        assertThat(table.asked).isEmpty();

        proxies.get(away).restore();
        await().atMost(Duration.ofSeconds(20))
                .until(() -> !node.engine().fences().isOverflowed()
                        && node.engine().fences().size() == 0);
        assertThat(there).allMatch(id -> redis.exists(keyOf(id)) == 0);
        assertThat(elsewhere.subList(5, elsewhere.size())).allMatch(id -> redis.exists(keyOf(id)) == 1);
    }

    @Test
    void healthNamesTheStateOfEachPrimary() {
        List<FaultProxy> proxies = proxies();
        UserCaches node = node(proxies, 10);
        List<String> addresses =
                proxies.stream().map(proxy -> proxy.host() + ":" + proxy.port()).toList();
        assertThat(node.health().primaries())
                .containsOnlyKeys(addresses)
                .allSatisfy((address, state) -> assertThat(state).isEqualTo(CachesHealth.Redis.ANSWERING));
        UserCache<Long, UserProfile> cache = node.cache(WITHOUT_MEMORY, Long.class, table);
        int away = indexOf(cluster.primaryOf(keyOf(42)));
        assertThat(cache.explain(42L).slot()).isEqualTo(SlotHash.getSlot(keyOf(42)));
        assertThat(cache.explain(42L).primary()).isEqualTo(addresses.get(away));

        proxies.get(away).refuse();
        await().untilAsserted(() -> {
            CachesHealth health = node.health();
            assertThat(health.primaries()).containsEntry(addresses.get(away), CachesHealth.Redis.UNREACHABLE);
            assertThat(health.redis()).isEqualTo(CachesHealth.Redis.UNREACHABLE);
            Map<String, CachesHealth.Redis> others = new HashMap<>(health.primaries());
            others.remove(addresses.get(away));
            assertThat(others.values()).containsOnly(CachesHealth.Redis.ANSWERING);
        });
    }

    /** Each primary waits for its replica for half of the command timeout, and then the one with the register does. */
    @Test
    void aBanOfUsersOnAllPrimariesWaitsForTheirReplicasAtTheSameTime() {
        Duration timeout = Duration.ofSeconds(4);
        Facet<UserStatus> facet = UserStatus.FACET.with(UserStatus.FACET.policy().toBuilder()
                .stalenessBound(timeout.multipliedBy(2))
                .build());
        try (RedisCluster replicated = RedisCluster.builder().start();
                UserCaches node = NodesOnRedis.patient(replicated.uri())
                        .commandTimeout(timeout)
                        .build()) {
            UserStatusCache<Long> statuses = new UserStatusCache<>(node.cache(facet, Long.class, ids -> Map.of()));
            Set<RedisServer> primaries = new HashSet<>();
            List<Long> ids = LongStream.rangeClosed(1, 90)
                    .filter(id -> primaries.add(replicated.primaryOf("user:" + id + ":status")))
                    .boxed()
                    .toList();
            assertThat(ids).hasSize(3);
            // The connections are there that wait.
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> statuses.disableAll(ids, () -> {}).confirmed());

            primaries.forEach(primary -> replicated.replicasOf(primary).get(0).freeze());
            RevocationReceipt receipt = statuses.disableAll(ids, () -> {});

            assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(RevocationReceipt.Grade.ON_PRIMARY);
            assertThat(receipt.took()).as(receipt.toString()).isLessThan(timeout.plus(timeout.dividedBy(2)));
        }
    }

    // Absent users.

    /** What of other primaries becomes of a key that is missing, no server pushes. */
    @Test
    void anAbsentUserIsInMemoryForTheBoundAtMostAndOthersForLonger() {
        Duration bound = Duration.ofSeconds(2);
        UserCache<Long, UserProfile> cache = node().cache(
                        UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
                                .stalenessBound(bound)
                                .build()),
                        Long.class,
                        table);
        long unknown = 9_999;
        await().until(() -> {
            cache.find(unknown);
            cache.find(42L);
            return cache.explain(unknown).near() instanceof Holding.Absent
                    && cache.explain(42L).near() instanceof Holding.Value;
        });
        long hits = cache.stats().nearPresent();
        await().pollInterval(Duration.ofMillis(20))
                .atMost(bound.plusMillis(500))
                .until(() -> cache.explain(unknown).near() instanceof Holding.Nothing);
        assertThat(redis.get(keyOf(unknown))).as("Redis has it still").isEqualTo("null");
        cache.find(42L);
        assertThat(cache.stats().nearPresent()).as("its session goes on").isEqualTo(hits + 1);
    }

    private static Set<Long> ids() {
        return LongStream.rangeClosed(1, 90).boxed().collect(Collectors.toCollection(TreeSet::new));
    }

    private static String keyOf(long id) {
        return "user:" + id + ":profile";
    }

    private static int indexOf(RedisServer server) {
        return cluster.servers().indexOf(server);
    }

    private static boolean isOn(int index, long id) {
        int slot = SlotHash.getSlot(keyOf(id));
        return slot >= RedisCluster.SLOTS * index / 3 && slot < RedisCluster.SLOTS * (index + 1) / 3;
    }

    private static SlotMove beginMove(String key) {
        RedisServer from = cluster.primaryOf(key);
        RedisServer to = cluster.primaries().stream()
                .filter(primary -> !primary.equals(from))
                .findFirst()
                .orElseThrow();
        return cluster.beginMove(cluster.slotOf(key), to);
    }

    private void assertStoredBut(long moved) {
        Set<Long> missing = new HashSet<>(ids());
        missing.removeIf(id -> id != moved && STORED.equals(redis.get(keyOf(id))));
        assertThat(missing).as("not stored").containsExactly(moved);
    }

    private static void awaitStored(UserCache<Long, UserProfile> cache, long moved) {
        await().until(() -> {
            cache.find(moved);
            return STORED.equals(redis.get(keyOf(moved)));
        });
    }

    private List<FaultProxy> proxies() {
        List<FaultProxy> proxies = cluster.proxiesForOneClient();
        opened.addAll(proxies);
        return proxies;
    }

    private UserCaches node() {
        UserCaches node = NodesOnRedis.patient(cluster.uri()).build();
        opened.add(node);
        await().until(() -> node.health().nearOpen());
        return node;
    }

    private UserCaches node(List<FaultProxy> proxies, int maxFences) {
        return node(proxies, maxFences, NodesOnRedis.TRUSTING.withOffersEnd(Duration.ofSeconds(1)));
    }

    private UserCaches node(List<FaultProxy> proxies, int maxFences, Timing timing) {
        FaultProxy seed = proxies.get(0);
        UserCaches node = UserCaches.builder()
                .redis("redis-cluster://" + seed.host() + ":" + seed.port())
                .commandTimeout(Duration.ofMillis(500))
                .maxFences(maxFences)
                .timing(timing)
                .build();
        opened.add(node);
        await().until(() -> node.health().nearOpen());
        return node;
    }
}
