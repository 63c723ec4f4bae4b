package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PauseDetectorTest {

    private static final long START = 1_800_000_000_000L;

    private final PauseDetector detector = new PauseDetector();

    /** The times between two readings, in milliseconds: by the other clock, and by that of this machine. */
    @ParameterizedTest
    @CsvSource({
        "250, 250, false",
        "250, 4_000, false", // this process was not scheduled
        "0, 250, false",
        "-3_600_000, 250, false", // the other clock is set back
        "275, 250, false", // one of the clocks is being corrected
        "310, 250, false",
        "400, 250, true",
        "1_250, 250, true",
        "3_600_250, 250, true",
        "31_536_000_000_000, 250, true"
    })
    void thisMachineHasStoodStillWhereTheOtherClockIsTooFarOn(long shown, long passed, boolean stoodStill) {
        assertThat(detector.detect(START, 0, 0)).as("the first detect").isFalse();
        assertThat(detector.detect(START + shown, nanos(passed), nanos(passed))).isEqualTo(stoodStill);
        assertThat(detector.detect(START + shown + 250, nanos(passed + 250), nanos(passed + 250)))
                .as("once")
                .isFalse();
    }

    /** The other clock may have been read at any moment between the question and the answer. */
    @Test
    void anAnswerThatTakesLongIsNoPause() {
        detector.detect(START, nanos(0), nanos(900));
        assertThat(detector.detect(START + 2_000, nanos(1_000), nanos(2_000))).isFalse();
    }

    @Test
    void anotherClockIsNotComparedWithTheOneBefore() {
        detector.detect(START, 0, 0);
        detector.forget();
        assertThat(detector.detect(START + 3_600_000, nanos(250), nanos(250))).isFalse();
        assertThat(detector.detect(START + 3_602_000, nanos(500), nanos(500))).isTrue();
    }

    private static long nanos(long millis) {
        return Duration.ofMillis(millis).toNanos();
    }
}
