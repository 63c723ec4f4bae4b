package dev.usher.relay;

import java.sql.SQLException;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** Words for operators. */
final class Texts {

    /** States whose messages name objects of the database alone: none such, no privilege, no such table, in use, a limit. */
    private static final Set<String> NAMING = Set.of("42704", "42501", "42P01", "55006", "53400");

    private Texts() {}

    /** Why something has failed, in words without values of rows. */
    static String reasonOf(@Nullable Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (cause == null) {
            return "it has ended";
        }
        if (cause instanceof SQLException sql) {
            String state = String.valueOf(sql.getSQLState());
            String message = sql.getMessage();
            // Any other message may quote a row; and so may the lines that follow the first.
            return cause.getClass().getSimpleName() + " with the SQLSTATE " + state
                    + (message != null && NAMING.contains(state)
                            ? ": " + message.lines().findFirst().orElse("")
                            : "");
        }
        String message = cause.getMessage();
        return message == null ? cause.getClass().getSimpleName() : message;
    }
}
