package dev.usher;

import dev.usher.redis.KeySpace;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs the failures of a facet's source, at most one line in ten seconds. A line names exceptions by their classes, and never quotes
 * their messages, which may hold values. Thread-safe.
 */
final class SourceErrorLog {

    private static final Logger log = LoggerFactory.getLogger(SourceErrorLog.class);

    /** For how long a failure counts, and the line about its end is held back. */
    private static final Duration RECENT = Duration.ofSeconds(10);

    private final KeySpace keys;
    private final LongSupplier nanoTime;
    private final RateLimitedLog failureLog;
    private final RateLimitedLog rowLog;
    private volatile @Nullable String latest;
    private volatile long failedAt;
    private volatile long warnedAt;
    private volatile boolean warned;

    SourceErrorLog(KeySpace keys, LongSupplier nanoTime) {
        this.keys = keys;
        this.nanoTime = nanoTime;
        this.failureLog = new RateLimitedLog(log, nanoTime);
        this.rowLog = new RateLimitedLog(log, nanoTime);
    }

    /** Notes that a call has failed for all its users. */
    void failed(Set<?> ids, Throwable failure) {
        String what = SourceFailure.describe(failure);
        failedAt = nanoTime.getAsLong();
        latest = what;
        if (failureLog.warn(
                "The source of {} fails: {}; users that neither memory nor Redis knows are unavailable",
                facet(),
                what)) {
            warnedAt = failedAt;
            warned = true;
        }
        log.debug("The source of {} has failed for {}", facet(), keys.nameOf(ids), failure);
    }

    /** Notes that a call has been answered, but for some users. */
    void unreadable(Map<?, ? extends Exception> failures) {
        answered();
        Exception first = failures.values().iterator().next();
        rowLog.warn(
                "{} cannot be read from the source: {}; others in the same query are answered",
                keys.nameOf(failures.keySet()),
                SourceFailure.describe(first));
        log.debug("{} cannot be read from the source", keys.nameOf(failures.keySet()), first);
    }

    /** Notes that a call has been answered. */
    void answered() {
        if (latest == null) {
            return;
        }
        latest = null;
        // Not while the source answers one call and fails the next.
        if (warned && nanoTime.getAsLong() - warnedAt > RECENT.toNanos()) {
            warned = false;
            log.info("The source of {} answers again", facet());
        }
    }

    /**
     * The failure of the last call, or {@code null} when that was answered, there was none, or it was too long ago. Without that limit a
     * node without requests would report an old failure for ever.
     */
    @Nullable String latest() {
        String what = latest;
        return what == null || nanoTime.getAsLong() - failedAt >= RECENT.toNanos() ? null : what;
    }

    private String facet() {
        return keys.facet();
    }
}
