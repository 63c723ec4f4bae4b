package dev.usher.relay;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * That of PostgreSQL. The table has neither key nor sequence: an index would cost each writer, and a sequence would change what {@code lastval()} says to it.
 * Rows are taken as they are found, whatever the order of their commits.
 */
final class PostgresChangesTable extends ChangesTable {

    private static final int OLDEST = 140_000;

    /** Of the advisory lock; the other half is made of the table's name. */
    private static final int LOCK = 0x75_73_68_74;

    /** A table of this size is truncated rather than left as it is, when its rows are of no use any more. */
    private static final long WORTH_TRUNCATING = 1_000_000;

    private static final String LOCK_NOT_AVAILABLE = "55P03";

    /** For a row, after INSERT, DELETE and UPDATE; and for a statement, after TRUNCATE: of {@code pg_trigger.tgtype}. */
    private static final int ROW_TRIGGER = 1 + 4 + 8 + 16;

    private static final int TRUNCATE_TRIGGER = 32;

    /** Which objects there are, and in which version: a trigger that is disabled, or made anew, is another one. A vacuum changes nothing. */
    private static final String OBJECTS =
            "SELECT hashtextextended(coalesce(string_agg(t, ',' ORDER BY t), ''), 0) FROM ("
                    + "SELECT 'c' || c.oid::text AS t FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    + " WHERE n.nspname::text || '.' || c.relname::text = ANY (?)"
                    + " UNION ALL SELECT 't' || g.oid::text || ':' || g.xmin::text || ':' || g.tgenabled::text || ':' || p.oid::text"
                    + " || ':' || p.xmin::text FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid"
                    + " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = g.tgfoid"
                    + " WHERE g.tgname = ANY (?) AND n.nspname::text || '.' || c.relname::text = ANY (?)) parts";

    private final String schema;
    private final String name;

    PostgresChangesTable(TriggerTableFeed feed, Connection connection) {
        super(feed, connection);
        int dot = feed.changes().indexOf('.');
        this.schema = dot < 0 ? "public" : feed.changes().substring(0, dot);
        this.name = feed.changes().substring(dot + 1);
    }

    @Override
    void prepare() throws SQLException, ChangeFeedException {
        if (isTrue("SELECT current_setting('server_version_num')::int < " + OLDEST)) {
            throw new ChangeFeedException("the relay needs PostgreSQL 14 or newer");
        }
        if (isTrue("SELECT pg_is_in_recovery()")) {
            throw new ChangeFeedException("this PostgreSQL is a standby: name its primary to the relay");
        }
        int millis = 1000 * TriggerTableSession.SILENCE_SECONDS;
        execute("SET idle_session_timeout = " + millis);
        execute("SET idle_in_transaction_session_timeout = " + millis);
        execute("SET tcp_user_timeout = " + millis);
        execute("SET default_transaction_isolation = 'read committed'");
        execute("SET search_path = pg_catalog");
    }

    @Override
    boolean tryLock() throws SQLException {
        return isTrue("SELECT pg_try_advisory_lock(" + LOCK + ", hashtext(?))", schema + "." + name);
    }

    @Override
    ChangeFeed.Standing standing() throws SQLException {
        String history = text("SELECT (SELECT system_identifier FROM pg_control_system()) || '/'"
                        + " || left(pg_walfile_name(pg_current_wal_lsn()), 8)")
                + objects();
        if (!exists(name) || !exists(name + "_position")) {
            return new ChangeFeed.Standing(history, null, 0, 0, "there is no table " + feed.changes());
        }
        String query =
                "SELECT p.place, p.intended, p.sealed = pg_relation_filenode(?::regclass), pg_total_relation_size(?::regclass)"
                        + " FROM " + position() + " p";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, regclass(name));
            statement.setString(2, regclass(name));
            try (ResultSet found = statement.executeQuery()) {
                if (!found.next()) {
                    return new ChangeFeed.Standing(history, null, 0, 0, "there is no row in " + position());
                }
                long place = found.getLong(1);
                boolean isMissing = found.wasNull();
                long end = found.getLong(2);
                boolean isSealed = found.getBoolean(3);
                long size = found.getLong(4);
                String detail = isMissing
                        ? "no position"
                        : !isSealed
                                ? "the table was truncated"
                                : size >= feed.maxTable() ? "the table is full" : "table";
                return new ChangeFeed.Standing(history, detail.equals("table") ? place : null, end, size, detail);
            }
        }
    }

    private String objects() throws SQLException {
        List<String> watched =
                feed.tables().stream().map(WatchedTable::qualifiedName).toList();
        Array all =
                array(Stream.concat(watched.stream(), Stream.of(schema + "." + name, schema + "." + name + "_position"))
                        .toList());
        try (PreparedStatement statement = connection.prepareStatement(OBJECTS)) {
            statement.setArray(1, all);
            statement.setArray(2, array(List.of(name, truncateTrigger())));
            statement.setArray(3, array(watched));
            try (ResultSet found = statement.executeQuery()) {
                found.next();
                return found.getString(1);
            }
        }
    }

    private Array array(List<String> texts) throws SQLException {
        return connection.createArrayOf("text", texts.toArray());
    }

    @Override
    boolean hasChanges() throws SQLException, ChangeFeedException {
        String query =
                "SELECT EXISTS (SELECT 1 FROM " + changes() + "), pg_relation_size(?::regclass) >= " + feed.maxTable();
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, regclass(name));
            try (ResultSet found = statement.executeQuery()) {
                found.next();
                if (found.getBoolean(2)) {
                    throw new ChangeFeedException(
                            "the table " + feed.changes() + " is full: changes may be missing in it");
                }
                return found.getBoolean(1);
            }
        }
    }

    @Override
    long intend(long atLeast) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "UPDATE " + position() + " SET intended = greatest(intended + 1, ?) RETURNING intended")) {
            statement.setLong(1, atLeast);
            try (ResultSet found = statement.executeQuery()) {
                if (!found.next()) {
                    throw new SQLException("there is no row with the position");
                }
                return found.getLong(1);
            }
        }
    }

    @Override
    List<Change> take(int max) throws SQLException {
        List<Change> taken = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement("DELETE FROM " + changes()
                + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " + changes() + " LIMIT ? FOR UPDATE SKIP LOCKED))"
                + " RETURNING watched, kind, old_id, new_id, status, changed_at")) {
            statement.setInt(1, max);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    taken.add(
                            change(rows, rows.getObject(6, OffsetDateTime.class).toInstant()));
                }
            }
        }
        return taken;
    }

    @Override
    void giveUp() throws SQLException {
        if (!exists(name + "_position")) {
            return;
        }
        execute("UPDATE " + position() + " SET place = NULL");
        if (isLarge()) {
            boolean unused = truncate();
        }
    }

    @Override
    void create() throws SQLException, ChangeFeedException {
        if (isLarge() && !truncate()) {
            throw new ChangeFeedException(
                    "the table " + feed.changes()
                            + " cannot be emptied while transactions are open that have changed users: pg_stat_activity shows them");
        }
        long now = intend(micros());
        try (PreparedStatement statement = connection.prepareStatement(
                "UPDATE " + position() + " SET place = ?, sealed = pg_relation_filenode(?::regclass)")) {
            statement.setLong(1, now);
            statement.setString(2, regclass(name));
            statement.executeUpdate();
        }
    }

    private boolean isLarge() throws SQLException {
        return isTrue("SELECT pg_relation_size(to_regclass(?)) >= " + WORTH_TRUNCATING, regclass(name));
    }

    /** Gives the space back, unless a writer's transaction is open: it is not waited for, for other writers would wait behind. */
    private boolean truncate() throws SQLException {
        execute("SET lock_timeout = 100");
        try {
            execute("TRUNCATE " + changes());
            return true;
        } catch (SQLException e) {
            if (LOCK_NOT_AVAILABLE.equals(e.getSQLState())) {
                return false;
            }
            throw e;
        } finally {
            execute("SET lock_timeout = 0");
        }
    }

    @Override
    void findProblems() throws SQLException {
        if (isTrue("SELECT NOT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ?", schema)) {
            missing("the role " + feed.user() + " may not use the schema " + schema, usage());
            return;
        }
        if (!exists(name) || !exists(name + "_position")) {
            missing("there is no table " + feed.changes(), tableSql().toArray(String[]::new));
            missing("the role " + feed.user() + " may not read it", grants());
        } else {
            for (String right : List.of("SELECT", "DELETE", "TRUNCATE")) {
                if (!isTrue("SELECT has_table_privilege(?, ?)", regclass(name), right)) {
                    missing("the role " + feed.user() + " has no " + right + " on " + feed.changes(), grants());
                }
            }
            // Without it no row can be locked.
            if (!isTrue("SELECT has_column_privilege(?, 'kind', 'UPDATE')", regclass(name))) {
                missing("the role " + feed.user() + " may not lock rows of " + feed.changes(), grants());
            }
            for (String right : List.of("SELECT", "UPDATE")) {
                if (!isTrue("SELECT has_table_privilege(?, ?)", regclass(name + "_position"), right)) {
                    missing(
                            "the role " + feed.user() + " has no " + right + " on " + feed.changes() + "_position",
                            grants());
                }
            }
        }
        for (WatchedTable table : feed.tables()) {
            findProblems(table);
        }
    }

    private void findProblems(WatchedTable table) throws SQLException {
        if (isTrue(
                "SELECT NOT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ?", table.schema())) {
            missing(
                    "the role " + feed.user() + " may not use the schema " + table.schema(),
                    "GRANT USAGE ON SCHEMA " + quoted(table.schema()) + " TO " + quoted(feed.user()) + ";");
            return;
        }
        String relation = regclass(table.schema(), table.name());
        if (!isTrue("SELECT to_regclass(?) IS NOT NULL", relation)) {
            missing("there is no table " + table, "-- name the table of users to the relay, instead of " + table);
            return;
        }
        if (isTrue(
                "SELECT c.relkind <> 'r' OR EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid OR i.inhrelid = c.oid)"
                        + " FROM pg_class c WHERE c.oid = to_regclass(?)",
                relation)) {
            missing(
                    table + " is no plain table: it is partitioned, has parts, or is a view",
                    "-- read the log instead: usher.relay.feed=log, or PostgresChangeFeed");
            return;
        }
        List<String> columns = new ArrayList<>(table.ignored());
        columns.add(table.id());
        String status = table.status();
        if (status != null) {
            columns.add(status);
        }
        for (String column : columns) {
            if (!isTrue(
                    "SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = ?"
                            + " AND attnum > 0 AND NOT attisdropped)",
                    relation,
                    column)) {
                missing(
                        "the table " + table + " has no column " + column,
                        "-- name the columns of " + table + " to the relay");
                return;
            }
        }
        String made = "SELECT EXISTS (SELECT 1 FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid"
                + " WHERE g.tgrelid = to_regclass(?) AND g.tgname = ? AND g.tgtype = ?::int AND g.tgqual IS NULL"
                + " AND g.tgattr::text = '' AND p.prosecdef AND p.prosrc = ?)";
        for (String trigger : List.of(name, truncateTrigger())) {
            int type = trigger.equals(name) ? ROW_TRIGGER : TRUNCATE_TRIGGER;
            if (!isTrue(made, relation, trigger, Integer.toString(type), body(table))) {
                missing(
                        "a trigger of " + table + " is missing, or is of other settings",
                        triggerSql(table).toArray(String[]::new));
                return;
            }
            if (isTrue(
                    "SELECT tgenabled <> 'A' FROM pg_trigger WHERE tgrelid = to_regclass(?) AND tgname = ?",
                    relation,
                    trigger)) {
                missing(
                        "the trigger " + trigger + " of " + table + " does not fire in each session",
                        enable(table, trigger));
            }
        }
    }

    private List<String> tableSql() {
        return List.of(
                "CREATE TABLE " + changes()
                        + " (watched text NOT NULL, kind text NOT NULL, old_id text, new_id text, status text,"
                        + " changed_at timestamptz NOT NULL DEFAULT clock_timestamp());",
                "CREATE TABLE " + position() + " (one boolean PRIMARY KEY DEFAULT true CHECK (one), place bigint,"
                        + " intended bigint NOT NULL DEFAULT 0, sealed oid);",
                "INSERT INTO " + position() + " DEFAULT VALUES;");
    }

    private String grants() {
        return (schema.equals("public") ? "" : usage() + " ") + "GRANT SELECT, DELETE, TRUNCATE, UPDATE (kind) ON "
                + changes() + " TO " + quoted(feed.user()) + "; GRANT SELECT, UPDATE ON " + position() + " TO "
                + quoted(feed.user()) + ";";
    }

    private String usage() {
        return "GRANT USAGE ON SCHEMA " + quoted(schema) + " TO " + quoted(feed.user()) + ";";
    }

    private List<String> triggerSql(WatchedTable table) {
        String on = " ON " + quoted(table);
        String execute = " EXECUTE FUNCTION " + function(table) + "();";
        return List.of(
                "CREATE OR REPLACE FUNCTION " + function(table)
                        + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$"
                        + body(table)
                        + "$$;",
                "CREATE OR REPLACE TRIGGER " + quoted(name) + " AFTER INSERT OR UPDATE OR DELETE" + on + " FOR EACH ROW"
                        + execute,
                "CREATE OR REPLACE TRIGGER " + quoted(truncateTrigger()) + " AFTER TRUNCATE" + on
                        + " FOR EACH STATEMENT" + execute,
                enable(table, name),
                enable(table, truncateTrigger()));
    }

    private static String enable(WatchedTable table, String trigger) {
        return "ALTER TABLE " + quoted(table) + " ENABLE ALWAYS TRIGGER " + quoted(trigger) + ";";
    }

    /** What the triggers do, on one line. A row is compared byte by byte: a type need not have an equality. */
    private String body(WatchedTable table) {
        String into = " INSERT INTO " + changes() + " (watched, kind, old_id, new_id, status) VALUES ('"
                + table.qualifiedName() + "', ";
        String newId = "NEW." + quoted(table.id()) + "::text";
        String oldId = "OLD." + quoted(table.id()) + "::text";
        String status = table.status() == null ? "NULL" : "NEW." + quoted(table.status()) + "::text";
        String ignored = table.ignored().stream()
                .sorted()
                .map(column -> " seen." + quoted(column) + " := OLD." + quoted(column) + ";")
                .collect(Collectors.joining());
        return " DECLARE seen record; BEGIN IF pg_relation_size('" + regclass(name) + "'::regclass) >= "
                + feed.maxTable()
                + " THEN RETURN NULL; END IF;"
                + " IF TG_OP = 'UPDATE' THEN seen := NEW;" + ignored + " IF seen *= OLD THEN RETURN NULL; END IF;"
                + into + "'U', "
                + oldId + ", " + newId + ", " + status + "); ELSIF TG_OP = 'INSERT' THEN" + into + "'I', NULL, " + newId
                + ", " + status
                + "); ELSIF TG_OP = 'DELETE' THEN" + into + "'D', " + oldId + ", NULL, NULL); ELSE" + into
                + "'T', NULL, NULL, NULL); END IF; RETURN NULL; END ";
    }

    @Override
    List<String> dropSql() {
        List<String> sql = new ArrayList<>();
        for (WatchedTable table : feed.tables()) {
            sql.add("DROP TRIGGER IF EXISTS " + quoted(name) + " ON " + quoted(table));
            sql.add("DROP TRIGGER IF EXISTS " + quoted(truncateTrigger()) + " ON " + quoted(table));
            sql.add("DROP FUNCTION IF EXISTS " + function(table) + "()");
        }
        sql.add("DROP TABLE IF EXISTS " + changes() + ", " + position());
        return sql;
    }

    private String truncateTrigger() {
        return name + "_truncate";
    }

    private String changes() {
        return quoted(schema) + "." + quoted(name);
    }

    @Override
    String position() {
        return quoted(schema) + "." + quoted(name + "_position");
    }

    private String function(WatchedTable table) {
        return quoted(schema) + "." + quoted(derived(name, table, ""));
    }

    private boolean exists(String table) throws SQLException {
        return isTrue(
                "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                        + " WHERE n.nspname = ? AND c.relname = ?)",
                schema,
                table);
    }

    private String regclass(String table) {
        return regclass(schema, table);
    }

    private static String regclass(String schema, String table) {
        return "\"" + schema + "\".\"" + table + "\"";
    }

    private static String quoted(WatchedTable table) {
        return quoted(table.schema()) + "." + quoted(table.name());
    }

    private static String quoted(@Nullable String name) {
        return PostgresPreflight.quoted(name);
    }
}
