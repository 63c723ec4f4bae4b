package dev.usher.relay;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The write-ahead log of PostgreSQL 14 and newer, by logical replication: a publication names the tables, and a slot is the position. The slot is made when it is
 * missing; everything else is an operator's to make, and {@link Session#check} says how.
 *
 * <p>The role needs {@code LOGIN} and {@code REPLICATION}, and {@code SELECT} on the tables; it need not be a superuser. The connection must be a direct one: a
 * pool of connections in between, such as PgBouncer, cannot pass on a replication stream.
 *
 * <p>Immutable.
 */
public final class PostgresChangeFeed implements ChangeFeed {

    private static final Pattern SLOT = Pattern.compile("[a-z0-9_]{1,63}");

    private final JdbcAddress address;
    private final String user;
    private final @Nullable String password;
    private final String slot;
    private final String publication;
    private final List<WatchedTable> tables;

    private PostgresChangeFeed(Builder builder) {
        this.address = builder.address();
        this.user = builder.user();
        this.password = builder.password();
        this.slot = builder.slot;
        this.publication = builder.publication;
        this.tables = builder.tables();
    }

    /** A builder with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return "postgresql:" + slot;
    }

    @Override
    public Session open() throws ChangeFeedException {
        Connection connection = connect();
        try {
            new PostgresPreflight(this, connection).checkServer();
            return new PostgresSession(this, connection);
        } catch (SQLException e) {
            JdbcAddress.closeQuietly(connection);
            throw failure("could not be checked", e);
        } catch (ChangeFeedException | RuntimeException e) {
            JdbcAddress.closeQuietly(connection);
            throw e;
        }
    }

    @Override
    public void drop() throws ChangeFeedException {
        try (Connection connection = connect()) {
            String left = PostgresSession.dropSlotIfAllowed(this, connection);
            PostgresSession.dropPublication(this, connection, left);
        } catch (SQLException e) {
            throw failure("could not be cleared of what the relay needs", e);
        }
    }

    String user() {
        return user;
    }

    @Nullable String password() {
        return password;
    }

    String slot() {
        return slot;
    }

    String publication() {
        return publication;
    }

    List<WatchedTable> tables() {
        return tables;
    }

    JdbcAddress address() {
        return address;
    }

    /** What the URL says besides, such as how to use TLS. */
    Map<String, String> parameters() {
        Map<String, String> parameters = new TreeMap<>(address.parameters());
        parameters.remove("user");
        parameters.remove("password");
        return parameters;
    }

    /** What went wrong, for an operator; the message of the driver may quote what it should not. */
    ChangeFeedException failure(String what, SQLException failure) {
        return address.failure(what, failure);
    }

    /** A connection of its own, to be closed. */
    Connection connect() throws ChangeFeedException {
        Properties properties = JdbcAddress.login(user, password);
        properties.setProperty("connectTimeout", "5");
        properties.setProperty("loginTimeout", "10");
        properties.setProperty("socketTimeout", "10");
        properties.setProperty("tcpKeepAlive", "true");
        properties.setProperty("ApplicationName", "usher-relay");
        try {
            return DriverManager.getConnection(address.withoutUser(), properties);
        } catch (SQLException e) {
            String state = e.getSQLState();
            if (state != null && state.startsWith("28")) {
                throw new ChangeFeedException(
                        "PostgreSQL does not let the role " + user + " in (SQLSTATE " + state
                                + "). If it does not exist, make it:\n"
                                + PostgresPreflight.roleSql(this),
                        e);
            }
            throw failure("cannot be reached", e);
        }
    }

    /** Settings of a {@link PostgresChangeFeed}. Not thread-safe. */
    public static final class Builder extends FeedBuilder<Builder> {

        private String slot = "usher";
        private String publication = "usher";

        private Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /**
         * Where the database is: its primary, without a pool in between. Required.
         *
         * @param url as in {@code jdbc:postgresql://host:5432/database}, with the parameters of the driver, such as those for TLS
         * @return this builder
         * @throws IllegalArgumentException when it is no such URL, or names several hosts; it is not quoted, for it may hold a password
         */
        @Override
        public Builder url(String url) {
            return at(JdbcAddress.of(
                    url, EnumSet.of(JdbcAddress.Kind.POSTGRESQL), "jdbc:postgresql://host:5432/database"));
        }

        /**
         * The name of the slot, {@code usher} by default. All relays of one fleet share it, and nothing else may use it.
         *
         * @param slot a name of lower-case letters, digits and underscores
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder slot(String slot) {
            if (!SLOT.matcher(slot).matches()) {
                throw new IllegalArgumentException(
                        "the name of a slot has up to 63 lower-case letters, digits and underscores, but this is '"
                                + slot + "'");
            }
            this.slot = slot;
            return this;
        }

        /**
         * The name of the publication, {@code usher} by default.
         *
         * @param publication a name of letters, digits and underscores
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder publication(String publication) {
            this.publication = WatchedTable.requireName(publication, "a publication");
            return this;
        }

        /**
         * The feed. It does not connect.
         *
         * @return the feed
         * @throws IllegalStateException when there is no URL, no user or no table, or one table twice
         */
        public PostgresChangeFeed build() {
            requireAll("PostgresChangeFeed");
            return new PostgresChangeFeed(this);
        }
    }
}
