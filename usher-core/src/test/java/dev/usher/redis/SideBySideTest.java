package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Calls that wait at the same time. */
class SideBySideTest {

    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void stop() {
        threads.shutdownNow();
    }

    @Test
    void eachCallIsUnderWayWhileTheOthersAre() {
        CountDownLatch all = new CountDownLatch(3);
        assertThat(SideBySide.all(List.of(meets(all, 1), meets(all, 2), meets(all, 3)), threads))
                .containsExactly(1, 2, 3);
    }

    private static Supplier<Integer> meets(CountDownLatch all, int result) {
        return () -> {
            all.countDown();
            try {
                return all.await(20, TimeUnit.SECONDS) ? result : -1;
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
    }

    @Test
    void theCallingThreadMakesWhatNoOtherHasBegun() {
        assertThat(SideBySide.all(List.of(() -> 1, () -> 2), task -> {})).containsExactly(1, 2);
        assertThat(SideBySide.all(List.of(() -> 1, () -> 2), task -> {
                    throw new RejectedExecutionException();
                }))
                .containsExactly(1, 2);
    }

    @Test
    void whatACallThrowsIsThrown() {
        assertThatIllegalStateException()
                .isThrownBy(() -> SideBySide.<Integer>all(
                        List.of(() -> 1, () -> {
                            throw new IllegalStateException("closed");
                        }),
                        threads))
                .withMessage("closed");
    }
}
