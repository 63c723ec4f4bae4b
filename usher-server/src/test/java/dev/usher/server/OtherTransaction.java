package dev.usher.server;

import static org.awaitility.Awaitility.await;

import dev.usher.server.Node.Shared;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/**
 * A transaction of another client of the database, which has not ended: what it has changed or locked, the server has to wait for. It is
 * rolled back when it is closed.
 */
public final class OtherTransaction implements AutoCloseable {

    private final Connection connection;
    private final int pid;

    private OtherTransaction(Connection connection) throws SQLException {
        this.connection = connection;
        try (ResultSet row = connection.createStatement().executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            this.pid = row.getInt(1);
        }
    }

    /** Begins one on a database of the shared PostgreSQL. */
    public static OtherTransaction on(String database) throws SQLException {
        Connection connection =
                DriverManager.getConnection(database, Shared.POSTGRES.username(), Shared.POSTGRES.password());
        connection.setAutoCommit(false);
        return new OtherTransaction(connection);
    }

    public OtherTransaction execute(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            statement.execute();
        }
        return this;
    }

    /** Waits until so many statements of others wait for this transaction to end. */
    public void awaitBlocked(int statements) {
        // Behind the first one that waits for a row, the others wait for the first one.
        await().until(() -> blocked() == statements);
    }

    private int blocked() throws SQLException {
        try (PreparedStatement query = connection.prepareStatement("""
                WITH RECURSIVE blocked (pid) AS (
                    SELECT ? UNION
                    SELECT waiting.pid FROM pg_locks AS waiting
                        JOIN blocked ON blocked.pid = ANY (pg_blocking_pids(waiting.pid))
                        WHERE NOT waiting.granted)
                SELECT count(*) - 1 FROM blocked
                """)) {
            query.setInt(1, pid);
            try (ResultSet row = query.executeQuery()) {
                row.next();
                return row.getInt(1);
            }
        }
    }

    public void commit() throws SQLException {
        connection.commit();
    }

    public void rollback() throws SQLException {
        connection.rollback();
    }

    @Override
    public void close() throws SQLException {
        try (connection) {
            connection.rollback();
        }
    }
}
