package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.Fleet;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * What each node of a fleet asks of Redis and of the source, counted; so that a thousand of them ask for a thousand times as much, and not for more.
 * {@code ./usher dev fleet} measures that.
 */
class FleetIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();
    private static final int NODES = Thorough.pick(50, 20);
    private static final int BANS = 10;
    private static final Duration REST = Thorough.pick(Duration.ofSeconds(5), Duration.ofSeconds(1));

    private static final String ONCE_IN_A_LOOK = "getrange";

    /** What heartbeats, entries and pulses consist of. */
    private static final List<String> COMMANDS = List.of(
            ONCE_IN_A_LOOK,
            FleetTimesIT.ONCE_IN_A_HEARTBEAT,
            "ping",
            "time",
            "evalsha",
            FleetTimesIT.ONCE_IN_AN_ENTRY,
            "hmget",
            "zadd",
            "set",
            "pexpire");

    /** A heartbeat's answers take some 300 bytes; a push some 70, and each node would have one for each entry of the others. */
    private static final int MAX_BYTES = 1000;

    /** The shortest time between two entries of a node that no ban asks for. */
    private static final double ENTRY_SECONDS = 0.75 * 0.5;

    private final BannedUsers users = new BannedUsers();

    /** A fleet, and what it has cost. */
    private final class Measured implements AutoCloseable {

        private final RedisClusterCommands<String, String> commands;
        private final UserCaches caches;
        private final UserStatusCache<Long> statuses;
        private final Fleet fleet;

        private Measured(RedisServer at, RedisClusterCommands<String, String> commands, int ofTheProduct, int light) {
            this.commands = commands;
            this.caches = patient(at.uri()).build();
            this.statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, users));
            this.fleet = Fleet.start(at.uri(), "user", ofTheProduct, light, UserStatus.FACET.name(), BOUND);
        }

        private boolean isReady() {
            return fleet.open() == NODES
                    && caches.engine().shared().register().isComplete(BOUND)
                    && commands.zcard("{user:nodes}:seen") == NODES + 2; // with this one, and the mark of the register
        }

        private void ban() {
            long revocations = fleet.revocations();
            for (long id = 1; id <= BANS; id++) {
                long banned = id;
                RevocationReceipt receipt = statuses.disable(banned, () -> users.ban(banned));
                assertThat(receipt.confirmed()).isTrue();
                assertThat(receipt.nodesConfirmed()).hasSize(NODES + 1);
            }
            assertThat(fleet.revocations() - revocations).isEqualTo((long) NODES * BANS);
        }

        private RedisLoad load() {
            return RedisLoad.of(commands);
        }

        @Override
        public void close() {
            fleet.close();
            caches.close();
        }
    }

    @Test
    void whatANodeCostsRedisDoesNotGrowWithTheNumberOfNodesNorWithTheirKind() {
        RedisClient client = RedisClient.create();
        try (RedisServer other = RedisServer.start();
                Measured nodes = new Measured(server, redis, NODES, 0);
                Measured lightNodes = new Measured(
                        other, client.connect(RedisURI.create(other.uri())).sync(), 0, NODES)) {
            await().atMost(Duration.ofSeconds(30)).until(() -> nodes.isReady() && lightNodes.isReady());

            RedisLoad before = nodes.load();
            RedisLoad lightBefore = lightNodes.load();
            await().pollDelay(REST).until(() -> nodes.load().callsSince(before, ONCE_IN_A_LOOK) > 3L * NODES);
            RedisLoad rested = nodes.load();
            RedisLoad lightRested = lightNodes.load();
            requireNoMoreThanItsOwn("at rest", before, rested, 0);
            requireAlike("at rest", before, rested, lightBefore, lightRested);

            nodes.ban();
            RedisLoad after = nodes.load();
            RedisLoad lightBeforeBans = lightNodes.load();
            lightNodes.ban();
            RedisLoad lightAfter = lightNodes.load();
            requireNoMoreThanItsOwn("with bans", rested, after, BANS);
            requireNoMoreThanItsOwn("with bans, light", lightBeforeBans, lightAfter, BANS);
        } finally {
            client.shutdown();
        }
    }

    /** Entries follow heartbeats and bans, each ban asks each node for one, and a node is told of no other node's entry. */
    private static void requireNoMoreThanItsOwn(String when, RedisLoad before, RedisLoad after, int bans) {
        long looks = after.callsSince(before, ONCE_IN_A_LOOK);
        long entries = after.callsSince(before, FleetTimesIT.ONCE_IN_AN_ENTRY);
        double seconds = after.secondsSince(before);
        assertThat(looks).as("looks %s", when).isEqualTo(after.callsSince(before, "getex"));
        assertThat((double) entries)
                .as("entries %s", when)
                .isLessThan((NODES + 1) * (bans + 2 + seconds / ENTRY_SECONDS));
        // A machine that is too busy for heartbeats has an entry be due with each.
        if (bans == 0 && looks > 3 * seconds * NODES) {
            assertThat(entries).as("heartbeats that write an entry").isLessThan(looks * 4 / 5);
        }
        assertThat((after.bytesOut() - before.bytesOut()) / (looks + entries))
                .as("bytes sent for each heartbeat, %s", when)
                .isLessThan(MAX_BYTES);
    }

    /** A busy machine has the nodes of the product be late, and the light ones less so. */
    private static void requireAlike(
            String when, RedisLoad before, RedisLoad after, RedisLoad lightBefore, RedisLoad lightAfter) {
        for (String command : COMMANDS) {
            double calls = after.callsSince(before, command) / after.secondsSince(before) / NODES;
            double ofLight = lightAfter.callsSince(lightBefore, command) / lightAfter.secondsSince(lightBefore) / NODES;
            assertThat(ofLight)
                    .as("%s a second and light node, %s", command, when)
                    .isBetween(calls / 2 - 0.5, calls * 2 + 0.5);
        }
    }

    @Test
    void aRefusedUserThatGoesOnAskingCostsEachNodeTwoQueriesASecondAtMost() {
        BannedUsers usersThere = new BannedUsers();
        UserStatusCache<Long> here = node();
        UserStatusCache<Long> there =
                new UserStatusCache<>(open(patient(uri())).cache(UserStatus.FACET, Long.class, usersThere));
        letRegisterBeBelieved(BOUND);
        long banned = 42;
        long deleted = 43;
        List<Long> refused = List.of(banned, deleted);
        refused.forEach(
                id -> assertThat(here.isEnabled(id) && there.isEnabled(id)).isTrue());

        RevocationReceipt receipt = here.disableAll(
                refused,
                () -> List.of(users, usersThere).forEach(all -> {
                    all.ban(banned);
                    all.delete(deleted);
                }));
        assertThat(receipt.confirmed()).isTrue();
        long from = System.nanoTime();
        List<Integer> queriesBefore = queries(refused, usersThere);
        long asked = 0;
        double seconds;
        do {
            for (long id : refused) {
                assertThat(here.isEnabled(id)).isFalse();
                assertThat(there.isEnabled(id)).isFalse();
            }
            asked++;
            seconds = (System.nanoTime() - from) / 1e9;
        } while (seconds < Thorough.pick(5.0, 0.6));

        assertThat(asked).isGreaterThan(100);
        int most = (int) Math.ceil(2 * seconds);
        List<Integer> queriesAfter = queries(refused, usersThere);
        for (int i = 0; i < queriesAfter.size(); i++) {
            assertThat(queriesAfter.get(i) - queriesBefore.get(i)).isLessThanOrEqualTo(most);
        }
    }

    /** Of each user, on both nodes. */
    private List<Integer> queries(List<Long> ids, BannedUsers usersThere) {
        return ids.stream()
                .flatMap(id -> List.of(users.queriesFor(id), usersThere.queriesFor(id)).stream())
                .toList();
    }

    private UserStatusCache<Long> node() {
        return new UserStatusCache<>(open(patient(uri())).cache(UserStatus.FACET, Long.class, users));
    }
}
