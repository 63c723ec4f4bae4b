package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redis.embedded.core.ExecutableProvider;

/**
 * A real Redis 6.2 in its own process, on a free port of 127.0.0.1, that keeps nothing on disk.
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
 * <p>On Linux amd64 the binary needs the shared libraries of OpenSSL 3.
 *
 * <p>Thread-safe. Methods that must wait for the server give up with an {@link IllegalStateException} after 20 s.
 */
public final class RedisServer implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    /**
     * The error of the kernel for an executable that is open for writing (ETXTBSY), and the exit status of {@code setsid} in
     * that case.
     */
    private static final String BUSY = "Text file busy";

    private static final int CANNOT_EXECUTE = 126;

    private static final String SOCKET = "redis.sock";

    /** Part of util-linux; macOS has none. */
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    private final LoopbackPort port;
    private final ServerDirectory directory;
    private final String executable;
    private final ShutdownHook shutdownHook = new ShutdownHook("redis-shutdown", this::end);

    private @Nullable Process process;
    private @Nullable Guardian guardian;
    private boolean closed;

    private RedisServer(LoopbackPort port, ServerDirectory directory, String executable) {
        this.port = port;
        this.directory = directory;
        this.executable = executable;
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

    static RedisServer start(LoopbackPort port, String... directives) {
        ServerDirectory directory = ServerDirectory.create("usher-redis-");
        try {
            List<String> settings = new ArrayList<>(List.of(
                    "bind " + LoopbackPort.HOST,
                    "port " + port.number(),
                    "unixsocket " + SOCKET,
                    "save \"\"",
                    "appendonly no",
                    "dir \"" + directory.path() + "\""));
            settings.addAll(List.of(directives));
            Files.write(directory.path().resolve("redis.conf"), settings);
            String executable = ExecutableProvider.newJarResourceProvider(
                            directory.path().toFile())
                    .get()
                    .getPath();
            RedisServer server = new RedisServer(port, directory, executable);
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

    /** The address the server listens on, 127.0.0.1. */
    public String host() {
        return LoopbackPort.HOST;
    }

    /** The port the server listens on; the same for the life of this object. */
    public int port() {
        return port.number();
    }

    /** The server as {@code redis://127.0.0.1:port}, without a password. */
    public String uri() {
        return "redis://" + host() + ":" + port();
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
    }

    /**
     * Lets a frozen server go on; it answers what came in meanwhile. Does nothing to a server that is not frozen.
     *
     * @throws IllegalStateException if the server is not running
     */
    public synchronized void thaw() {
        Signal.CONT.sendTo(running().pid());
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
                throw new IllegalStateException(executable + " is still being written after " + LIMIT);
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
            // In its own session: Ctrl-C in the terminal of this JVM would end the server before its users.
            Process started = new ProcessBuilder(
                            Files.isExecutable(SETSID)
                                    ? List.of(SETSID.toString(), executable, "redis.conf")
                                    : List.of(executable, "redis.conf"))
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
            throw new IllegalStateException("cannot run " + executable, e);
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

    /** Asks over the socket in the server's own directory: on the port, another program might answer. */
    private boolean answers() {
        UnixDomainSocketAddress own =
                UnixDomainSocketAddress.of(directory.path().resolve(SOCKET));
        try (SocketChannel channel = SocketChannel.open(own)) {
            channel.write(ByteBuffer.wrap("PING\r\n".getBytes(StandardCharsets.US_ASCII)));
            channel.configureBlocking(false);
            ByteBuffer buffer = ByteBuffer.allocate(64);
            long deadline = System.nanoTime() + ANSWER_LIMIT.toNanos();
            while (channel.read(buffer) == 0 && System.nanoTime() - deadline < 0) {
                LoopbackPort.pause();
            }
            String reply = new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII);
            // A server that asks for a password is ready too.
            return reply.startsWith("+PONG") || reply.startsWith("-NOAUTH");
        } catch (IOException e) {
            return false;
        }
    }

    private void awaitEnd() {
        if (process != null) {
            ProcessExit.await(process);
            process = null;
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
