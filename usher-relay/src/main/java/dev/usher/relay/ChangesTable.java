package dev.usher.relay;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The table that triggers fill, and beside it the table with the position, by the statements of one database. Confined to one thread at a time.
 *
 * <p>The position is a row with two numbers that only relays write. {@code intended} is written first, then the bookmark in Redis, and then, in the transaction that
 * deletes the rows, {@code place}. So of a database that has not gone back, the bookmark is between the two, whenever a relay dies; of one that was restored,
 * it is beyond both. The numbers are microseconds since 1970, or one more than the last: those of another database, or of a table that was made anew, do
 * not fit the bookmark either.
 */
abstract class ChangesTable {

    /** With it, the names that are made of the table's name are none that a database cuts off. */
    static final int MAX_NAME = 40;

    private static final int MAX_DERIVED_NAME = 63;

    final TriggerTableFeed feed;
    final Connection connection;
    final List<String> problems = new ArrayList<>();
    final Set<String> remedies = new LinkedHashSet<>();
    private final Map<String, WatchedTable> watched = new LinkedHashMap<>();

    ChangesTable(TriggerTableFeed feed, Connection connection) {
        this.feed = feed;
        this.connection = connection;
        for (WatchedTable table : feed.tables()) {
            // Triggers tell ignored columns apart; the announcer sees no other columns, and would take each row for one
            // that has not changed.
            WatchedTable plain = WatchedTable.of(table.qualifiedName(), table.id());
            String status = table.status();
            watched.put(
                    table.qualifiedName(),
                    status == null
                            ? plain
                            : plain.status(status, table.enabled().toArray(String[]::new)));
        }
    }

    /** That of the feed's database. */
    static ChangesTable of(TriggerTableFeed feed, Connection connection) {
        return feed.address().kind() == JdbcAddress.Kind.POSTGRESQL
                ? new PostgresChangesTable(feed, connection)
                : new MariaDbChangesTable(feed, connection);
    }

    /** What makes the role, and lets it in. */
    static String accountSql(TriggerTableFeed feed) {
        return feed.address().kind() == JdbcAddress.Kind.POSTGRESQL
                ? "CREATE ROLE " + PostgresPreflight.quoted(feed.user()) + " LOGIN PASSWORD '...';"
                : MariaDbChangesTable.userSql(feed);
    }

    /** Sets the session up, and checks which server it is. */
    abstract void prepare() throws SQLException, ChangeFeedException;

    /** Takes the lock that relays share, without waiting. */
    abstract boolean tryLock() throws SQLException;

    /** Where the feed stands. */
    abstract ChangeFeed.Standing standing() throws SQLException;

    /** Adds to {@link #problems} and {@link #remedies} what is missing. */
    abstract void findProblems() throws SQLException;

    /**
     * Whether there are changes to take.
     *
     * @throws ChangeFeedException when some may be missing
     */
    abstract boolean hasChanges() throws SQLException, ChangeFeedException;

    /** Announces that a place is about to be reached. Outside of a transaction. */
    abstract long intend(long atLeast) throws SQLException;

    /** Deletes changes that no other relay has taken. */
    abstract List<Change> take(int max) throws SQLException;

    /** Takes the position away, and what the table keeps for it. */
    abstract void giveUp() throws SQLException;

    /** Makes a position, which is beyond each earlier one. In what is there, changes may be missing. */
    abstract void create() throws SQLException, ChangeFeedException;

    /** What removes all of it: the triggers before the table, without which they would fail. */
    abstract List<String> dropSql();

    /** The name of the table with the position, as it is written in a statement. */
    abstract String position();

    /**
     * Checks the rest.
     *
     * @throws ChangeFeedException when something is missing; its message is all the SQL to run
     */
    final void check() throws SQLException, ChangeFeedException {
        problems.clear();
        remedies.clear();
        findProblems();
        if (!problems.isEmpty()) {
            throw new ChangeFeedException("the database " + feed.address() + " is not ready for the relay: "
                    + String.join("; ", problems) + ". Run, as the owner of the watched tables:\n"
                    + String.join("\n", remedies));
        }
    }

    /** Stores a place in the transaction that has taken the changes before it; says whether there is still a position. */
    final boolean moveTo(long place) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "UPDATE " + position() + " SET place = greatest(place, ?) WHERE place IS NOT NULL")) {
            statement.setLong(1, place);
            return statement.executeUpdate() > 0;
        }
    }

    final void missing(String problem, String... remedy) {
        problems.add(problem);
        Collections.addAll(remedies, remedy);
    }

    /** A change, of columns in this order: the watched table, the kind, the id before and after, the status after. */
    final Change change(ResultSet row, Instant at) throws SQLException {
        String name = row.getString(1);
        WatchedTable table = watched.get(name);
        if (table == null) {
            return new Change.Unreadable(
                    "the changes of a table that is not watched are written into " + feed.changes());
        }
        String kind = row.getString(2);
        Map<String, @Nullable String> before = columns(table.id(), row.getString(3), null, null);
        Map<String, @Nullable String> after = columns(table.id(), row.getString(4), table.status(), row.getString(5));
        return switch (kind) {
            case "I" -> new Change.Row(table, null, after, at);
            case "U" -> new Change.Row(table, before, after, at);
            case "D" -> new Change.Row(table, before, null, at);
            case "T" -> new Change.Emptied(name);
            default -> new Change.Unreadable("a row of " + feed.changes() + " has an unknown kind");
        };
    }

    private static Map<String, @Nullable String> columns(
            String idColumn, @Nullable String id, @Nullable String statusColumn, @Nullable String status) {
        Map<String, @Nullable String> columns = new LinkedHashMap<>();
        columns.put(idColumn, id);
        if (statusColumn != null) {
            columns.put(statusColumn, status);
        }
        return columns;
    }

    static long micros() {
        return TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis());
    }

    /** A name for something that belongs to a watched table, short enough for each database. */
    static String derived(String name, WatchedTable table, String suffix) {
        String full = name + "_" + table.name() + suffix;
        if (full.length() <= MAX_DERIVED_NAME) {
            return full;
        }
        return name + "_" + digest(table.qualifiedName()).substring(0, 8) + suffix;
    }

    static String digest(String text) {
        try {
            byte[] all = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(all, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }

    final void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Whether the first column of the first row is true. */
    final boolean isTrue(String query, @Nullable String... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setString(i + 1, parameters[i]);
            }
            try (ResultSet found = statement.executeQuery()) {
                return found.next() && found.getBoolean(1);
            }
        }
    }

    /** All columns of all rows, in one text. */
    final String text(String query, @Nullable String... parameters) throws SQLException {
        StringBuilder all = new StringBuilder();
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setString(i + 1, parameters[i]);
            }
            try (ResultSet found = statement.executeQuery()) {
                int columns = found.getMetaData().getColumnCount();
                while (found.next()) {
                    for (int i = 1; i <= columns; i++) {
                        all.append(found.getString(i)).append('|');
                    }
                }
            }
        }
        return all.toString();
    }
}
