package dev.usher.server.cli;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import java.io.IOException;
import java.net.ServerSocket;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Properties;

/** What can be found wrong in a moment, and said in a line, before the server starts. */
final class Preflight {

    private static final String SECONDS_TO_CONNECT = "5";
    private static final String SECONDS_TO_LOG_IN = "10";

    private Preflight() {}

    /**
     * Makes sure that nobody listens on a port.
     *
     * @throws CommandException when somebody does, or when this user may not
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
     * Makes sure that the database lets the server in.
     *
     * @throws CommandException when it does not
     */
    static void requireDatabase(String url, ServerSettings settings) {
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
        } catch (SQLException e) {
            String why = String.valueOf(e.getMessage()).replace(url, MaskedUri.of(url));
            throw new CommandException("the database " + MaskedUri.of(url) + " cannot be used: " + why, e);
        }
    }

    /**
     * Makes sure that Redis answers. The server itself does without; what wants to show Redis at work does not.
     *
     * @throws CommandException when it does not
     */
    static void requireRedis(String uri) {
        RedisClient client = RedisClient.create(uri);
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
