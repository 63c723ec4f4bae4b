package dev.usher.cli;

import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.relay.ChangeRelay;
import dev.usher.relay.PostgresChangeFeed;
import dev.usher.relay.RelayHealth;
import dev.usher.relay.WatchedTable;
import java.time.Duration;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.springframework.core.env.Environment;
import org.springframework.jdbc.core.simple.JdbcClient;

/**
 * A second node beside the demo's server, with caches and the relay, on the embedded PostgreSQL. It begins when it is needed: a new relay has everything flushed, and what the demo
 * counts before would not be true any more. Thread-safe.
 */
final class DemoRelay implements AutoCloseable {

    private static final Duration COMMAND_TIMEOUT = Duration.ofSeconds(10);

    private final UserCaches caches;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;
    private final ChangeRelay relay;

    private DemoRelay(Environment settings, JdbcClient jdbc) {
        caches = UserCaches.builder()
                .redis(settings.getRequiredProperty("usher.redis.url"))
                .keyPrefix(settings.getRequiredProperty("usher.key-prefix"))
                .commandTimeout(COMMAND_TIMEOUT)
                .build();
        profiles = new UserProfileCache<>(caches.cache(
                UserProfile.FACET,
                Long.class,
                source(jdbc, row -> UserProfile.ofNullable(null, row.name, null, false, row.introduction, null))));
        statuses = new UserStatusCache<>(
                caches.cache(UserStatus.FACET, Long.class, source(jdbc, row -> UserStatus.of(row.status))));
        relay = ChangeRelay.builder()
                .feed(PostgresChangeFeed.builder()
                        .url(settings.getRequiredProperty("spring.datasource.url"))
                        .user(settings.getRequiredProperty("spring.datasource.username"))
                        .password(settings.getRequiredProperty("spring.datasource.password"))
                        .watch(WatchedTable.of("users", "id").status("status", "1"))
                        .build())
                .caches(caches, statuses.cache())
                .start();
    }

    /** Begins to start it, on threads of its own. */
    static DemoRelay beside(RunningServer server) {
        return new DemoRelay(server.context().getEnvironment(), server.context().getBean(JdbcClient.class));
    }

    /** A row of the server's table, as far as this node caches it. */
    private record Row(long id, String name, String introduction, int status) {}

    private static <V> UserSource<Long, V> source(JdbcClient jdbc, Function<Row, V> value) {
        return ids -> jdbc
                .sql("SELECT id, name, coalesce(introduction, '') AS introduction, status FROM users"
                        + " WHERE id IN (:ids)")
                .param("ids", ids)
                .query(Row.class)
                .list()
                .stream()
                .collect(Collectors.toMap(Row::id, value));
    }

    /** Whether the relay reads the log, and has everything flushed that was cached before. */
    boolean isReady() {
        RelayHealth health = relay.health();
        return health.isActive() && !health.isFlushing();
    }

    /** The key of its bookmark. */
    static String bookmark(Environment settings) {
        return "{" + settings.getRequiredProperty("usher.key-prefix") + ":bookmarks}:postgresql:usher";
    }

    /** How the relay is doing, in words. */
    RelayHealth health() {
        return relay.health();
    }

    /** The introduction of a user, as this node knows it. */
    String introduction(long id) {
        return profiles.find(id).map(UserProfile::intro).orElse("");
    }

    /** Whether this node lets a user act. */
    boolean admits(long id) {
        return statuses.isEnabled(id);
    }

    /** A second call returns when the first one has. */
    @Override
    public synchronized void close() {
        relay.close();
        caches.close();
    }
}
