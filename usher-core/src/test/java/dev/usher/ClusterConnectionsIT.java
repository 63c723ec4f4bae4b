package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisCluster.Failover;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How the servers of a Cluster are reached: accounts, TLS, names, IPv6, and a name that comes to mean another server. */
@Tag("thorough")
class ClusterConnectionsIT {

    private static final Path GUIDE = Path.of("..", "docs", "guide", "security.md");
    private static final Pattern RIGHTS = Pattern.compile("^ *ACL SETUSER usher (.+)$", Pattern.MULTILINE);
    private static final String SECRET = "a-long-secret-of-your-own";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Table table = new Table();
    private final Map<Long, UserStatus> statuses = new ConcurrentHashMap<>();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private static int version;

    @TempDir
    Path directory;

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    /** The certificate is that of the name. A server that is reached by its IP address would not be trusted. */
    @Test
    void serversWithTlsAreReachedByTheNamesThatTheyAnnounce() throws Exception {
        Certificates certificates = Certificates.valid(directory, "dns:localhost");
        RedisCluster cluster = open(RedisCluster.builder()
                .tls(certificates.certificate(), certificates.key(), certificates.authority())
                .password("s3cret")
                .directives("cluster-announce-hostname localhost", "cluster-preferred-endpoint-type hostname")
                .start());
        ClientOptions options = ClientOptions.builder()
                .sslOptions(SslOptions.builder()
                        .jdkSslProvider()
                        .trustManager(certificates.authority().toFile())
                        .build())
                .build();
        String seed = "rediss-cluster://:s3cret@localhost:"
                + cluster.primaries().get(0).port();

        Site site = new Site(
                NodesOnRedis.patient(seed).clientOptions(options).build(),
                NodesOnRedis.patient(seed).clientOptions(options).build());

        site.assertWorks(cluster);
        assertThat(site.here.health().primaries())
                .containsOnlyKeys(cluster.primaries().stream()
                        .map(primary -> "localhost:" + primary.port())
                        .toList());
    }

    /** They are named by an address in the settings, and announce names. */
    @Test
    void namesThatDifferFromTheSettingsAreFollowed() {
        RedisCluster cluster = open(RedisCluster.builder()
                .directives("cluster-announce-hostname localhost", "cluster-preferred-endpoint-type hostname")
                .start());
        Site site = site(cluster);

        site.assertWorks(cluster);
        RedisServer old = cluster.primaries().get(0);
        RedisServer promoted = cluster.replicasOf(old).get(0);
        cluster.failOver(promoted, Failover.ORDERLY);

        site.assertWorks(cluster);
        assertThat(site.here.health().primaries())
                .containsKey("localhost:" + promoted.port())
                .doesNotContainKey("localhost:" + old.port());
    }

    @Test
    void serversAreReachedByIpv6() {
        assumeTrue(RedisCluster.Builder.hasIpv6(), "this machine has no address ::1");
        RedisCluster cluster = open(RedisCluster.builder().ipv6().start());
        Site site = site(cluster);

        site.assertWorks(cluster);
        RedisServer old = cluster.primaryOf("{user:nodes}");
        cluster.failOver(cluster.replicasOf(old).get(0), Failover.ORDERLY);
        cluster.moveSlot(cluster.slotOf("user:1:status"), old(cluster, "user:1:status"));

        site.assertWorks(cluster);
        assertThat(site.here.health().primaries())
                .containsOnlyKeys(cluster.primaries().stream()
                        .map(primary -> "[::1]:" + primary.port())
                        .toList());
    }

    /** A primary that does not have the key. */
    private static RedisServer old(RedisCluster cluster, String key) {
        RedisServer owner = cluster.primaryOf(key);
        return cluster.primaries().stream()
                .filter(primary -> !primary.equals(owner))
                .findFirst()
                .orElseThrow();
    }

    /**
     * A replica has got the name of its primary, and then its slots. The connections to that name are healthy, and lead to where it was: that server sends callers
     * to the name.
     */
    @Test
    void aServerThatHasGotTheNameOfAnotherIsReached() {
        RedisCluster cluster = open(RedisCluster.builder().proxied().start());
        Site site = site(cluster);
        site.assertWorks(cluster, Grade.CONFIRMED);
        RedisServer old = cluster.primaryOf("{user:nodes}");
        RedisServer next = cluster.replicasOf(old).get(0);
        int name = cluster.portOf(old);
        int otherName = cluster.portOf(next);

        // As a look-up goes on to find the old address for a while.
        var unused = ask(next, redis -> redis.configSet("cluster-announce-port", Integer.toString(name)));
        unused = ask(old, redis -> redis.configSet("cluster-announce-port", Integer.toString(otherName)));
        // The replica finds itself where its primary should be.
        cluster.failOver(next, Failover.FORCE);
        await().until(() -> !site.here.health().isWell() && !site.there.health().isWell());
        cluster.proxyOf(old).pointTo(next.host(), next.port());
        cluster.proxyOf(next).pointTo(old.host(), old.port());

        await().atMost(PATIENCE)
                .until(() -> site.here.health().isWell() && site.there.health().isWell());
        // Two servers have changed their names: replicas may not be known by those that they announce.
        site.assertWorks(cluster, Grade.ON_PRIMARY, Grade.CONFIRMED);
        assertThat(site.here.health().primaries()).containsKey("127.0.0.1:" + name);
        List<String> register = ask(next, redis -> redis.keys("{user:nodes}*"));
        assertThat(register).isNotEmpty();
    }

    /** With the rights of the guide for a Cluster with replicas. */
    @Test
    void theAccountOfTheGuideIsEnough() throws IOException {
        RedisCluster cluster = open(RedisCluster.builder()
                .password("operator")
                .directives("user usher " + rights())
                .start());
        String account = cluster.uri().replace("//", "//usher:" + SECRET + "@");
        Site site = new Site(
                NodesOnRedis.patient(account).build(),
                NodesOnRedis.patient(account).build());

        site.assertWorks(cluster);
        RedisServer old = cluster.primaryOf("{user:nodes}");
        cluster.failOver(cluster.replicasOf(old).get(0), Failover.ORDERLY);
        int slot = cluster.slotOf("user:1:status");
        cluster.beginMove(slot, old(cluster, "user:1:status"));
        // Its guard is not there: the fence follows it.
        assertThat(site.cacheHere.invalidate(1L)).isTrue();
        site.assertWorks(cluster);
        assertThat(site.here.flush()).succeedsWithin(PATIENCE);

        assertThat(site.here.health().lag()).isEqualTo(Duration.ofMillis(1500));
        for (RedisServer server : cluster.servers()) {
            List<String> refused = withPassword(server, "operator", RedisCommands::aclLog).stream()
                    .map(entry -> String.valueOf(entry.get("object")))
                    // Of the client library, and not known to each server.
                    .filter(object -> !object.startsWith("client|"))
                    .toList();
            assertThat(refused).as("what was refused").isEmpty();
        }
    }

    /** Those of all blocks of the guide for this set-up, as words of a configuration. */
    private static String rights() throws IOException {
        return RIGHTS.matcher(Files.readString(GUIDE))
                .results()
                .flatMap(line -> Stream.of(line.group(1).split(" ")))
                .filter(word -> !word.matches("\\+(client\\|(setinfo|maint_notifications)|select|psetex|@all)"))
                .distinct()
                .collect(Collectors.joining(" "));
    }

    /** Two nodes. */
    private final class Site {

        private final UserCaches here;
        private final UserCaches there;
        private final UserCache<Long, UserProfile> cacheHere;
        private final UserCache<Long, UserProfile> cacheThere;
        private final UserStatusCache<Long> statusesHere;
        private final UserStatusCache<Long> statusesThere;

        private Site(UserCaches here, UserCaches there) {
            this.here = open(here);
            this.there = open(there);
            await().atMost(PATIENCE)
                    .until(() -> here.health().nearOpen() && there.health().nearOpen());
            this.cacheHere = here.cache(UserProfile.FACET, Long.class, table);
            this.cacheThere = there.cache(UserProfile.FACET, Long.class, table);
            this.statusesHere = statusesOf(here);
            this.statusesThere = statusesOf(there);
        }

        private UserStatusCache<Long> statusesOf(UserCaches node) {
            return new UserStatusCache<>(node.cache(UserStatus.FACET, Long.class, ids -> {
                Map<Long, UserStatus> found = new ConcurrentHashMap<>(statuses);
                found.keySet().retainAll(ids);
                return found;
            }));
        }

        /** Users of each primary are cached, changes are seen, and bans are confirmed by both nodes and all replicas. */
        private void assertWorks(RedisCluster cluster) {
            assertWorks(cluster, Grade.CONFIRMED);
        }

        private void assertWorks(RedisCluster cluster, Grade... bans) {
            Map<RedisServer, Long> ids = LongStream.range(1, 100)
                    .boxed()
                    .collect(Collectors.toMap(
                            id -> cluster.primaryOf("user:" + id + ":profile"), id -> id, (first, second) -> first));
            assertThat(ids).hasSameSizeAs(cluster.primaries());
            ids.values().forEach(id -> {
                table.put(id, profile());
                assertThat(cacheHere.invalidate(id)).isTrue();
                await().atMost(PATIENCE).untilAsserted(() -> {
                    cacheThere.find(id);
                    long hits = cacheThere.stats().nearHits();
                    cacheThere.find(id);
                    assertThat(cacheThere.stats().nearHits()).isGreaterThan(hits);
                });
                UserProfile after = profile();
                table.put(id, after);
                assertThat(cacheHere.invalidate(id)).isTrue();
                await().atMost(Duration.ofSeconds(2))
                        .untilAsserted(() -> assertThat(cacheThere.find(id)).contains(after));
                await().atMost(PATIENCE).untilAsserted(() -> {
                    statuses.put(id, UserStatus.ENABLED);
                    assertThat(statusesHere.invalidate(id)).isTrue();
                    RevocationReceipt receipt = statusesHere.disable(id, () -> statuses.put(id, UserStatus.DISABLED));
                    assertThat(receipt.grade()).as(receipt.toString()).isIn((Object[]) bans);
                    assertThat(receipt.nodesConfirmed()).hasSize(2);
                });
                assertThat(statusesThere.isEnabled(id)).isFalse();
            });
        }
    }

    private Site site(RedisCluster cluster) {
        return new Site(
                NodesOnRedis.patient(cluster.uri()).build(),
                NodesOnRedis.patient(cluster.uri()).build());
    }

    private static UserProfile profile() {
        return new UserProfile("13800000000", "Ann " + version++, "", false, "", "");
    }

    private static <T> T ask(RedisServer server, Function<RedisCommands<String, String>, T> question) {
        return withPassword(server, "", question);
    }

    private static <T> T withPassword(
            RedisServer server, String password, Function<RedisCommands<String, String>, T> question) {
        RedisURI uri = RedisURI.create(server.uri());
        if (!password.isEmpty()) {
            uri = RedisURI.builder(uri).withPassword(password.toCharArray()).build();
        }
        RedisClient client = RedisClient.create(uri);
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            return question.apply(connection.sync());
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private <T extends AutoCloseable> T open(T closeable) {
        opened.add(closeable);
        return closeable;
    }
}
