package dev.usher.testkit;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A real MariaDB of this machine ({@code mariadbd}, of Debian's package {@code mariadb-server-core}) in a process of its own, on a free port of 127.0.0.1, that trades
 * durability for speed. Unlike Redis and PostgreSQL it comes with no Maven artifact: a test that needs it is skipped where {@link #isThere} says no.
 *
 * <pre>{@code
 * try (MariaDbServer mariadb = MariaDbServer.start()) {
 *     String url = mariadb.createDatabase("users");
 *     Connection connection = DriverManager.getConnection(url, mariadb.username(), mariadb.password());
 * }
 * }</pre>
 *
 * <p>The driver, {@code org.mariadb.jdbc:mariadb-java-client}, has to be on the class path of the test. There are no accounts: any name and password is accepted, until {@link #checkAccounts}.
 *
 * <p>The server ends with {@link #close}, or with the JVM, as {@link PostgresServer} does. Thread-safe.
 */
public final class MariaDbServer implements AutoCloseable {

    /** Why a test is skipped where there is no server. */
    public static final String ABSENT = "this machine has no mariadbd: install mariadb-server-core";

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String USER = "usher";
    private static final String WITHOUT_ACCOUNTS = "--skip-grant-tables";
    private static final Pattern DATABASE_NAME = Pattern.compile("[a-z_][a-z0-9_]{0,62}");

    private final LoopbackPort port;
    private final ServerDirectory directory;
    private final List<String> command;
    private final ShutdownHook shutdownHook = new ShutdownHook("mariadb-shutdown", this::end);

    private Process process;
    private Guardian guardian;
    private boolean killed;
    private boolean closed;

    private MariaDbServer(LoopbackPort port, ServerDirectory directory, List<String> command, Process process) {
        this.port = port;
        this.directory = directory;
        this.command = new ArrayList<>(command);
        this.process = process;
        this.guardian = guardianOf(process);
    }

    private Guardian guardianOf(Process server) {
        return Guardian.over(server.pid(), Signal.KILL, directory.path());
    }

    /** Whether this machine has a server to start. */
    public static boolean isThere() {
        return program().isPresent();
    }

    /** The path of the server's program: distributions install it outside the PATH of ordinary users. */
    private static Optional<Path> program() {
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.concat(Arrays.stream(path.split(File.pathSeparator)), Stream.of("/usr/sbin", "/usr/local/sbin"))
                .map(folder -> Path.of(folder, "mariadbd"))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * Starts a server and waits until it answers.
     *
     * @param options further options of {@code mariadbd}, such as {@code --log-bin}; they win over the server's own
     * @throws IllegalStateException if there is no server on this machine, or it does not answer; the message then ends with its log
     */
    public static MariaDbServer start(String... options) {
        OperatingSystem.requireUnix("MariaDB");
        Path program = program().orElseThrow(() -> new IllegalStateException(ABSENT));
        return LoopbackPort.serve(LoopbackPort::reserve, port -> start(program, port, options));
    }

    private static MariaDbServer start(Path program, LoopbackPort port, String... options) {
        ServerDirectory directory = ServerDirectory.create("usher-mariadb-");
        Process process;
        List<String> command;
        try {
            command = new ArrayList<>(List.of(
                    program.toString(),
                    "--no-defaults",
                    "--user=" + System.getProperty("user.name"),
                    "--datadir=" + Files.createDirectory(directory.path().resolve("data")),
                    // Not the one of the machine: each server removes the temporary tables that it finds there when it
                    // starts.
                    "--tmpdir=" + Files.createDirectory(directory.path().resolve("tmp")),
                    WITHOUT_ACCOUNTS,
                    "--innodb-buffer-pool-size=16M",
                    "--innodb-log-file-size=4M",
                    // Commits reach the kernel, not the disk: committed data survives the death of the server.
                    "--innodb-flush-log-at-trx-commit=2"));
            fill(program, command, directory);
            command.addAll(List.of(
                    "--socket=" + directory.path().resolve("socket"),
                    "--bind-address=" + LoopbackPort.HOST,
                    "--port=" + port.number()));
            command.addAll(List.of(options));
            process = start(command, directory);
        } catch (IOException | RuntimeException e) {
            String log = directory.logTail();
            directory.delete();
            throw new IllegalStateException("MariaDB did not start; its log:\n" + log, e);
        }
        MariaDbServer server = new MariaDbServer(port, directory, command, process);
        try {
            server.awaitAnswer();
        } catch (RuntimeException e) {
            server.end();
            throw e;
        }
        server.shutdownHook.add();
        return server;
    }

    private static Process start(List<String> command, ServerDirectory directory) throws IOException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(Redirect.appendTo(directory.log().toFile()))
                .start();
    }

    /** Creates the tables of the server itself, without accounts in them. */
    private static void fill(Path program, List<String> command, ServerDirectory directory) throws IOException {
        Path tables = Stream.of("mysql", "mariadb")
                .map(folder -> program.resolveSibling(Path.of("..", "share", folder, "mysql_system_tables.sql")))
                .filter(Files::isReadable)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("there is no mysql_system_tables.sql beside " + program));
        List<String> statements = new ArrayList<>(List.of("CREATE DATABASE mysql;", "USE mysql;"));
        statements.addAll(Files.readAllLines(tables));
        Path input = Files.write(directory.path().resolve("tables.sql"), statements);
        List<String> bootstrap = new ArrayList<>(command);
        bootstrap.add("--bootstrap");
        Process process = new ProcessBuilder(bootstrap)
                .redirectInput(input.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.log().toFile())
                .start();
        ProcessExit.await(process);
        if (process.exitValue() != 0) {
            throw new IllegalStateException("its tables could not be created");
        }
    }

    /** The address the server listens on, 127.0.0.1. */
    public String host() {
        return LoopbackPort.HOST;
    }

    /** The port the server listens on. */
    public int port() {
        return port.number();
    }

    /** A name of a user. */
    public String username() {
        return USER;
    }

    /** A password of the user; the server does not check it. */
    public String password() {
        return USER;
    }

    /**
     * Creates an empty database.
     *
     * @param name not yet taken; lower-case letters, digits and underscores, 63 at most, no digit first
     * @return the JDBC URL of the database, without user and password
     * @throws IllegalArgumentException if the name has another form
     * @throws IllegalStateException if the database cannot be created
     */
    public String createDatabase(String name) {
        if (!DATABASE_NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("not a database name: " + name);
        }
        try (Connection connection = DriverManager.getConnection(jdbcUrl(""), username(), password());
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        } catch (SQLException e) {
            throw new IllegalStateException("cannot create the database " + name, e);
        }
        return jdbcUrl(name);
    }

    /**
     * From now on, also after {@link #restart}, the server checks accounts and their privileges. There is one account, that of {@link #username} and {@link #password}, which
     * may do everything.
     *
     * @throws IllegalStateException if the server refuses
     */
    public synchronized void checkAccounts() {
        try (Connection connection = DriverManager.getConnection(jdbcUrl(""), username(), password());
                Statement statement = connection.createStatement()) {
            statement.execute("FLUSH PRIVILEGES");
            statement.execute("CREATE OR REPLACE USER " + USER + "@'%' IDENTIFIED BY '" + USER + "'");
            statement.execute("GRANT ALL ON *.* TO " + USER + "@'%' WITH GRANT OPTION");
        } catch (SQLException e) {
            throw new IllegalStateException("cannot make an account", e);
        }
        command.remove(WITHOUT_ACCOUNTS);
    }

    /** Ends the server as {@code kill -9} does, until {@link #restart}. A second call does nothing. */
    public synchronized void kill() {
        if (killed || closed) {
            return;
        }
        process.destroyForcibly();
        ProcessExit.await(process);
        guardian.dismiss();
        killed = true;
    }

    /**
     * Kills the server if it is running, and starts it again, on the same port, with all committed data.
     *
     * @throws IllegalStateException if the server was closed or does not answer; the message then ends with its log
     */
    public synchronized void restart() {
        kill();
        if (closed) {
            throw new IllegalStateException("the MariaDB of port " + port() + " is closed");
        }
        try {
            process = start(command, directory);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start the MariaDB of port " + port(), e);
        }
        guardian = guardianOf(process);
        killed = false;
        awaitAnswer();
    }

    /** The directory of the server's data, in which its binlog is as well. */
    public Path data() {
        return directory.path().resolve("data");
    }

    /** Ends the server and removes what it wrote. A second call does nothing. */
    @Override
    public void close() {
        end();
        shutdownHook.remove();
    }

    private synchronized void end() {
        if (closed) {
            return;
        }
        kill();
        closed = true;
        directory.delete();
        port.close();
    }

    private String jdbcUrl(String database) {
        return "jdbc:mariadb://" + host() + ":" + port() + "/" + database;
    }

    private void awaitAnswer() {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!answers()) {
            if (!process.isAlive() || System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("MariaDB did not start; its log:\n" + directory.logTail());
            }
            LoopbackPort.pause();
        }
    }

    private boolean answers() {
        if (LoopbackPort.refuses(port())) {
            return false;
        }
        try (Connection connection = DriverManager.getConnection(jdbcUrl(""), username(), password())) {
            return connection.isValid(1);
        } catch (SQLException e) {
            return false;
        }
    }
}
