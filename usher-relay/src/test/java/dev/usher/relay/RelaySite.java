package dev.usher.relay;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A Redis, a database with a table of users that a relay may follow, and nodes that read from both. */
final class RelaySite implements AutoCloseable {

    static final WatchedTable USERS =
            WatchedTable.of("users", "id").status("status", "1").ignoring("last_login");

    final RelayKind kind;
    final RedisServer redis = RedisServer.start();
    final String url;
    private final RelayKind.Database database;
    final TableSource source;
    private final List<Runnable> opened = new ArrayList<>();

    RelaySite(RelayKind kind) {
        this.kind = kind;
        this.database = kind.start();
        this.url = database.url();
        this.source = new TableSource(url, database.user(), database.password());
        kind.preparation().forEach(this::sql);
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
        Node node = nodeOn(redisUri, source);
        opened.add(node.caches()::close);
        return node;
    }

    static Node nodeOn(String redisUri, TableSource source) {
        UserCaches caches = UserCaches.builder()
                .redis(redisUri)
                .commandTimeout(Duration.ofSeconds(2))
                .build();
        return new Node(
                caches,
                caches.cache(
                        UserProfile.FACET,
                        Long.class,
                        source.of(row -> new UserProfile("", row.getString("name"), "", false, "", ""))),
                caches.cache(UserStatus.FACET, Long.class, source.of(row -> UserStatus.of(row.getInt("status")))));
    }

    ChangeFeed feed() {
        return kind.feed(url);
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
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            throw new IllegalStateException(sql, e);
        }
    }

    long number(String query) {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(query)) {
            rows.next();
            return rows.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(query, e);
        }
    }

    /** Adds users that may act. */
    void insertUsers(long first, long last, String name) {
        sql("INSERT INTO users (id, name) SELECT n, '" + name + "' FROM " + kind.numbers(first, last));
    }

    /** Writes 5 MB into a table that no relay watches. */
    void insertOthers() {
        sql("INSERT INTO others SELECT n, repeat('x', 1000) FROM " + kind.numbers(1, 5000));
    }

    <S> S server(Class<S> type) {
        return type.cast(database.server());
    }

    void restartDatabase() {
        database.restarting().run();
    }

    /** Kills the database, copies its files to a folder, and starts it again. */
    void keepFiles(Path folder) {
        Path data = data();
        database.killing().run();
        copy(data, folder);
        restartDatabase();
    }

    /** Kills the database, and starts it again with the files of a folder. */
    void putBack(Path folder) {
        Path data = data();
        database.killing().run();
        copy(folder, data);
        restartDatabase();
    }

    private Path data() {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows =
                        statement.executeQuery(kind.isPostgres() ? "SHOW data_directory" : "SELECT @@datadir")) {
            rows.next();
            return Path.of(rows.getString(1));
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void copy(Path from, Path to) {
        try {
            if (Files.exists(to)) {
                try (Stream<Path> files = Files.walk(to)) {
                    for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                        Files.delete(file);
                    }
                }
            }
            try (Stream<Path> files = Files.walk(from)) {
                for (Path file : files.toList()) {
                    Files.copy(file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Connection connect() throws SQLException {
        return DriverManager.getConnection(url, database.user(), database.password());
    }

    /** By id, the name, and whether the user may act. */
    Map<Long, String> rows() {
        try (Connection connection = connect();
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
        source.close();
        database.closing().run();
        redis.close();
    }
}
