package dev.usher.server.user;

import java.sql.SQLException;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import org.springframework.transaction.UnexpectedRollbackException;
import org.springframework.transaction.support.TransactionOperations;

/**
 * Transactions whose changes the caches are to be told of. The success of one is for its caller to announce. A failure is announced here,
 * where the change may have been committed all the same: a connection that is lost while it commits does not tell. What has certainly not
 * been committed is not announced, for a user who is announced is asked for in the database, which may be away.
 */
@Component
final class Commits {

    /**
     * Classes of SQL states, and one state, with which a database answers that it has undone the transaction: of the statement's data, of
     * constraints, of the transaction's state, of serialization and deadlocks, of syntax and rights, of views, of resources and limits, of
     * objects in another state; and a statement that was cancelled.
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
     * @param announcement is made when the change fails, and may have been committed
     * @return what the change returns
     * @throws RuntimeException whatever the change, its transaction or its commit throws
     */
    <T> T commit(Supplier<T> change, Runnable announcement) {
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

    /** How far a transaction has come. */
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

        @SuppressWarnings("NullAway") // What the change has returned, which may be nullable itself.
        T result() {
            return result;
        }

        @SuppressWarnings("ReferenceEquality") // Another one is that of the rollback.
        boolean mayBeCommitted(Throwable thrown) {
            if (!isBegun || thrown == failure) {
                return false; // There was no connection, or the change has failed and was rolled back.
            }
            if (failure != null) {
                // The rollback has failed as well. Over a connection that was lost before, no commit has been sent.
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
