package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The rules of answers that no thread waits for, without a connection and with a timer that the test drives. */
class RedisLinkTest {

    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    private ScheduledThreadPoolExecutor timer;
    private RedisLink link;

    @BeforeEach
    void makeLink() {
        timer = new ScheduledThreadPoolExecutor(1, task -> null); // without a thread, nothing runs by itself
        timer.setRemoveOnCancelPolicy(true);
        link = link(TIMEOUT);
    }

    @AfterEach
    void endTimer() {
        timer.shutdownNow();
    }

    @Test
    void anAnswerIsPassedOnAndNothingStaysBehind() {
        CompletableFuture<String> answer = new CompletableFuture<>();
        CompletableFuture<String> bounded = link.bounded(answer);
        assertThat(bounded).isNotDone();
        assertThat(link.waiting()).isOne();
        answer.complete("PONG");
        assertThat(bounded).isCompletedWithValue("PONG");
        assertNothingIsLeft();
    }

    @Test
    void anAnswerThatIsThereAlreadyIsPassedOn() {
        assertThat(link.bounded(CompletableFuture.completedFuture("PONG"))).isCompletedWithValue("PONG");
        assertNothingIsLeft();
    }

    @Test
    void anErrorOfRedisIsAnAnswer() {
        for (int i = 0; i < 20; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            CompletableFuture<String> bounded = link.bounded(answer.thenApply(text -> text));
            answer.completeExceptionally(new RedisCommandExecutionException("OOM command not allowed"));
            assertThat(failureOf(bounded)).isInstanceOf(SharedTierException.class);
        }
        assertThat(link.isLeftAlone()).isFalse();
        assertThat(link.isFailing()).isTrue();
        assertNothingIsLeft();
    }

    @Test
    void aKeyThatIsElsewhereIsAFailureUnlessTheServerIsOneOfACluster() {
        RedisCommandExecutionException moved = new RedisCommandExecutionException("MOVED 99 10.0.0.2:7002");
        RedisLink ofCluster =
                new RedisLink(Duration.ofSeconds(5), timer, errorLog(), any -> new CompletableFuture<>(), true);
        for (RedisLink each : List.of(link, ofCluster)) {
            CompletableFuture<String> answer = each.bounded(CompletableFuture.failedFuture(moved));
            assertThat(failureOf(answer)).isInstanceOf(SharedTierException.class);
        }
        assertThat(link.isFailing()).isTrue();
        assertThat(link.hasFailedLately()).isTrue();
        assertThat(ofCluster.isFailing()).isFalse();

        link.note(null);
        link.note(moved);
        ofCluster.note(moved);
        assertThat(link.isFailing()).isTrue();
        assertThat(ofCluster.isFailing()).isFalse();
    }

    @Test
    void aKnownFailureIsNotWrapped() {
        SharedTierException known = new SharedTierException("known", null);
        CompletableFuture<String> answer = CompletableFuture.failedFuture(new CompletionException(known));
        assertThat(failureOf(link.bounded(answer))).isSameAs(known);
    }

    @Test
    void withoutAnAnswerInTimeTheCommandIsWithdrawnAndCountsAsMissed() {
        for (int i = 0; i < 4; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            CompletableFuture<String> bounded = link.bounded(answer);
            passDeadlines();
            assertThat(failureOf(bounded)).hasMessageContaining("did not answer within");
            assertThat(answer).isCancelled();
        }
        assertThat(link.isLeftAlone()).as("after four").isFalse();
        var unused = link.bounded(new CompletableFuture<>());
        passDeadlines();
        assertThat(link.isLeftAlone()).as("after five").isTrue();
        assertNothingIsLeft();
    }

    @Test
    void anOpeningBreakerEndsTheOthersAndRefusesTheNext() {
        List<CompletableFuture<String>> answers =
                Stream.generate(CompletableFuture<String>::new).limit(20).toList();
        List<CompletableFuture<String>> bounded =
                answers.stream().map(link::bounded).toList();
        passDeadlines();
        assertThat(bounded)
                .allSatisfy(one -> assertThat(failureOf(one)).isInstanceOf(SharedTierException.class))
                .filteredOn(one -> failureOf(one).toString().contains(RedisLink.NOT_ASKED))
                .hasSize(15);
        assertThat(answers).allMatch(CompletableFuture::isCancelled);
        CompletableFuture<String> late = new CompletableFuture<>();
        assertThat(failureOf(link.bounded(late))).hasMessageContaining(RedisLink.NOT_ASKED);
        assertThat(late).as("the command of the last").isCancelled();
        assertNothingIsLeft();
    }

    @Test
    void answersInTimeKeepTheBreakerClosed() {
        for (int i = 0; i < 40; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            var unused = link.bounded(answer);
            if (i % 5 < 3) {
                answer.complete("PONG");
            } else {
                passDeadlines();
            }
        }
        assertThat(link.isLeftAlone()).isFalse();
    }

    @Test
    void aDeadlineThatIsNoticedLateSaysNothingOfRedis() {
        Duration shorter = Duration.ofNanos(2);
        RedisLink paused = link(shorter);
        for (int i = 0; i < 20; i++) {
            CompletableFuture<String> bounded = paused.bounded(new CompletableFuture<>());
            long noticed = System.nanoTime() + 2 * shorter.toNanos();
            while (System.nanoTime() - noticed < 0) {
                Thread.onSpinWait();
            }
            passDeadlines();
            assertThat(failureOf(bounded)).hasMessageContaining("did not answer within");
        }
        assertThat(paused.isLeftAlone()).isFalse();
    }

    @Test
    void aCallerThatCancelsWithdrawsTheCommandAndNothingIsCounted() {
        for (int i = 0; i < 20; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            link.bounded(answer).cancel(false);
            assertThat(answer).isCancelled();
        }
        assertThat(link.isLeftAlone()).isFalse();
        assertThat(link.isFailing()).isFalse();
        assertNothingIsLeft();
    }

    @Test
    void aCommandThatTheClientLibraryCancelsWasClosed() {
        CompletableFuture<String> answer = new CompletableFuture<>();
        CompletableFuture<String> bounded = link.bounded(answer);
        answer.cancel(true);
        assertThat(failureOf(bounded)).hasMessageContaining("was closed");
        assertNothingIsLeft();
    }

    private RedisLink link(Duration timeout) {
        return new RedisLink(timeout, timer, errorLog());
    }

    private static RedisErrorLog errorLog() {
        return new RedisErrorLog(RedisURI.create("redis://localhost:1"));
    }

    private void passDeadlines() {
        timer.getQueue().forEach(Runnable::run);
    }

    private void assertNothingIsLeft() {
        assertThat(link.waiting()).as("answers that are waited for").isZero();
        assertThat(timer.getQueue()).as("deadlines").isEmpty();
    }

    /** As it is, for a dependent sees it like this. */
    private static Throwable failureOf(CompletableFuture<?> future) {
        assertThat(future).isCompletedExceptionally();
        return future.handle((any, failure) -> failure).join();
    }
}
