package dev.usher.relay;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A relay at a table that triggers fill. Its one connection holds the claim, a lock of the database. The server ends it when the connection has been silent for six
 * seconds, since the process stands still or is cut off; of a relay that works it is not, for the relay looks each second. Should two relays read at once all the
 * same, neither takes a row that the other has taken.
 */
final class TriggerTableSession implements ChangeFeed.Session {

    private static final Logger log = LoggerFactory.getLogger(TriggerTableSession.class);

    /** After so many seconds of silence the server ends the session. */
    static final int SILENCE_SECONDS = 6;

    private static final int BATCH = 5000;

    /** A relay asks for so much of its time at most: the table may be slow to read, since a transaction has been open for long. */
    private static final int REST = 4;

    /** For so long changes are held that are announced, while a flush is under way; then they are read again. */
    private static final long LONGEST_TRANSACTION_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final long LONGEST_STOP_MILLIS = 10_000;

    private final TriggerTableFeed feed;
    private final Connection connection;
    private final ChangesTable table;

    /** Held for each use of the connection. */
    private final Object lock = new Object();

    private boolean claimed;
    private @Nullable Thread reader;

    /** What relays had intended when this session began to read, or {@code null} before: that is compared with the bookmark, and not what this session intends. */
    private @Nullable Long found;

    private volatile boolean stopping;
    private volatile boolean nudged;
    private volatile @Nullable ChangeFeedException failure;

    TriggerTableSession(TriggerTableFeed feed, Connection connection, ChangesTable table) {
        this.feed = feed;
        this.connection = connection;
        this.table = table;
    }

    private interface Call<T> {
        T run() throws SQLException, ChangeFeedException;
    }

    private <T> T call(String failing, Call<T> call) throws ChangeFeedException {
        synchronized (lock) {
            try {
                return call.run();
            } catch (SQLException e) {
                throw feed.failure(failing, e);
            }
        }
    }

    @Override
    public boolean claim() throws ChangeFeedException {
        claimed = claimed || call("does not answer", table::tryLock);
        return claimed;
    }

    @Override
    public ChangeFeed.Standing standing() throws ChangeFeedException {
        ChangeFeed.Standing now = call("does not say how far the changes have been read", table::standing);
        Long end = found;
        return end == null
                ? now
                : new ChangeFeed.Standing(now.history(), now.place(), end, now.retained(), now.detail());
    }

    @Override
    public void check() throws ChangeFeedException {
        call("could not be checked", () -> {
            table.check();
            return true;
        });
    }

    @Override
    public void create() throws ChangeFeedException {
        call("could not store a position", () -> {
            table.create();
            return true;
        });
        log.info("Made a position in {}", feed.changes());
    }

    @Override
    public void giveUp() throws ChangeFeedException {
        stop();
        call("could not give the position up", () -> {
            table.giveUp();
            return true;
        });
    }

    @Override
    public void follow(long from, String mark, ChangeFeed.Listener listener) throws ChangeFeedException {
        found = standing().end();
        Thread thread = new Thread(() -> read(listener), "usher-relay-table");
        thread.setDaemon(true);
        reader = thread;
        thread.start();
    }

    @Override
    public void requireFollowing() throws ChangeFeedException {
        ChangeFeedException why = failure;
        if (why != null) {
            throw why;
        }
    }

    @Override
    public void nudge() {
        nudged = true;
    }

    @Override
    public void close() {
        stop();
        synchronized (lock) {
            try {
                connection.close();
            } catch (SQLException e) {
                log.debug("The connection of the relay could not be closed", e);
            }
        }
    }

    private void stop() {
        Thread thread = reader;
        reader = null;
        if (thread == null) {
            return;
        }
        stopping = true;
        thread.interrupt();
        boolean interrupted = false;
        try {
            thread.join(LONGEST_STOP_MILLIS);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void read(ChangeFeed.Listener listener) {
        try {
            Batches batches = new Batches(listener);
            Looks looks = new Looks();
            while (!stopping) {
                long begun = System.nanoTime();
                Outcome outcome = batches.readOne();
                if (outcome == Outcome.NOTHING) {
                    looks.took(System.nanoTime() - begun);
                }
                if (outcome != Outcome.MORE) {
                    TimeUnit.NANOSECONDS.sleep(Math.max(feed.interval().toNanos(), REST * looks.shortest()));
                }
            }
        } catch (InterruptedException e) {
            // It is being stopped.
        } catch (SQLException e) {
            failure = feed.failure("does not give its changes", e);
        } catch (ChangeFeedException e) {
            failure = e;
        } catch (RuntimeException | Error e) {
            failure = new ChangeFeedException(
                    "the changes cannot be read: " + e.getClass().getSimpleName(), e);
        } finally {
            rollBack();
        }
    }

    private void rollBack() {
        synchronized (lock) {
            try {
                if (!connection.isClosed() && !connection.getAutoCommit()) {
                    connection.rollback();
                    connection.setAutoCommit(true);
                }
            } catch (SQLException e) {
                log.debug("The transaction of the relay could not be rolled back", e);
            }
        }
    }

    /** What a look at the table has found. */
    private enum Outcome {
        NOTHING,
        SOME,

        /** As much as is taken at once: there may be more. */
        MORE
    }

    /** How long the latest looks took that found nothing. The shortest of them counts: it did not wait for a processor, or for a lock. */
    private static final class Looks {

        private final long[] nanos = new long[8];
        private int next;

        private void took(long duration) {
            nanos[next++ % nanos.length] = duration;
        }

        private long shortest() {
            return Arrays.stream(nanos).min().orElse(0);
        }
    }

    /** What is read in one transaction, or in several. */
    private final class Batches {

        private final ChangeFeed.Listener listener;
        private boolean open;
        private long openSince;
        private long place;

        Batches(ChangeFeed.Listener listener) {
            this.listener = listener;
        }

        private Outcome readOne() throws SQLException, ChangeFeedException, InterruptedException {
            List<Change> changes;
            synchronized (lock) {
                if (open && System.nanoTime() - openSince > LONGEST_TRANSACTION_NANOS) {
                    connection.rollback();
                    end();
                }
                boolean hasChanges = table.hasChanges();
                if (!open && !hasChanges && !nudged) {
                    return Outcome.NOTHING;
                }
                boolean isNew = !open;
                if (isNew) {
                    place = table.intend(ChangesTable.micros());
                    connection.setAutoCommit(false);
                    open = true;
                    openSince = System.nanoTime();
                }
                changes = hasChanges ? table.take(BATCH) : List.of();
                if (isNew && changes.isEmpty() && !nudged) {
                    // Another relay has them. It may yet give them back.
                    connection.rollback();
                    end();
                    return Outcome.SOME;
                }
                nudged = false;
            }
            boolean mayMove = listener.changed(changes, place, "");
            if (mayMove) {
                synchronized (lock) {
                    if (!table.moveTo(place)) {
                        throw new ChangeFeedException(
                                "the position in " + feed.changes() + " was given up by another relay");
                    }
                    connection.commit();
                    end();
                }
            }
            return changes.size() == BATCH ? Outcome.MORE : Outcome.SOME;
        }

        private void end() throws SQLException {
            open = false;
            connection.setAutoCommit(true);
        }
    }
}
