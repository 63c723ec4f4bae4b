package dev.usher;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A change of one user, as its writer recorded it. All times are of {@link System#nanoTime()}.
 *
 * @param id of the user
 * @param version 1 for the first change of this user, and so on: the row's own counter, so the order of the commits
 * @param writer the node that made it, or {@link #FOREIGN}
 * @param commitStarted before the statement was sent
 * @param commitDone when the database had confirmed it
 * @param announced when Redis had confirmed the announcement
 * @param by the kind of its announcement
 */
record Change(int id, int version, int writer, long commitStarted, long commitDone, long announced, Announcement by) {

    /** The writer without usher. */
    static final int FOREIGN = -1;

    /** The ways to announce a change to Redis. */
    enum Announcement {
        /** {@link UserCache#invalidate} returned {@code true}. */
        FENCE('F'),
        /** {@link UserCache#invalidate} returned {@code false}, and the fence was confirmed later. */
        LATE_FENCE('L'),
        /** A foreign writer stored the new value. */
        SETEX('S'),
        /** A foreign writer deleted the old value. */
        DEL('D');

        private final char code;

        Announcement(char code) {
            this.code = code;
        }

        private static Announcement of(long code) {
            return Arrays.stream(values())
                    .filter(announcement -> announcement.code == code)
                    .findFirst()
                    .orElseThrow();
        }
    }

    /** The same change, announced at a later time. */
    Change announcedLate(long moment) {
        return new Change(id, version, writer, commitStarted, commitDone, moment, Announcement.LATE_FENCE);
    }

    /** The changes of one writer. */
    static final class Log {

        private static final int WIDTH = 7;
        static final int CAPACITY = 1 << 20;

        private final Rows rows;

        private Log(Rows rows) {
            this.rows = rows;
        }

        static Log create(Path file) {
            return new Log(Rows.create(file, WIDTH, CAPACITY));
        }

        static List<Change> read(Path file) {
            Rows rows = Rows.open(file, WIDTH);
            List<Change> changes = new ArrayList<>();
            for (int row = 0; row < rows.size(); row++) {
                changes.add(new Change(
                        (int) rows.get(row, 0),
                        (int) rows.get(row, 1),
                        (int) rows.get(row, 2),
                        rows.get(row, 3),
                        rows.get(row, 4),
                        rows.get(row, 5),
                        Announcement.of(rows.get(row, 6))));
            }
            return changes;
        }

        void add(Change change) {
            rows.add(new long[] {
                change.id,
                change.version,
                change.writer,
                change.commitStarted,
                change.commitDone,
                change.announced,
                change.by.code
            });
        }
    }
}
