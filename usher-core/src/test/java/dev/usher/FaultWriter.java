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
 * Changes users of a fault run whom nobody else changes, and records each change when Redis has been told of it.
 *
 * <p>For one thread; another one ends it, and then asks.
 */
abstract class FaultWriter {

    private static final Duration MEAN_PAUSE = Duration.ofMillis(20);

    final FaultRun run;
    final SplittableRandom random = new SplittableRandom();

    private final int node;
    private final Change.Log log;
    private final Map<Integer, Integer> versions = new HashMap<>();

    /** Changes of which Redis may not have been told. */
    private final List<Change> unconfirmed = new ArrayList<>();

    private volatile boolean quiet;
    private volatile int unsent;

    private FaultWriter(FaultRun run, int node, Path log) {
        this.run = run;
        this.node = node;
        this.log = Change.Log.create(log);
    }

    /** Makes a change, or none. */
    abstract void writeOnce();

    /** Whether Redis has been told of everything. */
    abstract boolean isAllSent();

    /** When a change is in force everywhere, if Redis was told of it late. */
    abstract long settledAt(long announced);

    /** Goes on until it is to be quiet, and Redis has been told of everything. */
    final void write() {
        while (!quiet) {
            FaultNode.pauseAbout(MEAN_PAUSE, random);
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

    /** Of how many changes Redis could not be told. */
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

    private void recordUnconfirmed() {
        long settledAt = settledAt(System.nanoTime());
        unconfirmed.forEach(change -> log.add(change.announcedLate(settledAt)));
        unconfirmed.clear();
    }

    /** Raises a user's version as often as it takes to know that it is done. */
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

    /** Changes profiles, and now and then somebody logs in. */
    static final class OfProfiles extends FaultWriter {

        private final CountingTable table;
        private final UserCache<Long, UserProfile> profiles;
        private final IntConsumer reload;
        private final List<Integer> own = new ArrayList<>();

        /**
         * Of a node.
         *
         * @param reload is told of each user whose change is done: whoever saves a form reloads the page
         */
        OfProfiles(
                FaultRun run,
                int node,
                Path directory,
                CountingTable table,
                UserCache<Long, UserProfile> profiles,
                IntConsumer reload) {
            super(run, node, FaultRun.changes(directory, node, 0));
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
                // Nobody logs in just now.
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

        private final CountingTable table;
        private final UserStatusCache<Long> statuses;

        /** When each user is to be changed again. */
        private final Map<Integer, Long> due = new HashMap<>();

        OfStatuses(
                FaultRun run,
                int node,
                int writer,
                Path directory,
                CountingTable table,
                UserStatusCache<Long> statuses) {
            super(run, node, FaultRun.statusChanges(directory, node, writer));
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

        /** Nobody waits for the nodes then, but they do not answer from memory what is older than the bound. */
        @Override
        long settledAt(long announced) {
            return announced + run.bound().toNanos();
        }
    }
}
