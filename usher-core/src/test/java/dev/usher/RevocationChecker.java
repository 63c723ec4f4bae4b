package dev.usher;

import dev.usher.Change.Announcement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Finds answers that let a disabled user in. Even versions of a user are enabled, odd ones disabled. Between the confirmed receipt of a
 * ban and the beginning of the change that enables the user again, no read may answer that the user is enabled.
 */
final class RevocationChecker {

    private static final int EXAMPLES = 10;

    /** A read within these two moments has let a disabled user in. */
    record Violation(int node, int id, long asked, long answered, long disabledFrom, long disabledTo) {}

    /** Between these moments, both exclusive, a user is disabled on all nodes. */
    private record Ban(long from, long to) {}

    private final Map<Integer, List<Ban>> bans = new HashMap<>();
    private final List<Violation> examples = new ArrayList<>();
    private long letIn;

    /**
     * A checker of one run.
     *
     * @param changes all of them, in any order. Announced means confirmed: by {@link Announcement#FENCE} with a receipt, by
     *     {@link Announcement#LATE_FENCE} the time by which the bound makes it hold on all nodes
     */
    RevocationChecker(List<Change> changes) {
        Map<Integer, List<Change>> byUser = new HashMap<>();
        changes.forEach(change ->
                byUser.computeIfAbsent(change.id(), any -> new ArrayList<>()).add(change));
        byUser.forEach((id, ofUser) -> bans.put(id, bansOf(ofUser)));
    }

    static boolean isEnabled(int version) {
        return version % 2 == 0;
    }

    private static List<Ban> bansOf(List<Change> changes) {
        List<Change> inOrder = changes.stream()
                .sorted(Comparator.comparingInt(Change::version))
                .toList();
        List<Ban> bans = new ArrayList<>();
        for (int i = 0; i < inOrder.size(); i++) {
            if (!isEnabled(inOrder.get(i).version())) {
                long to = i + 1 < inOrder.size() ? inOrder.get(i + 1).commitStarted() : Long.MAX_VALUE;
                bans.add(new Ban(inOrder.get(i).announced(), to));
            }
        }
        return bans;
    }

    /** Checks the reads of one thread of a node, whose version is the status' code. */
    void check(int node, ReadLog reads) {
        for (int row = 0; row < reads.size(); row++) {
            if (reads.version(row) == UserStatus.ENABLED.code()) {
                checkLetIn(node, reads, row);
            }
        }
    }

    private void checkLetIn(int node, ReadLog reads, int row) {
        for (Ban ban : bans.getOrDefault(reads.id(row), List.of())) {
            if (ban.from() < reads.asked(row) && reads.answered(row) < ban.to()) {
                letIn++;
                if (examples.size() < EXAMPLES) {
                    examples.add(new Violation(
                            node, reads.id(row), reads.asked(row), reads.answered(row), ban.from(), ban.to()));
                }
            }
        }
    }

    /** How many disabled users were let in. */
    long letIn() {
        return letIn;
    }

    /** The first violations. */
    List<Violation> examples() {
        return List.copyOf(examples);
    }
}
