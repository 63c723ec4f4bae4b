package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CircuitBreakerTest {

    private final CircuitBreaker breaker = new CircuitBreaker();

    @Test
    void aNewOneIsClosed() {
        assertThat(breaker.isOpen()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        // a: answered, m: missed
        "mmmm,               false",
        "mmmmm,              true",
        "aaaaaaaaaammmm,     false",
        "aaaaaaaaaammmmm,    true",
        "aamm,               false",
        "aammm,              true",
        "aaamm,              false",
        "aaammm,             true",
        "amamamam,           true",
        "aamaamaamaamaam,    false",
        // Only a miss opens it, and ten answers make good for any number of misses.
        "mmmma,              false",
        "mmmmaaaa,           false",
        "mmmmam,             true",
        "mmmmaaaaaaaaaammmm, false",
        // A miss counts until it is the eleventh from the end.
        "maaaaaaaaammm,      false",
        "maaaaammmm,         true",
        "maaaaaammmm,        false",
        // Open, it does not close by itself.
        "mmmmmaaaaaaaaaaaaa, true",
    })
    void itOpensAtAMissWhenHalfOfTheLastTenWereMissed(String calls, boolean open) {
        record(breaker, calls);
        assertThat(breaker.isOpen()).isEqualTo(open);
    }

    @Test
    void whatItDoesIsWhatAListOfTheLastTenWouldDo() {
        Random random = new Random(1);
        for (int round = 0; round < 1000; round++) {
            CircuitBreaker breaker = new CircuitBreaker();
            Deque<Boolean> last = new ArrayDeque<>();
            double share = random.nextDouble() / 2;
            boolean open = false;
            for (int call = 0; call < 100 && !open; call++) {
                boolean missed = random.nextDouble() < share;
                last.add(missed);
                if (last.size() > 10) {
                    last.remove();
                }
                long misses = last.stream().filter(each -> each).count();
                open = missed && last.size() >= 5 && misses * 2 >= last.size();
                record(breaker, missed ? "m" : "a");
                assertThat(breaker.isOpen()).as("after %s", last).isEqualTo(open);
            }
        }
    }

    @Test
    void closedAgainItBeginsWithAnEmptyWindow() {
        record(breaker, "mmmmm");
        breaker.close();
        assertThat(breaker.isOpen()).isFalse();
        record(breaker, "mmmm");
        assertThat(breaker.isOpen()).isFalse();
        record(breaker, "m");
        assertThat(breaker.isOpen()).isTrue();
    }

    @Test
    void toCloseAClosedOneForgetsNothing() {
        record(breaker, "mmmm");
        breaker.close();
        record(breaker, "m");
        assertThat(breaker.isOpen()).isTrue();
    }

    @Test
    void noMissIsLostWhenTwoThreadsNoteAtOnce() throws Exception {
        int rounds = 5000;
        List<CircuitBreaker> breakers =
                Stream.generate(CircuitBreaker::new).limit(rounds).toList();
        AtomicInteger arrivals = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            List<Future<?>> both = new ArrayList<>();
            // In whatever order: the fifth miss opens it, and not the fourth.
            for (String calls : List.of("mmm", "mm")) {
                both.add(threads.submit(() -> {
                    for (int round = 0; round < rounds; round++) {
                        arrivals.incrementAndGet();
                        while (arrivals.get() < 2 * (round + 1)) {
                            Thread.onSpinWait();
                        }
                        record(breakers.get(round), calls);
                    }
                }));
            }
            for (Future<?> each : both) {
                each.get();
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(breakers).allMatch(CircuitBreaker::isOpen);
    }

    private static void record(CircuitBreaker breaker, String calls) {
        calls.chars().forEach(call -> {
            if (call == 'm') {
                breaker.missed();
            } else {
                breaker.answered();
            }
        });
    }
}
