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
 * @param suspicion how long a Redis is not believed, in facets that fail closed, that is new to this node or has another history than before
 */
record Timing(Duration silence, Duration registerLife, Duration markLife, Duration offersEnd, Duration suspicion) {

    static final Timing STANDARD = new Timing(
            Duration.ofSeconds(2),
            Duration.ofSeconds(10),
            Duration.ofHours(24),
            GuardProtocol.FENCE.plusSeconds(1),
            Duration.ofSeconds(2));

    Timing withSilence(Duration shorter) {
        return new Timing(shorter, registerLife, markLife, offersEnd, suspicion);
    }

    Timing withRegisterLife(Duration shorter) {
        return new Timing(silence, shorter, markLife, offersEnd, suspicion);
    }

    Timing withMarkLife(Duration shorter) {
        return new Timing(silence, registerLife, shorter, offersEnd, suspicion);
    }

    Timing withOffersEnd(Duration shorter) {
        return new Timing(silence, registerLife, markLife, shorter, suspicion);
    }

    Timing withSuspicion(Duration other) {
        return new Timing(silence, registerLife, markLife, offersEnd, other);
    }
}
