package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LastingReplicasTest {

    private static final long START = 7;
    private final LastingReplicas replicas = new LastingReplicas();

    @Test
    void oneThatIsLostCountsForAnHour() {
        assertThat(toAwait("h", 2, false, Duration.ZERO)).isEqualTo(2);
        assertThat(toAwait("h", 1, false, Duration.ofMinutes(59))).isEqualTo(2);
        assertThat(toAwait("h", 1, false, Duration.ofMinutes(61))).isOne();
    }

    @Test
    void theHourBeginsAgainWhileAllAreThere() {
        assertThat(toAwait("h", 2, false, Duration.ZERO)).isEqualTo(2);
        assertThat(toAwait("h", 2, false, Duration.ofMinutes(59))).isEqualTo(2);
        assertThat(toAwait("h", 1, false, Duration.ofMinutes(61))).isEqualTo(2);
    }

    @Test
    void anotherHistoryHasReplicasOfItsOwn() {
        assertThat(toAwait("h", 2, false, Duration.ZERO)).isEqualTo(2);
        assertThat(toAwait("other", 1, false, Duration.ZERO)).isOne();
    }

    @Test
    void oneIsMissingWhereThereIsABacklogForIt() {
        assertThat(toAwait("h", 0, false, Duration.ZERO)).isOne();
        assertThat(toAwait("h", 0, true, Duration.ZERO)).isZero();
    }

    private int toAwait(String history, int connected, boolean isAlone, Duration at) {
        return replicas.toAwait(new Replication(history, true, 0, connected, Map.of(), isAlone), START + at.toNanos());
    }
}
