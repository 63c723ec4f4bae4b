package dev.usher;

import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import dev.usher.redis.Scripts;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.Range;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** A Redis for the tests of a class, standalone or a Cluster, empty before each of them, and nodes that are closed after it. */
abstract class NodesOnRedis {

    static TestRedis testRedis;

    /** The standalone server, or the first one of the Cluster. */
    static RedisServer server;

    /** A client that finds the server of a key. */
    static RedisClusterCommands<String, String> redis;

    final List<UserCaches> opened = new ArrayList<>();

    @BeforeAll
    static void startRedis() {
        testRedis = TestRedis.start();
        server = testRedis.servers().get(0);
        redis = testRedis.commands();
        // No caller waits for a release. A script that Redis does not know is sent a second time, after the next
        // claim.
        redis.scriptLoad(Scripts.renew());
    }

    @AfterAll
    static void stopRedis() {
        testRedis.close();
    }

    /** By which nodes find Redis. */
    static String uri() {
        return testRedis.uri();
    }

    /** Ids of users whose keys in a facet are on one server, the smallest ones. */
    static List<Long> idsAlike(String facet, int count) {
        RedisServer first = testRedis.serverOf("user:1:" + facet);
        return LongStream.iterate(1, id -> id + 1)
                .filter(id -> testRedis.serverOf("user:" + id + ":" + facet).equals(first))
                .limit(count)
                .boxed()
                .toList();
    }

    /** The way to Redis of a node that has it for itself. */
    static RedisWay way() {
        return testRedis.way();
    }

    @BeforeEach
    void emptyRedis() {
        // After a FLUSHALL, nodes would refuse the rows that were read before it.
        redis.keys("*").forEach(redis::del);
    }

    @AfterEach
    void closeNodes() {
        opened.forEach(UserCaches::close);
    }

    /** The times of a node that believes Redis from the start: all the other nodes are the test's own. */
    static final Timing TRUSTING = Timing.STANDARD.withSuspicion(Duration.ZERO);

    /** Those of other tests: a node that has just come to know a Cluster, and suspects servers, confirms no ban at first. */
    static final Timing CONFIRMING = TestRedis.isCluster() ? TRUSTING : Timing.STANDARD;

    /** Settings of a node whose Redis answers, though a busy machine may let it answer late. */
    static UserCaches.Builder patient(String uri) {
        return UserCaches.builder()
                .redis(uri)
                .commandTimeout(Duration.ofSeconds(2))
                .timing(TRUSTING);
    }

    /** A node that is closed after the test. */
    final UserCaches open(UserCaches.Builder builder) {
        UserCaches node = builder.build();
        opened.add(node);
        return node;
    }

    /** The nodes in the register of a prefix. */
    static Set<String> members(String prefix) {
        return redis.zrange("{" + prefix + ":nodes}:seen", 0, -1).stream()
                .filter(name -> !name.startsWith("#"))
                .collect(Collectors.toSet());
    }

    /** Removes the register of a prefix, as if Redis had lost it. */
    static void dropRegister(String prefix) {
        redis.keys("{" + prefix + ":nodes}*").forEach(redis::del);
    }

    /** Waits until the one node there is has written a number into its register, which may have been lost before this test: it then believes Redis again. */
    static void letRedisBeBelieved() {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> redis.zcount("{user:nodes}:seen", Range.create(0, 1_000_000)) == 1);
    }

    /** Waits until each open node has known the register for so long that nodes which were lost with an earlier one have closed. */
    final void letRegisterBeBelieved(Duration limit) {
        await().atMost(Duration.ofSeconds(20))
                .until(() -> opened.stream()
                                .allMatch(node ->
                                        node.engine().shared().register().isComplete(limit))
                        && members("user").size() == opened.size());
    }

    /** Waits until what was loaded has been stored, and read back: no caller waits for that. */
    final void awaitLoads() {
        opened.forEach(NodesOnRedis::awaitLoads);
    }

    /** As {@link #awaitLoads()}, of one node. */
    static void awaitLoads(UserCaches node) {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(() -> node.engine().underWay() == 0);
    }
}
