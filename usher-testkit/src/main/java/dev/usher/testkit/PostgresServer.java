package dev.usher.testkit;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;

/**
 * A real PostgreSQL 18 in its own processes, on a free port of 127.0.0.1, that trades durability for speed: committed data
 * survives the death of its processes, but not of the machine.
 *
 * <pre>{@code
 * try (PostgresServer postgres = PostgresServer.start()) {
 *     String url = postgres.createDatabase("users");
 *     Connection connection = DriverManager.getConnection(url, postgres.username(), postgres.password());
 * }
 * }</pre>
 *
 * <p>Starting a server takes seconds, creating a database a fraction of a second: share the server among tests, and give each
 * test its own database.
 *
 * <p>The server ends with {@link #close}. If that is never called, it ends with the JVM, also with one that is killed with
 * {@code kill -9}: a {@code sh} process waits for the JVM's end, then shuts the server down and removes its files. Only
 * where that process is killed as well does the server stay.
 *
 * <p>PostgreSQL refuses to run as root; for root, it is started in a user namespace of its own, which the kernel must
 * permit.
 *
 * <p>Thread-safe. Methods that must wait for the server give up with an {@link IllegalStateException} after 60 s.
 */
public final class PostgresServer implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String SUPERUSER = "postgres";
    private static final Pattern DATABASE_NAME = Pattern.compile("[a-z_][a-z0-9_]{0,62}");
    private static final String LOCK_FILE = "postmaster.pid";
    private static final Pattern QUOTED = Pattern.compile("\"([^\"]*)\"");

    private final LoopbackPort port;
    private final ServerDirectory directory;
    private final EmbeddedPostgres postgres;
    private final Path data;
    private final ShutdownHook shutdownHook = new ShutdownHook("postgres-shutdown", this::end);

    private long postmaster;
    private Guardian guardian;
    private boolean killed;
    private boolean closed;

    private PostgresServer(
            LoopbackPort port, ServerDirectory directory, EmbeddedPostgres postgres, Path data, long postmaster) {
        this.port = port;
        this.directory = directory;
        this.postgres = postgres;
        this.data = data;
        this.postmaster = postmaster;
        this.guardian = Guardian.over(postmaster, Signal.QUIT, directory.path());
    }

    /**
     * Starts a server and waits until it answers.
     *
     * @throws IllegalStateException if the server does not answer; the message ends with the server's log
     */
    public static PostgresServer start() {
        return start(Map.of());
    }

    /**
     * As {@link #start()}, with settings of the server, such as {@code wal_level}.
     *
     * @param settings the values by their names, as in {@code postgresql.conf}
     * @throws IllegalStateException if the server does not answer; the message ends with the server's log
     */
    public static PostgresServer start(Map<String, String> settings) {
        OperatingSystem.requireUnix("PostgreSQL");
        return LoopbackPort.serve(LoopbackPort::reserve, port -> start(port, settings));
    }

    static PostgresServer start(LoopbackPort port) {
        return start(port, Map.of());
    }

    private static PostgresServer start(LoopbackPort port, Map<String, String> settings) {
        if (port.isTaken()) {
            // The start method of the embedded server would poll the other program on this port until LIMIT, and does
            // not notice that its own process has ended.
            throw new IllegalStateException("PostgreSQL was not started: port " + port.number() + " is taken");
        }
        ServerDirectory directory = ServerDirectory.create("usher-postgres-");
        Path data = directory.path().resolve("data");
        try {
            EmbeddedPostgres.Builder builder = EmbeddedPostgres.builder()
                    .setPort(port.number())
                    .setDataDirectory(data)
                    .setOverrideWorkingDirectory( // Unpacked once.
                            ServerDirectory.cache("postgres")
                                    .orElse(directory.path())
                                    .toFile())
                    .setRegisterShutdownHook(false)
                    .setPGStartupWait(LIMIT)
                    .setConnectConfig("loginTimeout", "5")
                    .setOutputRedirector(
                            ProcessBuilder.Redirect.appendTo(directory.log().toFile()))
                    .setLocaleConfig("locale", "C")
                    .setServerConfig("listen_addresses", LoopbackPort.HOST)
                    .setServerConfig("full_page_writes", "off")
                    // Commits reach the kernel, not the disk: committed data survives the death of the server.
                    .setServerConfig("synchronous_commit", "on")
                    // No sockets outside the data directory, which is removed even after a kill.
                    .setServerConfig("unix_socket_directories", "")
                    .setServerConfig("dynamic_shared_memory_type", "mmap");
            settings.forEach(builder::setServerConfig);
            EmbeddedPostgres postgres = builder.start();
            PostgresServer server = new PostgresServer(port, directory, postgres, data, postmasterOf(data));
            server.shutdownHook.add();
            return server;
        } catch (IOException | RuntimeException e) {
            IllegalStateException failure =
                    new IllegalStateException("PostgreSQL did not start; its log:\n" + directory.logTail(), e);
            abandon(data);
            try {
                directory.delete();
            } catch (UncheckedIOException stillWriting) {
                failure.addSuppressed(stillWriting);
            }
            throw failure;
        }
    }

    /**
     * Leaves the server running while the JVM shuts down, so that a shutdown hook of the caller can still use it before it
     * calls {@link #close}. Without that call too the server ends, when the JVM is gone.
     *
     * @return this server
     */
    public PostgresServer withoutShutdownHook() {
        shutdownHook.remove();
        return this;
    }

    /** The address the server listens on, 127.0.0.1. */
    public String host() {
        return LoopbackPort.HOST;
    }

    /** The port the server listens on. */
    public int port() {
        return port.number();
    }

    /** The JDBC URL of the database {@code postgres}, which always exists; without user and password. */
    public String jdbcUrl() {
        return jdbcUrl(SUPERUSER);
    }

    /** The superuser's name. */
    public String username() {
        return SUPERUSER;
    }

    /** A password for the superuser; the server trusts every connection and does not check it. */
    public String password() {
        return SUPERUSER;
    }

    /** The id of the postmaster, the parent of all other processes of the server. */
    public synchronized long pid() {
        return postmaster;
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
        try (Connection connection = DriverManager.getConnection(jdbcUrl(), username(), password());
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        } catch (SQLException e) {
            throw new IllegalStateException("cannot create the database " + name, e);
        }
        return jdbcUrl(name);
    }

    /**
     * Freezes the server with all its processes: it keeps its connections, and the kernel accepts new ones, but nothing is
     * answered until {@link #thaw}.
     *
     * @throws IllegalStateException if the server was killed or closed
     */
    public synchronized void freeze() {
        requireRunning();
        // The parent first: while frozen, it starts no child that the list would miss.
        Signal.STOP.sendTo(postmaster);
        Signal.STOP.sendTo(children());
    }

    /**
     * Lets a frozen server go on; it answers what came in meanwhile. Does nothing to a server that is not frozen.
     *
     * @throws IllegalStateException if the server was killed or closed
     */
    public synchronized void thaw() {
        requireRunning();
        Signal.CONT.sendTo(children());
        Signal.CONT.sendTo(postmaster);
    }

    /**
     * Ends all processes of the server as {@code kill -9} does, frozen or not, until {@link #restart}. A few bytes of System
     * V shared memory stay with the kernel. A second call does nothing.
     */
    public synchronized void kill() {
        if (killed || closed) {
            return;
        }
        freeze();
        List<Long> all = new ArrayList<>(children());
        all.add(postmaster);
        Signal.KILL.sendTo(all);
        killed = true;
        LoopbackPort.awaitRefusal(port(), LIMIT);
        guardian.dismiss();
        await(() -> all.stream().noneMatch(PostgresServer::runs), "its processes were killed, and still run");
    }

    /**
     * Kills the server if it is running, and starts it again, on the same port, with all committed data: bytes that the kernel
     * has got survive a {@code kill -9}.
     *
     * @throws IllegalStateException if the server was closed or does not answer; the message then ends with its log
     */
    public synchronized void restart() {
        kill();
        if (closed) {
            throw new IllegalStateException("the PostgreSQL of port " + port() + " is closed");
        }
        try {
            // The lock file names the killed process. As long as that process has not been reaped, PostgreSQL would
            // take the lock as held.
            Files.deleteIfExists(data.resolve(LOCK_FILE));
            Process started = new ProcessBuilder(command())
                    .directory(data.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(
                            ProcessBuilder.Redirect.appendTo(directory.log().toFile()))
                    .start();
            postmaster = started.pid();
            guardian = Guardian.over(postmaster, Signal.QUIT, directory.path());
            killed = false;
            await(this::answers, "it does not answer on port " + port());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start the PostgreSQL of port " + port(), e);
        }
    }

    /** The command of the first start, which the server keeps beside its data. */
    private List<String> command() throws IOException {
        String line = Files.readString(data.resolve("postmaster.opts")).trim();
        int executableTo = line.indexOf(" \"");
        List<String> command = new ArrayList<>();
        if (ProcessHandle.current().info().user().equals(Optional.of("root"))) {
            command.addAll(List.of("unshare", "-U"));
        }
        command.add(line.substring(0, executableTo));
        QUOTED.matcher(line.substring(executableTo)).results().forEach(argument -> command.add(argument.group(1)));
        return command;
    }

    private boolean answers() {
        Properties properties = new Properties();
        properties.setProperty("user", username());
        properties.setProperty("loginTimeout", "1");
        try (Connection connection = DriverManager.getConnection(jdbcUrl(), properties)) {
            return connection.isValid(1);
        } catch (SQLException e) {
            return false;
        }
    }

    private void await(BooleanSupplier condition, String otherwise) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException(
                        "PostgreSQL: " + otherwise + ", after " + LIMIT + "; its log:\n" + directory.logTail());
            }
            LoopbackPort.pause();
        }
    }

    /** Whether a process runs a program: a process that has ended and is not yet reaped has none. */
    private static boolean runs(long pid) {
        return ProcessHandle.of(pid)
                .flatMap(process -> process.info().command())
                .isPresent();
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
        try {
            // A killed server must not be stopped: that would wait for a process that no longer exists.
            if (!killed) {
                thaw();
                postgres.close();
                guardian.dismiss();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot stop the PostgreSQL of port " + port(), e);
        } finally {
            closed = true;
            directory.delete();
            port.close();
        }
    }

    private String jdbcUrl(String database) {
        return "jdbc:postgresql://" + host() + ":" + port() + "/" + database;
    }

    private List<Long> children() {
        return ProcessHandle.of(postmaster).stream()
                .flatMap(ProcessHandle::children)
                .map(ProcessHandle::pid)
                .toList();
    }

    private void requireRunning() {
        if (killed || closed) {
            throw new IllegalStateException("the PostgreSQL of port " + port() + " was killed or closed");
        }
    }

    /** The process id in the first line of the lock file that a postmaster keeps in its data directory. */
    private static long postmasterOf(Path data) throws IOException {
        return Long.parseLong(Files.readAllLines(data.resolve(LOCK_FILE)).get(0).trim());
    }

    private static void abandon(Path data) {
        try {
            Signal.QUIT.sendTo(postmasterOf(data));
        } catch (IOException | RuntimeException e) {
            // The postmaster ended before it wrote its process id.
        }
    }
}
