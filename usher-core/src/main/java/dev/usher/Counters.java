package dev.usher;

import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** The live counters behind {@link CacheStats} and the {@link Meters} of one facet. Thread-safe. */
final class Counters {

    final LongAdder nearPresent = new LongAdder();
    final LongAdder nearAbsent = new LongAdder();
    final LongAdder sharedPresent = new LongAdder();
    final LongAdder sharedAbsent = new LongAdder();
    final LongAdder sourcePresent = new LongAdder();
    final LongAdder sourceAbsent = new LongAdder();
    final LongAdder stalePresent = new LongAdder();
    final LongAdder staleAbsent = new LongAdder();
    final LongAdder unavailable = new LongAdder();
    final LongAdder loads = new LongAdder();
    final LongAdder loadFailures = new LongAdder();
    final LongAdder loadsRejected = new LongAdder();
    final LongAdder loadedUsers = new LongAdder();
    final LongAdder loadNanos = new LongAdder();
    final LongAdder fillsRefused = new LongAdder();
    final LongAdder fillsNotEncoded = new LongAdder();
    final LongAdder offersStored = new LongAdder();
    final LongAdder offersRefused = new LongAdder();
    final LongAdder claimWaits = new LongAdder();
    final LongAdder refreshes = new LongAdder();
    final LongAdder nearInvalidations = new LongAdder();
    final LongAdder unreadable = new LongAdder();
    final LongAdder sharedErrors = new LongAdder();

    private final IntConsumer sizes;
    private final LongConsumer answeredAfter;
    private final LongConsumer failedAfter;

    /** For a facet without meters. */
    Counters() {
        this(users -> {}, nanos -> {}, nanos -> {});
    }

    /**
     * For a facet with distributions.
     *
     * @param sizes is told of how many users each call of the source asks for
     * @param answeredAfter is told how many nanoseconds each call of the source took that answered
     * @param failedAfter is told how many nanoseconds each call of the source took that failed
     */
    Counters(IntConsumer sizes, LongConsumer answeredAfter, LongConsumer failedAfter) {
        this.sizes = sizes;
        this.answeredAfter = answeredAfter;
        this.failedAfter = failedAfter;
    }

    /** An answer from memory. */
    void remembered(boolean present, boolean stale) {
        if (stale) {
            (present ? stalePresent : staleAbsent).increment();
        } else {
            (present ? nearPresent : nearAbsent).increment();
        }
    }

    /** An answer that did not come from memory. */
    void answered(Tier tier, Entry<?> entry) {
        boolean present = entry.value() != null;
        switch (tier) {
            case SHARED -> (present ? sharedPresent : sharedAbsent).increment();
            case SOURCE -> (present ? sourcePresent : sourceAbsent).increment();
        }
    }

    /** A call of the source begins. */
    void loadBegins(int users) {
        loads.increment();
        loadedUsers.add(users);
        sizes.accept(users);
    }

    /** A call of the source has answered what was asked. */
    void loadAnswered(long nanos) {
        loadNanos.add(nanos);
        answeredAfter.accept(nanos);
    }

    /** A call of the source has thrown, or has answered something else. */
    void loadFailed(long nanos) {
        loadFailures.increment();
        loadNanos.add(nanos);
        failedAfter.accept(nanos);
    }

    /**
     * All counters, read one by one.
     *
     * @param shared of all facets
     * @param pendingFences of all facets
     * @param watermarkAge of all facets
     */
    CacheStats read(BatchSizes shared, long pendingFences, @Nullable Duration watermarkAge) {
        return new CacheStats(this, shared.batches(), shared.reads(), pendingFences, watermarkAge);
    }
}
