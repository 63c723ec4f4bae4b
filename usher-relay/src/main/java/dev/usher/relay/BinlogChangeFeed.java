package dev.usher.relay;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * The binlog of MariaDB 10.5 and newer, or of MySQL 8, read as a replica reads it. The position is kept by the relay in Redis, as its bookmark: the server keeps
 * nothing for a relay, and deletes old files of its log when it would without one. So nothing has to be made in the database but a role, nothing is left behind,
 * and a relay that was away for longer than the log goes back has everything flushed.
 *
 * <p>The server needs {@code log_bin} and {@code binlog_format=ROW}; {@link Session#check} says how. The role needs {@code REPLICATION SLAVE}, {@code BINLOG
 * MONITOR} (of MySQL: {@code REPLICATION CLIENT}), and {@code SELECT} on the tables. The driver is the application's own.
 *
 * <p>Immutable.
 */
public final class BinlogChangeFeed implements ChangeFeed {

    private static final int MILLIS = 10_000;

    private final BinlogAddress address;
    private final String user;
    private final @Nullable String password;
    private final String name;
    private final List<WatchedTable> tables;

    private BinlogChangeFeed(Builder builder) {
        this.address = new BinlogAddress(builder.address());
        this.user = builder.user();
        this.password = builder.password();
        this.name = builder.name;
        this.tables = builder.tables();
    }

    /** A builder with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return "binlog:" + name;
    }

    @Override
    public Session open() throws ChangeFeedException {
        Connection connection = connect();
        try {
            new BinlogPreflight(this, connection).checkServer();
            return new BinlogSession(this, connection);
        } catch (SQLException e) {
            JdbcAddress.closeQuietly(connection);
            throw failure("could not be checked", e);
        } catch (ChangeFeedException | RuntimeException e) {
            JdbcAddress.closeQuietly(connection);
            throw e;
        }
    }

    /** Does nothing: following leaves nothing in the database. */
    @Override
    public void drop() {
        // The role is an operator's to drop.
    }

    BinlogAddress address() {
        return address;
    }

    String user() {
        return user;
    }

    @Nullable String password() {
        return password;
    }

    List<WatchedTable> tables() {
        return tables;
    }

    /** The name of the lock of the active relay. It holds on the whole server. */
    String lock() {
        String lock = "usher/" + address.database() + "/" + name;
        // Not longer than MySQL takes.
        return lock.length() <= 64 ? lock : "usher/" + Integer.toHexString(lock.hashCode()) + "/" + name;
    }

    /** What went wrong, for an operator; the message of the driver may quote what it should not. */
    ChangeFeedException failure(String what, SQLException failure) {
        return address.parts().failure(what, failure);
    }

    Connection connect() throws ChangeFeedException {
        Properties properties = JdbcAddress.login(user, password);
        properties.setProperty("connectTimeout", Integer.toString(MILLIS / 2));
        properties.setProperty("socketTimeout", Integer.toString(MILLIS));
        properties.setProperty("tcpKeepAlive", "true");
        try {
            return DriverManager.getConnection(address.urlWithoutUser(), properties);
        } catch (SQLException e) {
            String state = e.getSQLState();
            if (state != null && state.startsWith("28")) {
                throw new ChangeFeedException(
                        "the server does not let the role " + user + " in (SQLSTATE " + state
                                + "). If it does not exist, make it:\n" + BinlogPreflight.roleSql(this),
                        e);
            }
            if ("08001".equals(state)
                    && e.getErrorCode() == 0
                    && String.valueOf(e.getMessage()).startsWith("No suitable driver")) {
                throw new ChangeFeedException(
                        "there is no driver for " + (address.isMySql() ? "jdbc:mysql" : "jdbc:mariadb")
                                + " on the class path: add the artifact "
                                + (address.isMySql()
                                        ? "com.mysql:mysql-connector-j"
                                        : "org.mariadb.jdbc:mariadb-java-client"),
                        e);
            }
            throw failure("cannot be reached", e);
        }
    }

    /** Settings of a {@link BinlogChangeFeed}. Not thread-safe. */
    public static final class Builder extends FeedBuilder<Builder> {

        private String name = "usher";

        private Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /**
         * Where the database is: the server to which applications write, without a proxy in between that leads elsewhere. Required.
         *
         * @param url as in {@code jdbc:mariadb://host:3306/database} or {@code jdbc:mysql://host:3306/database}, with the parameters of the driver. Those for
         *     TLS hold for the reader of the binlog as well
         * @return this builder
         * @throws IllegalArgumentException when it is no such URL, names several hosts, or has a parameter for TLS that the reader does not know; it is not quoted,
         *     for it may hold a password
         */
        @Override
        public Builder url(String url) {
            return at(new BinlogAddress(url).parts());
        }

        /**
         * The name of the position, {@code usher} by default: of the bookmark in Redis, and of the lock that only the active relay has. All relays of one fleet share
         * it, and nothing else may use it with the same database.
         *
         * @param name of up to 40 letters, digits and underscores
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder name(String name) {
            if (name.length() > 40) {
                throw new IllegalArgumentException("the name of a position has up to 40 characters");
            }
            this.name = WatchedTable.requireName(name, "a position");
            return this;
        }

        @Override
        List<WatchedTable> tables() {
            String database = address().database();
            return super.tables().stream()
                    .map(table -> table.inSchema(database))
                    .toList();
        }

        /**
         * The feed. It does not connect.
         *
         * @return the feed
         * @throws IllegalStateException when there is no URL, no user or no table, or one table twice
         */
        public BinlogChangeFeed build() {
            requireAll("BinlogChangeFeed");
            return new BinlogChangeFeed(this);
        }
    }
}
