package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The log lines about a server that cannot be the shared tier, when the caches are built. */
@Tag("servers")
class ServerRoleIT {

    private static final String SETTINGS = ", with spring.data.redis.host and spring.data.redis.port, with"
            + " spring.data.redis.url, or with redis(…) of UserCaches.builder()";

    @Test
    void aNodeOfAClusterIsNotTakenForAStandaloneServer() {
        try (RedisServer node = RedisServer.start("cluster-enabled yes")) {
            assertThat(linesOfAStartOn(node))
                    .containsOnlyOnce("Redis at " + node.host() + ":" + node.port()
                            + " is a node of a Redis Cluster, named by its own address: users in the slots of other nodes are"
                            + " read from the source each time, and their changes reach no other process. Name the Cluster,"
                            + " with spring.data.redis.cluster.nodes or as redis-cluster://host:port,host:port, or a standalone"
                            + " Redis" + SETTINGS);
        }
    }

    @Test
    void aReplicaIsNotTakenForItsPrimary() {
        try (RedisServer replica = RedisServer.start("replicaof 127.0.0.1 1")) {
            assertThat(linesOfAStartOn(replica))
                    .containsOnlyOnce("Redis at " + replica.host() + ":" + replica.port()
                            + " is a replica, which accepts no writes. Name its primary" + SETTINGS);
        }
    }

    @Test
    void healthSaysSoAsWell() {
        try (RedisServer cluster = RedisServer.start("cluster-enabled yes");
                UserCaches node = UserCaches.builder().redis(cluster.uri()).build()) {
            assertThat(node.health().unfitServer())
                    .startsWith("is a node of a Redis Cluster, named by its own address");
            assertThat(node.health().isWell()).isFalse();
        }
    }

    @Test
    void healthNamesAServerThatStandsAlone() {
        try (RedisServer alone = RedisServer.start();
                UserCaches node = nodeOn(alone)) {
            CachesHealth health = node.health();

            assertThat(health.topology()).isEqualTo(CachesHealth.Topology.STANDALONE);
            assertThat(health.primary()).isEqualTo(alone.host() + ":" + alone.port());
            assertThat(health.role()).isEqualTo(CachesHealth.Role.PRIMARY);
            assertThat(health.replicas()).isZero();
            assertThat(health.unfenced()).isNull();
            assertThat(health.lag()).isZero();

            alone.kill();
            await().untilAsserted(() -> assertThat(node.health().role()).isNull());
            assertThat(node.health().lag()).as("what it is now is not known").isNull();
        }
    }

    @Test
    void aPrimaryWhoseReplicasCouldTakeItsPlaceIsSaidToBeUnfenced() {
        try (RedisServer primary = RedisServer.start()) {
            try (RedisServer replica = RedisServer.replicaOf(primary);
                    UserCaches node = nodeOn(primary)) {
                assertThat(replica.isRunning()).isTrue();
                assertThat(node.health().replicas()).isOne();
                assertThat(node.health().unfenced())
                        .isEqualTo(
                                "replicas and no Sentinels: one of them could take the place of this server while nodes"
                                        + " go on believing it, for how long cannot be known");
                assertThat(node.health().lag()).isNull();
                assertThat(node.health().isWell())
                        .as("as an operator may want it")
                        .isTrue();
            }
            assertThat(linesOfAStartOn(primary))
                    .containsOnlyOnce("Redis at " + primary.host() + ":" + primary.port()
                            + " is unfenced, and no ban is confirmed: replicas that are gone, and no Sentinels: one of them"
                            + " could have taken the place of this server while nodes go on believing it, for how long"
                            + " cannot be known");
        }
    }

    /** Before a caller has authenticated, a server does not say what it is. */
    @Test
    void ofAServerThatRefusesThePasswordOnlyThatIsKnown() {
        try (RedisServer cluster = RedisServer.start("cluster-enabled yes", "requirepass s3cret");
                UserCaches without = nodeOn(cluster.uri());
                UserCaches wrong = nodeOn(cluster.uri().replace("//", "//:wr0ng@"));
                UserCaches right = nodeOn(cluster.uri().replace("//", "//:s3cret@"))) {
            await().untilAsserted(() -> {
                assertThat(without.health().lastError()).isEqualTo("cannot be reached: NOAUTH");
                assertThat(wrong.health().lastError()).isEqualTo("cannot be reached: WRONGPASS");
            });
            assertThat(without.health().unfitServer()).isNull();
            assertThat(right.health().unfitServer()).startsWith("is a node of a Redis Cluster");
        }
    }

    @Test
    void ofAPrimaryNothingIsSaid() {
        try (RedisServer primary = RedisServer.start()) {
            assertThat(linesOfAStartOn(primary)).isEmpty();
        }
    }

    private static UserCaches nodeOn(RedisServer server) {
        return nodeOn(server.uri());
    }

    private static UserCaches nodeOn(String uri) {
        return UserCaches.builder()
                .redis(uri)
                .commandTimeout(Duration.ofSeconds(2))
                .build();
    }

    private static List<String> linesOfAStartOn(RedisServer server) {
        return LogLines.of(
                "dev.usher.redis.ServerFacts",
                () -> UserCaches.builder().redis(server.uri()).build().close());
    }
}
