package dev.usher;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** Checks the calls without an answer, and those with a stale one, against the times in which the database could be reached. */
final class AvailabilityChecker {

    private static final int EXAMPLES = 10;

    /** A load that began before the database was back may fail afterwards, also for callers that joined it in between. */
    private static final Duration LAST_FAILURES = Duration.ofMillis(100);

    /** For how long a stale answer may be given again without asking the source anew. */
    private static final Duration STALE_AGAIN = Duration.ofSeconds(1);

    /** The ways in which such a call can be wrong. */
    enum Rule {
        /** No answer, although the database could be reached all the time. */
        COULD_HAVE_BEEN_LOADED,
        /** No answer for a user that the node had answered before and that has not changed since. */
        COULD_HAVE_BEEN_REMEMBERED,
        /** A stale answer, although the database could be reached all the time. */
        STALE_WITHOUT_NEED
    }

    /** A time in which a node could not reach the database. */
    record Outage(long from, long to) {}

    /** A call whose answer was wrong. */
    record Violation(Rule rule, int node, int id, long asked, long answered) {}

    private final IntPredicate isRemembered;
    private final Map<Rule, Long> counts = new EnumMap<>(Rule.class);
    private final List<Violation> examples = new ArrayList<>();

    /**
     * A checker of one run.
     *
     * @param isRemembered whether every node has answered a user before, and the user never changes
     */
    AvailabilityChecker(IntPredicate isRemembered) {
        this.isRemembered = isRemembered;
    }

    /** Checks the calls of one thread of a node that got no answer. */
    void check(int node, List<Outage> outages, ReadLog reads) {
        for (int row = 0; row < reads.size(); row++) {
            if (reads.version(row) == ReadLog.UNAVAILABLE) {
                if (!isWithin(outages, LAST_FAILURES, reads, row)) {
                    note(Rule.COULD_HAVE_BEEN_LOADED, node, reads, row);
                } else if (isRemembered.test(reads.id(row))) {
                    note(Rule.COULD_HAVE_BEEN_REMEMBERED, node, reads, row);
                }
            }
        }
    }

    /** Checks the answers to one thread of a node that were marked as stale. */
    void checkStale(int node, List<Outage> outages, ReadLog stale) {
        for (int row = 0; row < stale.size(); row++) {
            if (!isWithin(outages, LAST_FAILURES.plus(STALE_AGAIN), stale, row)) {
                note(Rule.STALE_WITHOUT_NEED, node, stale, row);
            }
        }
    }

    private static boolean isWithin(List<Outage> outages, Duration after, ReadLog reads, int row) {
        return outages.stream()
                .anyMatch(outage ->
                        outage.from() <= reads.answered(row) && reads.asked(row) <= outage.to() + after.toNanos());
    }

    private void note(Rule rule, int node, ReadLog reads, int row) {
        if (counts.merge(rule, 1L, Long::sum) <= EXAMPLES) {
            examples.add(new Violation(rule, node, reads.id(row), reads.asked(row), reads.answered(row)));
        }
    }

    /** The number of violations of each rule. */
    Map<Rule, Long> violations() {
        return Map.copyOf(counts);
    }

    /** The first violations of each rule. */
    List<Violation> examples() {
        return List.copyOf(examples);
    }
}
