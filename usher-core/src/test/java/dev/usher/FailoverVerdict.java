package dev.usher;

import dev.usher.CoherenceChecker.Spread;
import dev.usher.RevocationReceipt.Grade;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The result of one {@link FailoverCase}: figures and violations. Filled in by one thread. */
final class FailoverVerdict {

    private static final int EXAMPLES = 20;

    private final FailoverCase what;
    private final List<String> examples = new ArrayList<>();

    /** Answers that break a rule of {@link CoherenceChecker}, by rule: of the facet that fails closed, and of profiles. */
    final Map<String, Long> gateViolations = new TreeMap<>();

    final Map<String, Long> profileViolations = new TreeMap<>();

    /** The reasons of calls without an answer, and their numbers. */
    final Map<String, Long> unavailable = new TreeMap<>();

    /** How many receipts have a grade, and how many answers were older than a receipt of that grade. */
    final Map<Grade, Long> receipts = new EnumMap<>(Grade.class);

    final Map<Grade, Long> broken = new EnumMap<>(Grade.class);

    /** Why receipts are not confirmed. */
    final Map<String, Long> reasons = new TreeMap<>();

    /** The receipts of bans of users whose slots were being moved. */
    final List<FailoverReceipt> duringReshard = new ArrayList<>();

    long reads;
    long changes;

    /** Calls with no answer, or with one that was marked as stale. */
    long failed;

    /** Changes that could not be announced, and were not when the nodes had become quiet. */
    long unsent;

    /** Of the calls that were due from the beginning of the failover until all nodes were coherent again. */
    Spread times = Spread.of(new long[0]);

    /** Queries of the source, and the seconds in which they were made: from the beginning of the failover until all nodes were coherent again. */
    long queries;

    double seconds;

    /** From the first answer of the new primary until all nodes have profiles, or the gate, in memory and coherent; {@code null} where it was not measured. */
    @Nullable Duration profilesOpen;

    @Nullable Duration gateOpen;

    /** How long after the commit of a ban a node still answered with what was before, at most. */
    Duration longestLetIn = Duration.ZERO;

    FailoverVerdict(FailoverCase what) {
        this.what = what;
    }

    void example(Object violation) {
        if (examples.size() < EXAMPLES) {
            examples.add(violation.toString());
        }
    }

    static boolean isConfirmed(FailoverReceipt receipt) {
        return receipt.grade() == Grade.CONFIRMED;
    }

    Duration longestDuringReshard() {
        return duringReshard.stream()
                .map(FailoverReceipt::took)
                .max(Comparator.naturalOrder())
                .orElse(Duration.ZERO);
    }

    long broken(Grade grade) {
        return broken.getOrDefault(grade, 0L);
    }

    static String heading() {
        return "%-72s %9s %7s %6s %7s %8s %12s %9s %9s %15s %13s %8s  %s"
                .formatted(
                        "when",
                        "reads",
                        "changes",
                        "failed",
                        "p99",
                        "longest",
                        "queries",
                        "profiles",
                        "gate",
                        "receipts",
                        "broken",
                        "let in",
                        "violations");
    }

    String line() {
        return String.format(
                Locale.ROOT,
                "%-72s %,9d %,7d %,6d %4d ms %5d ms %,5d/%4.1f s %9s %9s %15s %13s %5d ms  %s",
                what + (what.isFenced() ? "" : " (unfenced)"),
                reads,
                changes,
                failed,
                times.p99().toMillis(),
                times.longest().toMillis(),
                queries,
                seconds,
                opened(profilesOpen),
                opened(gateOpen),
                byGrade(receipts),
                byGrade(broken),
                longestLetIn.toMillis(),
                gateViolations.isEmpty() && profileViolations.isEmpty()
                        ? "none"
                        : "gate " + gateViolations + ", profiles " + profileViolations);
    }

    private static String opened(@Nullable Duration after) {
        return after == null ? "-" : after.toMillis() + " ms";
    }

    private static String byGrade(Map<Grade, Long> numbers) {
        return numbers.getOrDefault(Grade.CONFIRMED, 0L)
                + "/" + numbers.getOrDefault(Grade.ON_PRIMARY, 0L)
                + "/" + numbers.getOrDefault(Grade.UNCONFIRMED, 0L);
    }

    /** Further details, if there are any. */
    List<String> details() {
        List<String> details = new ArrayList<>();
        unavailable.forEach((why, times) ->
                details.add(String.format(Locale.ROOT, "%s: no answer %,d times: %s", what, times, why)));
        reasons.forEach((why, times) ->
                details.add(String.format(Locale.ROOT, "%s: %,d receipts not confirmed: %s", what, times, why)));
        if (!duringReshard.isEmpty()) {
            details.add(String.format(
                    Locale.ROOT,
                    "%s: %d bans during a reshard, %d of them confirmed, the longest after %d ms",
                    what,
                    duringReshard.size(),
                    duringReshard.stream().filter(FailoverVerdict::isConfirmed).count(),
                    longestDuringReshard().toMillis()));
        }
        examples.forEach(example -> details.add(what + ": " + example));
        return details;
    }
}
