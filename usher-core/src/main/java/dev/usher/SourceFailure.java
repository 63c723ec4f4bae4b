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

/** What an exception of a source says: whether a single row may be to blame, and its kind in a few words. */
final class SourceFailure {

    /** Of which no row can be the reason. A timeout is among them, for what has taken too long is not to be asked for again. */
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
     * Classes of SQLSTATE of which no row can be the reason: connection, feature, transaction, authorization, catalog, schema,
     * rollback, syntax and access, resources, locks, intervention, system, and timeouts by ODBC's code.
     */
    private static final Set<String> STATES_OF_THE_WHOLE =
            Set.of("08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "HYT");

    private static final Pattern STATE = Pattern.compile("[0-9A-Z]{5}");

    /** More than any chain of causes that is none in a circle. */
    private static final int LONGEST_CHAIN = 20;

    private SourceFailure() {}

    /** Whether the source may be able to read other users, so that it is worth asking for them. */
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
     * caused by PSQLException, SQLSTATE 42P01}. Without a message, for that may quote a value.
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

    /** Just its form is believed: a driver might say anything. */
    private static @Nullable String stateOf(SQLException failure) {
        String state = failure.getSQLState();
        return state != null && STATE.matcher(state).matches() ? state : null;
    }

    /** Without the package; that of a class without a name is what stands behind the last dot. */
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
