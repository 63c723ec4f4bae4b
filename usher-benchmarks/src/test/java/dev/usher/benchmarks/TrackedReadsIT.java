package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.RedisServer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Redis tracks the reads of usher, also without a near tier, and those of the contender that usher's reads are compared with. */
class TrackedReadsIT {

    private static final int USERS = 20;

    @ParameterizedTest
    @EnumSource(names = {"USHER", "USHER_SHARED", "LETTUCE_TRACKED"})
    void theirReadsAreTracked(Peer peer) {
        try (RedisServer redis = RedisServer.start();
                Contender contender = open(peer, redis)) {
            // Until all entries have been stored: no caller waits for that.
            await().untilAsserted(
                            () -> assertThat(trackedKeys(contender, redis)).isGreaterThanOrEqualTo(USERS));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "SPECIFICATION"})
    void thoseOfPlainConnectionsAreNot(Peer peer) {
        try (RedisServer redis = RedisServer.start();
                Contender contender = open(peer, redis)) {
            Contenders.remember(contender, USERS);
            assertThat(trackedKeys(contender, redis)).isZero();
        }
    }

    private static Contender open(Peer peer, RedisServer redis) {
        return peer.open(new Site(redis.uri(), new CountedSource(USERS), USERS));
    }

    /** After each user was asked for. */
    private static long trackedKeys(Contender contender, RedisServer redis) {
        Contenders.remember(contender, USERS);
        return RedisFigures.of(redis.uri()).trackedKeys();
    }
}
