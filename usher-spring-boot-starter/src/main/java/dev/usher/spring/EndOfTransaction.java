package dev.usher.spring;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.Ordered;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * What the caches are to be told when the transaction of this thread ends: of changes once they are committed, and of rows that
 * have been read. After a rollback, nothing.
 *
 * <p>Confined to the thread of its transaction.
 */
final class EndOfTransaction implements TransactionSynchronization {

    private static final Logger log = LoggerFactory.getLogger(EndOfTransaction.class);

    /** Under which the one of the present transaction is bound to its thread. */
    private static final Object KEY = EndOfTransaction.class;

    /** The announcements of each cache: all of its changes together. */
    private final Map<Object, Runnable> changes = new LinkedHashMap<>();

    private final List<Runnable> offers = new ArrayList<>();

    private EndOfTransaction() {}

    /** Whether what is written on this thread is committed later, or not at all. */
    static boolean isAhead() {
        return TransactionSynchronizationManager.isActualTransactionActive()
                && TransactionSynchronizationManager.isSynchronizationActive();
    }

    /** Whether a change has been announced in the transaction of this thread. */
    static boolean hasChanges() {
        return TransactionSynchronizationManager.getResource(KEY) instanceof EndOfTransaction end
                && !end.changes.isEmpty();
    }

    /** That of the transaction of this thread, which is {@linkplain #isAhead ahead}. */
    static EndOfTransaction ofThisThread() {
        if (TransactionSynchronizationManager.getResource(KEY) instanceof EndOfTransaction known) {
            return known;
        }
        EndOfTransaction end = new EndOfTransaction();
        TransactionSynchronizationManager.bindResource(KEY, end);
        TransactionSynchronizationManager.registerSynchronization(end);
        return end;
    }

    /**
     * What a cache is to announce after the commit.
     *
     * @param cache whose changes they are
     * @param none how the announcement begins, when this is the first change
     */
    Runnable announcementOf(Object cache, Supplier<Runnable> none) {
        return changes.computeIfAbsent(cache, first -> none.get());
    }

    /** A row is to be offered after the commit. */
    void offer(Runnable offer) {
        offers.add(offer);
    }

    /** Before whatever else is told of the commit, and might read. */
    @Override
    public int getOrder() {
        return Ordered.HIGHEST_PRECEDENCE;
    }

    @Override
    public void suspend() {
        TransactionSynchronizationManager.unbindResource(KEY);
    }

    @Override
    public void resume() {
        TransactionSynchronizationManager.bindResource(KEY, this);
    }

    @Override
    public void afterCommit() {
        changes.values().forEach(EndOfTransaction::run);
        offers.forEach(EndOfTransaction::run);
    }

    @Override
    public void afterCompletion(int status) {
        @Nullable Object unbound = TransactionSynchronizationManager.unbindResourceIfPossible(KEY);
        if (unbound != null && status == STATUS_UNKNOWN) {
            // It may have been committed, and to forget what is still true is harmless.
            changes.values().forEach(EndOfTransaction::run);
        }
    }

    /** What is committed cannot fail any more. */
    private static void run(Runnable announcement) {
        try {
            announcement.run();
        } catch (RuntimeException e) {
            log.error("A change has been committed, and could not be announced to the caches", e);
        }
    }
}
