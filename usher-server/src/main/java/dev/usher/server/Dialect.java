package dev.usher.server;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The kind of database, by its JDBC URL, and the SQL in which the kinds differ. Both are used with the isolation {@code READ COMMITTED}: each
 * statement sees what is committed when it begins.
 */
public enum Dialect {
    POSTGRESQL("postgresql") {
        @Override
        public String now() {
            return "now()";
        }

        @Override
        String interval(Duration duration) {
            return "interval '" + duration.toSeconds() + " seconds'";
        }

        @Override
        public String secondsUntil(String moment) {
            return "EXTRACT(EPOCH FROM " + moment + " - now())";
        }

        @Override
        public String epochSeconds(String moment) {
            return "EXTRACT(EPOCH FROM " + moment + ")";
        }

        @Override
        public String forUpdate() {
            return "FOR NO KEY UPDATE";
        }

        @Override
        public String lock(String table) {
            return "LOCK TABLE " + table + " IN SHARE ROW EXCLUSIVE MODE";
        }

        @Override
        public String joined(String column) {
            return "string_agg(DISTINCT " + column + ", ',' ORDER BY " + column + ")";
        }

        @Override
        public String orNothing(String key) {
            return " ON CONFLICT (" + key + ") DO NOTHING";
        }

        @Override
        public OneOf oneOf(Collection<Long> ids) {
            return new OneOf("= ANY (?)", List.of((Object) ids.toArray(Long[]::new)));
        }

        @Override
        public Object parameter(UUID id) {
            return id;
        }

        @Override
        public String text(String id) {
            return "CAST(" + id + " AS text)";
        }

        @Override
        Map<String, String> timeouts(Duration connect, Duration silence) {
            return Map.of(
                    "connectTimeout", Long.toString(connect.toSeconds()),
                    "socketTimeout", Long.toString(silence.toSeconds()),
                    "cancelSignalTimeout", "2",
                    "loginTimeout", "5",
                    "tcpKeepAlive", "true",
                    // The server's details quote values of the row, such as the mobile number.
                    "logServerErrorDetail", "false");
        }
    },

    /** MariaDB, and MySQL, which understands the same statements. */
    MARIADB("mariadb") {
        @Override
        public String now() {
            return "utc_timestamp(6)";
        }

        @Override
        String interval(Duration duration) {
            return "INTERVAL " + duration.toSeconds() + " SECOND";
        }

        @Override
        public String secondsUntil(String moment) {
            return "TIMESTAMPDIFF(MICROSECOND, utc_timestamp(6), " + moment + ") * 0.000001";
        }

        @Override
        public String epochSeconds(String moment) {
            return "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', " + moment + ") * 0.000001";
        }

        @Override
        public String forUpdate() {
            return "FOR UPDATE";
        }

        @Override
        public String lock(String table) {
            return "UPDATE table_locks SET taken = taken + 1 WHERE name = '" + table + "'";
        }

        @Override
        public String joined(String column) {
            return "GROUP_CONCAT(DISTINCT " + column + " ORDER BY " + column + " SEPARATOR ',')";
        }

        @Override
        public String orNothing(String key) {
            return "";
        }

        @Override
        public OneOf oneOf(Collection<Long> ids) {
            return new OneOf("IN (?" + ", ?".repeat(ids.size() - 1) + ")", List.copyOf(ids));
        }

        @Override
        public Object parameter(UUID id) {
            return id.toString();
        }

        @Override
        public String text(String id) {
            return id;
        }

        @Override
        Map<String, String> timeouts(Duration connect, Duration silence) {
            return Map.of(
                    "connectTimeout", Long.toString(connect.toMillis()),
                    "socketTimeout", Long.toString(silence.toMillis()),
                    "tcpKeepAlive", "true");
        }
    };

    private static final String OF_POSTGRESQL = "jdbc:postgresql:";
    private static final String OF_MARIADB = "jdbc:mariadb:";
    private static final String OF_MYSQL = "jdbc:mysql:";

    private final String folder;

    Dialect(String folder) {
        this.folder = folder;
    }

    /**
     * The dialect of a database.
     *
     * @param url its JDBC URL
     * @throws IllegalStateException when the server has no SQL for it; the URL, which may hold a password, is not quoted
     */
    public static Dialect of(@Nullable String url) {
        if (url != null && url.startsWith(OF_POSTGRESQL)) {
            return POSTGRESQL;
        }
        if (url != null && (url.startsWith(OF_MARIADB) || url.startsWith(OF_MYSQL))) {
            return MARIADB;
        }
        throw new IllegalStateException("spring.datasource.url should look like jdbc:postgresql://host:5432/database or"
                + " jdbc:mariadb://host:3306/database");
    }

    /** The artifact that has the driver of a database. */
    static String driverOf(String url) {
        return switch (of(url)) {
            case POSTGRESQL -> "org.postgresql:postgresql";
            case MARIADB ->
                url.startsWith(OF_MYSQL) ? "com.mysql:mysql-connector-j" : "org.mariadb.jdbc:mariadb-java-client";
        };
    }

    /** Where the migrations are, on the class path. */
    String migrations() {
        return "classpath:db/migration/" + folder;
    }

    /** The current moment. */
    public abstract String now();

    /** The moment so many seconds from now. */
    public String in(Duration duration) {
        return now() + " + " + interval(duration);
    }

    /** The moment so many seconds ago. */
    public String ago(Duration duration) {
        return now() + " - " + interval(duration);
    }

    abstract String interval(Duration duration);

    /** The seconds from now until a moment, as a decimal number. */
    public abstract String secondsUntil(String moment);

    /** A moment as the seconds since 1970 in UTC, a decimal number. */
    public abstract String epochSeconds(String moment);

    /** The end of a {@code SELECT} that locks its rows, and excludes neither readers nor, where possible, references to them. */
    public abstract String forUpdate();

    /** A statement that waits for all transactions which have run the same one, and excludes no reader of the table. */
    public abstract String lock(String table);

    /** The different values of a column of texts as one text, with commas in between, or null where there is none. */
    public abstract String joined(String column);

    /**
     * The end of an {@code INSERT} of one row that may be there already. Then it inserts nothing, or fails as a duplicate, after which the
     * transaction can go on.
     *
     * @param key the column that is unique
     */
    public abstract String orNothing(String key);

    /**
     * A condition that a column has one of some values.
     *
     * @param sql what follows the column
     * @param parameters its parameters
     */
    public record OneOf(String sql, List<Object> parameters) {}

    /** The condition that a column has one of some ids, at least one. */
    public abstract OneOf oneOf(Collection<Long> ids);

    /** A UUID as a parameter. */
    public abstract Object parameter(UUID id);

    /** A column of UUIDs as one of texts. */
    public abstract String text(String id);

    /**
     * The settings of a connection, by the names of its driver.
     *
     * @param connect how long to try to connect
     * @param silence the longest silence on a connection that is in use
     */
    abstract Map<String, String> timeouts(Duration connect, Duration silence);
}
