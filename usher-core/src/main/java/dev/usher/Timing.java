package dev.usher;

import dev.usher.redis.GuardProtocol;
import java.time.Duration;

/**
 * Times of the engine that only tests shorten.
 *
 * @param silence after which a connection that receives nothing, not even the answer of the pulse, is replaced
 * @param registerLife after which a node that does not report is dropped from the register of nodes
 * @param markLife after which a mark that a tenant's nodes have left is dropped, when none of them extends it
 * @param offersEnd for how long after a change a row from before it may be offered, and some more, as clocks differ
 */
record Timing(Duration silence, Duration registerLife, Duration markLife, Duration offersEnd) {

    static final Timing STANDARD = new Timing(
            Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofHours(24), GuardProtocol.FENCE.plusSeconds(1));

    Timing withSilence(Duration shorter) {
        return new Timing(shorter, registerLife, markLife, offersEnd);
    }

    Timing withRegisterLife(Duration shorter) {
        return new Timing(silence, shorter, markLife, offersEnd);
    }

    Timing withMarkLife(Duration shorter) {
        return new Timing(silence, registerLife, shorter, offersEnd);
    }

    Timing withOffersEnd(Duration shorter) {
        return new Timing(silence, registerLife, markLife, shorter);
    }
}
