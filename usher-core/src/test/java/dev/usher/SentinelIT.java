package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Nodes on a Redis whose primary is named by its Sentinels. */
@Tag("servers")
class SentinelIT {

    private static final Duration BOUND = Duration.ofSeconds(5);

    private final Table table = new Table();
    private final List<AutoCloseable> opened = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (int i = opened.size(); i-- > 0; ) {
            opened.get(i).close();
        }
    }

    @Test
    void aFailoverThatIsAskedForIsFollowed() {
        SentinelGroup group = open(SentinelGroup.builder().start());
        UserCache<Long, UserProfile> here = cacheOf(node(group.uri()));
        UserCache<Long, UserProfile> there = cacheOf(node(group.uri()));
        assertChangesAreSeen(here, there);

        RedisServer promoted = group.failOver();

        awaitAdopted(group, promoted);
        assertChangesAreSeen(here, there);
        assertThat(keysOf(promoted)).contains("user:42:profile");
        await().untilAsserted(() -> assertThat(opened)
                .filteredOn(UserCaches.class::isInstance)
                .allSatisfy(node -> assertHealthNames(promoted, ((UserCaches) node).health())));
    }

    private static void assertHealthNames(RedisServer promoted, CachesHealth health) {
        assertThat(health.topology()).isEqualTo(CachesHealth.Topology.SENTINEL);
        assertThat(health.primary()).isEqualTo(promoted.host() + ":" + promoted.port());
        assertThat(health.role()).isEqualTo(CachesHealth.Role.PRIMARY);
        assertThat(health.replicas()).isNotNull();
        assertThat(health.unfenced()).isNull();
        assertThat(health.lag()).isZero();
    }

    @Tag("thorough") // one that is frozen is replaced in mvn verify
    @Test
    void aPrimaryThatIsKilledIsReplaced() {
        SentinelGroup group = open(SentinelGroup.builder().start());
        UserCache<Long, UserProfile> here = cacheOf(node(group.uri()));
        UserCache<Long, UserProfile> there = cacheOf(node(group.uri()));
        assertChangesAreSeen(here, there);
        RedisServer old = group.primary();

        old.kill();
        RedisServer promoted = group.awaitFailover(old);

        awaitAdopted(group, promoted);
        assertChangesAreSeen(here, there);
    }

    /** It was confirmed by a server that was cut off already, and the new primary still has the old value. */
    @Tag("thorough")
    @Test
    void whatTheOldPrimaryHadConfirmedLastIsSentToTheNewOne() {
        SentinelGroup group = open(SentinelGroup.builder()
                .proxied()
                .downAfter(Duration.ofSeconds(3))
                .start());
        UserCache<Long, UserProfile> node = cacheOf(node(group.uri()));
        table.put(42L, profile());
        assertThat(node.find(42L)).isPresent();
        RedisServer old = group.primary();
        await().until(() ->
                group.replicas().stream().allMatch(replica -> keysOf(replica).contains("user:42:profile")));

        group.isolate(old);
        assertThat(node.invalidate(42L)).isTrue();
        assertThat(keysOf(old)).doesNotContain("user:42:profile");
        RedisServer promoted = group.awaitFailover(old);

        await().untilAsserted(() -> assertThat(keysOf(promoted)).doesNotContain("user:42:profile"));
    }

    /** The old primary takes reads and writes for ten seconds, until the Sentinels make it a replica. */
    @Tag("thorough")
    @Test
    void aFrozenPrimaryThatWasReplacedIsNotBelievedWhenItGoesOn() {
        SentinelGroup group = open(SentinelGroup.builder().start());
        // Its connections would be given up for their silence, and made anew.
        UserCache<Long, UserProfile> here = cacheOf(open(patient(group.uri().replace("#", "?clientName=here#"))
                .timing(Timing.STANDARD.withSilence(Duration.ofMinutes(1)))
                .build()));
        UserCache<Long, UserProfile> there = cacheOf(node(group.uri()));
        assertChangesAreSeen(here, there);
        RedisServer old = group.primary();

        old.freeze();
        RedisServer promoted = group.awaitFailover(old);
        old.thaw();

        // Before the Sentinels make it a replica, and end its connections by that.
        await().atMost(Duration.ofSeconds(5)).untilAsserted(() -> {
            assertThat(clientsOf(old)).contains("cmd=client").doesNotContain("name=here");
            assertThat(clientsOf(promoted)).contains("name=here");
        });
        awaitAdopted(group, promoted);
        assertChangesAreSeen(here, there);
    }

    @Test
    void withoutAMajorityMemoryClosesAndOpensAgain() {
        SentinelGroup group =
                open(SentinelGroup.builder().downAfter(Duration.ofMinutes(1)).start());
        UserCaches node = node(group.uri());
        cacheOf(node);
        List<RedisServer> most = group.sentinels().subList(0, 2);

        most.forEach(RedisServer::freeze);

        await().untilAsserted(() -> {
            CachesHealth health = node.health();
            assertThat(health.watermarkAge()).isGreaterThan(Duration.ofSeconds(2));
            assertThat(health.redis()).isEqualTo(CachesHealth.Redis.FAILING);
            assertThat(health.lastError())
                    .startsWith("no majority of its Sentinels names a primary: 1 of 3 name ")
                    .contains(most.get(0).host() + ":" + most.get(0).port() + " ");
            assertThat(health.isWell()).isFalse();
        });
        most.forEach(RedisServer::thaw);
        await().untilAsserted(() -> {
            assertThat(node.health().watermarkAge()).isLessThan(Duration.ofSeconds(1));
            assertThat(node.health().isWell()).isTrue();
        });
    }

    /** A majority of those that the settings name is none of all: two nodes that name different ones could believe two primaries. */
    @Test
    void sentinelsThatTheSettingsDoNotNameAreLearnedAndCounted() {
        SentinelGroup group =
                open(SentinelGroup.builder().downAfter(Duration.ofMinutes(1)).start());
        RedisServer named = group.sentinels().get(0);
        UserCaches node = node("redis-sentinel://" + named.host() + ":" + named.port() + "#" + group.name());
        await().untilAsserted(() -> assertThat(node.health().sentinels()).startsWith("3 of 3 name "));

        named.kill();
        await().untilAsserted(() -> assertThat(node.health().sentinels())
                .startsWith("2 of 3 name ")
                .contains(named.host() + ":" + named.port() + " is not connected"));
        await().until(() -> node.health().isWell());

        group.sentinels().get(1).kill();
        await().untilAsserted(() -> assertThat(node.health().isWell()).isFalse());
        assertThat(node.health().lastError()).contains("1 of 3 name ");
    }

    @Test
    void passwordsOfRedisAndOfItsSentinelsAreTold() {
        SentinelGroup group = open(SentinelGroup.builder()
                .password("s3cret")
                .sentinelPassword("pr1vate")
                .start());
        RedisURI uri = RedisURI.create(group.uri().replace("//", "//:s3cret@"));
        List<String> lines = LogLines.of("dev.usher", () -> {
            UserCaches refused = open(UserCaches.builder().redis(uri).build());
            await().untilAsserted(() -> assertThat(refused.health().lastError()).contains("NOAUTH"));
            assertThat(refused.health().toString()).doesNotContain("s3cret", "pr1vate");
        });
        assertThat(lines.toString()).contains("NOAUTH").doesNotContain("s3cret", "pr1vate");

        uri.getSentinels()
                .forEach(sentinel -> sentinel.setCredentialsProvider(RedisURI.builder(sentinel)
                        .withPassword("pr1vate".toCharArray())
                        .build()
                        .getCredentialsProvider()));
        UserCaches node = open(patient(group.uri()).redis(uri).build());
        await().until(() -> node.health().isWell());
    }

    @Test
    void aNameThatNoSentinelKnowsIsSaid() {
        SentinelGroup group = open(SentinelGroup.builder().replicas(0).start());
        UserCaches node = open(UserCaches.builder()
                .redis(group.uri().replace("#mymaster", "#other"))
                .build());

        assertThat(node.health().lastError())
                .contains("no majority of its Sentinels names a primary: none of 3 names one;")
                .contains("knows no primary of the name other");
    }

    @Test
    void aRedisThatIsGivenAsASentinelIsSaid() {
        RedisServer redis = open(RedisServer.start());
        UserCaches node = open(UserCaches.builder()
                .redis("redis-sentinel://" + redis.host() + ":" + redis.port() + "#mymaster")
                .build());

        assertThat(node.health().lastError()).contains(redis.host() + ":" + redis.port() + " is no Sentinel");
    }

    @Test
    void aSentinelThatIsGivenAsARedisIsSaid() {
        SentinelGroup group =
                open(SentinelGroup.builder().replicas(0).sentinels(1).start());
        RedisServer sentinel = group.sentinels().get(0);
        List<String> lines = LogLines.of("dev.usher.redis.ServerFacts", () -> {
            UserCaches node = open(UserCaches.builder().redis(sentinel.uri()).build());
            assertThat(node.health().unfitServer()).startsWith("is a Sentinel, which stores nothing");
        });

        assertThat(lines)
                .anyMatch(line -> line.startsWith("Redis at " + sentinel.host() + ":" + sentinel.port()
                        + " is a Sentinel, which stores nothing. Name all Sentinels"));
    }

    @Test
    void aSentinelThatIsGivenAsARedisIsSaidWhereItTakesThePassword() {
        SentinelGroup group = open(SentinelGroup.builder()
                .replicas(0)
                .sentinels(1)
                .sentinelPassword("pr1vate")
                .start());
        String uri = group.sentinels().get(0).uri();

        UserCaches right = open(patient(uri.replace("//", "//:pr1vate@")).build());
        UserCaches wrong = open(patient(uri.replace("//", "//:wr0ng@")).build());
        UserCaches without = open(patient(uri).build());

        await().untilAsserted(() -> {
            assertThat(right.health().unfitServer()).startsWith("is a Sentinel, which stores nothing");
            assertThat(wrong.health().lastError()).isEqualTo("cannot be reached: WRONGPASS");
            assertThat(without.health().lastError()).isEqualTo("cannot be reached: NOAUTH");
        });
    }

    @Test
    void aSentinelWithoutAPasswordTakesAnyAndIsSaid() {
        SentinelGroup group =
                open(SentinelGroup.builder().replicas(0).sentinels(1).start());

        UserCaches node = open(patient(group.sentinels().get(0).uri().replace("//", "//:s3cret@"))
                .build());

        await().untilAsserted(() ->
                assertThat(node.health().unfitServer()).startsWith("is a Sentinel, which stores nothing"));
    }

    @Test
    void aPrimaryThatTakesWritesForLongerThanTheSentinelsWaitIsSaid() {
        SentinelGroup group = open(SentinelGroup.builder()
                .minReplicasToWrite(1)
                .downAfter(Duration.ofSeconds(5))
                .directives("min-replicas-max-lag 3")
                .start());
        UserCaches node = node(group.uri());

        await().untilAsserted(
                        () -> assertThat(node.health().riskyFailover())
                                .isEqualTo(
                                        "min-replicas-max-lag of 3 s, and 2 s more, is not below down-after-milliseconds of 5000: a primary"
                                                + " that is cut off still takes writes when the Sentinels replace it, and they are lost"));
        assertThat(node.health().isWell()).isFalse();
    }

    @Test
    void sentinelsAreReachedByIpv6() {
        SentinelGroup group = open(
                SentinelGroup.builder().sentinelDirectives("bind 127.0.0.1 ::1").start());

        UserCaches node = node(group.uri().replace("127.0.0.1", "[::1]"));

        await().until(() -> node.health().isWell());
        assertThat(node.health().sentinels()).startsWith("3 of 3 name 127.0.0.1:");
    }

    private void awaitAdopted(SentinelGroup group, RedisServer promoted) {
        String address = promoted.host() + ":" + group.portOf(promoted);
        await().untilAsserted(() -> assertThat(opened)
                .filteredOn(UserCaches.class::isInstance)
                .allSatisfy(node -> {
                    CachesHealth health = ((UserCaches) node).health();
                    assertThat(health.sentinels()).endsWith(" name " + address);
                    assertThat(health.watermarkAge()).isLessThan(Duration.ofSeconds(1));
                }));
    }

    /** A node answers from memory, and knows a change that another announces; in both directions. */
    private void assertChangesAreSeen(UserCache<Long, UserProfile> here, UserCache<Long, UserProfile> there) {
        for (UserCache<Long, UserProfile> announcing : List.of(here, there)) {
            UserProfile before = profile();
            table.put(42L, before);
            // A change from before a failover may still be on its way.
            await().untilAsserted(() -> {
                assertThat(announcing.invalidate(42L)).isTrue();
                assertThat(here.find(42L)).contains(before);
                assertThat(there.find(42L)).contains(before);
            });
            await().until(() -> answersFromMemory(here) && answersFromMemory(there));

            UserProfile after = profile();
            table.put(42L, after);
            assertThat(announcing.invalidate(42L)).isTrue();

            // Within less than the bound, after which memory is not believed.
            await().atMost(BOUND.dividedBy(2)).untilAsserted(() -> {
                assertThat(here.find(42L)).contains(after);
                assertThat(there.find(42L)).contains(after);
            });
        }
    }

    private static boolean answersFromMemory(UserCache<Long, UserProfile> cache) {
        long hits = cache.stats().nearHits();
        cache.find(42L);
        return cache.stats().nearHits() > hits;
    }

    private static int version;

    private static UserProfile profile() {
        return new UserProfile("13800000000", "Ann " + version++, "", false, "", "");
    }

    private static List<String> keysOf(RedisServer server) {
        return ask(server, redis -> redis.keys("*"));
    }

    private static String clientsOf(RedisServer server) {
        return ask(server, RedisCommands::clientList);
    }

    private static <T> T ask(RedisServer server, Function<RedisCommands<String, String>, T> question) {
        RedisClient client = RedisClient.create(server.uri());
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            return question.apply(connection.sync());
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private UserCaches node(String uri) {
        UserCaches node = open(patient(uri).build());
        await().until(() -> node.health().nearOpen());
        return node;
    }

    private UserCache<Long, UserProfile> cacheOf(UserCaches node) {
        return node.cache(UserProfile.FACET, Long.class, table);
    }

    private static UserCaches.Builder patient(String uri) {
        return UserCaches.builder().redis(uri).commandTimeout(Duration.ofMillis(500));
    }

    private <T extends AutoCloseable> T open(T closeable) {
        opened.add(closeable);
        return closeable;
    }
}
