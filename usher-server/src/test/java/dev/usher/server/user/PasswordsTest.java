package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.server.UsherServerProperties;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.security.crypto.password.PasswordEncoder;

class PasswordsTest {

    private final Slow slow = new Slow();
    private final List<Thread> threads = new ArrayList<>();
    private final List<CompletableFuture<Void>> calls = new ArrayList<>();

    @AfterEach
    void end() {
        slow.release.countDown();
        CompletableFuture.allOf(calls.toArray(CompletableFuture[]::new))
                .exceptionally(e -> null)
                .join();
    }

    /** Takes until it is released, as bcrypt does, and counts. */
    private static final class Slow implements PasswordEncoder {

        private final AtomicInteger begun = new AtomicInteger();
        private final AtomicInteger atOnce = new AtomicInteger();
        private final AtomicInteger maxAtOnce = new AtomicInteger();
        private final CountDownLatch release = new CountDownLatch(1);

        @Override
        public String encode(@Nullable CharSequence password) {
            begun.incrementAndGet();
            maxAtOnce.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            try {
                release.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            atOnce.decrementAndGet();
            return "hash of " + password;
        }

        @Override
        public boolean matches(@Nullable CharSequence password, @Nullable String hash) {
            return encode(password).equals(hash);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 8, 7", "0, 2, 1", "0, 1, 1", "3, 1, 3"})
    void noMoreAreHashedAtOnceThanLeaveAProcessor(int setting, int processors, int expected) {
        Passwords passwords = passwords(setting, 20, Duration.ofSeconds(30), processors);
        for (int i = 0; i < expected + 10; i++) {
            boolean compare = i % 2 == 0;
            start(() -> {
                if (compare) {
                    assertThat(passwords.matches("secret", "hash of secret")).isTrue();
                } else {
                    assertThat(passwords.hash("secret")).isEqualTo("hash of secret");
                }
            });
        }
        awaitWaiting(expected + 10);
        assertThat(slow.begun).hasValue(expected);

        slow.release.countDown();

        assertThat(calls).allSatisfy(call -> assertThat(call.join()).isNull());
        assertThat(slow.maxAtOnce).hasValue(expected);
        assertThat(slow.begun).hasValue(expected + 10);
    }

    @Test
    void whenAllPlacesAreTakenTheNextCallIsRefusedAtOnce() {
        Passwords passwords = passwords(1, 2, Duration.ofSeconds(30), 2);
        for (int i = 0; i < 3; i++) {
            start(() -> passwords.hash("secret"));
        }
        awaitWaiting(3);

        assertThatThrownBy(() -> passwords.hash("secret")).isInstanceOf(BusyException.class);
        assertThatThrownBy(() -> passwords.matches("secret", "hash")).isInstanceOf(BusyException.class);

        slow.release.countDown();
        assertThat(calls).allSatisfy(call -> assertThat(call.join()).isNull());
        assertThat(passwords.hash("secret")).isEqualTo("hash of secret");
    }

    @Test
    void aCallThatWaitsTooLongIsRefusedAndLeavesItsPlace() {
        Passwords passwords = passwords(1, 1, Duration.ofMillis(1), 2);
        start(() -> passwords.hash("secret"));
        awaitWaiting(1);

        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> passwords.hash("secret")).isInstanceOf(BusyException.class);
        }
        assertThat(slow.begun).hasValue(1);
    }

    @Test
    void aCallThatIsInterruptedLeavesItsPlaceAndPassesTheInterruptOn() {
        Passwords passwords = passwords(1, 1, Duration.ofSeconds(30), 2);
        start(() -> passwords.hash("secret"));
        awaitWaiting(1);
        for (int i = 0; i < 3; i++) {
            Thread.currentThread().interrupt();

            assertThatThrownBy(() -> passwords.hash("secret")).isInstanceOf(BusyException.class);

            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void aHashThatFailsGivesItsTurnBack() {
        AtomicInteger turn = new AtomicInteger();
        Passwords passwords = new Passwords(
                failing(password -> {
                    if (turn.incrementAndGet() < 3) {
                        throw new IllegalArgumentException("an unknown kind");
                    }
                }),
                new UsherServerProperties.Passwords(1, 0, Duration.ofSeconds(1)),
                2);

        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> passwords.hash("secret")).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(passwords.hash("secret")).isEqualTo("hash");
    }

    @Test
    void thePasswordOfTheSettingsPassesTheBulkhead() {
        Passwords passwords = passwords(1, 0, Duration.ofMillis(1), 2);
        start(() -> passwords.hash("secret"));
        awaitWaiting(1);

        start(() -> passwords.hashNow("secret"));

        await().until(() -> slow.begun.get() == 2);
    }

    private static PasswordEncoder failing(Consumer<CharSequence> check) {
        return new PasswordEncoder() {
            @Override
            public String encode(@Nullable CharSequence password) {
                check.accept(String.valueOf(password));
                return "hash";
            }

            @Override
            public boolean matches(@Nullable CharSequence password, @Nullable String hash) {
                return false;
            }
        };
    }

    private Passwords passwords(int atOnce, int waiting, Duration maxWait, int processors) {
        return new Passwords(slow, new UsherServerProperties.Passwords(atOnce, waiting, maxWait), processors);
    }

    private void start(Runnable call) {
        calls.add(CompletableFuture.runAsync(call, task -> {
            Thread thread = new Thread(task, "caller");
            threads.add(thread);
            thread.start();
        }));
    }

    /** Until that many calls compute or wait for their turn. */
    private void awaitWaiting(int count) {
        await().until(() -> threads.stream()
                        .filter(thread -> thread.getState() == Thread.State.WAITING
                                || thread.getState() == Thread.State.TIMED_WAITING)
                        .count()
                == count);
    }
}
