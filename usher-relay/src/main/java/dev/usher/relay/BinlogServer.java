package dev.usher.relay;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** What a server says of its binlog. Confined to the thread of its connection. */
final class BinlogServer {

    private final Connection connection;
    private final boolean isMariaDb;
    private final String statusQuery;

    /**
     * The end of the log.
     *
     * @param name of the file
     * @param offset in it
     * @param base the name of the files without their number
     * @param filter databases that are logged alone, or are not
     */
    record Log(String name, long offset, String base, String filter) {

        BinlogPlace place() throws ChangeFeedException {
            return BinlogPlace.in(name, offset);
        }

        String words() {
            return name + ":" + offset;
        }
    }

    BinlogServer(Connection connection) throws SQLException {
        this.connection = connection;
        String version = text("SELECT VERSION()");
        this.isMariaDb = version.contains("MariaDB");
        boolean isRenamed = !isMariaDb && isAtLeast(version, 8, 2);
        this.statusQuery = isRenamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
    }

    static boolean isAtLeast(String version, int major, int minor) {
        String[] parts = version.split("[^0-9]+");
        int first = Integer.parseInt(parts[0]);
        return first > major || (first == major && parts.length > 1 && Integer.parseInt(parts[1]) >= minor);
    }

    boolean isMariaDb() {
        return isMariaDb;
    }

    /** Which server it is, as far as it says. */
    String identity() throws SQLException {
        return isMariaDb ? "mariadb/" + text("SELECT @@server_id") : "mysql/" + text("SELECT @@server_uuid");
    }

    Log end() throws SQLException, ChangeFeedException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery(statusQuery)) {
            if (!found.next()) {
                throw new ChangeFeedException("the server has no binlog");
            }
            String name = found.getString(1);
            return new Log(
                    name,
                    found.getLong(2),
                    BinlogPlace.baseOf(name),
                    filter("do", found.getString(3)) + filter("ignore", found.getString(4)));
        }
    }

    private static String filter(String kind, String databases) {
        return databases == null || databases.isEmpty() ? "" : kind + "=" + databases;
    }

    /** The beginning of the oldest file. */
    BinlogPlace first() throws SQLException, ChangeFeedException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SHOW BINARY LOGS")) {
            if (!found.next()) {
                throw new ChangeFeedException("the server has no binlog");
            }
            return BinlogPlace.in(found.getString(1), 0);
        }
    }

    /** How often a {@code RESET} was run, of the log or of something else, since the server has started. */
    long resets() throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SHOW GLOBAL STATUS LIKE 'Com_reset'")) {
            return found.next() ? found.getLong(2) : 0;
        }
    }

    String text(String query) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery(query)) {
            found.next();
            String text = found.getString(1);
            return text == null ? "" : text;
        }
    }
}
