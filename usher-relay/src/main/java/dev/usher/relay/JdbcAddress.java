package dev.usher.relay;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Properties;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a JDBC URL of PostgreSQL, MariaDB or MySQL that names one host. Its text may hold a password, so it is never shown. Immutable.
 */
final class JdbcAddress {

    private static final Pattern URL = Pattern.compile(
            "jdbc:(?<kind>postgresql|mariadb|mysql)://(?<host>[^/:?,@()\\[\\]]+|\\[[^\\]]+])(:(?<port>\\d{1,5}))?"
                    + "/(?<database>[^/?]+)(\\?(?<query>.*))?");

    private final String url;
    private final Kind kind;
    private final String host;
    private final @Nullable String port;
    private final String database;
    private final @Nullable String query;
    private final SortedMap<String, String> parameters;

    /** Which database it is. */
    enum Kind {
        POSTGRESQL("PostgreSQL", 5432),
        MARIADB("MariaDB", 3306),
        MYSQL("MySQL", 3306);

        private final String shown;
        private final int port;

        Kind(String shown, int port) {
            this.shown = shown;
            this.port = port;
        }

        @Override
        public String toString() {
            return shown;
        }
    }

    private JdbcAddress(String url, Matcher parts) {
        this.url = url;
        this.kind = switch (parts.group("kind")) {
            case "mariadb" -> Kind.MARIADB;
            case "mysql" -> Kind.MYSQL;
            default -> Kind.POSTGRESQL;
        };
        this.host = parts.group("host");
        this.port = parts.group("port");
        this.database = decoded(parts.group("database"));
        this.query = parts.group("query");
        this.parameters = Collections.unmodifiableSortedMap(parametersOf(query));
    }

    /**
     * The parts of a URL.
     *
     * @throws IllegalArgumentException when it has another form, or names several hosts
     */
    static JdbcAddress of(String url) {
        return of(
                url,
                EnumSet.allOf(Kind.class),
                "jdbc:postgresql://host:5432/database, or begin with jdbc:mariadb: or jdbc:mysql:");
    }

    /**
     * The parts of the URL of one of some kinds of databases.
     *
     * @param like what such a URL looks like
     * @throws IllegalArgumentException when it has another form, is of another kind, or names several hosts
     */
    static JdbcAddress of(String url, Set<Kind> kinds, String like) {
        Matcher parts = URL.matcher(url);
        if (parts.matches()) {
            JdbcAddress address = new JdbcAddress(url, parts);
            if (kinds.contains(address.kind)) {
                return address;
            }
        }
        throw new IllegalArgumentException("the URL of the database is to be like " + like + ", with one host");
    }

    Kind kind() {
        return kind;
    }

    String database() {
        return database;
    }

    /** Without the brackets of an IPv6 address. */
    String host() {
        return host.replaceAll("[\\[\\]]", "");
    }

    int port() {
        return port == null ? kind.port : Integer.parseInt(port);
    }

    /** By their names, whatever the case. */
    SortedMap<String, String> parameters() {
        return parameters;
    }

    /** The value of a parameter, by its name in whatever case, or {@code null}. */
    @Nullable String parameter(String name) {
        return parameters.get(name);
    }

    /** Without user and password: the drivers would prefer them to those that were set. */
    String withoutUser() {
        if (query == null) {
            return url;
        }
        String rest = Arrays.stream(query.split("&"))
                .filter(parameter -> !parameter.matches("(?i)(user|password)(=.*)?"))
                .collect(Collectors.joining("&"));
        return url.substring(0, url.indexOf('?')) + (rest.isEmpty() ? "" : "?" + rest);
    }

    /** What a connection is made with, besides the URL: user and password, where there is one. */
    static Properties login(String user, @Nullable String password) {
        Properties properties = new Properties();
        properties.setProperty("user", user);
        if (password != null) {
            properties.setProperty("password", password);
        }
        return properties;
    }

    /** Closes a connection that is of no use any more. */
    static void closeQuietly(Connection connection) {
        try {
            connection.close();
        } catch (SQLException e) {
            // It is of no use any more.
        }
    }

    /** What went wrong, for an operator; the message of the driver may quote what it should not. */
    ChangeFeedException failure(String what, SQLException failure) {
        return new ChangeFeedException(
                "the database " + this + " " + what + " (" + Texts.reasonOf(failure) + ")", failure);
    }

    /** For an operator, without parameters: {@code app at db:5432}. */
    @Override
    public String toString() {
        return database + " at " + host + ":" + port();
    }

    private static SortedMap<String, String> parametersOf(@Nullable String query) {
        SortedMap<String, String> parameters = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        if (query != null) {
            for (String parameter : query.split("&")) {
                int equals = parameter.indexOf('=');
                if (equals > 0) {
                    parameters.put(parameter.substring(0, equals), decoded(parameter.substring(equals + 1)));
                }
            }
        }
        return parameters;
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
