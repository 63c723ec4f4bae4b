package dev.usher;

import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.postgresql.PGConnection;

/**
 * Versions of users in a table of PostgreSQL, whose queries are slow and count each other in the database: at its beginning, each
 * query takes a shared lock and counts the holders of that lock. So the last of several concurrent queries counts all of them.
 *
 * <p>A query that its client has given up goes on in the server, and may even begin there after the client has sent its next one. Such a
 * query is recognised by its connection and not counted, since no client can prevent it.
 *
 * <p>Thread-safe.
 */
final class CountingTable implements AutoCloseable {

    private static final Duration QUERY = Duration.ofMillis(5);

    private final ConnectionPool connections;
    private final String name;
    private final int crowd;
    private final Set<Integer> abandoned = ConcurrentHashMap.newKeySet();
    private final AtomicInteger maxAtOnce = new AtomicInteger();

    /**
     * The view that one part of an application has of a table.
     *
     * @param crowd the key of the lock: queries with the same key count each other
     */
    CountingTable(String url, String name, int crowd) {
        this.connections = new ConnectionPool(url);
        this.name = name;
        this.crowd = crowd;
    }

    /** Prepares a schema for its tables. */
    static void prepare(String url) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement()) {
            statement.execute("""
                    create function begun(crowd int, pause float8) returns int[] language plpgsql as $$
                    declare
                        under_way int[];
                    begin
                        perform pg_advisory_xact_lock_shared(crowd);
                        select array_agg(pid) into under_way
                        from pg_locks where locktype = 'advisory' and objid = crowd::oid;
                        perform pg_sleep(pause);
                        return under_way;
                    end $$
                    """);
        }
    }

    /** Creates a table with users from 0 to a number, exclusive, in version 0, but for some. */
    static void create(String url, String name, int users, int absentFrom, int absentTo) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement()) {
            statement.execute("create table " + name + " (id bigint primary key, version int not null)");
            statement.execute("insert into " + name + " select n, 0 from generate_series(0, " + (users - 1)
                    + ") n where n < " + absentFrom + " or n >= " + absentTo);
        }
    }

    /** The versions of those users that exist, by a query that takes its time and is counted. */
    Map<Long, Integer> versions(Set<Long> ids) throws SQLException {
        return connections.with(connection -> {
            try (PreparedStatement query =
                    connection.prepareStatement("select id, version, under_way from begun(?, ?) as under_way left join "
                            + name + " on id = any (?)")) {
                query.setInt(1, crowd);
                query.setDouble(2, QUERY.toNanos() / 1e9);
                query.setArray(3, connection.createArrayOf("bigint", ids.toArray()));
                try (ResultSet rows = query.executeQuery()) {
                    Map<Long, Integer> versions = new HashMap<>();
                    while (rows.next()) {
                        addTo(versions, rows);
                        count(rows.getArray(3));
                    }
                    return versions;
                }
            } catch (SQLException e) {
                // Before the caller is told, and lets another one go in its place.
                abandoned.add(connection.unwrap(PGConnection.class).getBackendPID());
                throw e;
            }
        });
    }

    /** The same by a plain query, as in a login. */
    Map<Long, Integer> rows(Set<Long> ids) throws SQLException {
        return connections.with(connection -> {
            try (PreparedStatement query =
                    connection.prepareStatement("select id, version from " + name + " where id = any (?)")) {
                query.setArray(1, connection.createArrayOf("bigint", ids.toArray()));
                try (ResultSet rows = query.executeQuery()) {
                    Map<Long, Integer> versions = new HashMap<>();
                    while (rows.next()) {
                        addTo(versions, rows);
                    }
                    return versions;
                }
            }
        });
    }

    private static void addTo(Map<Long, Integer> versions, ResultSet row) throws SQLException {
        int version = row.getInt(2);
        // If no user was found, the join returns a row without a user.
        if (!row.wasNull()) {
            versions.put(row.getLong(1), version);
        }
    }

    private void count(Array underWay) throws SQLException {
        int count = (int) Arrays.stream((Integer[]) underWay.getArray())
                .filter(query -> !abandoned.contains(query))
                .count();
        maxAtOnce.accumulateAndGet(count, Math::max);
    }

    /**
     * Raises a user's version, unless it is as high already, so that a change with an unknown outcome can be repeated. Committed when
     * this returns.
     */
    void raise(int id, int version) throws SQLException {
        boolean unused = connections.with(connection -> {
            try (PreparedStatement statement =
                    connection.prepareStatement("update " + name + " set version = ? where id = ? and version < ?")) {
                statement.setInt(1, version);
                statement.setLong(2, id);
                statement.setInt(3, version);
                return statement.executeUpdate() > 0;
            }
        });
    }

    /** The largest number of concurrent queries. */
    int maxAtOnce() {
        return maxAtOnce.get();
    }

    @Override
    public void close() {
        connections.close();
    }
}
