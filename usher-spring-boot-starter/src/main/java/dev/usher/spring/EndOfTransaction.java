package dev.usher.spring;

import dev.usher.RateLimitedLog;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.core.Ordered;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * The announcements that wait for the end of the transaction of this thread: changes, and offered rows. They are sent after the
 * commit and dropped after a rollback.
 *
 * <p>It is stored as a synchronization of the transaction, not as a resource of the thread: Spring separates the
 * synchronizations of a transaction from those of one that runs inside its callbacks, {@code afterCompletion} included.
 *
 * <p>Confined to the thread of its transaction.
 */
final class EndOfTransaction implements TransactionSynchronization {

    /** Static, so that one limit holds for all transactions. */
    private static final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(EndOfTransaction.class));

    /** The announcements of each cache: all of its changes together. */
    private final Map<Object, Runnable> changes = new LinkedHashMap<>();

    private final List<Runnable> offers = new ArrayList<>();

    /** A moment before the first read of the transaction, or {@code null} if its beginning was not observed. */
    private final @Nullable Begin begin;

    private boolean isCommitted;

    /**
     * A moment, by the wall clock, which can be set, and by the monotonic clock, which cannot.
     *
     * @param nanoTime of {@link System#nanoTime()}
     */
    record Begin(Instant at, long nanoTime) {

        private static Begin now() {
            return new Begin(Instant.now(), System.nanoTime());
        }

        /** The time since then. */
        Duration age() {
            return Duration.ofNanos(System.nanoTime() - nanoTime);
        }
    }

    private EndOfTransaction(@Nullable Begin begin) {
        this.begin = begin;
    }

    /** Whether writes of this thread are still uncommitted, as far as is known. */
    static boolean isAhead() {
        if (!TransactionSynchronizationManager.isActualTransactionActive()
                || !TransactionSynchronizationManager.isSynchronizationActive()) {
            return false;
        }
        EndOfTransaction known = known();
        return known == null || !known.isCommitted;
    }

    /** Whether a change that was announced in the transaction of this thread still waits for the commit. */
    static boolean hasChanges() {
        EndOfTransaction known = known();
        return known != null && !known.changes.isEmpty();
    }

    /** A moment before the first read of the transaction of this thread, or {@code null} if it is not known. */
    static @Nullable Begin begin() {
        EndOfTransaction known = known();
        return known == null ? null : known.begin;
    }

    /** Creates the instance of a transaction that begins now on this thread. */
    static void ofNewTransaction() {
        // A nested transaction also reports its beginning, but shares the synchronizations of the outer one.
        if (known() == null) {
            TransactionSynchronizationManager.registerSynchronization(new EndOfTransaction(Begin.now()));
        }
    }

    /** The instance of the transaction of this thread, whose commit is still {@linkplain #isAhead ahead}. */
    static EndOfTransaction ofThisThread() {
        EndOfTransaction known = known();
        if (known != null) {
            return known;
        }
        EndOfTransaction end = new EndOfTransaction(null);
        TransactionSynchronizationManager.registerSynchronization(end);
        return end;
    }

    private static @Nullable EndOfTransaction known() {
        if (TransactionSynchronizationManager.isSynchronizationActive()) {
            for (TransactionSynchronization synchronization : TransactionSynchronizationManager.getSynchronizations()) {
                if (synchronization instanceof EndOfTransaction known) {
                    return known;
                }
            }
        }
        return null;
    }

    /**
     * The announcement that a cache makes after the commit.
     *
     * @param cache the cache of the changes
     * @param none creates the announcement at the first change
     */
    Runnable announcementOf(Object cache, Supplier<? extends Runnable> none) {
        return changes.computeIfAbsent(cache, first -> none.get());
    }

    /** Adds a row to offer after the commit. */
    void offer(Runnable offer) {
        offers.add(offer);
    }

    /** First of all callbacks: the others may read, announce or throw. */
    @Override
    public int getOrder() {
        return Ordered.HIGHEST_PRECEDENCE;
    }

    /** Drops all offered rows: which of them the rollback has undone is not known. */
    @Override
    public void savepointRollback(Object savepoint) {
        offers.clear();
    }

    @Override
    public void afterCommit() {
        isCommitted = true;
        announce();
    }

    /**
     * Sends the announcements that {@link #afterCommit} has not sent. That method is not called if the outcome of the commit is
     * unknown, or if an earlier callback has thrown; and announcements may have been added after it.
     */
    @Override
    public void afterCompletion(int status) {
        if (status != STATUS_COMMITTED) {
            offers.clear();
        }
        if (status != STATUS_ROLLED_BACK) {
            // If the outcome is unknown, invalidating an entry that is still true is harmless.
            announce();
        }
    }

    private void announce() {
        List<Runnable> due = new ArrayList<>(changes.values());
        due.addAll(offers);
        changes.clear();
        offers.clear();
        due.forEach(EndOfTransaction::run);
    }

    /** Catches all failures: the commit stands, and the other announcements must still be sent. */
    private static void run(Runnable announcement) {
        try {
            announcement.run();
        } catch (Throwable e) {
            log.error("A committed change could not be announced to the caches", e);
        }
    }
}
