package dev.usher.server.attempt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Caller;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** How many profiles of others a caller may read. */
class ReadLimitsTest {

    private static final Caller ANN = new Caller(1, false, null);
    private static final Caller BOB = new Caller(2, false, null);
    private static final Caller ADMINISTRATOR = new Caller(3, true, null);

    private final AtomicLong time =
            new AtomicLong(Instant.parse("2027-01-01T00:00:00Z").toEpochMilli());
    private final InstantSource clock = () -> Instant.ofEpochMilli(time.get());
    private final ReadLimits limits = limits(400);

    @Test
    void aRequestCountsEachOfItsIdsAndOneThatIsRefusedCountsNone() {
        limits.count(ANN, ids(10, 200));
        limits.count(ANN, ids(10, 150));

        assertThat(refused(ANN, ids(500, 51))).isEqualTo(1);
        limits.count(ANN, ids(500, 50));
        assertThat(refused(ANN, ids(10, 1))).isEqualTo(1);
        assertThat(refused(ANN, ids(10, 200))).isEqualTo(30);
    }

    @Test
    void readsOfOneselfDoNotCount() {
        limits.count(ANN, ids(10, 200));
        limits.count(ANN, ids(10, 200));

        limits.count(ANN, List.of(ANN.id()));
        refused(ANN, List.of(ANN.id(), BOB.id()));
    }

    @Test
    void anIdThatComesTwiceCountsOnce() {
        limits.count(ANN, ids(10, 200));
        limits.count(ANN, ids(10, 199));

        limits.count(ANN, List.of(7L, 7L, 7L));
        refused(ANN, List.of(7L));
    }

    @Test
    void aCallerSpendsNothingOfAnotherOnes() {
        limits.count(ANN, ids(10, 200));
        limits.count(ANN, ids(10, 200));

        refused(ANN, ids(10, 1));
        limits.count(BOB, ids(10, 200));
    }

    @Test
    void administratorsAreNotLimitedNorIsAnybodyWithoutALimit() {
        assertThatCode(() -> {
                    for (int i = 0; i < 100; i++) {
                        limits.count(ADMINISTRATOR, ids(10, 200));
                        limits(0).count(ANN, ids(10, 200));
                    }
                })
                .doesNotThrowAnyException();
    }

    @Test
    void afterTheTimeThatWasSaidTheSameRequestIsAnswered() {
        limits.count(ANN, ids(10, 200));
        limits.count(ANN, ids(10, 200));
        int seconds = refused(ANN, ids(10, 200));

        time.addAndGet(Duration.ofSeconds(seconds).minusMillis(200).toMillis());
        refused(ANN, ids(10, 200));
        time.addAndGet(200);
        limits.count(ANN, ids(10, 200));
    }

    private ReadLimits limits(int perCaller) {
        return new ReadLimits(new UsherServerProperties.Reads(perCaller, Duration.ofMinutes(1)), clock);
    }

    private static List<Long> ids(long from, int count) {
        return LongStream.range(from, from + count).boxed().toList();
    }

    /** In how many seconds to try again. */
    private int refused(Caller caller, List<Long> ids) {
        AtomicLong seconds = new AtomicLong();
        assertThatExceptionOfType(ProblemException.class)
                .isThrownBy(() -> limits.count(caller, ids))
                .satisfies(e -> {
                    assertThat(e.problem().type()).isEqualTo(ProblemType.TOO_MANY_READS.uri());
                    seconds.set(Long.parseLong(String.valueOf(e.headers().getFirst("Retry-After"))));
                });
        return (int) seconds.get();
    }
}
