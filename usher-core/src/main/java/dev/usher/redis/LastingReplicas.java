package dev.usher.redis;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How many replicas a primary has, where one that is lost still counts for an hour: it may have taken the place of the primary, which is not told. Thread-safe.
 */
final class LastingReplicas {

    /** As long as Redis itself keeps a backlog for a replica that would come back. */
    private static final Duration LASTING = Duration.ofHours(1);

    private @Nullable String history;
    private int most;
    private long at;

    /**
     * How many replicas have to acknowledge a write.
     *
     * @param now the replication of the primary
     * @param moment of {@link System#nanoTime()}
     */
    synchronized int toAwait(Replication now, long moment) {
        if (!now.history().equals(history) || now.isAlone() || moment - at > LASTING.toNanos()) {
            most = 0;
        }
        if (now.replicas() >= most) {
            history = now.history();
            most = now.replicas();
            at = moment;
        }
        // One that has had a replica before this node came has a backlog.
        return now.isAlone() ? 0 : Math.max(1, most);
    }
}
