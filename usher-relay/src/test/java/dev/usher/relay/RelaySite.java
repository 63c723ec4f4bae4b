package dev.usher.relay;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** A Redis, a PostgreSQL with a table of users that a relay may follow, and nodes that read from both. */
final class RelaySite implements AutoCloseable {

    static final WatchedTable USERS =
            WatchedTable.of("users", "id").status("status", "1").ignoring("last_login");

    final RedisServer redis = RedisServer.start();
    final PostgresServer postgres =
            PostgresServer.start(Map.of("wal_level", "logical", "wal_keep_size", "0", "checkpoint_timeout", "1h"));
    final String url = postgres.createDatabase("app");
    private final List<Runnable> opened = new ArrayList<>();

    RelaySite() {
        sql("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, status smallint NOT NULL DEFAULT 1,"
                + " last_login timestamptz)");
        sql("CREATE TABLE others (id bigint, filler text)");
        sql("CREATE ROLE relay LOGIN REPLICATION");
        sql("GRANT SELECT ON users TO relay");
        sql("CREATE PUBLICATION usher FOR TABLE users");
    }

    /** A node with the caches that an application has. */
    record Node(UserCaches caches, UserCache<Long, UserProfile> profiles, UserCache<Long, UserStatus> statuses) {

        String name(long id) {
            return profiles.find(id).map(UserProfile::name).orElse("none");
        }

        boolean isEnabled(long id) {
            return statuses.find(id).orElse(UserStatus.DISABLED) == UserStatus.ENABLED;
        }
    }

    Node node() {
        return node(redis.uri());
    }

    Node node(String redisUri) {
        Node node = nodeOn(redisUri, url, postgres.username());
        opened.add(node.caches()::close);
        return node;
    }

    static Node nodeOn(String redisUri, String url, String user) {
        UserCaches caches = UserCaches.builder()
                .redis(redisUri)
                .commandTimeout(Duration.ofSeconds(2))
                .build();
        return new Node(
                caches,
                caches.cache(
                        UserProfile.FACET,
                        Long.class,
                        source(url, user, row -> new UserProfile("", text(row, "name"), "", false, "", ""))),
                caches.cache(
                        UserStatus.FACET,
                        Long.class,
                        source(url, user, row -> UserStatus.of(Integer.parseInt(text(row, "status"))))));
    }

    private static <V> UserSource<Long, V> source(String url, String user, Function<ResultSet, V> value) {
        return ids -> {
            try (Connection connection = DriverManager.getConnection(url, user, "");
                    PreparedStatement query =
                            connection.prepareStatement("SELECT id, name, status FROM users WHERE id = ANY (?)")) {
                query.setArray(1, connection.createArrayOf("bigint", ids.toArray()));
                Map<Long, V> found = new HashMap<>();
                try (ResultSet rows = query.executeQuery()) {
                    while (rows.next()) {
                        found.put(rows.getLong("id"), value.apply(rows));
                    }
                }
                return found;
            }
        };
    }

    private static String text(ResultSet row, String column) {
        try {
            return row.getString(column);
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    PostgresChangeFeed feed() {
        return PostgresChangeFeed.builder()
                .url(url)
                .user("relay")
                .password("")
                .watch(USERS)
                .build();
    }

    ChangeRelay relay(Node node) {
        ChangeRelay relay = ChangeRelay.builder()
                .feed(feed())
                .caches(node.caches(), node.statuses())
                .start();
        // Closed before the caches of its node.
        opened.add(0, relay::close);
        return relay;
    }

    /** Whether a relay has flushed everything, and remembers how far it has come: the next one need not flush then. */
    boolean isSettled(ChangeRelay relay, Node node) {
        RelayHealth health = relay.health();
        return health.isActive()
                && !health.isFlushing()
                && !node.caches().bookmark(health.feed()).join().isEmpty();
    }

    void sql(String sql) {
        try (Connection connection = DriverManager.getConnection(url, postgres.username(), "");
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    long number(String query) {
        try (Connection connection = DriverManager.getConnection(url, postgres.username(), "");
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(query, e);
        }
    }

    /** Where the slot is, or -1 without one. */
    long slot() {
        return number("SELECT coalesce((SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots"
                + " WHERE slot_name = 'usher'), -1)");
    }

    /** Where the log ends. */
    long end() {
        return number("SELECT pg_current_wal_lsn() - '0/0'");
    }

    /** By id, the name, and whether the user may act. */
    Map<Long, String> rows() {
        try (Connection connection = DriverManager.getConnection(url, postgres.username(), "");
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT id, name, status FROM users")) {
            Map<Long, String> found = new HashMap<>();
            while (rows.next()) {
                found.put(rows.getLong("id"), rows.getString("name") + " " + (rows.getInt("status") == 1));
            }
            return found;
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Closes what a test has opened. */
    void closeAll() {
        opened.forEach(Runnable::run);
        opened.clear();
    }

    @Override
    public void close() {
        closeAll();
        postgres.close();
        redis.close();
    }
}
