package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What every feed of a database has to know. Not thread-safe.
 *
 * @param <B> the builder of the feed
 */
abstract class FeedBuilder<B extends FeedBuilder<B>> {

    private final List<WatchedTable> tables = new ArrayList<>();
    private @Nullable JdbcAddress address;
    private @Nullable String user;
    private @Nullable String password;

    FeedBuilder() {}

    /** This builder. */
    abstract B self();

    /**
     * Where the database is. Required.
     *
     * @param url of the driver, whose parameters hold for the relay too
     * @return this builder
     * @throws IllegalArgumentException when the feed cannot read it, or it names several hosts; it is not quoted, for it may hold a password
     */
    public abstract B url(String url);

    /** Its user and password hold where none are named. */
    B at(JdbcAddress parts) {
        address = parts;
        if (user == null) {
            user = parts.parameter("user");
        }
        if (password == null) {
            password = parts.parameter("password");
        }
        return self();
    }

    /**
     * The role, or user, that reads the changes. Required.
     *
     * @param user its name
     * @return this builder
     */
    public B user(String user) {
        this.user = user;
        return self();
    }

    /**
     * The password of the role.
     *
     * @param password or {@code null} where none is needed
     * @return this builder
     */
    public B password(@Nullable String password) {
        this.password = password;
        return self();
    }

    /**
     * Adds a table whose changes are read. At least one is required.
     *
     * @param table whose name no other one has; where no schema was named, it is {@code public} in PostgreSQL, and elsewhere the database in the URL
     * @return this builder
     */
    public B watch(WatchedTable table) {
        tables.add(table);
        return self();
    }

    /**
     * Checks that nothing is missing.
     *
     * @param feed the name of the feed's class
     * @throws IllegalStateException when there is no URL, no user or no table, or one table twice
     */
    void requireAll(String feed) {
        if (address == null || user == null || tables.isEmpty()) {
            throw new IllegalStateException("name a database, a role and a table: " + feed
                    + ".builder().url(url).user(role).password(password).watch(WatchedTable.of(\"users\", \"id\"))");
        }
        if (tables().stream().map(WatchedTable::qualifiedName).distinct().count() < tables.size()) {
            throw new IllegalStateException("a table is watched twice");
        }
    }

    JdbcAddress address() {
        return requireNonNull(address, "the URL");
    }

    String user() {
        return requireNonNull(user, "the user");
    }

    @Nullable String password() {
        return password;
    }

    List<WatchedTable> tables() {
        return List.copyOf(tables);
    }
}
