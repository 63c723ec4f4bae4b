package dev.usher.relay;

import dev.usher.UserSource;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/** Reads the table of users, over connections that it keeps, and counts the queries. Thread-safe. */
final class TableSource implements AutoCloseable {

    private final String url;
    private final String user;
    private final String password;
    private final ConcurrentLinkedDeque<Connection> idle = new ConcurrentLinkedDeque<>();
    private final LongAdder queries = new LongAdder();
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger most = new AtomicInteger();

    /** The value of a user in a row. */
    interface Reading<V> {

        V valueIn(ResultSet row) throws SQLException;
    }

    TableSource(String url, String user, String password) {
        this.url = url;
        this.user = user;
        this.password = password;
    }

    /** How many queries there were. */
    long queries() {
        return queries.sum();
    }

    /** How many queries were under way at once, at most. */
    int most() {
        return most.get();
    }

    <V> UserSource<Long, V> of(Reading<V> reading) {
        return ids -> {
            queries.increment();
            most.accumulateAndGet(underWay.incrementAndGet(), Math::max);
            String list = ids.stream().map(String::valueOf).collect(Collectors.joining(", "));
            try {
                Connection kept = idle.poll();
                if (kept != null) {
                    try {
                        return read(kept, list, reading);
                    } catch (SQLException e) {
                        close(); // the database may have been restarted
                    }
                }
                return read(DriverManager.getConnection(url, user, password), list, reading);
            } finally {
                underWay.decrementAndGet();
            }
        };
    }

    private <V> Map<Long, V> read(Connection connection, String ids, Reading<V> reading) throws SQLException {
        Map<Long, V> found = new HashMap<>();
        try (Statement query = connection.createStatement();
                ResultSet rows = query.executeQuery("SELECT id, name, status FROM users WHERE id IN (" + ids + ")")) {
            while (rows.next()) {
                found.put(rows.getLong("id"), reading.valueIn(rows));
            }
        }
        idle.push(connection);
        return found;
    }

    @Override
    public void close() {
        for (Connection kept = idle.poll(); kept != null; kept = idle.poll()) {
            try {
                kept.close();
            } catch (SQLException e) {
                // Its database is gone.
            }
        }
    }
}
