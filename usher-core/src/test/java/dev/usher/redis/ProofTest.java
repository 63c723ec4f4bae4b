package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class ProofTest {

    private static final long HOUR = Duration.ofHours(1).toNanos();

    private final long now = System.nanoTime() + HOUR;
    private final Proof proof = new Proof();

    @Test
    void nothingIsProvenAtFirst() {
        assertThat(proof.isWithin(100 * HOUR, now)).isFalse();
    }

    /** The look that a ban causes reads the last entry back, which is older than the last heartbeat. */
    @Test
    void anOlderWriteThatIsReadBackLaterTakesNothingBack() {
        proof.readBack(now);
        proof.readBack(now - 100);

        assertThat(proof.isWithin(0, now)).isTrue();
        assertThat(proof.lastAt()).isEqualTo(now);
    }

    @Test
    void aRefusedWriteTakesBackWhatWasProven() {
        proof.readBack(now);
        proof.noLaterThan(now - 100);
        assertThat(proof.isWithin(99, now)).isFalse();
        assertThat(proof.isWithin(100, now)).isTrue();

        proof.noLaterThan(now);
        assertThat(proof.isWithin(99, now)).isFalse();
        proof.readBack(now);
        assertThat(proof.isWithin(0, now)).isTrue();
    }

    @Test
    void nothingIsProvenOfAnotherServer() {
        proof.readBack(now);
        proof.forget();
        assertThat(proof.isWithin(100 * HOUR, now)).isFalse();
        assertThat(proof.lastAt()).isEqualTo(now);

        proof.readBack(now - 100);
        assertThat(proof.isWithin(100, now)).isTrue();
    }
}
