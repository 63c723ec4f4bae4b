package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.Fleet;
import java.time.Duration;
import java.util.List;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What each node of a fleet asks of Redis and of the source, counted; so that a thousand of them ask for a thousand times as much, and not for more.
 * {@code ./usher dev fleet} measures that.
 */
class FleetIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();
    private static final int NODES = 50;
    private static final int BANS = 10;

    private static final String ONCE_IN_A_LOOK = "getrange";

    /** A heartbeat's answers take some 500 bytes; a push some 70, and each node would have one for each heartbeat of the others. */
    private static final int MAX_BYTES = 1000;

    private final BannedUsers users = new BannedUsers();

    @Test
    void whatANodeCostsRedisDoesNotGrowWithTheNumberOfNodes() {
        UserStatusCache<Long> statuses = node();
        try (Fleet fleet = Fleet.start(server.uri(), "user", NODES, UserStatus.FACET.name(), BOUND)) {
            letRegisterBeBelieved(fleet);

            RedisLoad before = RedisLoad.of(redis);
            await().pollInterval(Duration.ofMillis(500))
                    .until(() -> RedisLoad.of(redis).callsSince(before, FleetTimesIT.ONCE_IN_A_HEARTBEAT) > 4 * NODES);
            requireNoMoreThanItsOwn("at rest", before, RedisLoad.of(redis), 0);

            RedisLoad beforeBans = RedisLoad.of(redis);
            long revocations = fleet.revocations();
            for (long id = 1; id <= BANS; id++) {
                long banned = id;
                RevocationReceipt receipt = statuses.disable(banned, () -> users.ban(banned));
                assertThat(receipt.confirmed()).isTrue();
                assertThat(receipt.nodesConfirmed()).hasSize(NODES + 1);
            }
            requireNoMoreThanItsOwn("with bans", beforeBans, RedisLoad.of(redis), BANS);
            assertThat(fleet.revocations() - revocations).isEqualTo((long) NODES * BANS);
        }
    }

    /** Looks follow heartbeats and signals, and a node is told of no other node's heartbeat. */
    private static void requireNoMoreThanItsOwn(String when, RedisLoad before, RedisLoad after, int bans) {
        long heartbeats = after.callsSince(before, FleetTimesIT.ONCE_IN_A_HEARTBEAT);
        long looks = after.callsSince(before, ONCE_IN_A_LOOK);
        long underWay = NODES + 1;
        assertThat(looks).as("looks %s", when).isLessThanOrEqualTo(heartbeats + underWay * (bans + 1));
        assertThat((after.bytesOut() - before.bytesOut()) / heartbeats)
                .as("bytes sent for each heartbeat, %s", when)
                .isLessThan(MAX_BYTES);
    }

    @ParameterizedTest
    @ValueSource(strings = {"banned", "deleted"})
    void aRefusedUserThatGoesOnAskingCostsEachNodeTwoQueriesASecondAtMost(String how) {
        BannedUsers usersThere = new BannedUsers();
        UserStatusCache<Long> here = node();
        UserStatusCache<Long> there =
                new UserStatusCache<>(open(patient(server.uri())).cache(UserStatus.FACET, Long.class, usersThere));
        letRegisterBeBelieved(BOUND);
        assertThat(here.isEnabled(42L) && there.isEnabled(42L)).isTrue();
        LongConsumer refuse = id -> List.of(users, usersThere).forEach(all -> {
            if (how.equals("banned")) {
                all.ban(id);
            } else {
                all.delete(id);
            }
        });

        assertThat(here.disable(42L, () -> refuse.accept(42L)).confirmed()).isTrue();
        long from = System.nanoTime();
        int queriesHere = users.queriesFor(42L);
        int queriesThere = usersThere.queriesFor(42L);
        long asked = 0;
        double seconds;
        do {
            assertThat(here.isEnabled(42L)).isFalse();
            assertThat(there.isEnabled(42L)).isFalse();
            asked++;
            seconds = (System.nanoTime() - from) / 1e9;
        } while (seconds < 2.5);

        assertThat(asked).isGreaterThan(1000);
        assertThat(users.queriesFor(42L) - queriesHere).isLessThanOrEqualTo((int) Math.ceil(2 * seconds));
        assertThat(usersThere.queriesFor(42L) - queriesThere).isLessThanOrEqualTo((int) Math.ceil(2 * seconds));
    }

    private UserStatusCache<Long> node() {
        return new UserStatusCache<>(open(patient(server.uri())).cache(UserStatus.FACET, Long.class, users));
    }

    private void letRegisterBeBelieved(Fleet fleet) {
        await().atMost(Duration.ofSeconds(20))
                .until(() -> fleet.open() == NODES
                        && opened.get(0).engine().shared().register().isComplete(BOUND)
                        && members("user").size() == NODES + 1);
    }
}
