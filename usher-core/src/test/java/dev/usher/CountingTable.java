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
 * Versions of users in a table of PostgreSQL, whose queries take their time and count each other at the database: as it
 * begins, each takes a lock that many may hold, and looks who else holds it. So the last one of any crowd sees all of it.
 *
 * <p>A query of which the client has given up hearing goes on at the server, and may even begin there when the client has
 * long turned to the next one. It is told by its connection, and is not counted: no client can do anything about it.
 *
 * <p>Thread-safe.
 */
final class CountingTable implements AutoCloseable {

    private static final Duration QUERY = Duration.ofMillis(5);

    private final ConnectionPool connections;
    private final String name;
    private final int crowd;
    private final Set<Integer> abandoned = ConcurrentHashMap.newKeySet();
    private final AtomicInteger mostAtOnce = new AtomicInteger();

    /**
     * The view that one part of an application has of a table.
     *
     * @param crowd tells apart whose queries are counted together
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

    /** The same by a plain query, as of somebody who logs in. */
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
        // Nobody found, the join leaves a row without a user.
        if (!row.wasNull()) {
            versions.put(row.getLong(1), version);
        }
    }

    private void count(Array underWay) throws SQLException {
        int count = (int) Arrays.stream((Integer[]) underWay.getArray())
                .filter(query -> !abandoned.contains(query))
                .count();
        mostAtOnce.accumulateAndGet(count, Math::max);
    }

    /**
     * Raises a user's version, unless it is there already: whoever does not know what became of it may do it again. Committed
     * when this returns.
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

    /** The most queries that were under way together. */
    int mostAtOnce() {
        return mostAtOnce.get();
    }

    @Override
    public void close() {
        connections.close();
    }
}
