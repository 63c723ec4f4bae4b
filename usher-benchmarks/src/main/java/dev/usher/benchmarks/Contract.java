package dev.usher.benchmarks;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What every contender must do before anything is timed: the {@linkplain Promise promises} that concern it. A contender that is
 * fast because it does less is found out here.
 */
final class Contract {

    private Contract() {}

    /**
     * A promise that was broken.
     *
     * @param promise the promise
     * @param how what happened instead
     */
    record Violation(Promise promise, String how) {}

    /**
     * Tries every promise of a peer except its known {@linkplain #gap gaps}.
     *
     * @param redisUri a Redis that is emptied before
     * @return the broken promises; empty for a peer that may be timed
     */
    static List<Violation> violations(Peer peer, String redisUri) {
        try (Trial trial = trial(peer, redisUri)) {
            return violations(
                    trial,
                    promises(peer)
                            .filter(promise -> gap(peer, promise).isEmpty())
                            .toList());
        }
    }

    /** Tries some promises, one after the other. */
    static List<Violation> violations(Trial trial, List<Promise> promises) {
        List<Violation> violations = new ArrayList<>();
        for (Promise promise : promises) {
            try {
                promise.check(trial);
            } catch (BrokenPromiseException e) {
                violations.add(new Violation(promise, String.valueOf(e.getMessage())));
            } catch (Exception e) {
                violations.add(new Violation(promise, e.toString()));
            }
        }
        return violations;
    }

    /** Puts a peer on trial, on a Redis that is emptied before. */
    static Trial trial(Peer peer, String redisUri) {
        RedisClient client = RedisClient.create(redisUri);
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            connection.sync().flushall();
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
        return new Trial(peer::open, redisUri);
    }

    /** The promises that a peer must keep, its gaps included. */
    static Stream<Promise> promises(Peer peer) {
        return Stream.of(Promise.values()).filter(promise -> peer.isShared() || !promise.isAboutNodes());
    }

    /** Why a peer may break a promise and is measured all the same; empty if the peer must keep it. */
    static Optional<String> gap(Peer peer, Promise promise) {
        if (peer == Peer.REDISSON_LOCAL && promise == Promise.ADMITS_FAILURES) {
            return Optional.of("Redisson turns whatever a MapLoader throws into null (RedissonMap.loadValue)");
        }
        return Optional.empty();
    }
}
