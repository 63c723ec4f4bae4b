package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AnswerLimitsTest {

    private final AnswerLimits limits = new AnswerLimits();

    @ParameterizedTest
    @CsvSource({
        "1, 250, 500, 250, 1000",
        "50, 250, 500, 250, 1000",
        "300, 250, 600, 300, 6000",
        "500, 250, 1000, 500, 10000",
        "1000, 500, 2000, 750, 20000",
        "5000, 500, 2000, 750, 100000"
    })
    void aLargeFleetAsksLessOften(int nodes, long beat, long entry, long pulse, long sweep) {
        limits.bound(Duration.ofSeconds(1));
        limits.nodes(nodes);

        assertThat(limits.beatNanos()).isEqualTo(Duration.ofMillis(beat).toNanos());
        assertThat(limits.entryNanos()).isEqualTo(Duration.ofMillis(entry).toNanos());
        assertThat(limits.pulseNanos()).isEqualTo(Duration.ofMillis(pulse).toNanos());
        assertThat(limits.sweepNanos()).isEqualTo(Duration.ofMillis(sweep).toNanos());
    }

    @ParameterizedTest
    @CsvSource({"600, 300", "400, 200", "300, 150", "200, 100", "100, 100"})
    void aTightBoundIsMetInALargeFleet(int bound, long beat) {
        limits.bound(Duration.ofMillis(bound));
        limits.bound(Duration.ofSeconds(30));
        limits.nodes(5000);

        assertThat(limits.beatNanos()).isEqualTo(Duration.ofMillis(beat).toNanos());
    }

    @Test
    void heartbeatsCountForLongerThanEntriesAreApart() {
        limits.nodes(5000);

        assertThat(limits.entryNanos()).isLessThan(AnswerLimits.COUNTED_WITHOUT_ENTRY.toNanos());
    }
}
