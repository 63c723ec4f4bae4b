package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.sentinel.api.StatefulRedisSentinelConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Behind Sentinels, a ban is confirmed when each server has it that they could promote, and a majority of them still names the primary. */
class SentinelReceiptsIT {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    /** Whose Sentinels replace nothing by themselves. */
    private static SentinelGroup group;

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private UserStatusCache<Long> node;

    @BeforeAll
    static void startGroup() {
        group = SentinelGroup.builder().downAfter(Duration.ofMinutes(5)).start();
    }

    @AfterAll
    static void stopGroup() {
        group.close();
    }

    @BeforeEach
    void openNode() {
        node = node(group);
    }

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    @Test
    void aBanThatAllReplicasHaveIsConfirmed() {
        RevocationReceipt receipt = disable(node);

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.CONFIRMED);
        assertThat(receipt.replicasAcknowledged()).isEqualTo(2);
        assertThat(receipt.missing()).isNull();
        assertThat(receipt.nodesConfirmed()).hasSize(1);
    }

    @Test
    void aBanThatAReplicaDoesNotAcknowledgeIsNotConfirmedUntilItDoes() {
        RedisServer frozen = group.replicas().get(0);
        frozen.freeze();
        RevocationReceipt receipt = disable(node);
        frozen.thaw();

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.reason()).isEqualTo(Reason.NOT_REPLICATED);
        assertThat(receipt.replicasAcknowledged()).isOne();
        assertThat(receipt.missing()).contains(addressOf(frozen)).contains("SENTINEL RESET");
        awaitConfirmed(node);
    }

    /** All that are connected have the ban. But Sentinels know another one, and may promote it when it is back. */
    @Test
    void aReplicaThatIsNotConnectedKeepsABanFromBeingConfirmed() {
        RedisServer killed = group.replicas().get(1);
        killed.kill();
        RevocationReceipt receipt = disableUntil(1);
        killed.restart();

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.reason()).isEqualTo(Reason.NOT_REPLICATED);
        assertThat(receipt.missing()).contains(addressOf(killed)).doesNotContain("were waited for");
        awaitConfirmed(node);
    }

    @Test
    void fewerReplicasThanThereAreConfirmNothingWhenOneDoesNotAnswer() {
        UserStatusCache<Long> other = new UserStatusCache<>(
                open(patient(group).awaitReplicas(1).build()).cache(UserStatus.FACET, Long.class, ids -> rows));
        RedisServer frozen = group.replicas().get(1);
        frozen.freeze();
        RevocationReceipt receipt = disable(other);
        frozen.thaw();

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.missing()).contains(addressOf(frozen)).doesNotContain("were waited for");
    }

    @Test
    void aPrimaryThatNoMajorityNamesAfterTheBanConfirmsNothing() {
        List<RedisServer> most = group.sentinels().subList(1, 3);
        most.forEach(RedisServer::freeze);
        RevocationReceipt receipt = disable(node);
        most.forEach(RedisServer::thaw);

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.ON_PRIMARY);
        assertThat(receipt.reason()).isEqualTo(Reason.UNFENCED);
        assertThat(receipt.replicasAcknowledged()).isEqualTo(2);
        assertThat(receipt.missing()).isEqualTo("no majority of the 3 Sentinels has named a primary");
        awaitConfirmed(node);
    }

    /** It has said which replicas it knows. A node that has never heard it cannot know. */
    @Test
    void oneSentinelMayBeSilentWhenItHasSaidWhichReplicasItKnows() {
        RedisServer silent = group.sentinels().get(0);
        silent.freeze();
        RevocationReceipt receipt = disable(node);
        UserStatusCache<Long> late = node(group);
        RevocationReceipt unheard = disable(late);
        silent.thaw();

        assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.CONFIRMED);
        assertThat(unheard.grade()).as("%s", unheard).isEqualTo(Grade.ON_PRIMARY);
        assertThat(unheard.reason()).isEqualTo(Reason.UNFENCED);
        assertThat(unheard.missing()).contains("which replicas are known to " + addressOf(silent));
        awaitConfirmed(late);
    }

    /** The old primary keeps a replica on its side, and takes writes until it is cut off; the other side promotes its own. */
    @Test
    @Tag("thorough")
    void aPrimaryThatWasIsolatedWithAReplicaConfirmsNothing() {
        SentinelGroup parted =
                open(SentinelGroup.builder().minReplicasToWrite(1).proxied().start());
        UserStatusCache<Long> banning = node(parted);
        awaitConfirmed(banning);
        RedisServer old = parted.primary();
        RedisServer kept = parted.replicas().get(0);

        parted.isolate(old, kept, parted.sentinels().get(0));
        do {
            assertThat(disable(banning).grade()).isNotEqualTo(Grade.CONFIRMED);
        } while (parted.primary() == old);
        assertThat(disable(banning).grade()).isNotEqualTo(Grade.CONFIRMED);

        parted.heal();
        awaitConfirmed(banning);
    }

    /** One that is removed for good is forgotten by each Sentinel. While one still knows it, that one may promote it. */
    @Test
    @Tag("thorough")
    void aReplicaThatOneSentinelKnowsCounts() {
        SentinelGroup shrinking =
                open(SentinelGroup.builder().downAfter(Duration.ofMinutes(5)).start());
        UserStatusCache<Long> banning = node(shrinking);
        awaitConfirmed(banning);
        RedisServer removed = shrinking.replicas().get(1);
        removed.kill();
        List<RedisServer> sentinels = shrinking.sentinels();
        for (int i = 0; i < 3; i++) {
            RevocationReceipt receipt = disable(banning);
            assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.ON_PRIMARY);
            assertThat(receipt.missing()).contains(removed.host() + ":" + shrinking.portOf(removed));
            reset(sentinels.get(i), shrinking.name());
        }
        awaitConfirmed(banning);
        assertThat(disable(banning).replicasAcknowledged()).isOne();
    }

    /** Has a Sentinel forget the replicas and the other Sentinels, and waits until it knows these again. */
    private static void reset(RedisServer sentinel, String primary) {
        RedisClient client = RedisClient.create();
        try (StatefulRedisSentinelConnection<String, String> connection =
                client.connectSentinel(RedisURI.create(sentinel.uri()))) {
            assertThat(connection.sync().reset(primary)).isOne();
            await().atMost(Duration.ofSeconds(20))
                    .until(() -> "2".equals(connection.sync().master(primary).get("num-other-sentinels")));
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private RevocationReceipt disableUntil(int acknowledged) {
        RevocationReceipt[] last = new RevocationReceipt[1];
        await().until(() -> {
            last[0] = disable(node);
            return last[0].replicasAcknowledged() == acknowledged
                    && !String.valueOf(last[0].missing()).contains("were waited for");
        });
        return last[0];
    }

    private void awaitConfirmed(UserStatusCache<Long> banning) {
        await().atMost(Duration.ofSeconds(40)).untilAsserted(() -> {
            RevocationReceipt receipt = disable(banning);
            assertThat(receipt.grade()).as("%s", receipt).isEqualTo(Grade.CONFIRMED);
        });
    }

    private RevocationReceipt disable(UserStatusCache<Long> banning) {
        return banning.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
    }

    private static String addressOf(RedisServer server) {
        return server.host() + ":" + group.portOf(server);
    }

    private UserStatusCache<Long> node(SentinelGroup at) {
        UserCaches caches = open(patient(at).build());
        UserStatusCache<Long> statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, ids -> rows));
        await().until(() -> caches.health().nearOpen());
        await().atMost(Duration.ofSeconds(20))
                .until(() -> caches.engine().shared().register().isComplete(BOUND));
        return statuses;
    }

    private static UserCaches.Builder patient(SentinelGroup at) {
        return UserCaches.builder().redis(at.uri()).commandTimeout(Duration.ofMillis(500));
    }

    private <T extends AutoCloseable> T open(T closeable) {
        opened.add(closeable);
        return closeable;
    }
}
