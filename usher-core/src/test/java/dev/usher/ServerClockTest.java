package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ServerClockTest {

    private static final long RECEIVED = 7_000_000_000L;

    private final ServerClock clock = new ServerClock(1_000_000, RECEIVED);

    @Test
    void theLeastItCanHaveShownFollowsTheTimeSinceTheAnswerCameMoreSlowly() {
        assertThat(clock.leastAt(RECEIVED)).isEqualTo(1_000_000 - 1);
        assertThat(clock.leastAt(RECEIVED + TimeUnit.SECONDS.toNanos(3))).isEqualTo(1_003_000 - 300 - 1);
    }

    @Test
    void aLookTellsNothingOfWhatWasBeforeIt() {
        assertThat(clock.covers(RECEIVED - 1)).isFalse();
        assertThat(clock.covers(RECEIVED)).isTrue();
    }

    @Test
    void aLookIsOutOfDateAfterHalfAMinute() {
        assertThat(clock.covers(RECEIVED + TimeUnit.SECONDS.toNanos(30) - 1)).isTrue();
        assertThat(clock.covers(RECEIVED + TimeUnit.SECONDS.toNanos(30))).isFalse();
    }
}
