package dev.usher.cli;

import java.time.Duration;
import java.util.List;

/**
 * A row of the demo's table: many calls of one kind.
 *
 * @param what their purpose
 * @param call method and path
 * @param latencies how long each took, in nanoseconds, the shortest first
 * @param elapsed how long they took together
 * @param tally the tiers that answered them
 */
record CallRow(String what, String call, List<Long> latencies, Duration elapsed, Tally tally) {

    int calls() {
        return latencies.size();
    }

    /** The time within which that share of the calls was answered. */
    Duration quantile(double share) {
        int rank = (int) Math.ceil(share * latencies.size());
        return Duration.ofNanos(latencies.get(Math.max(0, rank - 1)));
    }

    double callsPerSecond() {
        return calls() * 1e9 / Math.max(1, elapsed.toNanos());
    }
}
