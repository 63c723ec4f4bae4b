package dev.usher;

import dev.usher.Change.Announcement;
import dev.usher.FaultRun.Group;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;

/**
 * Changes users that no other writer changes, and records each change when it has been announced.
 *
 * <p>Runs on one thread; another thread ends it, and then reads the results.
 */
abstract class FaultWriter {

    private static final Duration MEAN_PAUSE = Duration.ofMillis(20);

    final SplittableRandom random = new SplittableRandom();

    private final int node;
    private final Duration meanPause;
    private final Change.Log log;
    private final Map<Integer, Integer> versions = new HashMap<>();

    /** Changes that may not have been announced. */
    private final List<Change> unconfirmed = new ArrayList<>();

    private volatile boolean quiet;
    private volatile int unsent;

    /**
     * A writer of a node.
     *
     * @param meanPause between two changes
     */
    FaultWriter(int node, Path log, Duration meanPause) {
        this.node = node;
        this.log = Change.Log.create(log);
        this.meanPause = meanPause;
    }

    /** Makes one change at most. */
    abstract void writeOnce();

    /** Whether all changes have been announced. */
    abstract boolean isAllSent();

    /** The time at which a change holds on all nodes, if it was announced late. */
    abstract long settledAt(long announced);

    /** Runs until it is to end and all changes have been announced. */
    final void write() {
        while (!quiet) {
            FaultNode.pauseAbout(meanPause, random);
            writeOnce();
            if (isAllSent()) {
                recordUnconfirmed();
            }
        }
        long givesUpAt = System.nanoTime() + FaultNode.LONGEST_RECOVERY.toNanos();
        while (!isAllSent() && System.nanoTime() - givesUpAt < 0) {
            FaultNode.pause(MEAN_PAUSE);
        }
        unsent = isAllSent() ? 0 : unconfirmed.size();
        recordUnconfirmed();
    }

    final void quiet() {
        quiet = true;
    }

    /** The number of changes that could not be announced. */
    final int unsent() {
        return unsent;
    }

    final int next(int id) {
        return versions.merge(id, 1, Integer::sum);
    }

    final void record(int id, int version, long commitStarted, long commitDone, boolean confirmed) {
        Announcement by = confirmed ? Announcement.FENCE : Announcement.LATE_FENCE;
        Change change = new Change(id, version, node, commitStarted, commitDone, System.nanoTime(), by);
        if (confirmed) {
            log.add(change);
        } else {
            unconfirmed.add(change);
        }
    }

    final void recordUnconfirmed() {
        long settledAt = settledAt(System.nanoTime());
        unconfirmed.forEach(change -> log.add(change.announcedLate(settledAt)));
        unconfirmed.clear();
    }

    /** Raises a user's version, and repeats that until the database has confirmed it. */
    static void raise(CountingTable table, int id, int version) {
        while (true) {
            try {
                table.raise(id, version);
                return;
            } catch (SQLException e) {
                FaultNode.pause(MEAN_PAUSE);
            }
        }
    }

    /** Changes profiles, with a login now and then. */
    static final class OfProfiles extends FaultWriter {

        private final CountingTable table;
        private final UserCache<Long, UserProfile> profiles;
        private final IntConsumer reload;
        private final List<Integer> own = new ArrayList<>();

        /**
         * A writer of a node.
         *
         * @param reload gets each user whose change is done, and reads it, as a user that saves a form reloads the page
         */
        OfProfiles(
                FaultRun run,
                int node,
                Path directory,
                CountingTable table,
                UserCache<Long, UserProfile> profiles,
                IntConsumer reload) {
            super(node, FaultRun.changes(directory, node, 0), MEAN_PAUSE);
            this.table = table;
            this.profiles = profiles;
            this.reload = reload;
            for (int id = Group.CHANGED.first() + node; id < Group.CHANGED.end(); id += run.nodes()) {
                own.add(id);
            }
        }

        @Override
        void writeOnce() {
            int id = own.get(random.nextInt(own.size()));
            int version = next(id);
            long commitStarted = System.nanoTime();
            raise(table, id, version);
            long commitDone = System.nanoTime();
            record(id, version, commitStarted, commitDone, profiles.invalidate((long) id));
            reload.accept(id);
            if (random.nextInt(3) == 0) {
                logIn(random.nextBoolean() ? Group.CHANGED.pick(random) : Group.COLD.pick(random));
            }
        }

        private void logIn(long id) {
            Instant readAt = Instant.now();
            try {
                UserProfile row = FaultNode.profilesIn(table.rows(Set.of(id))).get(id);
                if (row != null) {
                    profiles.save(id, row, readAt);
                }
            } catch (SQLException e) {
                // The database is away: there is no login now.
            }
        }

        @Override
        boolean isAllSent() {
            return profiles.stats().pendingFences() == 0;
        }

        @Override
        long settledAt(long announced) {
            return announced;
        }
    }

    /** Disables users, for shorter and for longer than the bound, and enables them again. */
    static final class OfStatuses extends FaultWriter {

        private final FaultRun run;
        private final CountingTable table;
        private final UserStatusCache<Long> statuses;

        /** The time of each user's next change. */
        private final Map<Integer, Long> due = new HashMap<>();

        OfStatuses(
                FaultRun run,
                int node,
                int writer,
                Path directory,
                CountingTable table,
                UserStatusCache<Long> statuses) {
            super(node, FaultRun.statusChanges(directory, node, writer), MEAN_PAUSE);
            this.run = run;
            this.table = table;
            this.statuses = statuses;
            int writers = run.nodes() * FaultRun.STATUS_WRITERS;
            for (int id = node * FaultRun.STATUS_WRITERS + writer; id < FaultRun.STATUSES; id += writers) {
                due.put(id, System.nanoTime());
            }
        }

        @Override
        void writeOnce() {
            Map.Entry<Integer, Long> earliest = Collections.min(due.entrySet(), Map.Entry.comparingByValue());
            if (System.nanoTime() - earliest.getValue() < 0) {
                return;
            }
            int id = earliest.getKey();
            int version = next(id);
            long[] commit = new long[2];
            Runnable work = () -> {
                commit[0] = System.nanoTime();
                raise(table, id, version);
                commit[1] = System.nanoTime();
            };
            boolean enables = RevocationChecker.isEnabled(version);
            RevocationReceipt receipt = enables ? statuses.enable((long) id, work) : statuses.disable((long) id, work);
            record(id, version, commit[0], commit[1], receipt.confirmed());
            Duration pause = enables || random.nextBoolean() ? MEAN_PAUSE : run.bound();
            due.put(
                    id,
                    System.nanoTime() + pause.multipliedBy(random.nextInt(1, 6)).toNanos());
        }

        @Override
        boolean isAllSent() {
            return statuses.stats().pendingFences() == 0;
        }

        /** Without a receipt, a change holds once the bound has passed: no node answers from memory with older values. */
        @Override
        long settledAt(long announced) {
            return announced + run.bound().toNanos();
        }
    }
}
