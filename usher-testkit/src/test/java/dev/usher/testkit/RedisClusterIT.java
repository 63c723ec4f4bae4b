package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.usher.testkit.RedisCluster.Failover;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("thorough") // mvn verify starts Clusters in ClusterIT
class RedisClusterIT {

    private static final String KEY = "user:42:profile";
    private static final String SAME_SLOT = "{user:42:profile}:guard";

    @Test
    void threePrimariesShareTheSlotsAndEachHasAReplicaWithItsData() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().start()) {
            List<RedisServer> primaries = cluster.primaries();
            assertThat(primaries).hasSize(3).isEqualTo(cluster.servers().subList(0, 3));
            assertThat(cluster.uri())
                    .startsWith("redis-cluster://127.0.0.1:" + primaries.get(0).port() + ",127.0.0.1:");
            int slot = cluster.slotOf(KEY);
            assertThat(slot).isEqualTo(cluster.slotOf(SAME_SLOT)).isBetween(0, RedisCluster.SLOTS - 1);

            RedisServer owner = cluster.primaryOf(KEY);
            assertThat(owner).isSameAs(cluster.primaryOf(slot)).isIn(primaries);
            assertThat(ask(owner, "SET " + KEY + " value", "WAIT 1 5000")).isEqualTo(":1");
            RedisServer replica = cluster.replicasOf(owner).get(0);
            assertThat(ask(replica, "READONLY", "EXISTS " + KEY)).isEqualTo(":1");
            assertThat(primaries)
                    .filteredOn(primary -> primary != owner)
                    .allSatisfy(other -> assertThat(ask(other, "EXISTS " + KEY))
                            .isEqualTo("-MOVED " + slot + " 127.0.0.1:" + owner.port()));
        }
    }

    @Test
    void aSlotIsMovedKeyByKey() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).start()) {
            RedisServer from = cluster.primaryOf(KEY);
            assertThat(cluster.slotsOf(from)).contains(cluster.slotOf(KEY));
            RedisServer to = other(cluster, from);
            assertThat(ask(from, "SET " + KEY + " value", "SET " + SAME_SLOT + " -"))
                    .isEqualTo("+OK");

            SlotMove move = cluster.beginMove(cluster.slotOf(KEY), to);
            assertThat(List.of(move.from(), move.to())).containsExactly(from, to);
            move.moveKeys(KEY, "{" + KEY + "}:unknown");
            assertThat(ask(from, "EXISTS " + SAME_SLOT)).isEqualTo(":1");
            assertThat(ask(from, "EXISTS " + KEY)).isEqualTo("-ASK " + move.slot() + " 127.0.0.1:" + to.port());
            assertThat(ask(to, "ASKING", "EXISTS " + KEY)).isEqualTo(":1");
            assertThat(ask(to, "EXISTS " + KEY)).startsWith("-MOVED");

            move.moveKeys();
            move.end();
            assertThat(cluster.primaryOf(KEY)).isSameAs(to);
            assertThat(ask(to, "EXISTS " + SAME_SLOT)).isEqualTo(":1");
            assertThatIllegalArgumentException().isThrownBy(() -> cluster.beginMove(move.slot(), to));
        }
    }

    @Test
    void aSlotIsTakenWithoutItsKeys() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).start()) {
            RedisServer from = cluster.primaryOf(KEY);
            RedisServer to = other(cluster, from);
            int slot = cluster.slotOf(KEY);
            assertThat(ask(from, "SET " + KEY + " value")).isEqualTo("+OK");

            cluster.takeSlot(slot, to);
            assertThat(ask(to, "EXISTS " + KEY)).isEqualTo(":0");
            assertThat(ask(from, "EXISTS " + KEY)).startsWith("-MOVED");

            // It has lost its keys with the slot.
            cluster.takeSlot(slot, from);
            assertThat(ask(from, "EXISTS " + KEY)).isEqualTo(":0");

            assertThat(ask(from, "SET " + KEY + " value")).isEqualTo("+OK");
            cluster.reassignSlot(slot, to);
            assertThat(ask(to, "EXISTS " + KEY)).isEqualTo(":0");
            // It has kept them.
            cluster.reassignSlot(slot, from);
            assertThat(ask(from, "EXISTS " + KEY)).isEqualTo(":1");
        }
    }

    @ParameterizedTest
    @EnumSource
    @Tag("thorough")
    void aReplicaTakesThePlaceOfItsPrimaryOnRequest(Failover how) throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().start()) {
            RedisServer old = cluster.primaryOf(KEY);
            RedisServer replica = cluster.replicasOf(old).get(0);
            cluster.failOver(replica, how);
            assertThat(cluster.primaryOf(KEY)).isSameAs(replica);
            assertThat(cluster.replicasOf(replica)).containsExactly(old);
            // One that is forced has to wait until the old primary does not take writes any more.
            Awaitility.await()
                    .untilAsserted(() ->
                            assertThat(ask(replica, "SET " + KEY + " value")).isEqualTo("+OK"));
            cluster.awaitReplicas();
        }
    }

    @Test
    @Tag("thorough")
    void aKilledPrimaryIsReplacedByItsReplica() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().start()) {
            RedisServer old = cluster.primaryOf(KEY);
            RedisServer replica = cluster.replicasOf(old).get(0);
            assertThat(ask(old, "SET " + KEY + " value", "WAIT 1 5000")).isEqualTo(":1");
            old.kill();
            assertThat(cluster.awaitFailover(old)).isSameAs(replica).isSameAs(cluster.primaryOf(KEY));
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(ask(replica, "EXISTS " + KEY)).isEqualTo(":1"));

            old.restart();
            cluster.awaitReplicas();
            assertThat(cluster.replicasOf(replica)).containsExactly(old);
            assertThat(ask(old, "READONLY", "EXISTS " + KEY)).isEqualTo(":1");
        }
    }

    @Test
    @Tag("thorough")
    void aFrozenPrimaryIsReplacedAndFollowsWhenItIsThawed() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().start()) {
            RedisServer old = cluster.primaryOf(KEY);
            old.freeze();
            RedisServer promoted = cluster.awaitFailover(old);
            old.thaw();
            cluster.awaitReplicas();
            assertThat(cluster.replicasOf(promoted)).containsExactly(old);
        }
    }

    @Test
    @Tag("thorough")
    void serversComeAndGo() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().password("secret").start()) {
            RedisServer fourth = cluster.addPrimary();
            assertThat(cluster.primaries()).hasSize(3);
            RedisServer old = cluster.primaryOf(KEY);
            assertThat(ask(old, "PING")).startsWith("-NOAUTH");
            assertThat(ask(old, "AUTH secret", "SET " + KEY + " value")).isEqualTo("+OK");
            cluster.moveSlot(cluster.slotOf(KEY), fourth);
            assertThat(cluster.primaryOf(KEY)).isSameAs(fourth);
            assertThat(ask(fourth, "AUTH secret", "EXISTS " + KEY)).isEqualTo(":1");
            RedisServer replica = cluster.addReplicaOf(fourth);
            assertThat(cluster.replicasOf(fourth)).containsExactly(replica);

            assertThatIllegalStateException().isThrownBy(() -> cluster.remove(fourth));
            cluster.remove(replica);
            cluster.moveSlot(cluster.slotOf(KEY), old);
            cluster.remove(fourth);
            assertThat(cluster.servers()).hasSize(6);
            assertThat(cluster.primaries()).hasSize(3);
            assertThat(fourth.isRunning()).isFalse();
        }
    }

    @Test
    void serversBehindProxiesAreNamedByTheProxiesAddress() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).proxied().start()) {
            RedisServer owner = cluster.primaryOf(KEY);
            int port = cluster.portOf(owner);
            assertThat(port).isEqualTo(cluster.proxyOf(owner).port()).isNotEqualTo(owner.port());
            assertThat(cluster.uri()).contains(":" + port);
            assertThat(ask(other(cluster, owner), "EXISTS " + KEY)).endsWith("127.0.0.1:" + port);
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void anIsolatedPrimaryGoesOnForItsNodeTimeoutWhileAnotherServerTakesItsPlace() throws IOException {
        try (RedisCluster cluster = RedisCluster.builder()
                .proxied()
                .nodeTimeout(Duration.ofSeconds(3))
                .start()) {
            RedisServer old = cluster.primaryOf(KEY);
            RedisServer replica = cluster.replicasOf(old).get(0);
            cluster.isolate(old);
            cluster.failOver(replica, Failover.FORCE);
            assertThat(cluster.primaryOf(KEY)).isSameAs(replica);
            assertThat(ask(old, "SET " + KEY + " old")).isEqualTo("+OK");
            assertThat(ask(replica, "SET " + KEY + " new")).isEqualTo("+OK");
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(ask(old, "SET " + KEY + " old")).startsWith("-CLUSTERDOWN"));

            cluster.heal();
            cluster.awaitReplicas();
            assertThat(cluster.replicasOf(replica)).containsExactly(old);
        }
    }

    @Test
    void closingLeavesNoProcess() {
        RedisCluster cluster = RedisCluster.builder().start();
        List<Long> pids = cluster.servers().stream().map(RedisServer::pid).toList();
        cluster.close();
        cluster.close();
        assertThat(pids).hasSize(6).allMatch(pid -> ProcessHandle.of(pid).isEmpty());
        assertThatIllegalStateException().isThrownBy(() -> cluster.slotOf(KEY));
    }

    @Test
    void aServerOfAnotherClusterIsRefused() {
        try (RedisCluster cluster =
                        RedisCluster.builder().primaries(1).replicas(0).start();
                RedisServer other = RedisServer.start()) {
            assertThatIllegalArgumentException().isThrownBy(() -> cluster.portOf(other));
            assertThatIllegalStateException()
                    .isThrownBy(() -> cluster.proxyOf(cluster.primaries().get(0)));
        }
    }

    private static RedisServer other(RedisCluster cluster, RedisServer than) {
        List<RedisServer> primaries = cluster.primaries();
        return IntStream.range(0, primaries.size())
                .mapToObj(primaries::get)
                .filter(primary -> primary != than)
                .findFirst()
                .orElseThrow();
    }

    /** The first line of the reply to the last of some commands. */
    private static String ask(RedisServer server, String... commands) throws IOException {
        try (LineClient client = new LineClient(server.port())) {
            String reply = "";
            for (String command : commands) {
                reply = client.ask(command);
            }
            return reply;
        }
    }
}
