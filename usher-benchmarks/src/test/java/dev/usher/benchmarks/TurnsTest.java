package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
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

    @Test
    void aTurnTellsTheProcessorTimeOfACallInTheProcessThatAnswers() {
        AtomicLong made = new AtomicLong();
        Call answered = new Call() {
            @Override
            public void make(SplittableRandom random) {
                made.incrementAndGet();
            }

            @Override
            public long processorNanos() {
                return TimeUnit.MICROSECONDS.toNanos(7) * made.get();
            }
        };

        Samples samples = Objects.requireNonNull(
                turns.take(Map.of("a", answered, "b", random -> {}), 2).get("a"));

        assertThat(samples.processorMicros()).hasSize(Plan.smoke().rounds()).containsOnly(7.0);
        assertThat(samples.processorOver(samples).median()).isEqualTo(1);
    }

    @Test
    void roundsEndWhenTheySuffice() {
        Turns many = new Turns(Duration.ZERO, 1, 1_000, Duration.ofNanos(1));

        Map<String, Samples> samples = many.take(
                Map.of("a", random -> {}, "b", random -> {}),
                1,
                taken -> taken.stream().allMatch(one -> one.perSecond().size() == 5));

        assertThat(samples.values())
                .allSatisfy(taken -> assertThat(taken.perSecond()).hasSize(5));
    }

    @Test
    void theProcessorTimeOfACallIsFlatWhenItHasHardlyFallenInAsManyRounds() {
        assertThat(processor(9, 8, 7, 6).isFlat(2, 0.1)).isFalse();
        assertThat(processor(9, 9, 10, 10, 9, 10).isFlat(3, 0.1)).isTrue();
        assertThat(processor(100, 100, 91, 90).isFlat(2, 0.1)).isTrue();
        assertThat(processor(100, 100, 90, 89).isFlat(2, 0.1)).isFalse();
        // Early rounds do not count, and a single round says nothing.
        assertThat(processor(1_000, 500, 10, 10, 10, 10).isFlat(2, 0.1)).isTrue();
        assertThat(processor(10, 10, 10).isFlat(2, 0.1)).isFalse();
    }

    private static Samples processor(double... micros) {
        List<Double> rounds = Arrays.stream(micros).boxed().toList();
        return new Samples(rounds, rounds, new Histogram(3));
    }

    private static Samples samples(List<Double> perSecond) {
        return new Samples(perSecond, perSecond, new Histogram(3));
    }
}
