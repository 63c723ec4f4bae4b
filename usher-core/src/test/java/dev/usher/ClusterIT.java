package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisPrimary;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisCluster.Failover;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SlotMove;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Nodes on a Redis Cluster. */
@Tag("servers")
class ClusterIT {

    private static final long USERS = 60;
    private static final String KEY = "user:42:profile";
    private static final String GUARD = "{user:42:profile}:guard";
    private static final Duration BOUND = Duration.ofSeconds(5);

    private final Table table = new Table();
    private final Map<Long, UserStatus> statuses = new ConcurrentHashMap<>();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private static int version;

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    @Test
    void usersOnAllPrimariesAreCachedAndTheirChangesSeen() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserCaches hereNode = node(cluster);
        UserCache<Long, UserProfile> here = cacheOf(hereNode);
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        Set<Long> ids = users();

        assertThat(here.findAll(ids).keySet()).isEqualTo(ids);
        NodesOnRedis.awaitLoads(hereNode);
        int queries = table.queries.get();
        assertThat(there.findAll(ids).keySet()).isEqualTo(ids);
        assertThat(table.queries).hasValue(queries);
        assertThat(cluster.primaries())
                .allSatisfy(primary -> assertThat(keysOf(primary)).anyMatch(key -> key.endsWith(":profile")));

        assertChangesAreSeen(here, there, ids);
        CachesHealth health = hereNode.health();
        assertThat(health.topology()).isEqualTo(CachesHealth.Topology.CLUSTER);
        assertThat(health.unfitServer()).isNull();
        assertThat(health.isWell()).isTrue();
        assertThat(health.primaries()).isEqualTo(primariesOf(cluster));
        assertThat(health.primaries()).containsKey(health.primary());
        // cluster-node-timeout, and half a second
        assertThat(health.lag()).isEqualTo(Duration.ofMillis(1500));
    }

    @Test
    void aBanIsConfirmedByAllNodesOnEachPrimary() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserStatusCache<Long> here = statusesOf(node(cluster));
        UserStatusCache<Long> there = statusesOf(node(cluster));
        Set<Long> ids = oneOnEach(cluster);
        ids.forEach(id -> statuses.put(id, UserStatus.ENABLED));
        await().untilAsserted(() -> assertThat(ids).allSatisfy(id -> {
            assertThat(there.isEnabled(id)).isTrue();
            assertThat(answersFromMemory(there, id)).isTrue();
        }));

        for (long id : ids) {
            await().untilAsserted(() -> {
                statuses.put(id, UserStatus.ENABLED);
                RevocationReceipt receipt = here.disable(id, () -> statuses.put(id, UserStatus.DISABLED));
                assertThat(there.isEnabled(id)).isFalse();
                assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.CONFIRMED);
                assertThat(receipt.nodesConfirmed()).hasSize(2);
                assertThat(receipt.replicasAcknowledged()).isEqualTo(1);
            });
        }
    }

    /** Their register is in a slot of its own, which may move for itself. */
    @Test
    @Tag("thorough")
    void tenantsAreNotAnsweredFromMemory() {
        RedisCluster cluster =
                open(RedisCluster.builder().primaries(1).replicas(0).start());
        UserCaches node = node(cluster);
        keepInMemory(cacheOf(node));
        UserCache<Long, UserProfile> here = cacheOf(open(node.withPrefix("acme")));
        UserCache<Long, UserProfile> there = cacheOf(open(node(cluster).withPrefix("acme")));
        table.put(42L, profile());

        await().during(Duration.ofSeconds(1)).atMost(Duration.ofSeconds(5)).until(() -> !answersFromMemory(here));
        assertChangeIsSeen(here, there);
    }

    @Test
    void aStartThatReachesNoServerSaysSo() {
        List<String> lines = LogLines.of(
                "dev.usher.redis.RedisErrorLog",
                () -> open(UserCaches.builder()
                        .redis("redis-cluster://127.0.0.1:1,127.0.0.1:2")
                        .build()));
        assertThat(lines).first().asString().contains("Redis at 127.0.0.1:1 cannot be reached");
    }

    /** Redis 7.0 pushes nothing of keys that go with a slot that is taken, nor any of a key that was missing. */
    @Test
    void aSlotThatIsTakenWithItsUsersInMemoryEndsTheSession() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCaches node = node(cluster);
        UserCache<Long, UserProfile> here = cacheOf(node);
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(here);
        RedisServer from = cluster.primaryOf(KEY);
        RedisServer to = other(cluster, from);

        cluster.takeSlot(cluster.slotOf(KEY), to);
        UserProfile after = profile();
        table.put(42L, after);
        await().untilAsserted(() -> assertThat(there.invalidate(42L)).isTrue());

        // Within less than the bound, after which memory is not believed.
        await().atMost(BOUND.dividedBy(2))
                .untilAsserted(() -> assertThat(here.find(42L)).contains(after));
        // The fence is sent again, since its slot has moved, and may come in between.
        await().untilAsserted(() -> {
            keepInMemory(here);
            assertThat(keysOf(to)).contains(KEY);
        });
    }

    @Test
    @Tag("thorough")
    void aSlotThatIsMovedKeyByKeyIsReadChangedAndFencedMeanwhile() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(here);
        RedisServer from = cluster.primaryOf(KEY);
        RedisServer to = other(cluster, from);

        SlotMove move = cluster.beginMove(cluster.slotOf(KEY), to);
        // The value is there, its guard is not any more, as after five seconds: a script on both is refused.
        var unused = ask(from, redis -> redis.del(GUARD));
        assertChangeIsSeen(here, there);
        assertThat(keysOf(from)).doesNotContain(KEY);
        assertThat(keysOf(to)).contains(GUARD);

        move.moveKeys();
        assertChangeIsSeen(here, there);
        move.end();
        assertChangeIsSeen(here, there);
        await().untilAsserted(() -> {
            keepInMemory(here);
            assertThat(keysOf(to)).contains(KEY);
        });
    }

    /** As Valkey 9 does: the keys are there until the servers know, and then gone with the slot. */
    @Test
    @Tag("load")
    void aSlotThatIsMovedAtOnceIsFollowed() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        Assumptions.assumeTrue(
                cluster.movesAtomically(), "these servers cannot: name a Valkey 9 to ./usher dev servers");
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        for (int i = 0; i < 3; i++) {
            keepInMemory(here);
            RedisServer to = other(cluster, cluster.primaryOf(KEY));

            cluster.moveSlotAtomically(cluster.slotOf(KEY), to);
            assertChangeIsSeen(here, there);

            keepInMemory(here);
            assertThat(keysOf(to)).contains(KEY);
        }
    }

    /** In a slot that is being moved, a script may not delete a key and then set it. */
    @Test
    @Tag("thorough")
    void aFenceIsConfirmedAtOnceWhicheverPartOfAnEntryHasBeenMoved() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCache<Long, UserProfile> cache = cacheOf(node(cluster));
        long id = 0;
        for (List<Boolean> parts :
                List.of(List.of(false, false), List.of(true, false), List.of(false, true), List.of(true, true))) {
            String value = "user:" + ++id + ":profile";
            String guard = KeySpace.guardOf(value);
            RedisServer from = cluster.primaryOf(value);
            for (String key : List.of(value, guard)) {
                String stored = ask(from, redis -> redis.set(key, "-"));
                assertThat(stored).isEqualTo("OK");
            }
            SlotMove move = cluster.beginMove(cluster.slotOf(value), other(cluster, from));
            if (parts.get(0)) {
                move.moveKeys(value);
            }
            if (parts.get(1)) {
                move.moveKeys(guard);
            }
            assertThat(cache.invalidate(id)).as("moved: value, guard %s", parts).isTrue();
            assertThat(keysOf(from)).doesNotContain(value);
            assertThat(keysOf(move.to())).doesNotContain(value);
            assertThat(List.of(keysOf(from), keysOf(move.to()))).anyMatch(keys -> keys.contains(guard));
        }
    }

    @Test
    @Tag("thorough")
    void aUserThatWasMissingIsFoundWithinTheBoundThoughItsSlotIsBeingMoved() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        await().untilAsserted(() -> {
            here.find(42L);
            assertThat(answersFromMemory(here)).isTrue();
        });
        assertThat(here.find(42L)).isEmpty();

        RedisServer from = cluster.primaryOf(KEY);
        cluster.beginMove(cluster.slotOf(KEY), other(cluster, from));
        UserProfile created = profile();
        table.put(42L, created);
        assertThat(there.invalidate(42L)).isTrue();

        await().atMost(BOUND.plusSeconds(1))
                .untilAsserted(() -> assertThat(here.find(42L)).contains(created));
    }

    @Test
    @Tag("thorough")
    void aFailoverThatIsAskedForIsFollowed() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(here);
        RedisServer old = cluster.primaryOf(KEY);
        RedisServer promoted = cluster.replicasOf(old).get(0);

        cluster.failOver(promoted, Failover.ORDERLY);

        assertChangeIsSeen(here, there);
        await().untilAsserted(() -> {
            keepInMemory(here);
            assertThat(keysOf(promoted)).contains(KEY);
        });
        assertChangeIsSeen(here, there);
    }

    @Test
    @Tag("thorough")
    void aPrimaryThatIsKilledCostsItsUsersQueriesUntilItIsReplaced() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserCaches node = node(cluster);
        UserCache<Long, UserProfile> here = cacheOf(node);
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(here);
        RedisServer old = cluster.primaryOf(KEY);

        old.kill();
        long other = LongStream.iterate(1, id -> id + 1)
                .filter(id -> cluster.slotOf("user:" + id + ":profile") / 5461 != cluster.slotOf(KEY) / 5461)
                .findFirst()
                .orElseThrow();
        table.put(other, profile());
        assertThat(here.find(42L)).isPresent();
        assertThat(here.find(other)).isPresent();
        await().until(() -> node.health().redis() == CachesHealth.Redis.UNREACHABLE);
        assertThat(node.health().primary()).isEqualTo("127.0.0.1:" + old.port());
        RedisServer promoted = cluster.awaitFailover(old);

        assertChangeIsSeen(here, there);
        await().untilAsserted(() -> {
            keepInMemory(here);
            assertThat(keysOf(promoted)).contains(KEY);
        });
        await().until(() -> node.health().isWell());
        assertThat(node.health().primaries()).isEqualTo(primariesOf(cluster));
    }

    /** While a node does not hear of bans, its memory does not let the user in. */
    @Test
    @Tag("thorough")
    void withoutTheRegistersPrimaryStatusesAreAskedOfTheSource() {
        // Otherwise the other primaries would refuse what is asked of them as well.
        RedisCluster cluster = open(RedisCluster.builder()
                .directives("cluster-require-full-coverage no")
                .start());
        UserStatusCache<Long> here = statusesOf(node(cluster));
        RedisServer ofRegister = cluster.primaryOf("{user:nodes}");
        long id = LongStream.iterate(1, each -> each + 1)
                .filter(each -> !cluster.primaryOf("user:" + each + ":status").equals(ofRegister))
                .findFirst()
                .orElseThrow();
        statuses.put(id, UserStatus.ENABLED);
        await().untilAsserted(() -> assertThat(answersFromMemory(here, id)).isTrue());

        ofRegister.freeze();
        await().atMost(Duration.ofSeconds(3)).until(() -> !answersFromMemory(here, id));
        statuses.put(id, UserStatus.DISABLED);
        await().atMost(Duration.ofSeconds(1))
                .untilAsserted(() -> assertThat(here.isEnabled(id)).isFalse());
        cluster.awaitFailover(ofRegister);
        ofRegister.thaw();
        statuses.put(id, UserStatus.ENABLED);
        await().untilAsserted(() -> assertThat(here.invalidate(id)).isTrue());
        await().untilAsserted(() -> {
            assertThat(here.isEnabled(id)).isTrue();
            assertThat(answersFromMemory(here, id)).isTrue();
        });
    }

    @Test
    @Tag("thorough")
    void serversAreFoundByTheAddressesThatTheyAnnounce() {
        RedisCluster cluster = open(
                RedisCluster.builder().replicas(0).proxied().password("secret").start());
        // By its own address, and not by that of its proxy, which it announces.
        String seed = "redis-cluster://:secret@127.0.0.1:"
                + cluster.primaries().get(0).port();
        UserCaches first = open(NodesOnRedis.patient(seed).build());
        UserCaches second = open(NodesOnRedis.patient(seed).build());
        await().until(() -> first.health().nearOpen() && second.health().nearOpen());
        UserCache<Long, UserProfile> here = cacheOf(first);
        UserCache<Long, UserProfile> there = cacheOf(second);
        Set<Long> ids = users();

        assertThat(here.findAll(ids).keySet()).isEqualTo(ids);
        NodesOnRedis.awaitLoads(first);
        assertChangesAreSeen(here, there, ids);
    }

    @Test
    @Tag("thorough")
    void aServerThatJoinsAndLeavesIsFollowed() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCaches node = node(cluster);
        UserCache<Long, UserProfile> here = cacheOf(node);
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(here);
        RedisServer old = cluster.primaryOf(KEY);

        RedisServer joined = cluster.addPrimary();
        cluster.moveSlot(cluster.slotOf(KEY), joined);
        assertChangeIsSeen(here, there);
        await().untilAsserted(() -> {
            keepInMemory(here);
            assertThat(keysOf(joined)).contains(KEY);
        });

        cluster.moveSlot(cluster.slotOf(KEY), old);
        cluster.remove(joined);
        assertChangeIsSeen(here, there);
        await().until(() -> node.health().isWell());
        keepInMemory(here);
    }

    /** The fence of the second user is on the source of the move, and its guard on the target. */
    @Test
    @Tag("thorough")
    void aBanIsConfirmedWhileSlotsAreMoved() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserStatusCache<Long> here = statusesOf(node(cluster));
        UserStatusCache<Long> there = statusesOf(node(cluster));
        List<Long> ids = List.copyOf(oneOnEach(cluster));
        ids.forEach(id -> statuses.put(id, UserStatus.ENABLED));
        assertThat(ids).allMatch(there::isEnabled);
        // One that the nodes know for so long that it may be complete.
        await().until(() -> here.disable(1_000L, () -> {}).grade() == Grade.CONFIRMED);

        int slot = cluster.slotOf("user:" + ids.get(1) + ":status");
        cluster.beginMove(slot, other(cluster, cluster.primaryOf(slot)));
        for (int i = 0; i < 5; i++) {
            int another = (slot + 1 + i) % RedisCluster.SLOTS;
            cluster.moveSlot(another, other(cluster, cluster.primaryOf(another)));
        }
        for (long id : ids.subList(0, 2)) {
            RevocationReceipt receipt = here.disable(id, () -> statuses.put(id, UserStatus.DISABLED));
            assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.CONFIRMED);
            assertThat(there.isEnabled(id)).isFalse();
        }
    }

    /** As long as no key of the register has gone; a script may not delete a key and then set it. */
    @Test
    @Tag("thorough")
    void aBanIsConfirmedWhileTheSlotOfTheRegisterBeginsToMove() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCaches node = node(cluster);
        node.onRevoked(users -> 1);
        UserStatusCache<Long> here = statusesOf(node);
        await().until(() -> here.disable(1_000L, () -> {}).grade() == Grade.CONFIRMED);
        RedisServer from = cluster.primaryOf("{user:nodes}");
        await().untilAsserted(() -> assertThat(keysOf(from)).contains("{user:nodes}:ended"));

        cluster.beginMove(cluster.slotOf("{user:nodes}"), other(cluster, from));

        for (int i = 0; i < 5; i++) {
            RevocationReceipt receipt = here.disable(1_000L, () -> {});
            assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.CONFIRMED);
            assertThat(receipt.nodesConfirmed()).hasSize(1);
        }
    }

    /** Its guard is on the target of the move, whose replica could take that one's place without it. */
    @Test
    @Tag("thorough")
    void aBanIsNotConfirmedWhileAReplicaOfTheTargetOfAMoveLacksIt() {
        RedisCluster cluster = open(RedisCluster.builder().start());
        UserStatusCache<Long> here = statusesOf(node(cluster));
        await().until(() -> here.disable(1_000L, () -> {}).grade() == Grade.CONFIRMED);
        RedisServer ofRegister = cluster.primaryOf("{user:nodes}");
        long id = LongStream.iterate(1, each -> each + 1)
                .filter(each -> !cluster.primaryOf("user:" + each + ":status").equals(ofRegister))
                .findFirst()
                .orElseThrow();
        RedisServer from = cluster.primaryOf("user:" + id + ":status");
        RedisServer to = cluster.primaries().stream()
                .filter(primary -> !primary.equals(from) && !primary.equals(ofRegister))
                .findFirst()
                .orElseThrow();
        cluster.beginMove(cluster.slotOf("user:" + id + ":status"), to);

        cluster.replicasOf(to).get(0).freeze();
        RevocationReceipt receipt = here.disable(id, () -> statuses.put(id, UserStatus.DISABLED));

        assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.ON_PRIMARY);
    }

    /** A node that reaches the primary before alone may believe it, for its node timeout and the bound. */
    @Test
    @Tag("thorough")
    void aBanIsNotConfirmedWhileThePrimaryBeforeMayBeBelieved() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        long id = LongStream.iterate(1, each -> each + 1)
                .filter(each ->
                        !cluster.primaryOf("user:" + each + ":status").equals(cluster.primaryOf("{user:nodes}")))
                .findFirst()
                .orElseThrow();
        int slot = cluster.slotOf("user:" + id + ":status");
        // It has just begun to know of the primaries.
        UserCaches newNode = open(UserCaches.builder()
                .redis(cluster.uri())
                .commandTimeout(Duration.ofSeconds(2))
                .build());
        await().until(() -> newNode.health().nearOpen());
        UserStatusCache<Long> cache = statusesOf(newNode);
        assertIsOnPrimaryAtFirst(cache, id);

        cluster.moveSlot(slot, other(cluster, cluster.primaryOf(slot)));
        assertIsOnPrimaryAtFirst(cache, id);
        cluster.moveSlot(
                cluster.slotOf("{user:nodes}"), other(cluster, cluster.primaryOf(cluster.slotOf("{user:nodes}"))));
        assertIsOnPrimaryAtFirst(cache, id);
    }

    private void assertIsOnPrimaryAtFirst(UserStatusCache<Long> cache, long id) {
        await().untilAsserted(() -> {
            RevocationReceipt receipt = cache.disable(id, () -> statuses.put(id, UserStatus.DISABLED));
            assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.ON_PRIMARY);
            assertThat(receipt.missing()).contains("cluster-node-timeout");
        });
        await().atMost(Duration.ofSeconds(15)).untilAsserted(() -> {
            RevocationReceipt receipt = cache.disable(id, () -> statuses.put(id, UserStatus.DISABLED));
            assertThat(receipt.grade()).as(receipt.toString()).isEqualTo(Grade.CONFIRMED);
        });
    }

    /** What stands for no user has expired, and is not swept yet: a server then says that it is elsewhere, and pushes nothing. */
    @Test
    @Tag("thorough")
    void aUserThatWasMissingIsFoundWithinTheBoundThoughItsAbsenceHasExpiredDuringAMove() {
        RedisCluster cluster = open(RedisCluster.builder()
                .replicas(0)
                .directives("enable-debug-command yes")
                .start());
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCache<Long, UserProfile> there = cacheOf(node(cluster));
        RedisServer from = cluster.primaryOf(KEY);
        var unused = ask(
                from,
                redis -> redis.dispatch(
                        CommandType.DEBUG,
                        new StatusOutput<>(StringCodec.UTF8),
                        new CommandArgs<>(StringCodec.UTF8)
                                .add("SET-ACTIVE-EXPIRE")
                                .add(0)));
        long life = 2000;
        var unusedToo = ask(from, redis -> redis.psetex(KEY, life, "null"));
        keepInMemory(here);
        cluster.beginMove(cluster.slotOf(KEY), other(cluster, from));
        long until = nowOf(from) + life;
        await().until(() -> nowOf(from) > until);
        UserProfile created = profile();
        table.put(42L, created);
        assertThat(there.invalidate(42L)).isTrue();

        await().atMost(BOUND.plusSeconds(1))
                .untilAsserted(() -> assertThat(here.find(42L)).contains(created));
    }

    private static long nowOf(RedisServer server) {
        List<String> time = ask(server, RedisCommands::time);
        return Long.parseLong(time.get(0)) * 1000 + Long.parseLong(time.get(1)) / 1000;
    }

    /** The primary before has confirmed it when another one has the slot already, with an old value. */
    @Test
    @Tag("thorough")
    void aFenceThatIsConfirmedByThePrimaryBeforeIsSentAgain() throws Exception {
        RedisCluster cluster = open(RedisCluster.builder()
                .replicas(0)
                .proxied()
                .directives("cluster-require-full-coverage no")
                .start());
        UserCache<Long, UserProfile> here = cacheOf(node(cluster));
        UserCaches thereNode = node(cluster);
        UserCache<Long, UserProfile> there = cacheOf(thereNode);
        table.put(42L, profile());
        keepInMemory(here);
        int slot = cluster.slotOf(KEY);
        RedisServer withOldValue = cluster.primaryOf(KEY);
        assertThat(keysOf(withOldValue)).contains(KEY);
        RedisServer before = other(cluster, withOldValue);
        cluster.reassignSlot(slot, before);
        assertChangeIsSeen(here, there);
        assertThat(keysOf(withOldValue)).contains(KEY);
        RedisPrimary known = thereNode.engine().shared().primaryOf(KEY);

        FaultProxy answers = cluster.proxyOf(before);
        var unused = ask(before, redis -> redis.del(KEY, GUARD));
        answers.freeze(FaultProxy.Direction.TO_CLIENT);
        UserProfile after = profile();
        table.put(42L, after);
        Thread writer = new Thread(() -> there.invalidate(42L));
        writer.start();
        await().until(() -> keysOf(before).contains(GUARD));
        cluster.reassignSlot(slot, withOldValue);
        await().until(() -> !thereNode.engine().shared().primaryOf(KEY).equals(known));
        answers.thaw();
        writer.join();

        await().untilAsserted(() -> assertThat(keysOf(withOldValue)).contains(GUARD));
        await().untilAsserted(() -> assertThat(here.find(42L)).contains(after));
    }

    /** Of each read, all changes count that were confirmed a bound before it. */
    @Test
    @Tag("thorough")
    void aUserWhoseSlotIsMovedAroundIsNeverOlderThanTheBound() throws Exception {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        Duration bound = Duration.ofSeconds(1);
        Facet<UserProfile> facet = UserProfile.FACET.with(
                UserProfile.FACET.policy().toBuilder().stalenessBound(bound).build());
        UserCache<Long, UserProfile> here = node(cluster).cache(facet, Long.class, table);
        UserCache<Long, UserProfile> there = node(cluster).cache(facet, Long.class, table);
        Queue<long[]> confirmed = new ConcurrentLinkedQueue<>();
        AtomicLong written = new AtomicLong();
        CountDownLatch ends = new CountDownLatch(1);
        AtomicReference<String> old = new AtomicReference<>();
        table.put(42L, versioned(0));
        Thread reader = new Thread(() -> {
            long least = 0;
            while (ends.getCount() > 0) {
                long from = System.nanoTime();
                for (long[] one = confirmed.peek();
                        one != null && from - one[1] > bound.toNanos();
                        one = confirmed.peek()) {
                    least = one[0];
                    confirmed.poll();
                }
                long found = versionOf(here.find(42L).orElseThrow());
                if (found < least) {
                    old.set(found + " is read, and " + least + " was confirmed a bound before");
                }
            }
        });
        // Seldom enough for the user to be in memory in between.
        Thread writer = new Thread(() -> {
            try {
                for (long each = 1; !ends.await(400, TimeUnit.MILLISECONDS); each++) {
                    table.put(42L, versioned(each));
                    if (there.invalidate(42L)) {
                        confirmed.add(new long[] {each, System.nanoTime()});
                        written.incrementAndGet();
                    }
                    there.find(42L);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        reader.start();
        writer.start();
        int slot = cluster.slotOf(KEY);
        for (int i = 0; i < 6; i++) {
            RedisServer to = other(cluster, cluster.primaryOf(slot));
            await().until(() -> answersFromMemory(here));
            if (i % 2 == 1) {
                cluster.takeSlot(slot, to);
            } else {
                cluster.moveSlot(slot, to);
            }
            long before = written.get();
            await().until(() -> old.get() != null || written.get() >= before + 5); // more than a bound
        }
        ends.countDown();
        reader.join();
        writer.join();

        assertThat(old.get()).isNull();
        assertChangeIsSeen(here, there);
    }

    private static UserProfile versioned(long number) {
        return new UserProfile("13800000000", Long.toString(number), "", false, "", "");
    }

    private static long versionOf(UserProfile profile) {
        return Long.parseLong(profile.name());
    }

    /** With the value first, a row from before the change could be stored in between. */
    @Test
    @Tag("thorough")
    void aFenceInTwoHalvesBeginsWithTheGuard() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCache<Long, UserProfile> cache = cacheOf(node(cluster));
        table.put(42L, profile());
        keepInMemory(cache);
        RedisServer from = cluster.primaryOf(KEY);
        RedisServer to = other(cluster, from);
        cluster.beginMove(cluster.slotOf(KEY), to);
        var unused = ask(from, redis -> redis.del(GUARD));

        to.freeze();
        assertThat(cache.invalidate(42L)).isFalse();
        assertThat(keysOf(from)).contains(KEY);

        to.thaw();
        await().until(() -> !keysOf(from).contains(KEY));
        assertThat(keysOf(to)).contains(GUARD);
    }

    /** One primary that does not answer costs the users that it has, and no others. */
    @Test
    @Tag("thorough")
    void aListIsAnsweredByThePrimariesThatAnswer() {
        RedisCluster cluster = open(RedisCluster.builder().replicas(0).start());
        UserCaches node = node(cluster);
        UserCache<Long, UserProfile> writer = cacheOf(node);
        Set<Long> ids = users();
        assertThat(writer.findAll(ids).keySet()).isEqualTo(ids);
        NodesOnRedis.awaitLoads(node);
        UserCache<Long, UserProfile> reader = cacheOf(node(cluster));
        RedisServer frozen = cluster.primaryOf(KEY);
        Set<Long> there = ids.stream()
                .filter(id -> cluster.primaryOf("user:" + id + ":profile").equals(frozen))
                .collect(Collectors.toSet());
        table.asked.clear();

        frozen.freeze();
        try {
            assertThat(reader.findAll(ids).keySet()).isEqualTo(ids);
        } finally {
            frozen.thaw();
        }
        assertThat(table.asked)
                .isNotEmpty()
                .allSatisfy(asked -> assertThat(there).containsAll(asked));
    }

    private void assertChangeIsSeen(UserCache<Long, UserProfile> here, UserCache<Long, UserProfile> there) {
        UserProfile after = profile();
        table.put(42L, after);
        // On a busy machine, Redis may be late; what it has not confirmed is sent again.
        await().untilAsserted(() -> assertThat(there.invalidate(42L)).isTrue());
        await().atMost(BOUND.dividedBy(2))
                .untilAsserted(() -> assertThat(here.find(42L)).contains(after));
        assertThat(there.find(42L)).contains(after);
    }

    private static void keepInMemory(UserCache<Long, UserProfile> cache) {
        await().untilAsserted(() -> {
            cache.find(42L);
            assertThat(answersFromMemory(cache)).isTrue();
        });
    }

    private static boolean answersFromMemory(UserCache<Long, UserProfile> cache) {
        long hits = cache.stats().nearHits();
        cache.find(42L);
        return cache.stats().nearHits() > hits;
    }

    /** As health names them while all answer. */
    private static Map<String, CachesHealth.Redis> primariesOf(RedisCluster cluster) {
        return cluster.primaries().stream()
                .collect(Collectors.toMap(
                        primary -> "127.0.0.1:" + primary.port(), primary -> CachesHealth.Redis.ANSWERING));
    }

    private static RedisServer other(RedisCluster cluster, RedisServer than) {
        return cluster.primaries().stream()
                .filter(primary -> !primary.equals(than))
                .findFirst()
                .orElseThrow();
    }

    private static boolean answersFromMemory(UserStatusCache<Long> cache, long id) {
        long hits = cache.stats().nearHits();
        cache.isEnabled(id);
        return cache.stats().nearHits() > hits;
    }

    /** A node answers from memory, and knows a change that another announces. */
    private void assertChangesAreSeen(
            UserCache<Long, UserProfile> here, UserCache<Long, UserProfile> there, Set<Long> ids) {
        await().untilAsserted(() -> {
            there.findAll(ids);
            long hits = there.stats().nearHits();
            there.findAll(ids);
            assertThat(there.stats().nearHits()).isEqualTo(hits + ids.size());
        });
        Map<Long, UserProfile> changed = new ConcurrentHashMap<>();
        ids.forEach(id -> {
            changed.put(id, profile());
            table.put(id, changed.get(id));
        });
        assertThat(here.invalidateAll(ids)).isTrue();
        await().atMost(Duration.ofSeconds(2))
                .untilAsserted(() -> assertThat(there.findAll(ids)).isEqualTo(changed));
        assertThat(here.findAll(ids)).isEqualTo(changed);
    }

    private Set<Long> users() {
        Set<Long> ids = LongStream.range(0, USERS).boxed().collect(Collectors.toCollection(LinkedHashSet::new));
        ids.forEach(id -> table.put(id, profile()));
        return ids;
    }

    /** A user on each primary. */
    private static Set<Long> oneOnEach(RedisCluster cluster) {
        Set<RedisServer> seen = new HashSet<>();
        Set<Long> ids = new LinkedHashSet<>();
        for (long id = 1; seen.size() < cluster.primaries().size(); id++) {
            if (seen.add(cluster.primaryOf("user:" + id + ":status"))) {
                ids.add(id);
            }
        }
        return ids;
    }

    private static UserProfile profile() {
        return new UserProfile("13800000000", "Ann " + version++, "", false, "", "");
    }

    private static List<String> keysOf(RedisServer server) {
        return ask(server, redis -> redis.keys("*"));
    }

    private static <T> T ask(RedisServer server, Function<RedisCommands<String, String>, T> question) {
        RedisClient client = RedisClient.create(server.uri());
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            return question.apply(connection.sync());
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private UserCaches node(RedisCluster cluster) {
        UserCaches node = open(NodesOnRedis.patient(cluster.uri()).build());
        await().until(() -> node.health().nearOpen());
        return node;
    }

    private UserCache<Long, UserProfile> cacheOf(UserCaches node) {
        return node.cache(UserProfile.FACET, Long.class, table);
    }

    private UserStatusCache<Long> statusesOf(UserCaches node) {
        return new UserStatusCache<>(node.cache(UserStatus.FACET, Long.class, ids -> {
            Map<Long, UserStatus> found = new ConcurrentHashMap<>(statuses);
            found.keySet().retainAll(ids);
            return found;
        }));
    }

    private <T extends AutoCloseable> T open(T closeable) {
        opened.add(closeable);
        return closeable;
    }
}
