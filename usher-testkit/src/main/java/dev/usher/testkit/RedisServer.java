package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A real Redis in its own process, on a free port of 127.0.0.1, that keeps nothing on disk. It is a Redis 6.2, unless the
 * system property {@code usher.testkit.redis} is {@code 7.0}, with {@code org.signal:embedded-redis} on the class path, or
 * the path of any {@code redis-server} or {@code valkey-server}.
 *
 * <pre>{@code
 * try (RedisServer redis = RedisServer.start("maxmemory 64mb")) {
 *     RedisClient client = RedisClient.create(redis.uri());
 * }
 * }</pre>
 *
 * <p>The server ends with {@link #close}. If that is never called, it ends with the JVM, also with one that is killed with
 * {@code kill -9}: a {@code sh} process waits for the JVM's end, and then does what {@code close} would have done. Only where
 * that process is killed as well does the server stay.
 *
 * <p>On Linux amd64 the binary of 6.2 needs the shared libraries of OpenSSL 3.
 *
 * <p>Thread-safe. Methods that must wait for the server give up with an {@link IllegalStateException} after 20 s.
 */
public final class RedisServer implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    /**
     * The error of the kernel for an executable that is open for writing (ETXTBSY), and the exit status of {@code setsid} in
     * that case.
     */
    private static final String BUSY = "Text file busy";

    private static final int CANNOT_EXECUTE = 126;

    /** What each version of Redis and Valkey writes to its log when a replica has its primary's data. */
    private static final String SYNCHRONISED = "sync: Finished with success";

    private static final String SETTINGS = "redis.conf";

    private static final String NODES = "nodes.conf";

    /** Part of util-linux; macOS has none. */
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    private final String host;
    private final LoopbackPort port;
    private final ServerDirectory directory;
    private final List<String> command;
    private final ShutdownHook shutdownHook = new ShutdownHook("redis-shutdown", this::end);

    private @Nullable Process process;
    private @Nullable Guardian guardian;
    private boolean frozen;
    private boolean closed;

    private RedisServer(String host, LoopbackPort port, ServerDirectory directory, List<String> command) {
        this.host = host;
        this.port = port;
        this.directory = directory;
        this.command = command;
    }

    /**
     * Starts a server and waits until it answers.
     *
     * @param directives further lines of {@code redis.conf}, such as {@code requirepass secret} or {@code cluster-enabled
     *     yes}; they win over the server's own settings
     * @throws IllegalStateException if the server does not answer; the message ends with the server's log
     */
    public static RedisServer start(String... directives) {
        OperatingSystem.requireUnix("Redis");
        return LoopbackPort.serve(LoopbackPort::reserve, port -> start(port, directives));
    }

    /**
     * Starts a server that copies another one, and waits until it has the other's data. A primary with a password needs
     * the directive {@code masterauth secret}.
     *
     * @param primary a running server
     * @param directives further lines of {@code redis.conf}, as for {@link #start}
     * @throws IllegalStateException if the server does not answer, or does not get the other's data; the message ends with
     *     its log
     */
    public static RedisServer replicaOf(RedisServer primary, String... directives) {
        List<String> settings = new ArrayList<>(List.of("replicaof " + primary.host() + " " + primary.port()));
        settings.addAll(List.of(directives));
        RedisServer replica = start(settings.toArray(String[]::new));
        try {
            replica.awaitData();
            return replica;
        } catch (RuntimeException e) {
            replica.close();
            throw e;
        }
    }

    static RedisServer start(LoopbackPort port, String... directives) {
        List<String> settings = new ArrayList<>(List.of(
                "save \"\"",
                "appendonly no",
                // A replica gets its data at once; Redis 7 would wait five seconds for more replicas.
                "repl-diskless-sync-delay 0"));
        settings.addAll(List.of(directives));
        return start(LoopbackPort.HOST, port, settings, List.of(), RedisExecutable::find);
    }

    /** Starts a Sentinel: a server that watches others. */
    static RedisServer startSentinel(LoopbackPort port, List<String> directives) {
        return start(LoopbackPort.HOST, port, directives, List.of("--sentinel"), RedisExecutable::find);
    }

    /**
     * Starts a node of a Cluster, of Redis 7.0 at least unless the system property names a server.
     *
     * @param host the address that it listens on
     * @param nodes the Cluster as it knows it, in its file, which stays while it is stopped
     * @param siblings the other servers
     */
    static RedisServer startClusterNode(
            String host, LoopbackPort port, List<String> directives, String nodes, List<RedisServer> siblings) {
        List<String> settings = new ArrayList<>(List.of(
                "save \"\"",
                "appendonly no",
                "repl-diskless-sync-delay 0",
                "cluster-enabled yes",
                "cluster-config-file " + NODES));
        settings.addAll(directives);
        List<Path> others =
                siblings.stream().map(server -> server.directory.path()).toList();
        return start(host, port, settings, List.of(), directory -> {
            Files.writeString(directory.resolve(NODES), nodes);
            return RedisExecutable.findForCluster(directory, others);
        });
    }

    /** Puts the program of a server into its directory, and what else it needs. */
    private interface Preparation {
        Path prepare(Path directory) throws IOException;
    }

    private static RedisServer start(
            String host, LoopbackPort port, List<String> directives, List<String> options, Preparation preparation) {
        ServerDirectory directory = ServerDirectory.create("usher-redis-");
        try {
            List<String> settings = new ArrayList<>(List.of(
                    "bind " + host,
                    "port " + port.number(),
                    "unixsocket " + OwnSocket.NAME,
                    "dir \"" + directory.path() + "\""));
            settings.addAll(directives);
            Files.write(directory.path().resolve(SETTINGS), settings);
            List<String> command = new ArrayList<>();
            // In its own session: Ctrl-C in the terminal of this JVM would end the server before its users.
            if (Files.isExecutable(SETSID)) {
                command.add(SETSID.toString());
            }
            command.add(preparation.prepare(directory.path()).toString());
            command.add(SETTINGS);
            command.addAll(options);
            RedisServer server = new RedisServer(host, port, directory, command);
            server.shutdownHook.add();
            try {
                server.launch();
                return server;
            } catch (RuntimeException e) {
                server.close();
                throw e;
            }
        } catch (IOException e) {
            directory.delete();
            throw new UncheckedIOException("cannot unpack Redis", e);
        } catch (RuntimeException e) {
            directory.delete();
            throw e;
        }
    }

    /**
     * Leaves the server running while the JVM shuts down, so that a shutdown hook of the caller can still use it before it
     * calls {@link #close}. Without that call too the server ends, when the JVM is gone.
     *
     * @return this server
     */
    public RedisServer withoutShutdownHook() {
        shutdownHook.remove();
        return this;
    }

    /** The address the server listens on: 127.0.0.1, or ::1 of a Cluster {@linkplain RedisCluster.Builder#ipv6 with IPv6}. */
    public String host() {
        return host;
    }

    /** The port the server listens on; the same for the life of this object. */
    public int port() {
        return port.number();
    }

    /** The server as {@code redis://127.0.0.1:port}, without a password. */
    public String uri() {
        return "redis://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port();
    }

    /**
     * The id of the server's process.
     *
     * @throws IllegalStateException if the server is not running
     */
    public synchronized long pid() {
        return running().pid();
    }

    /** Whether the server's process exists, frozen or not. */
    public synchronized boolean isRunning() {
        return process != null && process.isAlive();
    }

    /** Whether the server runs and is not frozen. */
    synchronized boolean mayAnswer() {
        return isRunning() && !frozen;
    }

    /** Ends the server in an orderly way; it loses its data. Does nothing if the server is not running. */
    public synchronized void stop() {
        if (process != null && process.isAlive()) {
            thaw();
            process.destroy();
        }
        awaitEnd();
    }

    /** Stops the server if it is running, and starts it again: on the same port, with the same directives, empty. */
    public synchronized void restart() {
        if (closed) {
            throw new IllegalStateException("the server on port " + port() + " is closed");
        }
        stop();
        launch();
    }

    /** Ends the server as {@code kill -9} does, frozen or not. Does nothing if the server is not running. */
    public synchronized void kill() {
        if (process != null) {
            process.destroyForcibly();
        }
        awaitEnd();
    }

    /**
     * Freezes the server: it keeps its connections, and the kernel accepts new ones, but nothing is answered until
     * {@link #thaw}.
     *
     * @throws IllegalStateException if the server is not running
     */
    public synchronized void freeze() {
        Signal.STOP.sendTo(running().pid());
        frozen = true;
    }

    /**
     * Lets a frozen server go on; it answers what came in meanwhile. Does nothing to a server that is not frozen.
     *
     * @throws IllegalStateException if the server is not running
     */
    public synchronized void thaw() {
        Signal.CONT.sendTo(running().pid());
        frozen = false;
    }

    /** Kills the server and removes what it wrote. A second call does nothing. */
    @Override
    public void close() {
        end();
        shutdownHook.remove();
    }

    private synchronized void end() {
        if (!closed) {
            closed = true;
            kill();
            directory.delete();
            port.close();
        }
    }

    private void launch() {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!tryLaunch()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException(
                        "the executable in " + command + " is still being written after " + LIMIT);
            }
            LoopbackPort.pause();
        }
    }

    /**
     * Starts the server, and waits until it answers.
     *
     * @return {@code false} if the kernel reports that the executable is open for writing: a process that another thread of
     *     this JVM has just forked inherits the file handle of the unpacking, until it executes its own program
     */
    private boolean tryLaunch() {
        try {
            Process started = new ProcessBuilder(command)
                    .directory(directory.path().toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(
                            ProcessBuilder.Redirect.appendTo(directory.log().toFile()))
                    .start();
            process = started;
            guardian = Guardian.over(started.pid(), Signal.KILL, directory.path());
            if (awaitAnswer(started)) {
                return true;
            }
            awaitEnd();
            return false;
        } catch (IOException e) {
            if (String.valueOf(e.getMessage()).contains(BUSY)) {
                return false;
            }
            throw new IllegalStateException("cannot run " + command, e);
        }
    }

    private boolean awaitAnswer(Process started) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!answers()) {
            if (!started.isAlive()) {
                if (started.exitValue() == CANNOT_EXECUTE && directory.logTail().contains(BUSY)) {
                    return false;
                }
                throw new IllegalStateException("Redis ended with status " + started.exitValue() + " instead of serving"
                        + " port " + port() + "; its log:\n" + directory.logTail());
            }
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("Redis did not answer on port " + port() + " within " + LIMIT
                        + "; its log:\n" + directory.logTail());
            }
            LoopbackPort.pause();
        }
        return true;
    }

    private boolean answers() {
        String reply = ask("PING").stream().findFirst().orElse("");
        // A server that asks for a password is ready too.
        return reply.equals("PONG") || reply.startsWith("-NOAUTH");
    }

    /** The values of the server's reply to a command, as of {@link OwnSocket#ask}; empty if it does not answer. */
    List<String> ask(String... words) {
        return askWithPassword("", words);
    }

    List<String> askWithPassword(String password, String... words) {
        try (OwnSocket socket = OwnSocket.of(directory.path())) {
            if (!password.isEmpty()) {
                socket.ask("AUTH", password);
            }
            return socket.ask(words);
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The last lines of the server's log. */
    String logTail() {
        return directory.logTail();
    }

    private void awaitData() {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        // From the log, because the socket may ask for a password.
        while (!directory.logTail().contains(SYNCHRONISED)) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("the replica on port " + port() + " has no data after " + LIMIT
                        + "; its log:\n" + directory.logTail());
            }
            LoopbackPort.pause();
        }
    }

    private void awaitEnd() {
        if (process != null) {
            ProcessExit.await(process);
            process = null;
            frozen = false;
        }
        if (guardian != null) {
            guardian.dismiss();
            guardian = null;
        }
    }

    private Process running() {
        if (process == null || !process.isAlive()) {
            throw new IllegalStateException("the Redis of port " + port() + " is not running");
        }
        return process;
    }
}
