package dev.usher.relay;

import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.PostgresServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A feed and the database of its own that it reads: what a {@link RelaySite} is made of. A process that runs a relay is given its name. */
enum RelayKind {

    /** The write-ahead log of PostgreSQL. */
    POSTGRES_LOG {

        @Override
        Database start() {
            PostgresServer server = PostgresServer.start(
                    Map.of("wal_level", "logical", "wal_keep_size", "0", "checkpoint_timeout", "1h"));
            return Database.of(server, server.createDatabase("app"));
        }

        @Override
        ChangeFeed feed(String url) {
            return PostgresChangeFeed.builder()
                    .url(url)
                    .user("relay")
                    .password("")
                    .watch(RelaySite.USERS)
                    .build();
        }

        @Override
        List<String> preparation() {
            return List.of(
                    "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, status smallint NOT NULL DEFAULT 1,"
                            + " last_login timestamptz)",
                    "CREATE TABLE others (id bigint, filler text)",
                    "CREATE ROLE relay LOGIN REPLICATION",
                    "GRANT SELECT ON users TO relay",
                    "CREATE PUBLICATION usher FOR TABLE users");
        }

        @Override
        String numbers(long first, long last) {
            return "(SELECT n FROM generate_series(" + first + ", " + last + ") n) numbers";
        }
    },

    /** The binlog of MariaDB. */
    MARIADB_BINLOG {

        @Override
        Database start() {
            MariaDbServer server = MariaDbServer.start(BINLOG);
            return Database.of(server, server.createDatabase("app"));
        }

        @Override
        ChangeFeed feed(String url) {
            return BinlogChangeFeed.builder()
                    .url(url)
                    .user("relay")
                    .password("relay")
                    .watch(RelaySite.USERS)
                    .build();
        }

        @Override
        List<String> preparation() {
            return List.of(
                    "CREATE TABLE users (id bigint PRIMARY KEY, name varchar(100) NOT NULL,"
                            + " status tinyint NOT NULL DEFAULT 1, last_login datetime(6))",
                    "CREATE TABLE others (id bigint, filler text)");
        }

        @Override
        String numbers(long first, long last) {
            return "(SELECT seq AS n FROM seq_" + first + "_to_" + last + ") numbers";
        }
    },

    /** A table that triggers fill in PostgreSQL, for a role without any other right. */
    POSTGRES_TABLE {

        @Override
        Database start() {
            PostgresServer server = PostgresServer.start();
            return prepared(
                    Database.of(server, server.createDatabase("app")),
                    "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, status smallint NOT NULL DEFAULT 1,"
                            + " last_login timestamptz)",
                    "CREATE TABLE others (id bigint, filler text)",
                    "CREATE ROLE relay LOGIN");
        }

        @Override
        ChangeFeed feed(String url) {
            return table(url, "");
        }

        @Override
        List<String> preparation() {
            return List.of();
        }

        @Override
        String numbers(long first, long last) {
            return POSTGRES_LOG.numbers(first, last);
        }
    },

    /** A table that triggers fill in MariaDB, for a user without any other right. */
    MARIADB_TABLE {

        @Override
        Database start() {
            MariaDbServer server = MariaDbServer.start();
            server.checkAccounts();
            List<String> statements =
                    new ArrayList<>(MARIADB_BINLOG.preparation().subList(0, 2));
            statements.add("CREATE USER relay IDENTIFIED BY 'relay'");
            return prepared(Database.of(server, server.createDatabase("app")), statements.toArray(String[]::new));
        }

        @Override
        ChangeFeed feed(String url) {
            return table(url, "relay");
        }

        @Override
        List<String> preparation() {
            return List.of();
        }

        @Override
        String numbers(long first, long last) {
            return MARIADB_BINLOG.numbers(first, last);
        }
    };

    /** What a server is started with whose binlog a relay reads. */
    static final String[] BINLOG = {"--log-bin=binlog", "--binlog-format=ROW", "--server-id=1"};

    private static ChangeFeed table(String url, String password) {
        return TriggerTableFeed.builder()
                .url(url)
                .user("relay")
                .password(password)
                .watch(RelaySite.USERS)
                .build();
    }

    /** Runs the statements, and then what the preflight says. */
    Database prepared(Database database, String... statements) {
        TableSite.run(database, List.of(statements));
        TableSite.setUp(database, (TriggerTableFeed) feed(database.url()));
        return database;
    }

    /** A server, with an empty database. */
    abstract Database start();

    /** The feed of the table {@code users}. */
    abstract ChangeFeed feed(String url);

    /** Makes the tables {@code users} and {@code others}, and all that the feed needs. */
    abstract List<String> preparation();

    /** Ends all connections of relays. */
    String disconnection() {
        return isPostgres()
                ? "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'relay'"
                : "KILL USER relay";
    }

    boolean isPostgres() {
        return this == POSTGRES_LOG || this == POSTGRES_TABLE;
    }

    /** A table with the name {@code numbers} and the column {@code n}, for a {@code FROM}. */
    abstract String numbers(long first, long last);

    /** A server with a database. */
    record Database(
            Object server,
            String url,
            String user,
            String password,
            Runnable killing,
            Runnable restarting,
            Runnable closing) {

        static Database of(PostgresServer server, String url) {
            return new Database(server, url, server.username(), "", server::kill, server::restart, server::close);
        }

        static Database of(MariaDbServer server, String url) {
            return new Database(
                    server, url, server.username(), server.password(), server::kill, server::restart, server::close);
        }
    }
}
