package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * How long loads wait for other processes, which hold the claims: until one of these has stored something, for the policy's {@code claimWait}
 * at most, and for less while all places of waiting callers are taken. No claim is waited for again that has outlasted a wait. Thread-safe.
 */
final class ClaimWaits<K, V> {

    /** A source that hangs does not keep the entries from other processes for longer. */
    static final Duration LONGEST_CLAIM = Duration.ofSeconds(30);

    /** How long a load waits for another process while all places are taken: well within the grace of those that wait for it. */
    private static final Duration CROWD_WAIT = Bulkhead.GRACE.dividedBy(2);

    private static final int MAX_IN_VAIN = 10_000;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(2);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    private final Duration claimWait;
    private final SourceReads<K, V> source;

    /** The claims that callers have waited for in vain, by id. No claim is renewed for longer than they are remembered. */
    private final Cache<K, String> awaitedInVain = Caffeine.newBuilder()
            .executor(Runnable::run)
            .maximumSize(MAX_IN_VAIN)
            .expireAfterWrite(LONGEST_CLAIM)
            .build();

    ClaimWaits(Duration claimWait, SourceReads<K, V> source) {
        this.claimWait = claimWait;
        this.source = source;
    }

    /** The wait of a load that begins now. */
    Wait begin() {
        return new Wait(System.nanoTime());
    }

    /** The claim has outlasted a caller's patience: the next callers do not wait for the same one. */
    void noteAwaitedInVain(Miss<K, V> miss) {
        if (miss.heldUnder != null) {
            awaitedInVain.put(miss.id, miss.heldUnder);
        }
    }

    boolean isAwaitedInVain(Miss<K, V> miss) {
        return miss.heldUnder != null && miss.heldUnder.equals(awaitedInVain.getIfPresent(miss.id));
    }

    /** The wait of one load. Not thread-safe. */
    final class Wait {

        private final long givesUpAt;
        private final long crowdGivesUpAt;
        private Duration pause = Duration.ZERO;

        private Wait(long now) {
            this.givesUpAt = now + claimWait.toNanos();
            this.crowdGivesUpAt = now + CROWD_WAIT.toNanos();
        }

        /** Whether the claims have been waited for as long as the policy allows. */
        boolean isInVain() {
            return givesUpAt - System.nanoTime() <= 0;
        }

        /** How much longer a call may wait for other processes, in nanoseconds; not positive when it may not. */
        long patience(Bulkhead.Call call) {
            long patience = Math.min(givesUpAt - System.nanoTime(), call.nanosLeft());
            // Callers without a place wait for this load, and not for long.
            return source.isCrowded() ? Math.min(patience, crowdGivesUpAt - System.nanoTime()) : patience;
        }

        /**
         * Waits until something may have been stored.
         *
         * @param fills are completed when something has been
         * @param nanos no longer than this
         * @return completed then, or failed with an {@link InterruptedException}
         */
        CompletableFuture<Void> await(List<CompletableFuture<Void>> fills, long nanos, Bulkhead.Call call) {
            CompletableFuture<Void> over = new CompletableFuture<>();
            var unused = CompletableFuture.anyOf(fills.toArray(CompletableFuture[]::new))
                    .thenAccept(filled -> over.complete(null));
            look(over, System.nanoTime() + nanos, call.steps());
            return call.interruptible(over);
        }

        /** Ends a wait when its time is over, or looks again later. */
        private void look(CompletableFuture<Void> over, long until, Steps steps) {
            long now = System.nanoTime();
            if (until - now <= 0 || (source.isCrowded() && now - crowdGivesUpAt >= 0)) {
                over.complete(null);
            } else if (!over.isDone()) {
                Runnable next =
                        steps.after(Math.min(until - now, CROWD_WAIT.toNanos()), () -> look(over, until, steps));
                var unused = over.thenRun(next);
            }
        }

        /** After how many nanoseconds to look again where no push tells of a fill: each time a little later. */
        long nextPause() {
            Duration doubled = pause.multipliedBy(2);
            pause = pause.isZero() ? FIRST_PAUSE : doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
            return pause.toNanos();
        }
    }
}
