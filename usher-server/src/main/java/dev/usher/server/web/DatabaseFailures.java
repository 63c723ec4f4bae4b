package dev.usher.server.web;

import dev.usher.RateLimitedLog;
import java.sql.SQLException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/**
 * Logs why the database fails: a line for each kind of failure in ten seconds, without a stack trace. {@code application.yml} switches off the
 * lines of the pool and of Spring for each connection and each transaction. Thread-safe.
 */
final class DatabaseFailures {

    /** By the class of the first cause and the SQLSTATE, so that one failure does not hide another. There are a few hundred at most. */
    private final ConcurrentMap<String, RateLimitedLog> failures = new ConcurrentHashMap<>();

    /** Logs a failure that keeps a request from being answered. */
    void log(Throwable failure) {
        Throwable root = failure;
        SQLException sql = null;
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            root = cause;
            sql = cause instanceof SQLException of ? of : sql;
        }
        String state = sql == null || sql.getSQLState() == null ? "none" : sql.getSQLState();
        RateLimitedLog failureLog = failures.computeIfAbsent(
                root.getClass().getName() + ' ' + state,
                kind -> new RateLimitedLog(LoggerFactory.getLogger(DatabaseFailures.class)));
        failureLog.warn(
                "The database fails: {} (SQLSTATE {}): {}. Answered 503; see spring.datasource.*",
                root.getClass().getSimpleName(),
                state,
                firstLine(sql == null ? root.getMessage() : sql.getMessage()));
    }

    private static String firstLine(@Nullable String message) {
        return message == null ? "" : message.lines().findFirst().orElse("").replaceAll("[.]$", "");
    }
}
