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
 * The announcements that wait for the end of the transaction of this thread: changes, and rows that are offered. They are made after
 * the commit. After a rollback they are dropped.
 *
 * <p>It is found among the synchronizations of the transaction, and not as a resource of the thread: Spring keeps those apart for a
 * transaction inside a callback of another one, also while the callbacks of {@code afterCompletion} run.
 *
 * <p>Confined to the thread of its transaction.
 */
final class EndOfTransaction implements TransactionSynchronization {

    /** One for all transactions, as the logger is. */
    private static final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(EndOfTransaction.class));

    /** The announcements of each cache: all of its changes together. */
    private final Map<Object, Runnable> changes = new LinkedHashMap<>();

    private final List<Runnable> offers = new ArrayList<>();

    /** A moment before the transaction has read anything, or {@code null} when its beginning was not noticed. */
    private final @Nullable Begin begin;

    private boolean isCommitted;

    /**
     * A moment, by two clocks of this machine: one that can be set, and one that cannot.
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

    /** Whether what is written on this thread is committed later, or not at all, as far as is known. */
    static boolean isAhead() {
        if (!TransactionSynchronizationManager.isActualTransactionActive()
                || !TransactionSynchronizationManager.isSynchronizationActive()) {
            return false;
        }
        EndOfTransaction known = known();
        return known == null || !known.isCommitted;
    }

    /** Whether a change has been announced in the transaction of this thread, which still waits for the commit. */
    static boolean hasChanges() {
        EndOfTransaction known = known();
        return known != null && !known.changes.isEmpty();
    }

    /** A moment before the transaction of this thread has read anything, or {@code null} when that is not known. */
    static @Nullable Begin begin() {
        EndOfTransaction known = known();
        return known == null ? null : known.begin;
    }

    /** That of a transaction that begins at this moment on this thread. */
    static void ofNewTransaction() {
        // A part of a transaction may begin as if it were one, and its synchronizations are those of the whole.
        if (known() == null) {
            TransactionSynchronizationManager.registerSynchronization(new EndOfTransaction(Begin.now()));
        }
    }

    /** That of the transaction of this thread, which is {@linkplain #isAhead ahead}. */
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
     * What a cache is to announce after the commit.
     *
     * @param cache whose changes they are
     * @param none how the announcement begins, when this is the first change
     */
    Runnable announcementOf(Object cache, Supplier<? extends Runnable> none) {
        return changes.computeIfAbsent(cache, first -> none.get());
    }

    /** A row is to be offered after the commit. */
    void offer(Runnable offer) {
        offers.add(offer);
    }

    /** Before other callbacks, which may read, announce or throw. */
    @Override
    public int getOrder() {
        return Ordered.HIGHEST_PRECEDENCE;
    }

    /** What is undone is not offered. Which rows those are is not known. */
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
     * Makes what {@link #afterCommit} has not: it was not called when the transaction manager does not know what became of the
     * commit, or when another callback has thrown before; and announcements may have been added after it.
     */
    @Override
    public void afterCompletion(int status) {
        if (status != STATUS_COMMITTED) {
            offers.clear();
        }
        if (status != STATUS_ROLLED_BACK) {
            // Of an unknown status: to forget what is still true is harmless.
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

    /** The commit cannot fail any more, and the other announcements are to be made. */
    private static void run(Runnable announcement) {
        try {
            announcement.run();
        } catch (Throwable e) {
            log.error("A change has been committed, and could not be announced to the caches", e);
        }
    }
}
