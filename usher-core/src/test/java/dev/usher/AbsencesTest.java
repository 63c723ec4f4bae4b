package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class AbsencesTest {

    private static final Duration LIFE = Duration.ofSeconds(60);

    private final AtomicLong now = new AtomicLong();
    private final Absences<Long> absences = new Absences<>(LIFE, now::get);

    @Test
    void anAbsenceIsWorthAKeyWhenItIsFoundAgain() {
        assertThat(absences.isWorthAKey(1L)).isFalse();
        assertThat(absences.isWorthAKey(2L)).isFalse();
        assertThat(absences.isWorthAKey(1L)).isTrue();
    }

    @Test
    void oneThatIsFoundWheneverItHasEndedStaysWorthAKey() {
        absences.isWorthAKey(1L);
        for (int life = 0; life < 5; life++) {
            assertThat(absences.isWorthAKey(1L)).isTrue();
            pass(LIFE.plusSeconds(1));
        }
    }

    @Test
    void anIdThatIsNotAskedForAgainIsForgotten() {
        absences.isWorthAKey(1L);
        pass(LIFE.multipliedBy(2));
        assertThat(absences.isWorthAKey(1L)).isFalse();
    }

    @Test
    void noMoreAreStoredInALifeThanThereIsRoomFor() {
        assertThat(askedTwice(0, Absences.STORED + 1000)).isEqualTo(Absences.STORED);
        pass(LIFE);
        assertThat(askedTwice(1_000_000, 10)).isEqualTo(10);
    }

    @Test
    void inventedIdsDoNotDriveOutOneThatIsAskedForAgainAndAgain() {
        int stored = 0;
        long invented = 1000;
        for (int round = 0; round < 50; round++) {
            stored += absences.isWorthAKey(1L) ? 1 : 0;
            for (long end = invented + 2000; invented < end; invented++) {
                assertThat(absences.isWorthAKey(invented)).isFalse();
            }
        }
        assertThat(stored).isGreaterThan(40);
    }

    private long askedTwice(long from, int count) {
        long stored = 0;
        for (long id = from; id < from + count; id++) {
            assertThat(absences.isWorthAKey(id)).as("the first time").isFalse();
            stored += absences.isWorthAKey(id) ? 1 : 0;
        }
        return stored;
    }

    private void pass(Duration time) {
        now.addAndGet(time.toNanos());
    }
}
