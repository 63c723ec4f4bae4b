package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.usher.benchmarks.Contract.Violation;
import dev.usher.testkit.RedisServer;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Each contender keeps its promises. */
@Tag("thorough") // of the peers, not of usher
class ContractIT {

    private static RedisServer redis;

    @BeforeAll
    static void start() {
        redis = RedisServer.start();
    }

    @AfterAll
    static void stop() {
        redis.close();
    }

    @TestFactory
    Stream<DynamicContainer> everyPeerKeepsItsPromises() {
        return Stream.of(Peer.values()).map(peer -> dynamicContainer(peer.title(), promises(peer)));
    }

    private static Stream<DynamicTest> promises(Peer peer) {
        Trial trial = Contract.trial(peer, redis.uri());
        return Contract.promises(peer)
                .map(promise -> test(peer, promise, trial))
                .onClose(trial::close);
    }

    private static DynamicTest test(Peer peer, Promise promise, Trial trial) {
        Optional<String> gap = Contract.gap(peer, promise);
        if (gap.isPresent()) {
            // Not skipped: when a gap has been closed, this fails, and the gap leaves the list.
            return dynamicTest(
                    "known gap: " + promise.title() + " - but " + gap.get(),
                    () -> assertThat(Contract.violations(trial, List.of(promise)))
                            .as("%s, with a known gap: %s", peer.title(), promise.title())
                            .isNotEmpty());
        }
        return dynamicTest(
                promise.title(),
                () -> assertThat(Contract.violations(trial, List.of(promise)))
                        .as("%s: %s", peer.title(), promise.title())
                        .isEmpty());
    }

    @TestFactory
    Stream<DynamicTest> whatIsTimedIsTriedBefore() {
        return Stream.of(Peer.USHER, Peer.CAFFEINE, Peer.REDISSON_LOCAL)
                .map(peer -> dynamicTest(peer.title(), () -> {
                    List<Violation> violations = Contract.violations(peer, redis.uri());
                    assertThat(violations).isEmpty();
                }));
    }
}
