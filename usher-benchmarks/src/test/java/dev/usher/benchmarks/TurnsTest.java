package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class TurnsTest {

    private final Turns turns = new Turns(Plan.smoke());

    @Test
    void eachContenderHasItsTurnInEachRoundAndIsCountedOutsideTheFirst() {
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("a", random -> {});
        calls.put("b", random -> {});

        Map<String, Samples> samples = turns.take(calls, 1);

        assertThat(samples.keySet()).containsExactly("a", "b");
        assertThat(samples.values()).allSatisfy(taken -> {
            assertThat(taken.perSecond()).hasSize(Plan.smoke().rounds());
            assertThat(taken.nanos().getTotalCount()).isPositive();
            assertThat(taken.rate().median()).isPositive();
        });
    }

    @Test
    void allCallersCallAtTheSameTime() {
        int callers = 4;
        Set<Thread> seen = ConcurrentHashMap.newKeySet();
        CyclicBarrier together = new CyclicBarrier(callers);

        turns.take(
                Map.of("a", random -> {
                    if (seen.add(Thread.currentThread())) {
                        together.await();
                    }
                }),
                callers);

        assertThat(seen).hasSize(callers);
    }

    @Test
    void aCallThatFailsEndsTheMeasurement() {
        assertThatIllegalStateException()
                .isThrownBy(() -> turns.take(
                        Map.of("a", random -> {
                            throw new IOException("broken");
                        }),
                        2))
                .withMessage("a fails")
                .withRootCauseInstanceOf(IOException.class);
    }

    @Test
    void twiceTheTimeIsTwiceTheRatio() {
        Samples fast = samples(List.of(100.0, 10.0));
        Samples slow = samples(List.of(50.0, 5.0));

        assertThat(slow.timeOver(fast).median()).isEqualTo(2);
        assertThat(slow.rateOver(fast).median()).isEqualTo(0.5);
    }

    private static Samples samples(List<Double> perSecond) {
        return new Samples(perSecond, new Histogram(3));
    }
}
