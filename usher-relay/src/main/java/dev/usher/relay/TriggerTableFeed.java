package dev.usher.relay;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * A table that triggers fill, for a database whose log may not be read: PostgreSQL 14 and newer, MariaDB 10.6 and newer, MySQL 8. Triggers of each watched table
 * write a row for each row that changes; the relay deletes what it has announced. An operator makes the table and the triggers, and {@link Session#check} says how.
 *
 * <pre>{@code
 * ChangeFeed feed = TriggerTableFeed.builder()
 *         .url("jdbc:mariadb://db/app").user("relay").password(password)
 *         .watch(WatchedTable.of("users", "id").status("status", "1"))
 *         .build();
 * }</pre>
 *
 * <p>Compared with the log: each change of a user costs its writer an insert, and the relay asks the table at an interval, 20 ms by default. On MariaDB and MySQL it
 * does not see what fires no trigger: changes by foreign keys, which the check refuses, and {@code TRUNCATE}, unless the role has {@code PROCESS}. There a schema is a
 * database: a table without one is in that of the URL, and {@linkplain WatchedTable#ignoring ignored columns} are not told apart.
 *
 * <p>The driver of the database must be on the class path. MySQL has not been tested. Immutable.
 */
public final class TriggerTableFeed implements ChangeFeed {

    private static final Duration MAX_INTERVAL = Duration.ofSeconds(1);
    private static final long MIN_TABLE_BYTES = 2_000_000;

    /** Of MariaDB and MySQL. */
    private static final int NO_RIGHT_IN_THE_DATABASE = 1044;

    private final JdbcAddress address;
    private final String user;
    private final @Nullable String password;
    private final String changes;
    private final Duration interval;
    private final long maxTable;
    private final List<WatchedTable> tables;

    private TriggerTableFeed(Builder builder) {
        this.address = builder.address();
        this.user = builder.user();
        this.password = builder.password();
        this.changes = builder.changes;
        this.interval = builder.interval;
        this.maxTable = builder.maxTable;
        this.tables = builder.tables();
    }

    /** A builder with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return "table:" + changes;
    }

    @Override
    public Session open() throws ChangeFeedException {
        Connection connection = connect();
        try {
            ChangesTable table = ChangesTable.of(this, connection);
            table.prepare();
            return new TriggerTableSession(this, connection, table);
        } catch (SQLException e) {
            JdbcAddress.closeQuietly(connection);
            throw failure("could not be checked", e);
        } catch (ChangeFeedException | RuntimeException e) {
            JdbcAddress.closeQuietly(connection);
            throw e;
        }
    }

    /**
     * Removes the triggers, their functions and the tables that they fill, in this order: the owner of the watched tables has to be the user.
     *
     * @throws ChangeFeedException when something could not be removed; its message is the SQL to run
     */
    @Override
    public void drop() throws ChangeFeedException {
        try (Connection connection = connect()) {
            List<String> statements = ChangesTable.of(this, connection).dropSql();
            try (var statement = connection.createStatement()) {
                for (String sql : statements) {
                    statement.execute(sql);
                }
            } catch (SQLException e) {
                throw new ChangeFeedException(
                        "the triggers of the relay, or the tables that they fill, are still there ("
                                + Texts.reasonOf(e) + "). Run, as the owner of the watched tables:\n"
                                + String.join(";\n", statements) + ";",
                        e);
            }
        } catch (SQLException e) {
            throw failure("could not be cleared of what the relay needs", e);
        }
    }

    String user() {
        return user;
    }

    JdbcAddress address() {
        return address;
    }

    /** The table that triggers fill, perhaps with its schema. */
    String changes() {
        return changes;
    }

    Duration interval() {
        return interval;
    }

    /** From this size on, in bytes, the triggers of PostgreSQL write no more. */
    long maxTable() {
        return maxTable;
    }

    List<WatchedTable> tables() {
        return tables;
    }

    /** What went wrong, for an operator; the message of the driver may quote what it should not. */
    ChangeFeedException failure(String what, SQLException failure) {
        return address.failure(what, failure);
    }

    private Connection connect() throws ChangeFeedException {
        boolean isPostgres = address.kind() == JdbcAddress.Kind.POSTGRESQL;
        Properties properties = JdbcAddress.login(user, password);
        // In seconds for the driver of PostgreSQL, in milliseconds for the others.
        properties.setProperty("connectTimeout", isPostgres ? "5" : "5000");
        properties.setProperty("socketTimeout", isPostgres ? "10" : "10000");
        if (isPostgres) {
            properties.setProperty("loginTimeout", "10");
            properties.setProperty("ApplicationName", "usher-relay");
        }
        try {
            return DriverManager.getConnection(address.withoutUser(), properties);
        } catch (SQLException e) {
            if ("08001".equals(e.getSQLState()) && DriverManager.drivers().count() == 0) {
                throw new ChangeFeedException("there is no JDBC driver of " + address.kind() + " on the class path", e);
            }
            String state = e.getSQLState();
            if ((state != null && state.startsWith("28")) || e.getErrorCode() == NO_RIGHT_IN_THE_DATABASE) {
                throw new ChangeFeedException(
                        address.kind() + " does not let the role " + user + " into " + address + " (SQLSTATE " + state
                                + "). If it has no rights there yet, run as the owner of the watched tables:\n"
                                + ChangesTable.accountSql(this),
                        e);
            }
            throw failure("cannot be reached", e);
        }
    }

    /** Settings of a {@link TriggerTableFeed}. Not thread-safe. */
    public static final class Builder extends FeedBuilder<Builder> {

        private static final Duration DEFAULT_INTERVAL = Duration.ofMillis(20);
        private static final long DEFAULT_MAX_TABLE = 2L << 30;

        private String changes = "usher_changes";
        private Duration interval = DEFAULT_INTERVAL;
        private long maxTable = DEFAULT_MAX_TABLE;

        private Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /**
         * Where the database is: its primary. Required.
         *
         * @param url as in {@code jdbc:postgresql://host:5432/database}, or with {@code jdbc:mariadb:} or {@code jdbc:mysql:}, with the parameters of the driver
         * @return this builder
         * @throws IllegalArgumentException when it is no such URL, or names several hosts; it is not quoted, for it may hold a password
         */
        @Override
        public Builder url(String url) {
            return at(JdbcAddress.of(url));
        }

        /**
         * The table that the triggers fill, {@code usher_changes} by default. All relays of one fleet share it, and nothing else may delete its rows. A second
         * table, with {@code _position} behind its name, has the position.
         *
         * @param changes a name as of a {@link WatchedTable}, of 40 characters at most, perhaps with its schema
         * @return this builder
         * @throws IllegalArgumentException when it is no such name
         */
        public Builder changes(String changes) {
            int dot = changes.indexOf('.');
            if (dot >= 0) {
                var unused = WatchedTable.requireName(changes.substring(0, dot), "a schema");
            }
            String name = WatchedTable.requireName(changes.substring(dot + 1), "a table");
            if (name.length() > ChangesTable.MAX_NAME) {
                throw new IllegalArgumentException("the name of the table that triggers fill has "
                        + ChangesTable.MAX_NAME + " characters at most, but this is '" + name + "'");
            }
            this.changes = changes;
            return this;
        }

        /**
         * How often the table is asked for changes, each 20 ms by default. A relay never asks for more than a fifth of its time.
         *
         * @param interval at most a second
         * @return this builder
         * @throws IllegalArgumentException when it is zero, negative or longer
         */
        public Builder interval(Duration interval) {
            if (interval.isNegative() || interval.isZero() || interval.compareTo(MAX_INTERVAL) > 0) {
                throw new IllegalArgumentException(
                        "the interval must be longer than zero and at most a second, but is " + interval);
            }
            this.interval = interval;
            return this;
        }

        /**
         * From which size on the triggers of PostgreSQL write no more, 2 GB by default: it limits the table while no relay runs. The relay flushes everything then,
         * and empties the table. It must be more than {@link ChangeRelay.Builder#maxRetained}. MariaDB and MySQL have no such limit.
         *
         * @param bytes at least two million
         * @return this builder
         * @throws IllegalArgumentException when it is less
         */
        public Builder maxTable(long bytes) {
            if (bytes < MIN_TABLE_BYTES) {
                throw new IllegalArgumentException("maxTable must be 2,000,000 bytes or more, but is " + bytes);
            }
            this.maxTable = bytes;
            return this;
        }

        /**
         * The feed. It does not connect.
         *
         * @return the feed
         * @throws IllegalStateException when there is no URL, no user or no table, or one table twice
         */
        public TriggerTableFeed build() {
            requireAll("TriggerTableFeed");
            return new TriggerTableFeed(this);
        }
    }
}
