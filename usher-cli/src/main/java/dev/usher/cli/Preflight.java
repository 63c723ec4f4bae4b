package dev.usher.cli;

import dev.usher.spring.RedisEndpoint;
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
import java.util.Set;

/** Quick checks before the server starts, which report a fault in one line. */
final class Preflight {

    private static final Duration TO_CONNECT = Duration.ofSeconds(5);
    private static final Duration TO_LOG_IN = Duration.ofSeconds(10);

    /**
     * Classes of SQL states that no later attempt changes: a wrong user or password, and a database that does not exist, or that the user
     * may not use.
     */
    private static final List<String> REFUSALS = List.of("28", "3D", "42");

    /** The errors of MariaDB for a user with too many connections, which a later attempt may not meet. */
    private static final Set<Integer> NO_ROOM = Set.of(1203, 1226);

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
        requireDriver(url);
        try {
            connect(url, settings);
            return true;
        } catch (SQLException e) {
            if (isRefusal(e)) {
                throw unusable(url, e);
            }
            return false;
        }
    }

    private static boolean isRefusal(SQLException failure) {
        return failure.getSQLState() != null
                && REFUSALS.contains(failure.getSQLState().substring(0, 2))
                && !NO_ROOM.contains(failure.getErrorCode());
    }

    private static void requireDriver(String url) {
        try {
            DriverManager.getDriver(url);
        } catch (SQLException e) {
            if (url.startsWith("jdbc:mysql:")) {
                throw new CommandException(
                        "usher contains no driver for MySQL, since its licence is the GPL: name the jar of"
                                + " com.mysql:mysql-connector-j in USHER_CLASS_PATH, or use a PostgreSQL or MariaDB in "
                                + ServerSettings.DATABASE_URL,
                        e);
            }
            throw unusable(url, e);
        }
    }

    /**
     * Makes sure that the database accepts the account.
     *
     * @throws CommandException when it does not
     */
    static void requireDatabase(String url, ServerSettings settings) {
        requireDriver(url);
        try {
            connect(url, settings);
        } catch (SQLException e) {
            throw unusable(url, e);
        }
    }

    private static void connect(String url, ServerSettings settings) throws SQLException {
        Properties properties = new Properties();
        if (url.startsWith("jdbc:postgresql:")) {
            properties.setProperty("connectTimeout", Long.toString(TO_CONNECT.toSeconds()));
            properties.setProperty("loginTimeout", Long.toString(TO_LOG_IN.toSeconds()));
        } else {
            properties.setProperty("connectTimeout", Long.toString(TO_CONNECT.toMillis()));
            properties.setProperty("socketTimeout", Long.toString(TO_LOG_IN.toMillis()));
        }
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
     * @param shown its address, without user and password
     * @throws CommandException when it does not
     */
    static void requireRedis(RedisEndpoint redis, String shown) {
        RedisClient client = RedisClient.create(redis.uri());
        client.setOptions(redis.options());
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            connection.sync().ping();
        } catch (RedisException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new CommandException("Redis at " + shown + " cannot be used: " + cause.getMessage(), e);
        } finally {
            client.shutdown(Duration.ZERO, Duration.ZERO);
        }
    }
}
