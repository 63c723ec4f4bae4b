package dev.usher;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Connections to a database that are reused, as in the pool of an application: a connection that has failed is closed, together with
 * all idle ones, and a connection that was idle for long is tested first. Thread-safe.
 */
final class ConnectionPool implements AutoCloseable {

    private static final Duration TRUSTED = Duration.ofMillis(500);
    private static final int TRIAL_SECONDS = 1;

    private final String url;
    private final Queue<Idle> idle = new ConcurrentLinkedQueue<>();

    ConnectionPool(String url) {
        this.url = url;
    }

    /** Work with a connection. */
    @FunctionalInterface
    interface Work<T> {
        T on(Connection connection) throws SQLException;
    }

    private record Idle(Connection connection, long since) {

        boolean isUsable() throws SQLException {
            return System.nanoTime() - since < TRUSTED.toNanos() || connection.isValid(TRIAL_SECONDS);
        }
    }

    <T> T with(Work<T> work) throws SQLException {
        Connection connection = take();
        try {
            T result = work.on(connection);
            idle.add(new Idle(connection, System.nanoTime()));
            return result;
        } catch (SQLException e) {
            discard(connection);
            closeIdle();
            throw e;
        }
    }

    private Connection take() throws SQLException {
        for (Idle next = idle.poll(); next != null; next = idle.poll()) {
            if (next.isUsable()) {
                return next.connection();
            }
            discard(next.connection());
        }
        return DriverManager.getConnection(url);
    }

    private void closeIdle() {
        for (Idle next = idle.poll(); next != null; next = idle.poll()) {
            discard(next.connection());
        }
    }

    private static void discard(Connection connection) {
        try {
            connection.close();
        } catch (SQLException e) {
            // The connection was broken before: a failure to close it adds nothing.
        }
    }

    @Override
    public void close() {
        closeIdle();
    }
}
