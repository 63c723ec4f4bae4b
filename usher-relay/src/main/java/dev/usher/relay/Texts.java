package dev.usher.relay;

import java.sql.SQLException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** Words for operators. */
final class Texts {

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
            // Its message may quote a row.
            return cause.getClass().getSimpleName() + " with the SQLSTATE " + sql.getSQLState();
        }
        String message = cause.getMessage();
        return message == null ? cause.getClass().getSimpleName() : message;
    }
}
