package dev.usher.redis;

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
        sample(1_000_000, RECEIVED);
        assertThat(leastAt(RECEIVED)).isEqualTo(1_000_000 - 1);
        assertThat(leastAt(after(3))).isEqualTo(1_003_000 - 300 - 1);
    }

    @Test
    void withoutAnEarlierSampleTheMarkIsUnknown() {
        assertThat(leastAt(RECEIVED)).isEqualTo(ServerMoment.UNKNOWN);
        sample(1_000_000, RECEIVED);
        assertThat(leastAt(RECEIVED - 1)).isEqualTo(ServerMoment.UNKNOWN);
    }

    @Test
    void theSampleBeforeTheLastCoversMomentsBetweenTheTwo() {
        sample(1_000_000, RECEIVED);
        sample(9_000_000, after(10)); // the clock was set forward meanwhile
        assertThat(leastAt(after(5))).isEqualTo(1_005_000 - 500 - 1);
        assertThat(leastAt(after(11))).isEqualTo(9_001_000 - 100 - 1);
    }

    @Test
    void aSampleIsOutOfDateAfterHalfAMinute() {
        sample(1_000_000, RECEIVED);
        assertThat(leastAt(after(30) - 1)).isNotEqualTo(ServerMoment.UNKNOWN);
        assertThat(leastAt(after(30))).isEqualTo(ServerMoment.UNKNOWN);
    }

    @Test
    void anotherServersClockIsAnotherClock() {
        sample(1_000_000, RECEIVED);
        clock.forget();
        assertThat(leastAt(after(1))).isEqualTo(ServerMoment.UNKNOWN);
        sample(2_000_000, after(2));
        assertThat(leastAt(after(1))).isEqualTo(ServerMoment.UNKNOWN);
    }

    @Test
    void aMarkIsOfTheServerFromWhichItWasTakenUntilThatMayBeAnother() {
        sample(1_000_000, RECEIVED);
        ServerMoment mark = clock.momentAt(RECEIVED);
        sample(2_000_000, after(1));
        assertThat(clock.isOf(mark)).as("after another sample").isTrue();
        clock.forget();
        assertThat(clock.isOf(mark)).isFalse();
        sample(3_000_000, after(2));
        assertThat(clock.isOf(mark)).isFalse();
    }

    @Test
    void aTimeThatNoClockShowsIsNoSample() {
        sample(1_000_000, RECEIVED);
        long before = leastAt(RECEIVED);
        for (String odd : List.of(
                "",
                " ",
                "-1",
                "+1",
                "NaN",
                "1e308",
                "1.5",
                "9223372036854775807",
                "9223372036854775808",
                "9".repeat(400),
                "\0")) {
            byte[] oddBytes = odd.getBytes(US_ASCII);
            byte[] one = {'1'};
            for (List<byte[]> time : List.of(List.of(oddBytes, one), List.of(one, oddBytes))) {
                clock.sample(time, RECEIVED);
                assertThat(ServerClock.millisOf(time)).as(odd).isEqualTo(ServerMoment.UNKNOWN);
            }
        }
        clock.sample(List.of(), RECEIVED);
        assertThat(leastAt(RECEIVED)).isEqualTo(before);
    }

    private long leastAt(long nanoTime) {
        return clock.momentAt(nanoTime).leastMillis();
    }

    private void sample(long millis, long receivedAt) {
        byte[] seconds = Long.toString(millis / 1000).getBytes(US_ASCII);
        byte[] micros = Long.toString(millis % 1000 * 1000).getBytes(US_ASCII);
        clock.sample(List.of(seconds, micros), receivedAt);
    }

    private static long after(int seconds) {
        return RECEIVED + TimeUnit.SECONDS.toNanos(seconds);
    }
}
