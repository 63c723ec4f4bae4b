package dev.usher.cli;

import dev.usher.redis.RedisUris;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The environment variables of the server that a command starts.
 *
 * @param port the HTTP port, 0 for any that is free
 * @param redisUri the Redis to use, or {@code null} for an embedded one
 * @param databaseUrl the JDBC URL of the PostgreSQL or MariaDB to use, or {@code null} for an embedded one
 * @param username of the database, or {@code null} when it is in the URL
 * @param password of the database, or {@code null} when it is in the URL
 */
record ServerSettings(
        int port,
        @Nullable String redisUri,
        @Nullable String databaseUrl,
        @Nullable String username,
        @Nullable String password) {

    static final String PORT = "PORT";
    static final String REDIS_URI = "USHER_REDIS_URI";
    static final String DATABASE_URL = "USHER_DATABASE_URL";
    static final String DATABASE_USERNAME = "USHER_DATABASE_USERNAME";
    static final String DATABASE_PASSWORD = "USHER_DATABASE_PASSWORD";

    private static final int DEFAULT_PORT = 8080;
    private static final int HIGHEST_PORT = 65_535;

    private static final List<String> DATABASES = List.of("jdbc:postgresql:", "jdbc:mariadb:", "jdbc:mysql:");

    private static final Pattern SCHEME = Pattern.compile("rediss?(-sentinel|-cluster)?://");
    private static final Pattern USER_INFO = Pattern.compile("^[^?]*@");

    /**
     * Reads the environment; an empty variable counts as one that is not set.
     *
     * @throws CommandException when a variable has an impossible value
     */
    static ServerSettings of(Map<String, String> environment) {
        return new ServerSettings(
                port(environment.get(PORT)),
                redisUri(environment.get(REDIS_URI)),
                databaseUrl(environment.get(DATABASE_URL)),
                text(environment.get(DATABASE_USERNAME)),
                text(environment.get(DATABASE_PASSWORD)));
    }

    /**
     * Reads of the environment which Redis and database to use, and no port.
     *
     * @throws CommandException when a variable has an impossible value
     */
    static ServerSettings ofServers(Map<String, String> environment) {
        Map<String, String> servers = new HashMap<>(environment);
        servers.remove(PORT);
        return of(servers);
    }

    ServerSettings withPort(int other) {
        return new ServerSettings(other, redisUri, databaseUrl, username, password);
    }

    private static int port(@Nullable String value) {
        String text = text(value);
        return text == null ? DEFAULT_PORT : port(PORT, text);
    }

    /**
     * A port that a variable names.
     *
     * @throws CommandException when it is none
     */
    static int port(String variable, String text) {
        try {
            int port = Integer.parseInt(text);
            if (port >= 0 && port <= HIGHEST_PORT) {
                return port;
            }
        } catch (NumberFormatException e) {
            // Reported below.
        }
        throw new CommandException(
                variable + " must be a number from 0 to " + HIGHEST_PORT + ", but is '" + text + "'");
    }

    private static @Nullable String redisUri(@Nullable String value) {
        String uri = text(value);
        if (uri == null) {
            return null;
        }
        try {
            if (SCHEME.matcher(uri).lookingAt()) {
                int database = RedisUris.isCluster(uri)
                        ? RedisUris.cluster(uri).get(0).getDatabase()
                        : RedisUris.parse(uri).getDatabase();
                if (database != 0 && RedisUris.isCluster(uri)) {
                    throw new CommandException(REDIS_URI + " names the database " + database
                            + " of a Redis Cluster, which has none but 0: leave it out");
                }
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // Reported below, without the message.
        }
        throw new CommandException(REDIS_URI
                + " should look like redis://host:6379, redis-sentinel://host:26379,host:26379#primary or"
                + " redis-cluster://host:7001,host:7001, but is '" + MaskedUri.of(uri) + "'");
    }

    private static @Nullable String databaseUrl(@Nullable String value) {
        String url = text(value);
        if (url == null) {
            return null;
        }
        if (DATABASES.stream().noneMatch(url::startsWith)) {
            throw new CommandException(DATABASE_URL + " should look like jdbc:postgresql://host:5432/database or"
                    + " jdbc:mariadb://host:3306/database, but is '" + MaskedUri.of(url) + "'");
        }
        if (USER_INFO.matcher(url).find()) {
            // The driver would take it for a host and a port, and quote the password in its exception.
            throw new CommandException("a user and a password do not go before the host in " + DATABASE_URL + ": use "
                    + DATABASE_USERNAME + " and " + DATABASE_PASSWORD);
        }
        return url;
    }

    private static @Nullable String text(@Nullable String value) {
        return value == null || value.isBlank() ? null : value.strip();
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return "ServerSettings[port=" + port + "]";
    }
}
