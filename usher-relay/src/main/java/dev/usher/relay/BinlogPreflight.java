package dev.usher.relay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Whether MariaDB or MySQL is set up for a feed, and what to run or to set where it is not. */
final class BinlogPreflight {

    private static final int NO_PRIVILEGE = 1227;
    private static final Set<Integer> TABLE_REFUSED = Set.of(1142, 1143, 1044);
    private static final int NO_TABLE = 1146;
    private static final int NO_DATABASE = 1049;

    private final BinlogChangeFeed feed;
    private final Connection connection;
    private final BinlogServer server;
    private final List<String> problems = new ArrayList<>();
    private final Set<String> sql = new LinkedHashSet<>();

    BinlogPreflight(BinlogChangeFeed feed, Connection connection) throws SQLException {
        this.feed = feed;
        this.connection = connection;
        this.server = new BinlogServer(connection);
    }

    /**
     * Checks what nothing may be done without: which server it is, and that it says where its log ends.
     *
     * @throws ChangeFeedException when that is missing
     */
    void checkServer() throws SQLException, ChangeFeedException {
        String version = server.text("SELECT VERSION()");
        boolean isNewEnough =
                server.isMariaDb() ? BinlogServer.isAtLeast(version, 10, 5) : BinlogServer.isAtLeast(version, 8, 0);
        if (!isNewEnough) {
            throw new ChangeFeedException("the relay needs MariaDB 10.5 or MySQL 8.0, or newer");
        }
        if (!isOn("log_bin")) {
            throw new ChangeFeedException(
                    "the server " + feed.address().host() + ":" + feed.address().port()
                            + " has no binlog. Add these lines to its configuration, below ["
                            + (server.isMariaDb() ? "mariadb" : "mysqld")
                            + "], and restart it:\n" + "log_bin = binlog\nbinlog_format = ROW\nserver_id = 1");
        }
        try {
            var unused = server.end();
        } catch (SQLException e) {
            if (e.getErrorCode() == NO_PRIVILEGE) {
                throw new ChangeFeedException(
                        "the role " + feed.user() + " may not read how far the binlog goes. Run, as an administrator:\n"
                                + grants(feed),
                        e);
            }
            throw e;
        }
    }

    /**
     * Checks the rest.
     *
     * @throws ChangeFeedException when something is missing; its message is all that is to be run
     */
    void check() throws SQLException, ChangeFeedException {
        checkSettings();
        checkFilter();
        for (WatchedTable table : feed.tables()) {
            checkTable(table);
        }
        checkReader();
        if (!problems.isEmpty()) {
            throw new ChangeFeedException("the database " + feed.address().database() + " at "
                    + feed.address().host() + ":"
                    + feed.address().port() + " is not ready for the relay: " + String.join("; ", problems)
                    + ". Run, as an administrator:\n" + String.join("\n", sql));
        }
    }

    /** All that makes a role. */
    static String roleSql(BinlogChangeFeed feed) {
        return "CREATE USER " + quoted(feed.user()) + " IDENTIFIED BY '...';\n" + grants(feed) + "\n"
                + feed.tables().stream().map(table -> grant(feed, table)).collect(Collectors.joining("\n"));
    }

    private static String grants(BinlogChangeFeed feed) {
        return "GRANT REPLICATION SLAVE, " + (feed.address().isMySql() ? "REPLICATION CLIENT" : "BINLOG MONITOR")
                + " ON *.* TO " + quoted(feed.user()) + ";";
    }

    private static String grant(BinlogChangeFeed feed, WatchedTable table) {
        return "GRANT SELECT ON " + quoted(table) + " TO " + quoted(feed.user()) + ";";
    }

    private void missing(String problem, String... remedy) {
        problems.add(problem);
        sql.addAll(List.of(remedy));
    }

    private void checkSettings() throws SQLException {
        requireSetting(
                "binlog_format", "ROW", "; and connections that are open keep the old one: restart the applications");
        requireSetting("binlog_row_image", "FULL", "");
        if (!server.isMariaDb()) {
            requireSetting("binlog_transaction_compression", "OFF", "");
            requireSetting("binlog_row_value_options", "", "");
        }
    }

    private void requireSetting(String name, String value, String hint) throws SQLException {
        String now = setting(name);
        if (now != null && !now.equalsIgnoreCase(value)) {
            missing(
                    name + " is '" + now + "' and not '" + value + "'",
                    "SET GLOBAL " + name + " = '" + value + "'; -- and " + name + " = " + value
                            + " in the configuration of the server" + hint);
        }
    }

    private @Nullable String setting(String name) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SHOW GLOBAL VARIABLES LIKE '" + name + "'")) {
            return found.next() ? found.getString(2) : null;
        }
    }

    private boolean isOn(String name) throws SQLException {
        String now = setting(name);
        return now != null && (now.equalsIgnoreCase("ON") || now.equals("1"));
    }

    private void checkFilter() throws SQLException, ChangeFeedException {
        String filter = server.end().filter().toLowerCase(Locale.ROOT);
        if (!filter.isEmpty()) {
            // Which database counts depends on the format of each statement, and on the default database of its
            // session.
            missing(
                    "the server does not log all databases (" + filter + ")",
                    "-- take binlog_do_db and binlog_ignore_db out of the configuration of the server, and restart it");
        }
    }

    private void checkTable(WatchedTable table) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement
                    .executeQuery("SELECT 1 FROM " + quoted(table) + " LIMIT 0")
                    .close();
        } catch (SQLException e) {
            if (TABLE_REFUSED.contains(e.getErrorCode())) {
                missing("the role " + feed.user() + " may not read " + table, grant(feed, table));
            } else if (e.getErrorCode() == NO_TABLE || e.getErrorCode() == NO_DATABASE) {
                missing("there is no table " + table, "-- name the table of users to the relay, instead of " + table);
            } else {
                throw e;
            }
            return;
        }
        if (!isTrue(
                "SELECT table_type = 'BASE TABLE' OR table_type = 'SYSTEM VERSIONED' FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
                table.schema(),
                table.name())) {
            missing(
                    table + " is a view, which is not in the log",
                    "-- name the table to the relay in which the rows are, instead of " + table);
            return;
        }
        checkCascades(table);
        checkColumn(table, table.id(), "id");
        String status = table.status();
        if (status != null) {
            checkColumn(table, status, "status");
        }
        if (isTrue(
                "SELECT count(*) < max(ordinal_position) FROM information_schema.columns WHERE table_schema = ? AND table_name = ?",
                table.schema(),
                table.name())) {
            missing("the role " + feed.user() + " may not read all columns of " + table, grant(feed, table));
        }
        if (isTrue(
                "SELECT count(*) > 0 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? AND column_type LIKE '%COMPRESSED%'",
                table.schema(), table.name())) {
            missing(
                    "the table " + table + " has a column that is COMPRESSED, which the relay cannot read",
                    "-- ALTER TABLE " + quoted(table) + " MODIFY that column without COMPRESSED");
        }
    }

    /** The stream has to know from which tables foreign keys cascade. */
    private void checkCascades(WatchedTable table) throws SQLException {
        try {
            var unused = BinlogCascades.of(List.of(table), connection);
        } catch (BinlogCascades.UnreadableException e) {
            missing(
                    "the role " + feed.user() + " may not read a table from which a foreign key cascades to " + table,
                    "GRANT SELECT ON " + quoted(e.table().schema()) + "."
                            + quoted(e.table().name()) + " TO " + quoted(feed.user()) + ";");
        }
    }

    private void checkColumn(WatchedTable table, String column, String of) throws SQLException {
        if (!isTrue(
                "SELECT count(*) > 0 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? AND column_name = ?",
                table.schema(),
                table.name(),
                column)) {
            missing(
                    "the table " + table + " has no column " + column,
                    "-- name the column of the " + of + " to the relay");
        } else if (isTrue(
                "SELECT extra LIKE '%VIRTUAL%' FROM information_schema.columns WHERE table_schema = ? AND table_name = ? AND column_name = ?",
                table.schema(), table.name(), column)) {
            missing(
                    "the column " + column + " of " + table + " is computed, and so not in the log",
                    "-- name a column to the relay that is stored, such as the one from which " + column
                            + " is computed");
        }
    }

    /** Tries it: nothing else says whether the server would send its log to this role, by this way to prove who it is. */
    private void checkReader() throws SQLException, ChangeFeedException {
        BinlogServer.Log end = server.end();
        BinlogStream tried = new BinlogStream(feed, end.base(), end.place(), "", null);
        try {
            var unused = tried.start();
        } catch (ChangeFeedException e) {
            if (problems.isEmpty()) {
                throw e;
            }
            missing("the binlog cannot be read by " + feed.user(), grants(feed));
        } finally {
            tried.stop();
        }
    }

    /** Whether the first column of the first row is true. */
    private boolean isTrue(String query, String... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setString(i + 1, parameters[i]);
            }
            try (ResultSet found = statement.executeQuery()) {
                return found.next() && found.getBoolean(1);
            }
        }
    }

    private static String quoted(WatchedTable table) {
        return quoted(table.schema()) + "." + quoted(table.name());
    }

    private static String quoted(@Nullable String name) {
        String text = String.valueOf(name);
        return text.matches("[a-z_][a-z0-9_]*") ? text : "`" + text.replace("`", "``") + "`";
    }
}
