package dev.usher.cli;

import dev.usher.redis.RedisUris;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import java.io.IOException;
import java.net.ServerSocket;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;

/** Quick checks before the server starts, which report a fault in one line. */
final class Preflight {

    private static final String SECONDS_TO_CONNECT = "5";
    private static final String SECONDS_TO_LOG_IN = "10";

    /** Classes of SQL states that no later attempt changes: a wrong user or password, and a database that does not exist. */
    private static final List<String> REFUSALS = List.of("28", "3D");

    private Preflight() {}

    /**
     * Makes sure that a port is free.
     *
     * @throws CommandException when a program listens there, or when this user may not
     */
    static void requireFree(int port) {
        try (ServerSocket socket = new ServerSocket(port)) {
            socket.getLocalPort();
        } catch (IOException e) {
            throw inUse(port, e);
        }
    }

    static CommandException inUse(int port, Throwable cause) {
        return new CommandException(
                "port " + port + " cannot be used (" + cause.getMessage() + "); choose another one with "
                        + ServerSettings.PORT + "=8081, or any free one with " + ServerSettings.PORT + "=0",
                cause);
    }

    /**
     * Makes sure that the database accepts the account, if it can be reached: the server starts without an unreachable one.
     *
     * @return whether it can be reached
     * @throws CommandException when it refuses
     */
    static boolean reachesDatabase(String url, ServerSettings settings) {
        try {
            DriverManager.getDriver(url);
        } catch (SQLException e) {
            throw unusable(url, e);
        }
        try {
            connect(url, settings);
            return true;
        } catch (SQLException e) {
            if (e.getSQLState() != null && REFUSALS.contains(e.getSQLState().substring(0, 2))) {
                throw unusable(url, e);
            }
            return false;
        }
    }

    /**
     * Makes sure that the database accepts the account.
     *
     * @throws CommandException when it does not
     */
    static void requireDatabase(String url, ServerSettings settings) {
        try {
            connect(url, settings);
        } catch (SQLException e) {
            throw unusable(url, e);
        }
    }

    private static void connect(String url, ServerSettings settings) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("connectTimeout", SECONDS_TO_CONNECT);
        properties.setProperty("loginTimeout", SECONDS_TO_LOG_IN);
        if (settings.username() != null) {
            properties.setProperty("user", settings.username());
        }
        if (settings.password() != null) {
            properties.setProperty("password", settings.password());
        }
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            connection.getMetaData();
        }
    }

    private static CommandException unusable(String url, SQLException why) {
        String reason = String.valueOf(why.getMessage()).replace(url, MaskedUri.of(url));
        return new CommandException("the database " + MaskedUri.of(url) + " cannot be used: " + reason, why);
    }

    /**
     * Makes sure that Redis answers. The server can do without it; the demo cannot.
     *
     * @throws CommandException when it does not
     */
    static void requireRedis(String uri) {
        RedisClient client = RedisClient.create(RedisUris.parse(uri));
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            connection.sync().ping();
        } catch (RedisException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new CommandException("Redis at " + MaskedUri.of(uri) + " cannot be used: " + cause.getMessage(), e);
        } finally {
            client.shutdown(Duration.ZERO, Duration.ZERO);
        }
    }
}
