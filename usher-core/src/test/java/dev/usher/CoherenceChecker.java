package dev.usher;

import dev.usher.Change.Announcement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.Predicate;

/**
 * Checks the reads of a run against the changes of that run, in a time proportional to the number of reads.
 *
 * <p>A change is <em>settled</em> when Redis has confirmed its announcement; if it was announced by a bare {@code DEL}, when the TTL
 * of an entry has passed since (a load under way may still store the old row). For each user there is a floor, the version below
 * which no read may fall, and it only rises. So the changes are sorted by the order in which they raise the floor, the reads of a
 * node by the order in which they began, and both are merged in one pass.
 *
 * <p>Times are plain numbers of {@link System#nanoTime()}: on Linux that is the kernel's monotonic clock, the same for all
 * processes of a machine.
 */
final class CoherenceChecker {

    private static final int EXAMPLES = 10;

    /** The ways in which a read can be wrong. */
    enum Rule {
        /** A newer version had been settled for longer than the bound when the read was asked. */
        STALE,
        /** This very node had made a newer change, and its {@code invalidate} had returned {@code true}. */
        OWN_CHANGE_UNSEEN,
        /**
         * This node had answered a newer version longer ago than the bound. Where the newer version's change is on record,
         * the bound counts from the moment at which it was settled, if that is later: until then a node that asks the
         * database sees it, and one that asks Redis does not.
         */
        BACKWARDS,
        /** The version had not been committed: an error of this harness, or of its clocks. */
        FROM_THE_FUTURE,
        /** The value of another user, or of no user. */
        ANOTHERS_VALUE,
        /** Everything was quiet, and this was not the last version. */
        OLD_AT_THE_END
    }

    /**
     * A read that was wrong.
     *
     * @param version of the answer
     * @param least the oldest version that would have been right
     */
    record Violation(Rule rule, int node, int id, int version, int least, long asked, long answered) {}

    /**
     * The spread of a number of durations.
     *
     * @param count how many
     */
    record Spread(int count, Duration median, Duration p99, Duration longest) {

        static Spread of(long[] nanos) {
            if (nanos.length == 0) {
                return new Spread(0, Duration.ZERO, Duration.ZERO, Duration.ZERO);
            }
            long[] sorted = nanos.clone();
            Arrays.sort(sorted);
            return new Spread(
                    sorted.length,
                    Duration.ofNanos(sorted[sorted.length / 2]),
                    Duration.ofNanos(sorted[(int) (sorted.length * 0.99)]),
                    Duration.ofNanos(sorted[sorted.length - 1]));
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "median %.3f ms, p99 %.3f ms, longest %.3f ms of %d",
                    millis(median),
                    millis(p99),
                    millis(longest),
                    count);
        }

        private static double millis(Duration duration) {
            return duration.toNanos() / 1e6;
        }
    }

    private final long bound;
    private final List<Change> changes;

    /** Where the versions of a user begin in the arrays below; version 0 is what was there at first. */
    private final int[] firstOf;

    private final long[] commitStarted;

    /** {@link Long#MIN_VALUE} for a version whose change was not recorded. */
    private final long[] settled;

    /** When the first of the newer versions was announced, those by {@code DEL} left aside. */
    private final long[] outdated;

    /** When the last read that answered this version was asked. */
    private final long[] lastAsked;

    private final List<Raise> raises = new ArrayList<>();
    private final List<Raise> raisesWithoutGrace = new ArrayList<>();

    private final Map<Rule, Long> counts = new EnumMap<>(Rule.class);
    private final List<Violation> examples = new ArrayList<>();
    private long reads;
    private long unavailable;
    private long older;
    private long oldest;
    private long withinGrace;

    /**
     * A checker of one run.
     *
     * @param bound how old an answer may ever be
     * @param grace the TTL of an entry, for which a bare {@code DEL} may be undone
     * @param users ids are from 0 to this, exclusive
     * @param changes all of them, in any order
     */
    CoherenceChecker(Duration bound, Duration grace, int users, List<Change> changes) {
        this.bound = bound.toNanos();
        this.changes = List.copyOf(changes);
        int[] last = new int[users];
        changes.forEach(change -> last[change.id()] = Math.max(last[change.id()], change.version()));
        this.firstOf = new int[users + 1];
        for (int id = 0; id < users; id++) {
            firstOf[id + 1] = firstOf[id] + last[id] + 1;
        }
        int versions = firstOf[users];
        this.commitStarted = filled(versions, Long.MIN_VALUE);
        this.settled = filled(versions, Long.MIN_VALUE);
        this.outdated = filled(versions, Long.MAX_VALUE);
        this.lastAsked = filled(versions, Long.MIN_VALUE);
        for (Change change : changes) {
            int at = firstOf[change.id()] + change.version();
            boolean byDel = change.by() == Announcement.DEL;
            commitStarted[at] = change.commitStarted();
            settled[at] = change.announced() + (byDel ? grace.toNanos() : 0);
            if (!byDel) {
                outdated[at - 1] = change.announced();
            }
            raises.add(new Raise(settled[at] + this.bound, change.id(), change.version()));
            raisesWithoutGrace.add(new Raise(change.announced() + this.bound, change.id(), change.version()));
        }
        for (int id = 0; id < users; id++) {
            for (int at = firstOf[id + 1] - 2; at >= firstOf[id]; at--) {
                outdated[at] = Math.min(outdated[at], outdated[at + 1]);
            }
        }
        raises.sort(Raise.IN_TIME);
        raisesWithoutGrace.sort(Raise.IN_TIME);
    }

    private static long[] filled(int length, long with) {
        long[] array = new long[length];
        Arrays.fill(array, with);
        return array;
    }

    /** From a moment on, no read of a user may fall below a version. */
    private record Raise(long after, int id, int version) {

        static final Comparator<Raise> IN_TIME = Comparator.comparingLong(Raise::after);
    }

    /** The floor of every user at the current time of the pass. */
    private final class Floor {

        private final int[] floor = new int[firstOf.length - 1];
        private final List<Raise> raises;
        private int done;

        Floor(List<Raise> inTime) {
            this.raises = inTime;
        }

        int of(int id, long asked) {
            while (done < raises.size() && raises.get(done).after() < asked) {
                Raise raise = raises.get(done++);
                raise(raise.id(), raise.version());
            }
            return floor[id];
        }

        void raise(int id, int version) {
            floor[id] = Math.max(floor[id], version);
        }
    }

    /** The reads of several threads, in the order of one of their two times: each thread has its own in both. */
    private static final class Merged {

        private final List<ReadLog> logs;
        private final int[] next;
        private final boolean byAnswer;
        private int first;

        Merged(List<ReadLog> logs, boolean byAnswer) {
            this.logs = logs;
            this.next = new int[logs.size()];
            this.byAnswer = byAnswer;
            choose();
        }

        boolean hasNext() {
            return first >= 0;
        }

        ReadLog log() {
            return logs.get(first);
        }

        int row() {
            return next[first];
        }

        void advance() {
            next[first]++;
            choose();
        }

        private void choose() {
            first = -1;
            long least = Long.MAX_VALUE;
            for (int i = 0; i < next.length; i++) {
                ReadLog log = logs.get(i);
                if (next[i] < log.size()) {
                    long time = byAnswer ? log.answered(next[i]) : log.asked(next[i]);
                    if (first < 0 || time < least) {
                        least = time;
                        first = i;
                    }
                }
            }
        }
    }

    /** Checks all reads of a node, which may be those of several threads. */
    void check(int node, List<ReadLog> threads) {
        Floor stale = new Floor(raises);
        Floor staleWithoutGrace = new Floor(raisesWithoutGrace);
        Floor own = new Floor(changes.stream()
                .filter(change -> change.writer() == node && change.by() == Announcement.FENCE)
                .map(change -> new Raise(change.announced(), change.id(), change.version()))
                .sorted(Raise.IN_TIME)
                .toList());
        Floor answered = new Floor(List.of());
        PriorityQueue<Raise> unsettled = new PriorityQueue<>(Raise.IN_TIME);
        Merged answers = new Merged(threads, true);
        for (Merged questions = new Merged(threads, false); questions.hasNext(); questions.advance()) {
            ReadLog log = questions.log();
            int row = questions.row();
            long asked = log.asked(row);
            for (; answers.hasNext() && answers.log().answered(answers.row()) + bound < asked; answers.advance()) {
                int id = answers.log().id(answers.row());
                int version = answers.log().version(answers.row());
                if (isKnown(id, version)) {
                    long settledAt = settled[firstOf[id] + version];
                    if (settledAt == Long.MIN_VALUE || settledAt + bound < asked) {
                        answered.raise(id, version);
                    } else {
                        unsettled.add(new Raise(settledAt + bound, id, version));
                    }
                }
            }
            for (Raise next = unsettled.peek(); next != null && next.after() < asked; next = unsettled.peek()) {
                answered.raise(next.id(), next.version());
                unsettled.remove();
            }
            int id = log.id(row);
            int version = log.version(row);
            reads++;
            if (version == ReadLog.UNAVAILABLE) {
                unavailable++;
                continue;
            }
            if (version < 0) {
                note(Rule.ANOTHERS_VALUE, node, log, row, 0);
                continue;
            }
            if (!isKnown(id, version) || commitStarted[firstOf[id] + version] > log.answered(row)) {
                note(Rule.FROM_THE_FUTURE, node, log, row, 0);
                continue;
            }
            int staleBelow = stale.of(id, asked);
            if (version < staleBelow) {
                note(Rule.STALE, node, log, row, staleBelow);
            } else if (version < staleWithoutGrace.of(id, asked)) {
                withinGrace++;
            }
            if (version < own.of(id, asked)) {
                note(Rule.OWN_CHANGE_UNSEEN, node, log, row, own.of(id, asked));
            }
            if (version < answered.of(id, asked)) {
                note(Rule.BACKWARDS, node, log, row, answered.of(id, asked));
            }
            int at = firstOf[id] + version;
            lastAsked[at] = Math.max(lastAsked[at], asked);
            if (asked > outdated[at]) {
                older++;
                oldest = Math.max(oldest, asked - outdated[at]);
            }
        }
    }

    /** Checks the answers of a node when there has been no change for longer than the bound. */
    void checkLast(int node, ReadLog answers) {
        for (int row = 0; row < answers.size(); row++) {
            reads++;
            int last = lastOf(answers.id(row));
            if (answers.version(row) != last) {
                note(Rule.OLD_AT_THE_END, node, answers, row, last);
            }
        }
    }

    /** The version that a user ended with. */
    int lastOf(int id) {
        return firstOf[id + 1] - firstOf[id] - 1;
    }

    private boolean isKnown(int id, int version) {
        return version >= 0 && version <= lastOf(id);
    }

    private void note(Rule rule, int node, ReadLog log, int row, int least) {
        if (counts.merge(rule, 1L, Long::sum) <= EXAMPLES) {
            examples.add(
                    new Violation(rule, node, log.id(row), log.version(row), least, log.asked(row), log.answered(row)));
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

    /** How many reads have been checked. */
    long reads() {
        return reads;
    }

    /** How many of them ended in an exception. */
    long unavailable() {
        return unavailable;
    }

    /** How many of them answered a version when a newer one had been announced already: within the bound, no violation. */
    long older() {
        return older;
    }

    /** For how long the newer version had been announced, at most. */
    Duration oldest() {
        return Duration.ofNanos(oldest);
    }

    /** How many reads were older than the bound, and yet no violation, because the change was announced by a bare DEL. */
    long withinGrace() {
        return withinGrace;
    }

    /** The time from a commit to the last question, on whichever node, that was still answered with an older version. */
    Spread visibility(Predicate<Change> which) {
        long[] lastOlder = new long[lastAsked.length];
        for (int id = 0; id + 1 < firstOf.length; id++) {
            long last = Long.MIN_VALUE;
            for (int at = firstOf[id]; at < firstOf[id + 1]; at++) {
                lastOlder[at] = last;
                last = Math.max(last, lastAsked[at]);
            }
        }
        return Spread.of(changes.stream()
                .filter(which)
                .mapToLong(change -> {
                    long last = lastOlder[firstOf[change.id()] + change.version()];
                    return last < change.commitDone() ? 0 : last - change.commitDone();
                })
                .toArray());
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "%,d reads, %,d changes; %,d reads were older than announced, by %d ms at most; violations: %s %s",
                reads,
                changes.size(),
                older,
                oldest().toMillis(),
                counts,
                examples);
    }
}
