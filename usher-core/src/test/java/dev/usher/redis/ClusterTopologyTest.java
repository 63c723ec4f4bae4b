package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisCommandExecutionException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

class ClusterTopologyTest {

    private static final ServerAddress ASKED = new ServerAddress("10.0.0.1", 7001);

    @Test
    void serversAreFoundWithTheirSlotsInEachFormOfTheirAddresses() {
        ClusterTopology said = ClusterTopology.parse("""
                a :7001@17001 myself,master - 0 0 3 connected 0-5 7 [8->-b]
                b 10.0.0.2:7002@17002,redis-2.example,shard-id=x master - 0 0 4 connected 6 8-9
                c 10.0.0.3:7003@17003 slave a 0 0 3 connected
                d ::1:7004@17004 master,fail - 0 0 1 disconnected 10
                e 10.0.0.5:0@0 master,noaddr - 0 0 0 disconnected
                f 10.0.0.6:7006@17006 handshake - 0 0 0 connected
                g 10.0.0.7:7007@17007 master,fail - 0 0 0 connected
                not a line
                """, ASKED);

        assertThat(said.nodes()).containsOnlyKeys("a", "b", "c", "d", "g");
        assertThat(nodeIn(said, "a").address()).isEqualTo(ASKED);
        assertThat(nodeIn(said, "b").address()).isEqualTo(new ServerAddress("redis-2.example", 7002));
        assertThat(nodeIn(said, "d").address()).isEqualTo(new ServerAddress("::1", 7004));
        assertThat(nodeIn(said, "a").slots().stream()).containsExactly(0, 1, 2, 3, 4, 5, 7);
        assertThat(said.replicasOf("a")).containsOnlyKeys(new ServerAddress("10.0.0.3", 7003));
        assertThat(said.isPrimary("a")).isTrue();
        assertThat(said.isPrimary("c")).isFalse();
        // One that is down and has nothing is none.
        assertThat(said.primaries()).extracting(ClusterTopology.Node::id).containsExactlyInAnyOrder("a", "b", "d");
    }

    @Test
    void aServerIsKnownByItsNameAndByItsAddress() {
        ServerAddress byName = new ServerAddress("redis-2.example", 7002);
        ServerAddress byIp = new ServerAddress("10.0.0.2", 7002);
        ClusterTopology said = ClusterTopology.parse("""
                a 10.0.0.1:7001@17001,redis-1.example myself,master - 0 0 3 connected 0-5
                b 10.0.0.2:7002@17002,redis-2.example slave a 0 0 3 connected
                """, ASKED);

        assertThat(nodeIn(said, "b").isAt(byName)).isTrue();
        assertThat(nodeIn(said, "b").isAt(byIp)).isTrue();
        assertThat(nodeIn(said, "b").isAt(ASKED)).isFalse();
        // A primary says of its replicas where their connections come from.
        assertThat(said.replicasOf("a")).containsOnly(Map.entry(byIp, byName));
    }

    @Test
    void aServerSpeaksForTheClusterWhileItHasSlots() {
        ClusterTopology primary = ClusterTopology.parse("a h:1@2 myself,master - 0 0 3 connected 0-9\n", ASKED);
        ClusterTopology empty = ClusterTopology.parse(
                "a h:1@2 myself,master - 0 0 3 connected\nb h:2@3 master - 0 0 4 connected 9\n", ASKED);

        assertThat(primary.own()).isEqualTo(nodeIn(primary, "a"));
        assertThat(primary.isOfPrimary()).isTrue();
        assertThat(empty.isOfPrimary()).isFalse();
        assertThat(ClusterTopology.NONE.isOfPrimary()).isFalse();
    }

    @Test
    void aSlotThatIsBeingMovedIsWhereItWas() {
        assertThat(Redirect.isOfMap(failure("MOVED 99 10.0.0.2:7002"))).isTrue();
        assertThat(Redirect.isOfMap(failure("CLUSTERDOWN The cluster is down"))).isTrue();
        assertThat(Redirect.isOfMap(failure("ASK 99 10.0.0.2:7002"))).isFalse();
        assertThat(Redirect.isOfMap(failure("TRYAGAIN Multiple keys request during rehashing of slot")))
                .isFalse();
    }

    @Test
    void ofTwoThatClaimASlotTheOneWithTheGreaterEpochHasIt() {
        ClusterTopology old = ClusterTopology.parse("a h:1@2 myself,master - 0 0 3 connected 0-9\n", ASKED);
        ClusterTopology other = ClusterTopology.parse(
                "a h:1@2 master - 0 0 3 connected 0-8\nb h:2@3 myself,master - 0 0 4 connected 9\n", ASKED);

        ClusterTopology both = ClusterTopology.of(List.of(other, old));

        assertThat(both.owners()[8]).isEqualTo(nodeIn(old, "a"));
        assertThat(both.owners()[9]).isEqualTo(nodeIn(other, "b"));
        assertThat(both.owners()[10]).isNull();
    }

    @Test
    void aServerThatWasReplacedHasNothingThoughItSaysSo() {
        ClusterTopology isolated = ClusterTopology.parse("a h:1@2 myself,master - 0 0 3 connected 0-9\n", ASKED);
        ClusterTopology others = ClusterTopology.parse(
                "a h:1@2 master,fail - 0 0 3 connected\nb h:2@3 master - 0 0 7 connected 0-9\n", ASKED);

        assertThat(ClusterTopology.of(List.of(isolated, others)).owners()[5]).isEqualTo(nodeIn(others, "b"));
    }

    @Test
    void aRedirectionNamesAServer() {
        assertThat(Redirect.in(failure("MOVED 99 10.0.0.2:7002"), ASKED))
                .isEqualTo(new Redirect(Redirect.MOVED, 99, new ServerAddress("10.0.0.2", 7002)));
        assertThat(Redirect.in(new CompletionException(failure("ASK 99 ::1:7002")), ASKED))
                .isEqualTo(new Redirect(Redirect.ASK, 99, new ServerAddress("::1", 7002)));
        // The endpoint is not known to the server.
        assertThat(Redirect.in(failure("MOVED 99 :7002"), ASKED))
                .isEqualTo(new Redirect(Redirect.MOVED, 99, new ServerAddress("10.0.0.1", 7002)));
        assertThat(Redirect.in(failure("MOVED 99 nowhere"), ASKED)).isNull();
        assertThat(Redirect.in(failure("CLUSTERDOWN The cluster is down"), ASKED))
                .isNull();
        assertThat(Redirect.in(new IllegalStateException("MOVED 99 h:1"), ASKED))
                .isNull();
    }

    @Test
    void aServerThatIsWellIsToldFromAClusterThatIsDown() {
        assertThat(Redirect.isOfKey(failure("TRYAGAIN Multiple keys request during rehashing of slot")))
                .isTrue();
        assertThat(Redirect.isRedirect(failure("CLUSTERDOWN The cluster is down")))
                .isTrue();
        assertThat(Redirect.isOfKey(failure("CLUSTERDOWN The cluster is down"))).isFalse();
        assertThat(Redirect.isRedirect(failure("OOM command not allowed"))).isFalse();
    }

    @Test
    void theSlotsOfAServerAreThoseOfWhichItIsThePrimary() {
        List<?> answer = List.of(
                List.of(0L, 5L, server("a"), server("b")),
                List.of(6L, 9L, server("b"), server("a")),
                List.of(10L, 20000L, server("a")));
        assertThat(SlotHeartbeat.slotsIn(answer, "a").cardinality()).isEqualTo(6 + ClusterTopology.SLOTS - 10);
        assertThat(SlotHeartbeat.slotsIn(answer, "c").isEmpty()).isTrue();
        assertThat(SlotHeartbeat.slotsIn(List.of("x", List.of(1L)), "a").isEmpty())
                .isTrue();
    }

    private static List<?> server(String id) {
        return List.of(bytes("10.0.0.1"), 7001L, bytes(id));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static ClusterTopology.Node nodeIn(ClusterTopology topology, String id) {
        ClusterTopology.Node node = topology.nodes().get(id);
        assertThat(node).isNotNull();
        return node;
    }

    private static RedisCommandExecutionException failure(String message) {
        return new RedisCommandExecutionException(message);
    }
}
