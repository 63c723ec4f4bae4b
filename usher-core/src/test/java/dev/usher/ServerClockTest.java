package dev.usher;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ServerClockTest {

    private static final long RECEIVED = 7_000_000_000L;

    private final ServerClock clock = new ServerClock();

    @Test
    void theLeastItCanHaveShownFollowsTheTimeSinceTheAnswerCameMoreSlowly() {
        look(1_000_000, RECEIVED);
        assertThat(clock.leastAt(RECEIVED)).hasValue(1_000_000 - 1);
        assertThat(clock.leastAt(after(3))).hasValue(1_003_000 - 300 - 1);
    }

    @Test
    void withoutALookFromBeforeNothingCanBeTold() {
        assertThat(clock.leastAt(RECEIVED)).isEmpty();
        look(1_000_000, RECEIVED);
        assertThat(clock.leastAt(RECEIVED - 1)).isEmpty();
    }

    @Test
    void theLookBeforeTheLastTellsOfMomentsBetweenTheTwo() {
        look(1_000_000, RECEIVED);
        look(9_000_000, after(10)); // it was put forward meanwhile
        assertThat(clock.leastAt(after(5))).hasValue(1_005_000 - 500 - 1);
        assertThat(clock.leastAt(after(11))).hasValue(9_001_000 - 100 - 1);
    }

    @Test
    void aLookIsOutOfDateAfterHalfAMinute() {
        look(1_000_000, RECEIVED);
        assertThat(clock.leastAt(after(30) - 1)).isPresent();
        assertThat(clock.leastAt(after(30))).isEmpty();
    }

    @Test
    void anotherServersClockIsAnotherClock() {
        look(1_000_000, RECEIVED);
        clock.forget();
        assertThat(clock.leastAt(after(1))).isEmpty();
        look(2_000_000, after(2));
        assertThat(clock.leastAt(after(1))).isEmpty();
    }

    private void look(long millis, long receivedAt) {
        byte[] seconds = Long.toString(millis / 1000).getBytes(US_ASCII);
        byte[] micros = Long.toString(millis % 1000 * 1000).getBytes(US_ASCII);
        clock.look(List.of(seconds, micros), receivedAt);
    }

    private static long after(int seconds) {
        return RECEIVED + TimeUnit.SECONDS.toNanos(seconds);
    }
}
