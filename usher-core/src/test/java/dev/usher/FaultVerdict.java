package dev.usher;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The result of one {@link Fault}: figures and violations. Filled in by one thread. */
final class FaultVerdict {

    private static final int EXAMPLES = 20;

    private final Fault fault;
    private final Map<String, Long> violations = new TreeMap<>();
    private final List<String> examples = new ArrayList<>();

    /** The reasons of calls without an answer, and their numbers. */
    final Map<String, Long> unavailable = new TreeMap<>();

    long reads;
    long changes;
    long receipts;
    long receiptsConfirmed;
    Duration oldest = Duration.ZERO;
    long staleAnswers;

    /** Reads during the fault that took longer than the deadline of a call of Redis. */
    long paid;

    Duration p99 = Duration.ZERO;
    Duration longest = Duration.ZERO;
    int maxQueries;

    /** The time from the end of the fault until every node has recovered. */
    Duration recovery = Duration.ZERO;

    FaultVerdict(Fault fault) {
        this.fault = fault;
    }

    void violation(String rule, String example) {
        violation(rule, 1);
        example(rule + ": " + example);
    }

    void violation(String rule, long times) {
        violations.merge(rule, times, Long::sum);
    }

    void example(Object violation) {
        if (examples.size() < EXAMPLES) {
            examples.add(violation.toString());
        }
    }

    Map<String, Long> violations() {
        return violations;
    }

    static String heading() {
        return "%-66s %8s %7s %9s %7s %7s %6s %7s %7s %6s %7s %8s  %s"
                .formatted(
                        "when",
                        "reads",
                        "changes",
                        "receipts",
                        "oldest",
                        "no ans.",
                        "stale",
                        "p99",
                        "longest",
                        "paid",
                        "queries",
                        "recovery",
                        "violations");
    }

    String line() {
        return String.format(
                Locale.ROOT,
                "%-66s %,8d %,7d %4d/%-4d %4d ms %,7d %,6d %4d ms %4d ms %,6d %7d %5d ms  %s",
                fault,
                reads,
                changes,
                receiptsConfirmed,
                receipts,
                oldest.toMillis(),
                unavailable.values().stream().mapToLong(times -> times).sum(),
                staleAnswers,
                p99.toMillis(),
                longest.toMillis(),
                paid,
                maxQueries,
                recovery.toMillis(),
                violations.isEmpty() ? "none" : violations);
    }

    /** Further details, if there are any. */
    List<String> details() {
        List<String> details = new ArrayList<>();
        unavailable.forEach((why, times) ->
                details.add(String.format(Locale.ROOT, "%s: no answer %,d times: %s", fault, times, why)));
        examples.forEach(example -> details.add(fault + ": " + example));
        return details;
    }
}
