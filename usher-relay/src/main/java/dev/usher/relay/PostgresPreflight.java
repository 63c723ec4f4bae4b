package dev.usher.relay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Whether PostgreSQL is set up for a feed, and the SQL to run where it is not. */
final class PostgresPreflight {

    private static final int OLDEST = 140_000;

    private final PostgresChangeFeed feed;
    private final Connection connection;
    private final List<String> problems = new ArrayList<>();
    private final Set<String> sql = new LinkedHashSet<>();

    PostgresPreflight(PostgresChangeFeed feed, Connection connection) {
        this.feed = feed;
        this.connection = connection;
    }

    /**
     * Checks what nothing may be done without: which PostgreSQL it is, and that the slot is not another program's.
     *
     * @throws ChangeFeedException when it is another one
     */
    void checkServer() throws SQLException, ChangeFeedException {
        if (isTrue("SELECT current_setting('server_version_num')::int < " + OLDEST)) {
            throw new ChangeFeedException("the relay needs PostgreSQL 14 or newer");
        }
        if (isTrue("SELECT pg_is_in_recovery()")) {
            throw new ChangeFeedException("this PostgreSQL is a standby: name its primary to the relay");
        }
        checkSlot();
    }

    /**
     * Checks the rest.
     *
     * @throws ChangeFeedException when something is missing; its message is all the SQL to run
     */
    void check() throws SQLException, ChangeFeedException {
        checkLevel();
        checkRole();
        for (WatchedTable table : feed.tables()) {
            checkTable(table);
        }
        checkPublication();
        if (!problems.isEmpty()) {
            throw new ChangeFeedException("the database " + feed.address()
                    + " is not ready for the relay: " + String.join("; ", problems) + ". Run, as its owner:\n"
                    + sql.stream().collect(Collectors.joining("\n")));
        }
    }

    /** All that makes a role. */
    static String roleSql(PostgresChangeFeed feed) {
        return "CREATE ROLE " + quoted(feed.user()) + " LOGIN REPLICATION PASSWORD '...';\n"
                + feed.tables().stream().map(table -> grant(feed, table)).collect(Collectors.joining("\n"));
    }

    private void missing(String problem, String... remedy) {
        problems.add(problem);
        sql.addAll(List.of(remedy));
    }

    private void checkLevel() throws SQLException {
        if (!isTrue("SELECT current_setting('wal_level') = 'logical'")) {
            missing(
                    "wal_level is not 'logical'",
                    "ALTER SYSTEM SET wal_level = 'logical'; -- as a superuser; then restart PostgreSQL");
        }
    }

    private void checkRole() throws SQLException {
        if (!isTrue("SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user")) {
            missing(
                    "the role " + feed.user() + " may not replicate",
                    "ALTER ROLE " + quoted(feed.user()) + " REPLICATION; -- as a superuser");
        }
    }

    private void checkTable(WatchedTable table) throws SQLException {
        // Asked first: without it PostgreSQL refuses even to look for the table.
        if (isTrue(
                "SELECT NOT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ?", table.schema())) {
            missing("the role " + feed.user() + " may not use the schema " + table.schema(), grant(feed, table));
            return;
        }
        if (!isTrue("SELECT to_regclass(?) IS NOT NULL", regclass(table))) {
            missing("there is no table " + table, "-- name the table of users to the relay, instead of " + table);
            return;
        }
        if (!hasColumn(table, table.id())) {
            missing("the table " + table + " has no column " + table.id(), "-- name the column of the id to the relay");
            return;
        }
        String status = table.status();
        if (status != null && !hasColumn(table, status)) {
            missing("the table " + table + " has no column " + status, "-- name the column of the status to the relay");
        }
        checkNotGenerated(table, table.id());
        if (status != null) {
            checkNotGenerated(table, status);
        }
        if (!isTrue("SELECT has_table_privilege(?, 'SELECT')", regclass(table))) {
            missing("the role " + feed.user() + " may not read " + table, grant(feed, table));
        }
        // Before the publication: with it, and without an identity, PostgreSQL would refuse each UPDATE.
        if (!isTrue(
                "SELECT CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS (SELECT 1 FROM pg_index i"
                        + " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
                        + " WHERE i.indrelid = c.oid AND a.attname = ? AND (CASE c.relreplident WHEN 'i' THEN i.indisreplident"
                        + " ELSE i.indisprimary END)) END FROM pg_class c WHERE c.oid = to_regclass(?)",
                table.id(),
                regclass(table))) {
            missing(
                    "a deleted row of " + table + " would be logged without its " + table.id(),
                    "ALTER TABLE " + quoted(table) + " REPLICA IDENTITY FULL;");
        }
    }

    private void checkNotGenerated(WatchedTable table, String column) throws SQLException {
        if (isTrue(
                "SELECT attgenerated <> '' FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = ?",
                regclass(table),
                column)) {
            missing(
                    "the column " + column + " of " + table + " is generated, and so not in the log",
                    "-- name a column to the relay that is stored, such as the one from which " + column
                            + " is generated");
        }
    }

    private void checkPublication() throws SQLException {
        String publication = quoted(feed.publication());
        String all = feed.tables().stream().map(PostgresPreflight::quoted).collect(Collectors.joining(", "));
        if (!isTrue("SELECT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = ?)", feed.publication())) {
            missing(
                    "there is no publication " + feed.publication(),
                    "CREATE PUBLICATION " + publication + " FOR TABLE " + all + ";");
            return;
        }
        if (!isTrue(
                "SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication WHERE pubname = ?",
                feed.publication())) {
            missing(
                    "the publication " + feed.publication() + " leaves changes out",
                    "ALTER PUBLICATION " + publication + " SET (publish = 'insert, update, delete, truncate');");
        }
        for (WatchedTable table : feed.tables()) {
            String status = table.status();
            if (!isTrue(
                    "SELECT EXISTS (SELECT 1 FROM pg_publication_tables WHERE pubname = ? AND schemaname = ? AND tablename = ?)",
                    feed.publication(),
                    table.schema(),
                    table.name())) {
                missing(
                        "the publication " + feed.publication() + " is without " + table,
                        "ALTER PUBLICATION " + publication + " ADD TABLE " + quoted(table) + ";");
            } else if (isTrue("SELECT current_setting('server_version_num')::int >= 150000")
                    && isTrue(
                            "SELECT t.rowfilter IS NOT NULL OR EXISTS (SELECT 1 FROM pg_attribute a"
                                    + " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
                                    + " WHERE n.nspname = t.schemaname AND c.relname = t.tablename"
                                    + " AND a.attnum > 0 AND NOT a.attisdropped"
                                    + " AND a.attgenerated = '' AND NOT a.attname = ANY (t.attnames)"
                                    + " AND (?::boolean OR a.attname IN (?, ?))"
                                    + " AND NOT a.attname = ANY (string_to_array(?, ',')))"
                                    + " FROM pg_publication_tables t"
                                    + " WHERE t.pubname = ? AND t.schemaname = ? AND t.tablename = ?",
                            Boolean.toString(!table.ignored().isEmpty()),
                            table.id(),
                            status == null ? table.id() : status,
                            String.join(",", table.ignored()),
                            feed.publication(),
                            table.schema(),
                            table.name())) {
                missing(
                        "the publication " + feed.publication() + " leaves rows or columns of " + table
                                + " out that the relay has to see",
                        "ALTER PUBLICATION " + publication + " SET TABLE " + all + ";");
            }
        }
    }

    private void checkSlot() throws SQLException, ChangeFeedException {
        if (isTrue(
                "SELECT slot_type <> 'logical' OR plugin <> 'pgoutput' OR database <> current_database()"
                        + " FROM pg_replication_slots WHERE slot_name = ?",
                feed.slot())) {
            throw new ChangeFeedException("the slot " + feed.slot()
                    + " belongs to another program or database: name another slot to the relay of the database "
                    + feed.address().database());
        }
    }

    private boolean hasColumn(WatchedTable table, String column) throws SQLException {
        return isTrue(
                "SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass(?) AND attname = ?"
                        + " AND attnum > 0 AND NOT attisdropped)",
                regclass(table),
                column);
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

    private static String grant(PostgresChangeFeed feed, WatchedTable table) {
        String usage = table.schema().equals("public")
                ? ""
                : "GRANT USAGE ON SCHEMA " + quoted(table.schema()) + " TO " + quoted(feed.user()) + "; ";
        return usage + "GRANT SELECT ON " + quoted(table) + " TO " + quoted(feed.user()) + ";";
    }

    private static String regclass(WatchedTable table) {
        return "\"" + table.schema() + "\".\"" + table.name() + "\"";
    }

    private static String quoted(WatchedTable table) {
        return table.schema().equals("public")
                ? quoted(table.name())
                : quoted(table.schema()) + "." + quoted(table.name());
    }

    /** A name, in quotes where it needs them. */
    static String quoted(@Nullable String name) {
        String text = name == null ? "" : name;
        return text.matches("[a-z_][a-z0-9_]*") ? text : "\"" + text.replace("\"", "\"\"") + "\"";
    }
}
