package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.usher.Bulkhead.Call;
import dev.usher.Bulkhead.CrowdedException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Which calls wait, when all places are taken. */
class BulkheadTest {

    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1000);
    private final Bulkhead bulkhead = new Bulkhead(1, Duration.ofSeconds(3), nanos::get);
    private final Call leader = bulkhead.begin();

    @Test
    void aBurstOfCallsMayWaitWhileTheSourceAnswers() throws Exception {
        takeAllPlaces();
        for (int i = 0; i < 1000; i++) {
            requireMayWait(bulkhead.begin());
        }
        leader.loadBegins();
        pass(Bulkhead.GRACE);
        requireMayWait(bulkhead.begin());
        pass(Duration.ofMillis(1));
        assertRefused(bulkhead.begin());

        leader.loadAnswered();
        requireMayWait(bulkhead.begin());

        pass(Duration.ofHours(1));
        requireMayWait(bulkhead.begin());
        leader.loadBegins();
        requireMayWait(bulkhead.begin());
    }

    @Test
    void aSourceThatFailsOrHangsGetsNoFurtherCallsUntilItHasAnswered() throws Exception {
        takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofSeconds(2));
        leader.loadFailed(true);
        assertRefused(bulkhead.begin());
        leader.loadBegins();
        assertRefused(bulkhead.begin());
        pass(Duration.ofSeconds(2));
        assertRefused(bulkhead.begin());
        leader.loadAnswered();
        requireMayWait(bulkhead.begin());
    }

    @Test
    void oneQueryThatHangsMakesNoSourceThatAnswersOthersStalled() throws Exception {
        takeAllPlaces();
        Call hanging = bulkhead.begin();
        hanging.loadBegins();
        leader.loadBegins();
        leader.loadAnswered();
        pass(Duration.ofSeconds(1));
        leader.loadBegins();
        requireMayWait(bulkhead.begin());
        pass(Bulkhead.GRACE.plusMillis(1));
        assertRefused(bulkhead.begin());
    }

    @Test
    void aFailureThatSaysNothingOfTheSourceLeavesTheGrace() throws Exception {
        takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofSeconds(1));
        leader.loadFailed(false);
        requireMayWait(bulkhead.begin());
        leader.loadBegins();
        requireMayWait(bulkhead.begin());
    }

    @Test
    void aCallWhoseGraceIsOverTakesAPlaceThatIsFreeByThen() throws Exception {
        Call placed = takeAllPlaces();
        Call call = bulkhead.begin();
        CompletableFuture<String> comes = new CompletableFuture<>();
        CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
            try {
                return call.await(comes);
            } catch (Exception e) {
                return e.toString();
            }
        });
        placed.close();
        await().until(() -> bulkhead.isFull());
        comes.complete("Ann");
        assertThat(answer.get()).isEqualTo("Ann");
    }

    @Test
    void aCallWithoutAPlaceWaitsForAMomentOnly() throws Exception {
        takeAllPlaces();
        Call call = bulkhead.begin();
        CompletableFuture<String> comes = new CompletableFuture<>();
        comes.completeAsync(() -> "Ann");
        assertThat(call.await(comes)).isEqualTo("Ann");
        assertThatExceptionOfType(CrowdedException.class).isThrownBy(() -> call.await(new CompletableFuture<>()));
        pass(Bulkhead.GRACE);
        assertRefused(call);
        requireMayWait(bulkhead.begin());
    }

    @Test
    void aCallInAPlaceWaitsWhateverTheSourceDoes() throws ExecutionException, InterruptedException, TimeoutException {
        Call placed = takeAllPlaces();
        leader.loadBegins();
        pass(Duration.ofMillis(2_900));
        assertThat(placed.isRefused()).isFalse();
        assertThatExceptionOfType(Bulkhead.OverdueException.class)
                .isThrownBy(() -> placed.await(new CompletableFuture<>()));
        pass(Duration.ofMillis(100));
        assertThat(placed.isRefused()).isTrue();
        placed.close();
        assertThat(bulkhead.begin().isRefused()).as("the place is free").isFalse();
    }

    @Test
    void withoutPlacesNoCallWaits() {
        Bulkhead none = new Bulkhead(0, Duration.ofSeconds(3), nanos::get);
        assertRefused(none.begin());
    }

    private Call takeAllPlaces() {
        Call call = bulkhead.begin();
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
