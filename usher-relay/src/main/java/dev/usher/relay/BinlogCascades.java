package dev.usher.relay;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The tables from which foreign keys cascade to watched ones. InnoDB changes the rows of the other table by itself, and the binlog has the rows of the first table
 * only. Immutable.
 */
final class BinlogCascades {

    private static final Pattern KEY = Pattern.compile(
            "FOREIGN KEY \\([^)]*\\) REFERENCES "
                    + "(?:[`\"](?<schema>[^`\"]+)[`\"]\\.)?[`\"](?<table>[^`\"]+)[`\"] \\([^)]*\\)(?<rules>(?: ON (?:DELETE|UPDATE) [A-Z]+(?: (?:NULL|DEFAULT|ACTION))?)*)");

    private static final Pattern CHANGING =
            Pattern.compile("ON (?<when>DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)");

    /** A table of the database. */
    record Table(String schema, String name) {}

    /** A table that this role may not read. */
    static final class UnreadableException extends SQLException {

        private static final long serialVersionUID = 1;

        private final transient Table table;

        private UnreadableException(Table table, SQLException cause) {
            super(
                    "a table from which a foreign key cascades cannot be read",
                    cause.getSQLState(),
                    cause.getErrorCode(),
                    cause);
            this.table = table;
        }

        Table table() {
            return table;
        }
    }

    private final Map<String, Set<String>> rules;

    private BinlogCascades(Map<String, Set<String>> rules) {
        this.rules = rules;
    }

    static BinlogCascades none() {
        return new BinlogCascades(Map.of());
    }

    /** Asks the database, also for tables from which keys cascade to those. */
    static BinlogCascades of(Collection<WatchedTable> watched, Connection connection) throws SQLException {
        Map<String, Set<String>> rules = new HashMap<>();
        Set<Table> seen = new HashSet<>();
        Deque<Table> open = new ArrayDeque<>();
        watched.forEach(table -> open.add(new Table(table.schema(), table.name())));
        while (!open.isEmpty()) {
            Table table = open.remove();
            if (seen.add(table)) {
                Matcher keys = KEY.matcher(definition(table, connection));
                while (keys.find()) {
                    String schema = keys.group("schema");
                    Table parent = new Table(schema == null ? table.schema() : schema, keys.group("table"));
                    Matcher changing = CHANGING.matcher(keys.group("rules"));
                    while (changing.find()) {
                        rules.computeIfAbsent(keyOf(parent.schema(), parent.name()), key -> new HashSet<>())
                                .add(changing.group("when"));
                        open.add(parent);
                    }
                }
            }
        }
        return new BinlogCascades(rules);
    }

    private static String definition(Table table, Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            // A server may write names without quotes, in which no key would be found.
            statement.execute("SET SESSION sql_quote_show_create = 1");
            try (ResultSet found =
                    statement.executeQuery("SHOW CREATE TABLE `" + table.schema() + "`.`" + table.name() + "`")) {
                String definition = found.next() ? found.getString(2) : null;
                return definition == null ? "" : definition;
            }
        } catch (SQLException e) {
            throw new UnreadableException(table, e);
        }
    }

    private static String keyOf(String schema, String name) {
        return (schema + '\0' + name).toLowerCase(Locale.ROOT);
    }

    /** The changes of a table that cascade, {@code DELETE} and {@code UPDATE}; or {@code null}. */
    @Nullable Set<String> of(String mapped) {
        return rules.get(mapped.toLowerCase(Locale.ROOT));
    }
}
