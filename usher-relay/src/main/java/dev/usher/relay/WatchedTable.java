package dev.usher.relay;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A table whose rows say something of users.
 *
 * <pre>{@code
 * WatchedTable users = WatchedTable.of("public.users", "id").status("status", "1").ignoring("last_login");
 * }</pre>
 *
 * <p>Names are those of the database, in their own case, without quotes. Immutable.
 */
public final class WatchedTable {

    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,62}");

    private static final String DEFAULT_SCHEMA = "public";

    private final String schema;
    private final String name;
    private final String id;
    private final @Nullable String status;
    private final Set<String> enabled;
    private final Set<String> ignored;

    private WatchedTable(
            String schema, String name, String id, @Nullable String status, Set<String> enabled, Set<String> ignored) {
        this.schema = schema;
        this.name = name;
        this.id = id;
        this.status = status;
        this.enabled = enabled;
        this.ignored = ignored;
    }

    /**
     * A table of which every change concerns the user in one of its columns.
     *
     * @param table as in {@code users}, of the schema {@code public}, or of the database in the URL where MariaDB or MySQL is followed; or as in
     *     {@code accounts.users}
     * @param id the column with the user's id
     * @return the table
     * @throws IllegalArgumentException when these are no names of letters, digits and underscores
     */
    public static WatchedTable of(String table, String id) {
        int dot = table.indexOf('.');
        String schema = dot < 0 ? DEFAULT_SCHEMA : table.substring(0, dot);
        return new WatchedTable(
                requireName(schema, "a schema"),
                requireName(table.substring(dot + 1), "a table"),
                requireName(id, "a column"),
                null,
                Set.of(),
                Set.of());
    }

    /**
     * This table, with a column that says whether the user may act: whose row is changed and does not say so, or is deleted, is revoked on every node.
     *
     * @param column its name
     * @param enabled the texts of the values with which a user may act, such as {@code 1} or {@code true}; any other, and none, refuses
     * @return the table
     * @throws IllegalArgumentException when it is no such name, or there are no texts
     */
    public WatchedTable status(String column, String... enabled) {
        if (enabled.length == 0) {
            throw new IllegalArgumentException("name the text in " + column + " with which a user may act");
        }
        return new WatchedTable(schema, name, id, requireName(column, "a column"), Set.of(enabled), ignored);
    }

    /**
     * This table, with columns that nothing cached depends on, such as the time of the last login. A change of nothing else is not announced, if the relay has
     * seen the row before: it remembers 100,000 rows since it began to follow.
     *
     * @param columns their names
     * @return the table
     * @throws IllegalArgumentException when these are no such names, or one is that of the id or of the status
     */
    public WatchedTable ignoring(String... columns) {
        Set<String> all = new HashSet<>(ignored);
        Arrays.stream(columns).map(column -> requireName(column, "a column")).forEach(all::add);
        if (all.contains(id) || (status != null && all.contains(status))) {
            throw new IllegalArgumentException("the columns of the id and of the status cannot be ignored");
        }
        return new WatchedTable(schema, name, id, status, enabled, Set.copyOf(all));
    }

    /** The schema, such as {@code public}. */
    public String schema() {
        return schema;
    }

    /** The name of the table in its schema. */
    public String name() {
        return name;
    }

    /** Schema and name, as in {@code public.users}. */
    public String qualifiedName() {
        return schema + "." + name;
    }

    /** The column with the user's id. */
    public String id() {
        return id;
    }

    /** The column that says whether the user may act, or {@code null} when none does. */
    public @Nullable String status() {
        return status;
    }

    /** The texts in that column with which a user may act. */
    public Set<String> enabled() {
        return enabled;
    }

    /** The columns that nothing cached depends on. */
    public Set<String> ignored() {
        return ignored;
    }

    /** This table, in another schema where none was named. */
    WatchedTable inSchema(String otherwise) {
        return schema.equals(DEFAULT_SCHEMA) ? new WatchedTable(otherwise, name, id, status, enabled, ignored) : this;
    }

    /** Whether the relay has to know what stands in a column. */
    boolean needs(String column) {
        return column.equals(id) || column.equals(status) || (!ignored.isEmpty() && !ignored.contains(column));
    }

    static String requireName(String name, String what) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("the name of " + what
                    + " has up to 63 letters, digits and underscores, but this is '" + name + "'");
        }
        return name;
    }

    @Override
    public String toString() {
        return qualifiedName();
    }
}
