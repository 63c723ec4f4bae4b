package dev.usher;

import java.io.IOException;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLInvalidAuthorizationSpecException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLSyntaxErrorException;
import java.sql.SQLTransientException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Classifies an exception of a source: whether a single row may be the reason, and its kind in a few words. */
final class SourceFailure {

    /** Exceptions of which no row can be the reason. Timeouts are among them: a query that took too long must not be repeated. */
    private static final List<Class<? extends Exception>> OF_THE_WHOLE = List.of(
            SQLTransientException.class, // lost connections, timeouts, deadlocks
            SQLRecoverableException.class,
            SQLNonTransientConnectionException.class,
            SQLSyntaxErrorException.class,
            SQLInvalidAuthorizationSpecException.class,
            SQLFeatureNotSupportedException.class,
            IOException.class,
            TimeoutException.class,
            InterruptedException.class);

    /**
     * Classes of SQLSTATEs of which no row can be the reason: connection, feature, transaction, authorization, catalog, schema,
     * rollback, syntax and access, resources, locks, intervention, system, and timeouts by ODBC's code.
     */
    private static final Set<String> STATES_OF_THE_WHOLE =
            Set.of("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "HYT");

    private static final Pattern STATE = Pattern.compile("[0-9A-Z]{5}");

    /** Longer than any chain of causes that does not run in a circle. */
    private static final int LONGEST_CHAIN = 20;

    private SourceFailure() {}

    /** Whether a single row may be the reason, so that the source may still answer for other users. */
    static boolean mayBeOfOneRow(Throwable failure) {
        return failure instanceof Exception && chainOf(failure).stream().noneMatch(SourceFailure::isOfTheWhole);
    }

    private static boolean isOfTheWhole(Throwable cause) {
        if (OF_THE_WHOLE.stream().anyMatch(type -> type.isInstance(cause))) {
            return true;
        }
        String state = cause instanceof SQLException sql ? stateOf(sql) : null;
        return state != null && STATES_OF_THE_WHOLE.stream().anyMatch(state::startsWith);
    }

    /**
     * The class of an exception, that of its first cause, and the SQLSTATE, as far as there are any: {@code BadSqlGrammarException,
     * caused by PSQLException, SQLSTATE 42P01}. Without the message, which may quote a value.
     */
    static String describe(Throwable failure) {
        List<Throwable> chain = chainOf(failure);
        StringBuilder text = new StringBuilder(nameOf(failure));
        Throwable root = chain.get(chain.size() - 1);
        if (root.getClass() != failure.getClass()) {
            text.append(", caused by ").append(nameOf(root));
        }
        for (Throwable cause : chain) {
            String state = cause instanceof SQLException sql ? stateOf(sql) : null;
            if (state != null) {
                return text.append(", SQLSTATE ").append(state).toString();
            }
        }
        return text.toString();
    }

    /** The SQLSTATE, if it has the form of one: a driver might return any text. */
    private static @Nullable String stateOf(SQLException failure) {
        String state = failure.getSQLState();
        return state != null && STATE.matcher(state).matches() ? state : null;
    }

    /** The name of a class without its package; for a class without a simple name, the text behind the last dot. */
    private static String nameOf(Throwable failure) {
        String name = failure.getClass().getName();
        return name.substring(name.lastIndexOf('.') + 1);
    }

    private static List<Throwable> chainOf(Throwable failure) {
        List<Throwable> chain = new ArrayList<>();
        for (Throwable cause = failure; cause != null && chain.size() < LONGEST_CHAIN; cause = cause.getCause()) {
            chain.add(cause);
        }
        return chain;
    }
}
