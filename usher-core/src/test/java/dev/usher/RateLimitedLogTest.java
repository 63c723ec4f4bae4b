package dev.usher;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

class RateLimitedLogTest {

    private final Logger logger = (Logger) LoggerFactory.getLogger(RateLimitedLogTest.class);
    private final ListAppender<ILoggingEvent> written = new ListAppender<>();
    private final AtomicLong clock =
            new AtomicLong(Long.MAX_VALUE - MILLISECONDS.toNanos(15_000)); // overflows on the way
    private final RateLimitedLog limited = new RateLimitedLog(logger, clock::get);

    @BeforeEach
    void listen() {
        written.start();
        logger.setAdditive(false);
        logger.addAppender(written);
    }

    @AfterEach
    void stopListening() {
        logger.detachAppender(written);
        logger.setAdditive(true);
    }

    @ParameterizedTest(name = "calls after {0} ms")
    @MethodSource("callsAndLines")
    void oneLineIsWrittenInTenSecondsAndCountsTheOthers(List<Long> callsAfterMillis, List<String> lines) {
        long start = clock.get();

        callsAfterMillis.forEach(after -> {
            clock.set(start + MILLISECONDS.toNanos(after));
            var unused = limited.warn("{} failed", after);
        });

        assertThat(written.list).extracting(ILoggingEvent::getFormattedMessage).isEqualTo(lines);
    }

    static Stream<Arguments> callsAndLines() {
        return Stream.of(
                Arguments.of(List.of(0L), List.of("0 failed")),
                Arguments.of(List.of(0L, 1L, 9_999L), List.of("0 failed")),
                Arguments.of(List.of(0L, 10_000L, 20_000L), List.of("0 failed", "10000 failed", "20000 failed")),
                Arguments.of(
                        List.of(0L, 1L, 2L, 10_000L, 20_000L),
                        List.of(
                                "0 failed",
                                "10000 failed (such lines left out since the last one: 2)",
                                "20000 failed")),
                Arguments.of(
                        List.of(0L, 5_000L, 60_000L, 65_000L, 70_000L),
                        List.of(
                                "0 failed",
                                "60000 failed (such lines left out since the last one: 1)",
                                "70000 failed (such lines left out since the last one: 1)")),
                Arguments.of(
                        LongStream.rangeClosed(0, 10_000).boxed().toList(),
                        List.of("0 failed", "10000 failed (such lines left out since the last one: 9999)")));
    }

    @Test
    void callersAtOnceWriteOneLineAndNoneIsLostFromTheCount() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            CountDownLatch go = new CountDownLatch(1);
            for (int i = 0; i < 8; i++) {
                threads.execute(() -> {
                    try {
                        go.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    for (int call = 0; call < 500; call++) {
                        var unused = limited.error("failed");
                    }
                });
            }
            go.countDown();
        } finally {
            threads.shutdown();
            assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
        }
        clock.addAndGet(TimeUnit.SECONDS.toNanos(10));
        var unused = limited.error("failed");

        assertThat(written.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .containsExactly("failed", "failed (such lines left out since the last one: 3999)");
    }

    @Test
    void anExceptionAtTheEndOfTheArgumentsKeepsItsStackTrace() {
        boolean first = limited.error("{} failed", "it", new IllegalStateException("why"));
        boolean second = limited.error("{} failed", "it", new IllegalStateException("why"));

        assertThat(first).isTrue();
        assertThat(second).isFalse();
        assertThat(written.list).singleElement().satisfies(event -> {
            assertThat(event.getFormattedMessage()).isEqualTo("it failed");
            assertThat(event.getThrowableProxy().getMessage()).isEqualTo("why");
        });
    }

    @Test
    void aLevelThatIsSwitchedOffIsNotWritten() {
        Level before = logger.getLevel();
        logger.setLevel(Level.ERROR);
        try {
            var unused = limited.warn("failed");
        } finally {
            logger.setLevel(before);
        }

        assertThat(written.list).isEmpty();
    }
}
