package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.Bulkhead.Call;
import dev.usher.Bulkhead.CrowdedException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Which calls wait, when all places are taken. */
class BulkheadTest {

    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1000);
    private final Bulkhead bulkhead = new Bulkhead(1, Duration.ofSeconds(3), nanos::get);
    private final CallerSteps steps = new CallerSteps(Runnable::run);
    private final Call leader = bulkhead.begin(steps);

    @Test
    void aBurstOfCallsMayWaitWhileTheSourceAnswers() throws Exception {
        takeAllPlaces();
        for (int i = 0; i < 1000; i++) {
            requireMayWait(bulkhead.begin(steps));
        }
        leader.loadBegins();
        pass(Bulkhead.GRACE);
        requireMayWait(bulkhead.begin(steps));
        pass(Duration.ofMillis(1));
        assertRefused(bulkhead.begin(steps));

        leader.loadAnswered();
        requireMayWait(bulkhead.begin(steps));

        pass(Duration.ofHours(1));
        requireMayWait(bulkhead.begin(steps));
        leader.loadBegins();
        requireMayWait(bulkhead.begin(steps));
    }

    @Test
    void aSourceThatFailsOrHangsGetsNoFurtherCallsUntilItHasAnswered() throws Exception {
        takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofSeconds(2));
        leader.loadFailed(true);
        assertRefused(bulkhead.begin(steps));
        leader.loadBegins();
        assertRefused(bulkhead.begin(steps));
        pass(Duration.ofSeconds(2));
        assertRefused(bulkhead.begin(steps));
        leader.loadAnswered();
        requireMayWait(bulkhead.begin(steps));
    }

    @Test
    void oneQueryThatHangsMakesNoSourceThatAnswersOthersStalled() throws Exception {
        takeAllPlaces();
        Call hanging = bulkhead.begin(steps);
        hanging.loadBegins();
        leader.loadBegins();
        leader.loadAnswered();
        pass(Duration.ofSeconds(1));
        leader.loadBegins();
        requireMayWait(bulkhead.begin(steps));
        pass(Bulkhead.GRACE.plusMillis(1));
        assertRefused(bulkhead.begin(steps));
    }

    @Test
    void aFailureThatSaysNothingOfTheSourceLeavesTheGrace() throws Exception {
        takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofSeconds(1));
        leader.loadFailed(false);
        requireMayWait(bulkhead.begin(steps));
        leader.loadBegins();
        requireMayWait(bulkhead.begin(steps));
    }

    @Test
    void aCallWhoseGraceIsOverTakesAPlaceThatIsFreeByThen() throws Exception {
        Call placed = takeAllPlaces();
        CompletableFuture<String> comes = new CompletableFuture<>();
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
            CallerSteps own = new CallerSteps(Runnable::run);
            return own.await(bulkhead.begin(own).within(comes), () -> {});
        });
        placed.close();
        await().until(() -> bulkhead.isFull());
        comes.complete("Ann");
        assertThat(answer.get()).isEqualTo("Ann");
    }

    @Test
    void aCallWithoutAPlaceWaitsForAMomentOnly() throws Exception {
        takeAllPlaces();
        Call call = bulkhead.begin(steps);
        CompletableFuture<String> comes = new CompletableFuture<>();
        comes.completeAsync(() -> "Ann");
        assertThat(steps.await(call.within(comes), () -> {})).isEqualTo("Ann");
        assertFails(call, CrowdedException.class);
        pass(Bulkhead.GRACE);
        assertRefused(call);
        requireMayWait(bulkhead.begin(steps));
    }

    @Test
    void aCallInAPlaceWaitsWhateverTheSourceDoes() {
        Call placed = takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofMillis(2_900));
        assertThat(placed.isRefused()).isFalse();
        assertFails(placed, Bulkhead.OverdueException.class);
        pass(Duration.ofMillis(100));
        assertThat(placed.isRefused()).isTrue();
        placed.close();
        assertThat(bulkhead.begin(steps).isRefused()).as("the place is free").isFalse();
    }

    @Test
    void withoutPlacesNoCallWaits() {
        Bulkhead none = new Bulkhead(0, Duration.ofSeconds(3), nanos::get);
        assertRefused(none.begin(steps));
    }

    @Test
    void anInterruptEndsTheWaitsOfACall() {
        Call call = bulkhead.begin(steps);
        CompletableFuture<String> wait = call.within(new CompletableFuture<>());
        assertThat(wait).isNotDone();
        call.interrupt();
        assertThat(wait).isCompletedExceptionally();
        assertFails(call, InterruptedException.class);
    }

    @Test
    void aCallWithoutAThreadNeedsNoPlace() throws Exception {
        takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofSeconds(1));
        assertRefused(bulkhead.begin(steps));
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
        try {
            Call call = bulkhead.begin(new WorkerSteps(Runnable::run, Runnable::run, timer));
            requireMayWait(call);
            CompletableFuture<String> comes = new CompletableFuture<>();
            CompletableFuture<String> wait = call.within(comes);
            assertThat(wait).isNotDone();
            comes.complete("Ann");
            assertThat(wait).isCompletedWithValue("Ann");
            pass(Duration.ofSeconds(2));
            assertThat(call.isRefused()).isFalse();
            pass(Duration.ofSeconds(1));
            assertThat(call.isRefused()).as("its time is over").isTrue();
        } finally {
            timer.shutdownNow();
        }
    }

    private void assertFails(Call call, Class<? extends Exception> failure) {
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(() -> steps.await(call.within(new CompletableFuture<String>()), () -> {}))
                .withCauseInstanceOf(failure);
    }

    private Call takeAllPlaces() {
        Call call = bulkhead.begin(steps);
        assertThat(call.takePlace()).isTrue();
        return call;
    }

    private void pass(Duration time) {
        nanos.addAndGet(time.toNanos());
    }

    private static void requireMayWait(Call call) throws CrowdedException {
        assertThat(call.isRefused()).isFalse();
        call.requireMayWait();
    }

    private static void assertRefused(Call call) {
        assertThat(call.isRefused()).isTrue();
        assertThatExceptionOfType(CrowdedException.class).isThrownBy(call::requireMayWait);
    }
}
