package dev.usher;

import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What goes wrong with the source of a facet; said in the log now and then, not for each call that fails. The lines name exceptions
 * by their classes, and never quote one: its message may hold a value. Thread-safe.
 */
final class SourceTroubles {

    private static final Logger log = LoggerFactory.getLogger(SourceTroubles.class);

    /** How often the same trouble is logged while it lasts. */
    private static final Duration WARNING = Duration.ofSeconds(10);

    private final KeySpace keys;
    private final LongSupplier nanoTime;
    private final AtomicLong nextWarningAt;
    private final AtomicLong nextWarningOfRowsAt;
    private volatile @Nullable String latest;
    private volatile long failedAt;
    private volatile boolean warned;

    SourceTroubles(KeySpace keys, LongSupplier nanoTime) {
        this.keys = keys;
        this.nanoTime = nanoTime;
        this.nextWarningAt = new AtomicLong(nanoTime.getAsLong());
        this.nextWarningOfRowsAt = new AtomicLong(nanoTime.getAsLong());
    }

    /** Notes that a call has failed for all its users. */
    void failed(Set<?> ids, Throwable failure) {
        String what = SourceFailure.describe(failure);
        failedAt = nanoTime.getAsLong();
        latest = what;
        if (isTimeFor(nextWarningAt)) {
            warned = true;
            log.warn(
                    "The source of {} fails: {}; users that neither memory nor Redis knows are unavailable",
                    facet(),
                    what);
        }
        log.debug("The source of {} has failed for {}", facet(), keys.nameOf(ids), failure);
    }

    /** Notes that a call has been answered, but for some users. */
    void unreadable(Map<?, ? extends Exception> failures) {
        answered();
        Exception first = failures.values().iterator().next();
        if (isTimeFor(nextWarningOfRowsAt)) {
            log.warn(
                    "{} cannot be read from the source: {}; others in the same query are answered",
                    keys.nameOf(failures.keySet()),
                    SourceFailure.describe(first));
        }
        log.debug("{} cannot be read from the source", keys.nameOf(failures.keySet()), first);
    }

    /** Notes that a call has been answered. */
    void answered() {
        if (latest == null) {
            return;
        }
        latest = null;
        // Not while it answers one call and fails the next.
        if (warned && nanoTime.getAsLong() - nextWarningAt.get() > 0) {
            warned = false;
            log.info("The source of {} answers again", facet());
        }
    }

    /**
     * How the last call has failed, or {@code null} when it has been answered, there was none, or it was so long ago that nothing is
     * known any more: a node that no user asks would else be taken for ill for ever.
     */
    @Nullable String latest() {
        String what = latest;
        return what == null || nanoTime.getAsLong() - failedAt >= WARNING.toNanos() ? null : what;
    }

    private String facet() {
        return keys.facet();
    }

    private boolean isTimeFor(AtomicLong warning) {
        long now = nanoTime.getAsLong();
        long due = warning.get();
        return now - due >= 0 && warning.compareAndSet(due, now + WARNING.toNanos());
    }
}
