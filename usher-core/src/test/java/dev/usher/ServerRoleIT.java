package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.RedisServer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The log lines about a server that cannot be the shared tier, when the caches are built. */
class ServerRoleIT {

    private static final String SETTINGS = ", with spring.data.redis.host and spring.data.redis.port, with"
            + " spring.data.redis.url, or with redis(…) of UserCaches.builder()";

    @Test
    void aNodeOfAClusterIsNotTakenForAStandaloneServer() {
        try (RedisServer node = RedisServer.start("cluster-enabled yes")) {
            assertThat(linesOfAStartOn(node))
                    .containsOnlyOnce("Redis at " + node.host() + ":" + node.port()
                            + " is a node of a Redis Cluster, which usher does not support: users in the slots of other"
                            + " nodes are read from the source each time, and their changes reach no other process. Name"
                            + " a standalone Redis" + SETTINGS);
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
    void anAddressOfSentinelsIsNotTakenForThatOfAServer() {
        List<String> lines = LogLines.of(
                "dev.usher",
                () -> UserCaches.builder()
                        .redis("redis-sentinel://127.0.0.1:1#users")
                        .build()
                        .close());

        assertThat(lines)
                .anyMatch(line -> line.startsWith("Redis is named by its Sentinels, which usher does not support"))
                .anyMatch(line -> line.startsWith("Redis at users of its Sentinels cannot be reached"));
    }

    @Test
    void ofAPrimaryNothingIsSaid() {
        try (RedisServer primary = RedisServer.start()) {
            assertThat(linesOfAStartOn(primary)).isEmpty();
        }
    }

    private static List<String> linesOfAStartOn(RedisServer server) {
        return LogLines.of(
                "dev.usher.redis.RedisPrimary",
                () -> UserCaches.builder().redis(server.uri()).build().close());
    }
}
