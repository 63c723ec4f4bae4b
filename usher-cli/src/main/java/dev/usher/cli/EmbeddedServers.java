package dev.usher.cli;

import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The Redis and the PostgreSQL of a command for which none is named. Their data ends with them. Not thread-safe. */
final class EmbeddedServers implements AutoCloseable {

    private @Nullable RedisServer redis;
    private @Nullable PostgresServer postgres;

    RedisServer startRedis() {
        try {
            RedisServer started = RedisServer.start().withoutShutdownHook();
            redis = started;
            return started;
        } catch (RuntimeException e) {
            throw new CommandException(
                    "the embedded Redis did not start; name one with " + ServerSettings.REDIS_URI + "\n"
                            + e.getMessage(),
                    e);
        }
    }

    /** The Redis that was started, or {@code null} when none was. */
    @Nullable RedisServer redis() {
        return redis;
    }

    /** Its log can be followed by the relay. */
    PostgresServer startPostgres() {
        try {
            PostgresServer started =
                    PostgresServer.start(Map.of("wal_level", "logical")).withoutShutdownHook();
            postgres = started;
            return started;
        } catch (RuntimeException e) {
            throw new CommandException(
                    "the embedded PostgreSQL did not start; name one with " + ServerSettings.DATABASE_URL + "\n"
                            + e.getMessage(),
                    e);
        }
    }

    /** Whether a PostgreSQL was started. */
    boolean hasPostgres() {
        return postgres != null;
    }

    @Override
    public void close() {
        try {
            if (postgres != null) {
                postgres.close();
            }
        } finally {
            if (redis != null) {
                redis.close();
            }
        }
    }
}
