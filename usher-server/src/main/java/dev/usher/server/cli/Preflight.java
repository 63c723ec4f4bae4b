package dev.usher.server.cli;

import java.io.IOException;
import java.net.ServerSocket;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
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
            socket.setReuseAddress(true);
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
}
