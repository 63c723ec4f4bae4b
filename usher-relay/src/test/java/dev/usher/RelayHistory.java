package dev.usher;

import dev.usher.Change.Announcement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * The history checker of the caches, for changes that no application announces: such a change is to be announced within a bound from its commit. Thread-safe; the
 * log of a reader belongs to one thread.
 */
public final class RelayHistory {

    private final int users;
    private final ConcurrentLinkedQueue<Change> changes = new ConcurrentLinkedQueue<>();
    private final List<ReadLog> readers = new ArrayList<>();

    /**
     * An empty one.
     *
     * @param users ids are from 0 to this, exclusive; each is in version 0 at first
     */
    public RelayHistory(int users) {
        this.users = users;
    }

    /** A user is in its next version; times are of {@link System#nanoTime()}, before the statement was sent and when its commit was confirmed. */
    public void changed(int id, int version, long started, long committed) {
        changes.add(new Change(id, version, Change.FOREIGN, started, committed, committed, Announcement.SETEX));
    }

    /** What one thread is answered. */
    public interface Reader {

        /** A user was answered in a version. */
        void read(int id, int version, long asked, long answered);

        /** There was no answer, but an exception. */
        void unavailable(int id, long asked, long answered);
    }

    /** A thread that reads on a node of its own. */
    public synchronized Reader reader(int capacity) {
        ReadLog log = ReadLog.inMemory(capacity);
        readers.add(log);
        return new Reader() {
            @Override
            public void read(int id, int version, long asked, long answered) {
                log.add(asked, answered, id, version);
            }

            @Override
            public void unavailable(int id, long asked, long answered) {
                log.add(asked, answered, id, ReadLog.UNAVAILABLE);
            }
        };
    }

    /**
     * What the reads of all threads were.
     *
     * @param violations each is a fault: an answer that was older than the bound, went back, or had not been committed
     * @param unavailable how many ended in an exception
     * @param text for people
     */
    public record Verdict(long violations, long reads, long unavailable, String text) {}

    /**
     * Judges all reads.
     *
     * @param bound how long a change may stay unannounced
     */
    public synchronized Verdict judge(Duration bound) {
        CoherenceChecker checker = new CoherenceChecker(bound, Duration.ZERO, users, List.copyOf(changes));
        for (int node = 0; node < readers.size(); node++) {
            checker.check(node, List.of(readers.get(node)));
        }
        long violations = checker.violations().values().stream()
                .mapToLong(Long::longValue)
                .sum();
        return new Verdict(
                violations,
                checker.reads(),
                checker.unavailable(),
                checker + "; from commit to the last older answer: " + checker.visibility(change -> true));
    }
}
