package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CoherenceChecker.Spread;
import dev.usher.redis.Fleet;
import dev.usher.redis.NodeRegister;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What a fleet of nodes costs one Redis, or each primary of a Cluster, and how long a ban over all of them takes. One is a whole node, which bans; some have the connections and the heartbeats of
 * the product; and the others only send what these send, so that the machine has time for Redis.
 *
 * <p>{@code ./usher dev fleet} measures a thousand nodes, and fails when a target is missed; {@code ./usher dev fleet cluster} does so on a Cluster.
 */
@Tag("thorough") // measures; FleetIT counts in mvn verify
class FleetTimesIT {

    /** Whether this is the command, whose figures have targets. */
    private static final boolean IS_MEASURED = System.getProperty("usher.fleet") != null;

    private static final int NODES = Integer.getInteger("usher.fleet", 100);
    private static final int OF_THE_PRODUCT = Math.min(NODES, 20);
    private static final int BANS = IS_MEASURED ? 30 : 3;
    private static final int BANS_IN_A_ROW = IS_MEASURED ? 200 : 20;

    /** On a machine that is too small or too busy, there are fewer. */
    private static final Duration MAX_IN_A_ROW = Duration.ofSeconds(30);

    private static final int MANY = IS_MEASURED ? 10_000 : 1_000;
    private static final Duration REST = Duration.ofSeconds(IS_MEASURED ? 15 : 2);
    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private static final double MAX_CORE = 0.15;
    private static final Duration MAX_BAN = Duration.ofMillis(250);

    /** Each heartbeat calls it once. */
    static final String ONCE_IN_A_HEARTBEAT = "getex";

    /** The script of an entry calls it once. */
    static final String ONCE_IN_AN_ENTRY = "zincrby";

    private final BannedUsers users = new BannedUsers();
    private long nextUser = 1;

    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void aFleetOnOneRedis() throws Exception {
        RedisClient client = RedisClient.create();
        try (RedisServer server = RedisServer.start();
                UserCaches caches = UserCaches.builder()
                        .redis(server.uri())
                        .commandTimeout(Duration.ofSeconds(5))
                        .build()) {
            UserStatusCache<Long> statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, users));
            RedisCommands<String, String> redis =
                    client.connect(RedisURI.create(server.uri())).sync();
            try (Fleet fleet = Fleet.start(
                    server.uri(), "user", OF_THE_PRODUCT, NODES - OF_THE_PRODUCT, UserStatus.FACET.name(), BOUND)) {
                NodeRegister register = caches.engine().shared().register();
                await().atMost(Duration.ofSeconds(60)).until(() -> register.isComplete(BOUND));
                print(
                        "a fleet of %,d nodes on one Redis, which shares %d cores with them; the load of the machine is %.1f",
                        NODES + 1,
                        Runtime.getRuntime().availableProcessors(),
                        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());

                double atRest = rest(redis);
                List<RevocationReceipt> receipts = new ArrayList<>();
                double withBans = banEachSecond(redis, statuses, receipts);
                banInARow(redis, statuses);
                banMany(redis, statuses);
                askForBanned(statuses);
                killOne(fleet, redis, statuses);

                if (IS_MEASURED) {
                    assertThat(atRest).as("of a core, at rest").isLessThan(MAX_CORE);
                    assertThat(withBans).as("of a core, with bans").isLessThan(MAX_CORE);
                    assertThat(spreadOf(receipts).p99())
                            .as("p99 of a ban a second")
                            .isLessThan(MAX_BAN);
                }
            }
        } finally {
            client.shutdown();
        }
    }

    /** Each node has heartbeats on all primaries, and its entry on one. */
    @Test
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void aFleetOnACluster() throws Exception {
        RedisClient client = RedisClient.create();
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).start();
                UserCaches caches = UserCaches.builder()
                        .redis(cluster.uri())
                        .commandTimeout(Duration.ofSeconds(5))
                        .build()) {
            UserStatusCache<Long> statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, users));
            RedisServer ofRegister = cluster.primaryOf("{user:nodes}");
            Map<String, RedisCommands<String, String>> primaries = new LinkedHashMap<>();
            for (RedisServer primary : cluster.primaries()) {
                primaries.put(
                        primary.equals(ofRegister) ? "with the register" : "on port " + primary.port(),
                        client.connect(RedisURI.create(primary.uri())).sync());
            }
            try (Fleet fleet = Fleet.start(
                    cluster.uri(), "user", OF_THE_PRODUCT, NODES - OF_THE_PRODUCT, UserStatus.FACET.name(), BOUND)) {
                NodeRegister register = caches.engine().shared().register();
                await().atMost(Duration.ofSeconds(60)).until(() -> register.isComplete(BOUND));
                // As the node knows the primaries for so long, it confirms.
                await().atMost(Duration.ofSeconds(60))
                        .until(() -> banOne(statuses).confirmed());
                print(
                        "a fleet of %,d nodes on a Cluster of three, which shares %d cores with them; the load of the machine is %.1f",
                        fleet.open() + 1,
                        Runtime.getRuntime().availableProcessors(),
                        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());

                letPass(Duration.ofSeconds(2));
                Map<String, RedisLoad> before = loadOf(primaries);
                letPass(REST);
                report("at rest", before, loadOf(primaries));

                List<RevocationReceipt> receipts = new ArrayList<>();
                Map<String, RedisLoad> rested = loadOf(primaries);
                for (int ban = 0; ban < BANS; ban++) {
                    long at = System.nanoTime();
                    receipts.add(banOne(statuses));
                    letPass(Duration.ofSeconds(1).minusNanos(System.nanoTime() - at));
                }
                report("with a ban a second", rested, loadOf(primaries));
                print("  a ban: %s", spreadOf(receipts));
                assertThat(receipts)
                        .allSatisfy(receipt -> assertThat(receipt.confirmed()).isTrue());
                if (IS_MEASURED) {
                    assertThat(receipts).allSatisfy(this::requireConfirmedByAll);
                }
            }
        } finally {
            client.shutdown();
        }
    }

    private static Map<String, RedisLoad> loadOf(Map<String, RedisCommands<String, String>> primaries) {
        Map<String, RedisLoad> loads = new LinkedHashMap<>();
        primaries.forEach((name, primary) -> loads.put(name, RedisLoad.of(primary)));
        return loads;
    }

    private static void report(String how, Map<String, RedisLoad> before, Map<String, RedisLoad> after) {
        before.forEach(
                (name, load) -> report(how + ", the primary " + name, load, Objects.requireNonNull(after.get(name))));
    }

    private double rest(RedisCommands<String, String> redis) throws InterruptedException {
        letPass(Duration.ofSeconds(2));
        RedisLoad before = RedisLoad.of(redis);
        letPass(REST);
        RedisLoad after = RedisLoad.of(redis);
        report("at rest", before, after);
        return after.coreSince(before);
    }

    private double banEachSecond(
            RedisCommands<String, String> redis, UserStatusCache<Long> statuses, List<RevocationReceipt> receipts)
            throws InterruptedException {
        RedisLoad before = RedisLoad.of(redis);
        for (int ban = 0; ban < BANS; ban++) {
            long at = System.nanoTime();
            receipts.add(banOne(statuses));
            letPass(Duration.ofSeconds(1).minusNanos(System.nanoTime() - at));
        }
        RedisLoad after = RedisLoad.of(redis);
        report("with a ban a second", before, after);
        print("  a ban: %s", spreadOf(receipts));
        assertThat(receipts).allSatisfy(this::requireConfirmedByAll);
        return after.coreSince(before);
    }

    private void banInARow(RedisCommands<String, String> redis, UserStatusCache<Long> statuses) {
        RedisLoad before = RedisLoad.of(redis);
        List<RevocationReceipt> receipts = new ArrayList<>();
        while (receipts.size() < BANS_IN_A_ROW && System.nanoTime() - before.at() < MAX_IN_A_ROW.toNanos()) {
            receipts.add(banOne(statuses));
        }
        RedisLoad after = RedisLoad.of(redis);
        report(receipts.size() + " bans, one after the other", before, after);
        print("  a ban: %s", spreadOf(receipts));
        assertThat(receipts)
                .allSatisfy(receipt -> assertThat(receipt.confirmed()).isTrue());
    }

    private void banMany(RedisCommands<String, String> redis, UserStatusCache<Long> statuses) {
        List<Long> ids = LongStream.range(nextUser, nextUser + MANY).boxed().toList();
        nextUser += MANY;
        RedisLoad before = RedisLoad.of(redis);
        RevocationReceipt receipt = statuses.disableAll(ids, () -> users.ban(ids));
        RedisLoad after = RedisLoad.of(redis);
        print(
                "%,d bans at once: %d ms, %s by %,d nodes; Redis %.0f ms, %.1f MB to the nodes",
                MANY,
                receipt.took().toMillis(),
                receipt.confirmed() ? "confirmed" : "not confirmed (" + receipt.reason() + ")",
                receipt.nodesConfirmed().size(),
                (after.cpuSeconds() - before.cpuSeconds()) * 1e3,
                (after.bytesOut() - before.bytesOut()) / 1e6);
        assertThat(receipt.confirmed()).isTrue();
        if (IS_MEASURED) {
            requireConfirmedByAll(receipt);
        }
    }

    private void askForBanned(UserStatusCache<Long> statuses) throws InterruptedException {
        long id = nextUser++;
        requireConfirmedByAll(statuses.disable(id, () -> users.ban(id)));
        int queries = users.queriesFor(id);
        long from = System.nanoTime();
        int asked = 0;
        while (System.nanoTime() - from < REST.toNanos() / 2) {
            assertThat(statuses.isEnabled(id)).isFalse();
            asked++;
            letPass(Duration.ofMillis(1));
        }
        double seconds = (System.nanoTime() - from) / 1e9;
        print(
                "a banned client: %.0f requests/s, %.2f queries/s",
                asked / seconds, (users.queriesFor(id) - queries) / seconds);
    }

    private void killOne(Fleet fleet, RedisCommands<String, String> redis, UserStatusCache<Long> statuses) {
        long connections = connections(redis);
        fleet.kill(0);
        await().until(() -> connections(redis) <= connections - 2); // until then it sees bans
        List<RevocationReceipt> receipts = new ArrayList<>();
        for (int ban = 0; ban < 10; ban++) {
            receipts.add(banOne(statuses));
        }
        print(
                "one node killed: the first ban %d ms, the next ones %s",
                receipts.get(0).took().toMillis(), spreadOf(receipts.subList(1, receipts.size())));
        assertThat(receipts)
                .allSatisfy(receipt -> assertThat(receipt.confirmed()).isTrue());
        assertThat(receipts.get(0).nodesWaitedOut()).hasSize(1);
        assertThat(receipts.subList(1, receipts.size()))
                .allSatisfy(receipt -> assertThat(receipt.nodesWaitedOut()).isEmpty());
    }

    private static long connections(RedisCommands<String, String> redis) {
        return redis.clientList().lines().count();
    }

    private RevocationReceipt banOne(UserStatusCache<Long> statuses) {
        long id = nextUser++;
        return statuses.disable(id, () -> users.ban(id));
    }

    private void requireConfirmedByAll(RevocationReceipt receipt) {
        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.nodesConfirmed()).hasSize(NODES + 1);
    }

    private static Spread spreadOf(List<RevocationReceipt> receipts) {
        return Spread.of(
                receipts.stream().mapToLong(receipt -> receipt.took().toNanos()).toArray());
    }

    private static void report(String how, RedisLoad before, RedisLoad after) {
        print(
                "%s: %.1f %% of a core by INFO cpu; %.0f heartbeats/s, %.0f entries/s; %.0f KB/s to the nodes",
                how,
                after.coreSince(before) * 100,
                after.callsSince(before, ONCE_IN_A_HEARTBEAT) / after.secondsSince(before),
                after.callsSince(before, ONCE_IN_AN_ENTRY) / after.secondsSince(before),
                (after.bytesOut() - before.bytesOut()) / 1e3 / after.secondsSince(before));
        System.out.println(after.longestSince(before, 8));
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency
    private static void print(String format, Object... figures) {
        System.out.println(String.format(Locale.ROOT, format, figures));
    }

    private static void letPass(Duration duration) throws InterruptedException {
        if (!duration.isNegative()) {
            assertThat(new CountDownLatch(1).await(duration.toNanos(), TimeUnit.NANOSECONDS))
                    .isFalse();
        }
    }
}
