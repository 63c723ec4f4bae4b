package dev.usher;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The source of truth about users in a table of PostgreSQL: the version of each, which the name of its profile holds.
 *
 * <p>Thread-safe; the connections of one object are reused.
 */
final class VersionTable implements UserSource<Long, UserProfile>, AutoCloseable {

    private final ConnectionPool connections;

    VersionTable(String url) {
        this.connections = new ConnectionPool(url);
    }

    /** Creates the table, with users from 0 to a number, exclusive, in version 0. */
    void create(int users) {
        int created = with(connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.execute("create table versions (id bigint primary key, version int not null)");
                return statement.executeUpdate(
                        "insert into versions select n, 0 from generate_series(0, " + (users - 1) + ") n");
            }
        });
        if (created != users) {
            throw new IllegalStateException(created + " users were created instead of " + users);
        }
    }

    /** Changes a user, or creates one; committed when this returns with the new version. */
    int change(int id) {
        return with(connection -> {
            try (PreparedStatement statement = connection.prepareStatement("insert into versions values (?, 1)"
                    + " on conflict (id) do update set version = versions.version + 1 returning version")) {
                statement.setLong(1, id);
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    return row.getInt(1);
                }
            }
        });
    }

    @Override
    public Map<Long, UserProfile> load(Set<Long> ids) {
        return with(connection -> {
            try (PreparedStatement statement =
                    connection.prepareStatement("select id, version from versions where id = any (?)")) {
                statement.setArray(1, connection.createArrayOf("bigint", ids.toArray()));
                Map<Long, UserProfile> users = new HashMap<>();
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) {
                        users.put(rows.getLong(1), profile(rows.getLong(1), rows.getInt(2)));
                    }
                }
                return users;
            }
        });
    }

    /** The profile of a user in a version. */
    static UserProfile profile(long id, int version) {
        return new UserProfile("", id + ":" + version, "", false, "", "");
    }

    /** The JSON that a foreign program stores. */
    static String json(int id, int version) {
        return "{\"mobile\": \"\", \"name\": \"" + id + ":" + version
                + "\", \"photo\": \"\", \"is_media\": 0, \"intro\": \"\", \"certi\": \"\"}";
    }

    /** The version of an answer for a user: 0 for an absent user. Allocates nothing. */
    static int versionOf(int id, Optional<UserProfile> answer) {
        return answer.isEmpty() ? 0 : versionIn(id, answer.get().name(), 0);
    }

    /** The version in a foreign program's JSON. */
    static int versionIn(int id, String json) {
        return versionIn(id, json, json.indexOf("\"name\":") + "\"name\":".length());
    }

    private static int versionIn(int id, String text, int from) {
        int at = from;
        while (at < text.length() && (text.charAt(at) == ' ' || text.charAt(at) == '"')) {
            at++;
        }
        int owner = 0;
        for (; at < text.length() && text.charAt(at) != ':'; at++) {
            owner = owner * 10 + text.charAt(at) - '0';
        }
        int version = 0;
        for (at++; at < text.length() && Character.isDigit(text.charAt(at)); at++) {
            version = version * 10 + text.charAt(at) - '0';
        }
        return owner == id ? version : ReadLog.ANOTHERS_VALUE;
    }

    @Override
    public void close() {
        connections.close();
    }

    private <T> T with(ConnectionPool.Work<T> work) {
        try {
            return connections.with(work);
        } catch (SQLException e) {
            throw new IllegalStateException("the database failed", e);
        }
    }
}
