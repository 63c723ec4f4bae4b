package dev.usher.relay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * That of MariaDB and of MySQL, which has not been tested. The position refers to the table by a foreign key, so that neither can be truncated or dropped by itself.
 */
final class MariaDbChangesTable extends ChangesTable {

    /** What a row of the table takes, about. */
    private static final long ROW_BYTES = 128;

    private static final int CLEARED_TOGETHER = 5000;
    private static final int NEEDS_PROCESS = 1227;

    /** The events of a trigger. */
    private static final List<String> EVENTS = List.of("INSERT", "UPDATE", "DELETE");

    /** A foreign key that changes rows of the table that has it. */
    private static final Pattern CASCADE =
            Pattern.compile("\n  CONSTRAINT `([^`]+)` FOREIGN KEY .* ON (?:DELETE|UPDATE) (?:CASCADE|SET )");

    private final boolean isMySql;
    private final String schema;
    private final String name;
    private boolean seesTruncate = true;

    MariaDbChangesTable(TriggerTableFeed feed, Connection connection) {
        super(feed, connection);
        this.isMySql = feed.address().kind() == JdbcAddress.Kind.MYSQL;
        int dot = feed.changes().indexOf('.');
        this.schema = dot < 0 ? feed.address().database() : feed.changes().substring(0, dot);
        this.name = feed.changes().substring(dot + 1);
    }

    @Override
    void prepare() throws SQLException, ChangeFeedException {
        var metadata = connection.getMetaData();
        int version = 100 * metadata.getDatabaseMajorVersion() + metadata.getDatabaseMinorVersion();
        if (version < (isMySql ? 800 : 1006)) {
            throw new ChangeFeedException("the relay needs MariaDB 10.6, or MySQL 8, or newer");
        }
        if (isTrue("SELECT @@read_only")) {
            throw new ChangeFeedException("this server is read-only: name the primary to the relay");
        }
        if (isTrue("SELECT @@log_bin AND @@binlog_format = 'STATEMENT'")) {
            throw new ChangeFeedException(
                    "binlog_format is STATEMENT, with which no transaction can be READ COMMITTED, as the relay's"
                            + " has to be, so that it does not lock what others insert. Run:\nSET GLOBAL binlog_format = 'MIXED';");
        }
        int seconds = TriggerTableSession.SILENCE_SECONDS;
        // Definitions are read as the server writes them by these settings.
        execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES', sql_quote_show_create = 1");
        execute("SET SESSION wait_timeout = " + seconds + ", net_write_timeout = " + seconds + ", lock_wait_timeout = "
                + seconds + ", innodb_lock_wait_timeout = " + seconds);
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    }

    @Override
    boolean tryLock() throws SQLException {
        // The names of locks are those of the whole server.
        return isTrue("SELECT get_lock(?, 0)", "usher-" + digest(schema + "." + name));
    }

    @Override
    ChangeFeed.Standing standing() throws SQLException {
        String history = digest(text(
                        "SHOW VARIABLES WHERE variable_name IN ('server_uid', 'server_uuid', 'server_id', 'hostname', 'port')")
                + objects());
        if (!exists(name) || !exists(name + "_position")) {
            return new ChangeFeed.Standing(history, null, 0, 0, "there is no table " + feed.changes());
        }
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery(
                        "SELECT place, intended, (SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM " + changes()
                                + ") FROM " + position())) {
            if (!found.next()) {
                return new ChangeFeed.Standing(history, null, 0, 0, "there is no row in " + position());
            }
            long place = found.getLong(1);
            boolean isMissing = found.wasNull();
            return new ChangeFeed.Standing(
                    history,
                    isMissing ? null : place,
                    found.getLong(2),
                    ROW_BYTES * found.getLong(3),
                    isMissing
                            ? "no position"
                            : seesTruncate ? "table" : "table; without the right PROCESS, TRUNCATE is not seen");
        }
    }

    /** Which objects there are, and in which version: a trigger that is made anew is another one. */
    private String objects() throws SQLException {
        StringBuilder all = new StringBuilder();
        for (String table : List.of(name, name + "_position")) {
            all.append(created(schema, table));
        }
        for (WatchedTable table : feed.tables()) {
            all.append(created(schemaOf(table), table.name()))
                    .append(tableId(table))
                    .append(text(
                            "SELECT trigger_name, created, event_manipulation, definer, action_statement FROM information_schema.triggers"
                                    + " WHERE event_object_schema = ? AND event_object_table = ? ORDER BY trigger_name",
                            schemaOf(table),
                            table.name()));
        }
        return all.toString();
    }

    private String created(String inSchema, String table) throws SQLException {
        return text(
                "SELECT create_time FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
                inSchema,
                table);
    }

    /** InnoDB's number of a table, which TRUNCATE changes; or nothing without the privilege to see it. */
    private String tableId(WatchedTable table) throws SQLException {
        try {
            return text(
                    "SELECT table_id FROM information_schema." + (isMySql ? "innodb_tables" : "innodb_sys_tables")
                            + " WHERE name = ?",
                    schemaOf(table) + "/" + table.name());
        } catch (SQLException e) {
            if (e.getErrorCode() == NEEDS_PROCESS) {
                seesTruncate = false;
                return "";
            }
            throw e;
        }
    }

    @Override
    boolean hasChanges() throws SQLException {
        return isTrue("SELECT EXISTS (SELECT 1 FROM " + changes() + " LIMIT 1)");
    }

    @Override
    long intend(long atLeast) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("UPDATE " + position() + " SET intended = greatest(intended + 1, ?)")) {
            statement.setLong(1, atLeast);
            statement.executeUpdate();
        }
        // Another relay may have gone further by now, which does no harm.
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SELECT intended FROM " + position())) {
            if (!found.next()) {
                throw new SQLException("there is no row with the position");
            }
            return found.getLong(1);
        }
    }

    @Override
    List<Change> take(int max) throws SQLException {
        List<Change> taken = new ArrayList<>();
        List<Long> sequences = new ArrayList<>();
        // By its key and by READ COMMITTED it locks these rows alone, and no gap into which a writer inserts.
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT watched, kind, old_id, new_id, status, changed_at, seq FROM "
                        + changes() + " ORDER BY seq LIMIT ? FOR UPDATE SKIP LOCKED")) {
            statement.setInt(1, max);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    taken.add(
                            change(rows, rows.getObject(6, LocalDateTime.class).toInstant(ZoneOffset.UTC)));
                    sequences.add(rows.getLong(7));
                }
            }
        }
        delete(sequences);
        return taken;
    }

    /** One by one: a list of keys may be read as a scan of the table, by which the rows of writers would be waited for; one key never is. */
    private void delete(List<Long> sequences) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("DELETE FROM " + changes() + " WHERE seq = ?")) {
            for (long sequence : sequences) {
                statement.setLong(1, sequence);
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    @Override
    void giveUp() throws SQLException {
        if (!exists(name) || !exists(name + "_position")) {
            return;
        }
        execute("UPDATE " + position() + " SET place = NULL");
        boolean isAutoCommit = connection.getAutoCommit();
        connection.setAutoCommit(false);
        try {
            int cleared;
            do {
                cleared = take(CLEARED_TOGETHER).size();
                connection.commit();
            } while (cleared == CLEARED_TOGETHER);
        } finally {
            connection.setAutoCommit(isAutoCommit);
        }
    }

    @Override
    void create() throws SQLException {
        execute("UPDATE " + position() + " SET place = " + intend(micros()));
    }

    @Override
    void findProblems() throws SQLException {
        if (!exists(name) || !exists(name + "_position")) {
            missing(
                    "there is no table " + feed.changes() + ", or the user may not see it",
                    tableSql().toArray(String[]::new));
            missing("the user " + feed.user() + " has no rights on it", grants());
        } else {
            requireRight("DELETE FROM " + changes() + " WHERE false");
            requireRight("SELECT seq FROM " + changes() + " WHERE false");
            requireRight("UPDATE " + position() + " SET place = place WHERE false");
            requireRight("SELECT place FROM " + position() + " WHERE false");
        }
        for (WatchedTable table : feed.tables()) {
            findProblems(table);
        }
    }

    private void requireRight(String statement) throws SQLException {
        try {
            execute(statement);
        } catch (SQLException e) {
            if (e.getSQLState() == null || !e.getSQLState().startsWith("42")) {
                throw e;
            }
            missing(
                    "the user " + feed.user() + " may not read and change " + feed.changes() + " and its position",
                    grants());
        }
    }

    private void findProblems(WatchedTable table) throws SQLException {
        String engine = text(
                "SELECT engine FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
                schemaOf(table),
                table.name());
        if (engine.isEmpty()) {
            missing("there is no table " + name(table) + ", or the user may not see its triggers", trigger(table));
            return;
        }
        if (!engine.equalsIgnoreCase("InnoDB|")) {
            missing(
                    "the table " + name(table) + " is not one of InnoDB",
                    "ALTER TABLE " + quoted(table) + " ENGINE = InnoDB;");
        }
        String definition = definition(table);
        List<String> columns = new ArrayList<>(List.of(table.id()));
        if (table.status() != null) {
            columns.add(table.status());
        }
        for (String column : columns) {
            if (!definition.contains("\n  " + quoted(column) + " ")) {
                missing(
                        "the table " + name(table) + " has no column " + column,
                        "-- name the columns of " + name(table) + " to the relay");
                return;
            }
        }
        String cascades = CASCADE.matcher(definition)
                .results()
                .map(found -> found.group(1))
                .collect(Collectors.joining(", "));
        if (!cascades.isEmpty()) {
            missing(
                    "rows of " + name(table) + " are changed by a foreign key (" + cascades
                            + "), and that fires no trigger",
                    "-- make " + cascades + " of " + name(table)
                            + " anew with ON DELETE RESTRICT ON UPDATE RESTRICT, and have the application or a trigger of the other table"
                            + " change the rows");
        }
        for (String event : EVENTS) {
            String body = text(
                    "SELECT action_statement FROM information_schema.triggers WHERE event_object_schema = ? AND event_object_table = ?"
                            + " AND trigger_name = ? AND event_manipulation = ? AND action_timing = 'AFTER'",
                    schemaOf(table),
                    table.name(),
                    triggerName(table, event),
                    event);
            if (!body.equals(body(table, event) + "|")) {
                missing(
                        "the trigger " + triggerName(table, event) + " of " + name(table)
                                + " is missing, or is of other settings, or the user may not see it",
                        triggerSql(table, event));
                missing("a user sees the triggers of a table of which it has the right TRIGGER", trigger(table));
            }
        }
    }

    /** Of {@code information_schema}, the user would see less with the right {@code TRIGGER} alone. */
    private String definition(WatchedTable table) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SHOW CREATE TABLE " + quoted(table))) {
            return found.next() ? String.valueOf(found.getString(2)) : "";
        }
    }

    private List<String> tableSql() {
        return List.of(
                "CREATE TABLE " + changes()
                        + " (seq bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, watched varchar(130) NOT NULL,"
                        + " kind char(1) NOT NULL, old_id text, new_id text, status text, changed_at datetime(6) NOT NULL)"
                        + " ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
                "CREATE TABLE " + position()
                        + " (one tinyint NOT NULL PRIMARY KEY, place bigint, intended bigint NOT NULL,"
                        + " held bigint, FOREIGN KEY (held) REFERENCES " + changes() + " (seq)) ENGINE = InnoDB;",
                "INSERT INTO " + position() + " VALUES (1, NULL, 0, NULL);");
    }

    /** A right in the database lets a user in. */
    static String userSql(TriggerTableFeed feed) {
        String database = feed.address().database();
        return "CREATE USER IF NOT EXISTS " + account(feed) + " IDENTIFIED BY '...';\n"
                + feed.tables().stream()
                        .map(table -> "GRANT TRIGGER ON " + quoted(table, database) + " TO " + account(feed) + ";")
                        .collect(Collectors.joining("\n"));
    }

    private String grants() {
        return "GRANT SELECT, DELETE ON " + changes() + " TO " + account() + "; GRANT SELECT, UPDATE ON " + position()
                + " TO " + account() + ";";
    }

    private String trigger(WatchedTable table) {
        return "GRANT TRIGGER ON " + quoted(table) + " TO " + account() + ";";
    }

    private String account() {
        return account(feed);
    }

    private static String account(TriggerTableFeed feed) {
        return "'" + feed.user().replace("'", "''") + "'@'%'";
    }

    private String triggerSql(WatchedTable table, String event) {
        String trigger = quoted(schemaOf(table)) + "." + quoted(triggerName(table, event));
        String create =
                isMySql ? "DROP TRIGGER IF EXISTS " + trigger + "; CREATE TRIGGER " : "CREATE OR REPLACE TRIGGER ";
        return create + trigger + " AFTER " + event + " ON " + quoted(table) + " FOR EACH ROW " + body(table, event)
                + ";";
    }

    private String body(WatchedTable table, String event) {
        String newId = "CAST(NEW." + quoted(table.id()) + " AS CHAR)";
        String oldId = "CAST(OLD." + quoted(table.id()) + " AS CHAR)";
        String status = table.status() == null ? "NULL" : "CAST(NEW." + quoted(table.status()) + " AS CHAR)";
        return "INSERT INTO " + changes() + " (watched, kind, old_id, new_id, status, changed_at) VALUES ('"
                + table.qualifiedName()
                + "', '" + event.charAt(0) + "', "
                + switch (event) {
                    case "INSERT" -> "NULL, " + newId + ", " + status;
                    case "UPDATE" -> oldId + ", " + newId + ", " + status;
                    default -> oldId + ", NULL, NULL";
                }
                + ", utc_timestamp(6))";
    }

    @Override
    List<String> dropSql() {
        List<String> sql = new ArrayList<>();
        for (WatchedTable table : feed.tables()) {
            for (String event : EVENTS) {
                sql.add("DROP TRIGGER IF EXISTS " + quoted(schemaOf(table)) + "." + quoted(triggerName(table, event)));
            }
        }
        sql.add("DROP TABLE IF EXISTS " + position());
        sql.add("DROP TABLE IF EXISTS " + changes());
        return sql;
    }

    private String triggerName(WatchedTable table, String event) {
        return derived(name, table, "_" + event.toLowerCase(Locale.ROOT));
    }

    private String name(WatchedTable table) {
        return schemaOf(table) + "." + table.name();
    }

    /** {@link WatchedTable} calls it public where none is named. */
    private String schemaOf(WatchedTable table) {
        return schemaOf(table, feed.address().database());
    }

    private static String schemaOf(WatchedTable table, String database) {
        return table.schema().equals("public") ? database : table.schema();
    }

    private String changes() {
        return quoted(schema) + "." + quoted(name);
    }

    @Override
    String position() {
        return quoted(schema) + "." + quoted(name + "_position");
    }

    private boolean exists(String table) throws SQLException {
        return isTrue(
                "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?)",
                schema,
                table);
    }

    private String quoted(WatchedTable table) {
        return quoted(table, feed.address().database());
    }

    private static String quoted(WatchedTable table, String database) {
        return quoted(schemaOf(table, database)) + "." + quoted(table.name());
    }

    private static String quoted(@Nullable String name) {
        return "`" + (name == null ? "" : name) + "`";
    }
}
