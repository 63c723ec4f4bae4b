package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A ban counts as replicated when the replicas have acknowledged it; and as confirmed only where no replica can take the place of the primary unnoticed. */
@Tag("servers")
class ReplicasIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));
    private FaultProxy proxy;
    private RedisServer replica;

    @BeforeEach
    void startReplica() {
        proxy = FaultProxy.inFrontOf(server.host(), server.port());
        replica = RedisServer.start("replicaof " + proxy.host() + " " + proxy.port());
        await().until(() -> redis.info("replication").contains("state=online"));
    }

    @AfterEach
    void stopReplica() {
        replica.close();
        proxy.close();
        await().until(() -> redis.info("replication").contains("connected_slaves:0"));
    }

    @Test
    void aBanThatTheReplicaHasIsConfirmedOnThePrimary() {
        UserStatusCache<Long> node = node(patient(uri()));
        letRegisterBeBelieved(BOUND);

        RevocationReceipt receipt = disable(node);

        assertThat(receipt.grade()).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.confirmed()).isFalse();
        assertThat(receipt.reason()).isEqualTo(Reason.UNFENCED);
        assertThat(receipt.replicasAcknowledged()).isOne();
        assertThat(receipt.nodesConfirmed()).hasSize(1);
        assertThat(receipt.took()).isLessThan(BOUND);
    }

    @Test
    void aBanThatTheReplicaDoesNotHaveSaysSo() {
        UserStatusCache<Long> node = node(patient(uri()));
        letRegisterBeBelieved(BOUND);
        proxy.freeze();

        RevocationReceipt receipt = disable(node);

        assertThat(receipt.grade()).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.reason()).isEqualTo(Reason.NOT_REPLICATED);
        assertThat(receipt.replicasAcknowledged()).isZero();
        assertThat(node.isEnabled(42L)).isFalse();
        proxy.restore();
    }

    /** It may have been promoted: this server would not know. */
    @Test
    void aBanIsNotConfirmedByAServerThatHasLostItsReplica() {
        UserStatusCache<Long> node = node(patient(uri()));
        letRegisterBeBelieved(BOUND);
        proxy.refuse();
        await().until(() -> redis.info("replication").contains("connected_slaves:0"));

        RevocationReceipt receipt = disable(node);

        assertThat(receipt.grade()).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.reason()).isEqualTo(Reason.UNFENCED);
        proxy.restore();
    }

    @Test
    void asManyReplicasAreWaitedForAsAreAskedFor() {
        UserStatusCache<Long> node = node(patient(uri()).awaitReplicas(2));
        letRegisterBeBelieved(BOUND);

        RevocationReceipt receipt = disable(node);

        assertThat(receipt.reason()).isEqualTo(Reason.NOT_REPLICATED);
        assertThat(receipt.replicasAcknowledged()).isOne();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> UserCaches.builder().awaitReplicas(-1));
    }

    /** A node whose heartbeats do not wait goes on: it cannot know whether the replica has taken the place of the primary. */
    @Test
    void withoutTheReplicaANodeWhoseHeartbeatsWaitForItAsksTheSource() {
        UserCaches waiting = open(waiting());
        UserCaches other = open(patient(uri()));
        UserStatusCache<Long> here = statuses(waiting);
        UserStatusCache<Long> there = statuses(other);
        letRegisterBeBelieved(BOUND);
        awaitAnswerFromMemory(here);
        awaitAnswerFromMemory(there);

        proxy.freeze();
        await().until(() -> !isSeenWithinBound(waiting));
        rows.put(42L, UserStatus.DISABLED); // by a program that announces nothing

        await().until(() -> !here.isEnabled(42L));
        assertThat(there.isEnabled(42L)).isTrue();
        assertThat(isSeenWithinBound(other)).isTrue();
        assertThat(isSeenWithinBound(waiting)).isFalse();
        // Nor is a ban held up by the heartbeats that wait: it has a connection of its own.
        RevocationReceipt receipt = disable(there);
        assertThat(receipt.reason()).isEqualTo(Reason.NOT_REPLICATED);
        assertThat(receipt.nodesConfirmed()).hasSize(2);
        // What was written for it has left the marks of the heartbeats, which can still be read back.
        assertThat(redis.keys("{user:nodes}:node:*"))
                .hasSize(2)
                .allSatisfy(key -> assertThat(redis.get(key)).doesNotStartWith("- "));

        proxy.restore();
        await().until(() -> isSeenWithinBound(waiting));
        assertThat(disable(there).reason()).isEqualTo(Reason.UNFENCED);
    }

    /** Each of them has the node look at the signal, which is no heartbeat. */
    @Test
    void manyBansDoNotHoldUpTheHeartbeats() {
        UserCaches waiting = open(waiting());
        await().until(() -> isSeenWithinBound(waiting));

        long from = System.nanoTime();
        await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(15)).until(() -> {
            redis.pexpire("{user:nodes}:signal", 1_000_000); // pushed to the node, as a ban is
            Duration age = waiting.health().watermarkAge();
            Duration passed = Duration.ofNanos(System.nanoTime() - from);
            return passed.compareTo(BOUND) > 0 && age != null && age.compareTo(passed.dividedBy(2)) < 0;
        });
    }

    /** It may have taken the place of the primary. */
    @Test
    void aReplicaThatIsLostStillCountsForHeartbeats() {
        UserCaches waiting = open(waiting());
        await().until(() -> isSeenWithinBound(waiting));

        proxy.refuse();
        await().until(() -> redis.info("replication").contains("connected_slaves:0"));

        await().until(() -> !isSeenWithinBound(waiting));
        proxy.restore();
        await().until(() -> isSeenWithinBound(waiting));
    }

    /** Its heartbeats wait for less than the bound: not to be acknowledged is more than to be late. */
    private static UserCaches.Builder waiting() {
        return patient(uri()).commandTimeout(Duration.ofMillis(300)).awaitAllReplicas();
    }

    private static boolean isSeenWithinBound(UserCaches node) {
        Duration age = node.health().watermarkAge();
        return age != null && age.compareTo(BOUND) < 0;
    }

    private void awaitAnswerFromMemory(UserStatusCache<Long> statuses) {
        await().until(() -> {
            long hits = statuses.stats().nearHits();
            assertThat(statuses.isEnabled(42L)).isTrue();
            return statuses.stats().nearHits() > hits;
        });
    }

    private UserStatusCache<Long> node(UserCaches.Builder builder) {
        return statuses(open(builder));
    }

    private UserStatusCache<Long> statuses(UserCaches caches) {
        return new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, ids -> rows));
    }

    private RevocationReceipt disable(UserStatusCache<Long> node) {
        return node.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
    }
}
