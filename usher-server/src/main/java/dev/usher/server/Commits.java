package dev.usher.server;

import java.sql.SQLException;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import org.springframework.transaction.UnexpectedRollbackException;
import org.springframework.transaction.support.TransactionOperations;

/**
 * Commits changes that the caches must learn of. After a success, the caller announces the change. After a failure, it is announced here if it may
 * have been committed nevertheless: a connection that is lost during the commit does not tell. A change that was certainly not committed is
 * not announced, since an announced user is loaded again from a database that may be unreachable.
 */
@Component
public final class Commits {

    /**
     * Classes of SQL states that say that the transaction was rolled back: of the statement's data, of constraints, of the transaction's
     * state, of serialization and deadlocks, of syntax and rights, of views, of resources and limits, of objects in another state.
     */
    private static final Set<String> UNDONE = Set.of("22", "23", "25", "40", "42", "44", "53", "54", "55");

    private static final String CANCELLED = "57014";
    private static final String OUTCOME_UNKNOWN = "40003";
    private static final String CONNECTION_LOST = "08";
    private static final String ENDED_BY_OPERATOR = "57P0";

    private final TransactionOperations transactions;

    Commits(TransactionOperations transactions) {
        this.transactions = transactions;
    }

    /**
     * Makes a change and commits it. Not inside a transaction, which would commit later.
     *
     * @param announcement run when the change fails and may have been committed
     * @return the result of the change
     * @throws RuntimeException the exception of the change, its transaction or its commit
     */
    public <T> T commit(Supplier<T> change, Runnable announcement) {
        Attempt<T> attempt = new Attempt<>(change);
        try {
            transactions.executeWithoutResult(transaction -> attempt.run());
            return attempt.result();
        } catch (Throwable e) {
            if (attempt.mayBeCommitted(e)) {
                announce(announcement, e);
            }
            throw e;
        }
    }

    private static void announce(Runnable announcement, Throwable failure) {
        try {
            announcement.run();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /** One transaction, and how far it has come. */
    private static final class Attempt<T> {

        private final Supplier<T> change;
        private boolean isBegun;
        private @Nullable T result;
        private @Nullable Throwable failure;

        Attempt(Supplier<T> change) {
            this.change = change;
        }

        void run() {
            isBegun = true;
            try {
                result = change.get();
            } catch (Throwable e) {
                failure = e;
                throw e;
            }
        }

        @SuppressWarnings("NullAway") // The result of the change, whose type may be nullable itself.
        T result() {
            return result;
        }

        @SuppressWarnings("ReferenceEquality") // Any other exception is that of the rollback.
        boolean mayBeCommitted(Throwable thrown) {
            if (!isBegun || thrown == failure) {
                return false; // There was no connection, or the change failed and was rolled back.
            }
            if (failure != null) {
                // The rollback failed as well. If the connection was lost before, no commit was sent.
                return !isLost(state(failure)) && !isLost(state(thrown));
            }
            return !(thrown instanceof UnexpectedRollbackException) && !isUndone(state(thrown));
        }

        private static boolean isLost(String state) {
            return state.startsWith(CONNECTION_LOST) || state.startsWith(ENDED_BY_OPERATOR);
        }

        private static boolean isUndone(String state) {
            boolean isOfClass = state.length() == 5 && UNDONE.contains(state.substring(0, 2));
            return state.equals(CANCELLED) || (isOfClass && !state.equals(OUTCOME_UNKNOWN));
        }

        private static String state(Throwable thrown) {
            for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
                if (cause instanceof SQLException sql && sql.getSQLState() != null) {
                    return sql.getSQLState();
                }
            }
            return "";
        }
    }
}
