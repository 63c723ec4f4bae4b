package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@Tag("servers")
class SentinelGroupIT {

    @Test
    void aReplicaHasWhatItsPrimaryHasFromTheStart() throws IOException {
        try (RedisServer primary = RedisServer.start("requirepass secret")) {
            ask(primary.port(), "AUTH secret", "SET key value");
            try (RedisServer replica = RedisServer.replicaOf(primary, "masterauth secret")) {
                assertThat(ask(replica.port(), "EXISTS key")).isEqualTo(":1");
                assertThat(ask(replica.port(), "SET key other")).startsWith("-READONLY");
            }
        }
    }

    @Test
    void aKilledPrimaryIsReplacedByAReplicaThatHasItsData() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder().start()) {
            RedisServer old = group.primary();
            assertThat(group.servers()).hasSize(3).startsWith(old);
            assertThat(group.sentinels()).hasSize(3);
            // WAIT waits for what was written over its own connection.
            assertThat(ask(old.port(), "SET key value", "WAIT 2 5000")).isEqualTo(":2");

            old.kill();
            RedisServer promoted = group.awaitFailover(old);
            assertThat(promoted).isNotSameAs(old).isSameAs(group.primary());
            assertThat(ask(promoted.port(), "SET other value")).isEqualTo("+OK");
            assertThat(ask(promoted.port(), "EXISTS key")).isEqualTo(":1");
        }
    }

    /** Sentinels take ten seconds to make it one. */
    @Test
    @Tag("thorough")
    void aReplacedPrimaryThatIsRestartedBecomesAReplica() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder().replicas(1).start()) {
            RedisServer old = group.primary();
            old.kill();
            RedisServer promoted = group.awaitFailover(old);
            assertThat(ask(promoted.port(), "SET key value")).isEqualTo("+OK");

            // A Sentinel that has not heard yet of the failover would have the promoted one follow the empty one.
            Awaitility.await().untilAsserted(() -> {
                for (int sentinel = 0; sentinel < group.sentinels().size(); sentinel++) {
                    assertThat(addressNamedBy(group, sentinel)).contains(Integer.toString(group.portOf(promoted)));
                }
            });
            old.restart();
            group.awaitReplicas();
            assertThat(ask(old.port(), "EXISTS key")).isEqualTo(":1");
            assertThat(ask(old.port(), "SET key other")).startsWith("-READONLY");
        }
    }

    @Tag("thorough")
    @Test
    void aFrozenPrimaryIsReplacedAndStillTakesWritesWhenItIsThawed() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder().replicas(1).start()) {
            RedisServer old = group.primary();
            old.freeze();
            assertThat(group.awaitFailover(old)).isSameAs(group.servers().get(1));

            old.thaw();
            assertThat(ask(old.port(), "SET key value")).isEqualTo("+OK");
        }
    }

    @Test
    void aFailoverOnRequestAndWithPasswords() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder()
                .name("users")
                .password("secret")
                .sentinelPassword("other")
                .minReplicasToWrite(1)
                .start()) {
            RedisServer old = group.primary();
            int sentinel = group.sentinels().get(0).port();
            assertThat(group.uri())
                    .startsWith("redis-sentinel://127.0.0.1:" + sentinel)
                    .endsWith("#users");
            assertThat(ask(old.port(), "PING")).startsWith("-NOAUTH");
            assertThat(ask(sentinel, "SENTINEL CKQUORUM users")).startsWith("-NOAUTH");
            // On a busy machine, a Sentinel may be late for a moment.
            Awaitility.await()
                    .untilAsserted(() -> assertThat(ask(sentinel, "AUTH other", "SENTINEL CKQUORUM users"))
                            .startsWith("+OK 3 usable Sentinels"));

            RedisServer promoted = group.failOver();
            assertThat(promoted).isNotSameAs(old);
            assertThat(ask(promoted.port(), "AUTH secret", "ROLE")).startsWith("*3");
        }
    }

    @Tag("thorough")
    @Test
    void serversBehindProxiesAreNamedByTheProxiesAddress() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder().replicas(1).proxied().start()) {
            RedisServer old = group.primary();
            int proxy = group.proxyOf(old).port();
            assertThat(group.portOf(old)).isEqualTo(proxy).isNotEqualTo(old.port());
            assertThat(addressNamedBy(group, 0)).contains(Integer.toString(proxy));

            // The server is well, but none of the others can talk to it.
            group.proxyOf(old).refuse();
            RedisServer promoted = group.awaitFailover(old);
            assertThat(ask(old.port(), "SET key value")).isEqualTo("+OK");
            Awaitility.await()
                    .untilAsserted(() ->
                            assertThat(addressNamedBy(group, 1)).contains(Integer.toString(group.portOf(promoted))));
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aPrimaryAloneOnItsSideOfTheNetworkIsReplacedAndServesItsClients() throws IOException {
        try (SentinelGroup group = SentinelGroup.builder().replicas(1).proxied().start();
                LineClient client = new LineClient(group.portOf(group.primary()))) {
            RedisServer old = group.primary();
            group.isolate(old);
            RedisServer promoted = group.awaitFailover(old);

            assertThat(client.ask("SET key old")).isEqualTo("+OK");
            assertThat(ask(group.portOf(promoted), "SET key new")).isEqualTo("+OK");

            // The Sentinels take it for a replica now, which is down.
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(replicasKnownTo(group, 0)).anyMatch(value -> value.contains("s_down")));
            group.heal();
            Awaitility.await()
                    .untilAsserted(() -> assertThat(replicasKnownTo(group, 0))
                            .noneMatch(value -> value.contains("s_down") || value.contains("disconnected")));
        }
    }

    @Test
    @Tag("thorough")
    @EnabledOnOs(OS.LINUX)
    void aReplicaOnThePrimarysSideGoesOnFollowingIt() throws IOException {
        try (SentinelGroup group =
                SentinelGroup.builder().proxied().minReplicasToWrite(1).start()) {
            RedisServer old = group.primary();
            RedisServer beside = group.replicas().get(0);
            group.isolate(old, beside, group.sentinels().get(0));
            assertThat(group.awaitFailover(old)).isSameAs(group.servers().get(2));

            assertThat(ask(group.portOf(old), "SET key value")).isEqualTo("+OK");
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(ask(beside.port(), "EXISTS key")).isEqualTo(":1"));
        }
    }

    @Test
    void closingLeavesNoProcess() {
        SentinelGroup group = SentinelGroup.builder().replicas(1).sentinels(1).start();
        List<Long> pids = Stream.concat(group.servers().stream(), group.sentinels().stream())
                .map(RedisServer::pid)
                .toList();
        group.close();
        group.close();

        assertThat(pids).hasSize(3).allMatch(pid -> ProcessHandle.of(pid).isEmpty());
        assertThatIllegalStateException().isThrownBy(group::primary);
    }

    @Test
    void aServerOfAnotherGroupIsRefused() {
        try (SentinelGroup group =
                        SentinelGroup.builder().replicas(0).sentinels(1).start();
                RedisServer other = RedisServer.start()) {
            assertThatIllegalArgumentException().isThrownBy(() -> group.portOf(other));
            assertThatIllegalStateException().isThrownBy(() -> group.proxyOf(group.primary()));
        }
    }

    private static List<String> replicasKnownTo(SentinelGroup group, int sentinel) {
        return group.sentinels().get(sentinel).ask("SENTINEL", "REPLICAS", group.name());
    }

    private static List<String> addressNamedBy(SentinelGroup group, int sentinel) {
        return group.sentinels().get(sentinel).ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", group.name());
    }

    /** The reply to the last of some commands. */
    private static String ask(int port, String... commands) throws IOException {
        try (LineClient client = new LineClient(port)) {
            String reply = "";
            for (String command : commands) {
                reply = client.ask(command);
            }
            return reply;
        }
    }
}
