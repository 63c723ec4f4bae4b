package dev.usher;

import java.util.concurrent.atomic.LongAdder;

/** The live counters behind {@link CacheStats}. */
final class Counters {

    final LongAdder nearHits = new LongAdder();
    final LongAdder sharedHits = new LongAdder();
    final LongAdder sourceAnswers = new LongAdder();
    final LongAdder unavailable = new LongAdder();
    final LongAdder loads = new LongAdder();
    final LongAdder loadFailures = new LongAdder();
    final LongAdder fillsRefused = new LongAdder();
    final LongAdder offersStored = new LongAdder();
    final LongAdder offersRefused = new LongAdder();
    final LongAdder claimWaits = new LongAdder();
    final LongAdder unreadable = new LongAdder();
    final LongAdder sharedErrors = new LongAdder();

    CacheStats read(long pendingFences) {
        return new CacheStats(
                nearHits.sum(),
                sharedHits.sum(),
                sourceAnswers.sum(),
                unavailable.sum(),
                loads.sum(),
                loadFailures.sum(),
                fillsRefused.sum(),
                offersStored.sum(),
                offersRefused.sum(),
                claimWaits.sum(),
                unreadable.sum(),
                sharedErrors.sum(),
                pendingFences);
    }
}
