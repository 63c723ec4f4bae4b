package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A TCP proxy on a free port of 127.0.0.1 that forwards every byte, in order, until a test makes it delay, hold or lose them.
 *
 * <pre>{@code
 * try (FaultProxy proxy = FaultProxy.inFrontOf(redis.host(), redis.port())) {
 *     proxy.delay(Duration.ofMillis(50));               // a slow network
 *     proxy.freeze(Direction.TO_CLIENT);                // commands arrive, replies do not
 *     proxy.cutAfter(Direction.TO_CLIENT, 3);           // the connection breaks within a reply
 *     proxy.restore();                                  // a good network again
 * }
 * }</pre>
 *
 * <p>A fault holds for current and future connections, until it is taken back. Bytes that are held back stay in order, the end
 * of the stream included. The proxy holds up to 8 MiB for each connection and direction; beyond that, TCP slows down the
 * sender.
 *
 * <p>Thread-safe. The proxy has its own daemon threads, four for each connection, which end with {@link #close}.
 */
public final class FaultProxy implements AutoCloseable {
    /** The way bytes take through the proxy. */
    public enum Direction {
        /** From the client of the proxy to the server behind it. */
        TO_SERVER,
        /** From the server behind the proxy to the client. */
        TO_CLIENT
    }

    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final int BACKLOG = 128;

    private final LoopbackPort port;
    private final Faults toServer = new Faults();
    private final Faults toClient = new Faults();
    private final Set<ProxiedConnection> connections = ConcurrentHashMap.newKeySet();
    private final ExecutorService threads;

    private volatile InetSocketAddress server;
    private volatile Set<InetAddress> unheard = Set.of();
    private volatile Map<Integer, Integer> renamed = Map.of();
    private @Nullable Listener listener;
    private boolean closed;

    private FaultProxy(LoopbackPort port, InetSocketAddress server) {
        this.port = port;
        this.server = server;
        this.threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "fault-proxy-" + port());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Starts a proxy without faults. The server need not run yet; each connection to the proxy opens one to it. */
    public static FaultProxy inFrontOf(String host, int port) {
        return LoopbackPort.serve(LoopbackPort::reserve, own -> start(own, host, port));
    }

    static FaultProxy start(LoopbackPort own, String host, int port) {
        FaultProxy proxy = new FaultProxy(own, new InetSocketAddress(host, port));
        proxy.listen();
        return proxy;
    }

    /** The address the proxy listens on, 127.0.0.1. */
    public String host() {
        return LoopbackPort.HOST;
    }

    /** The port the proxy listens on; the same for the life of this object. */
    public int port() {
        return port.number();
    }

    /** The number of connections that clients have through the proxy at the moment. */
    public int connections() {
        return connections.size();
    }

    /**
     * Has new connections lead to another server, as when a name is given another address. Those that clients have stay where they are, until they end.
     */
    public void pointTo(String host, int port) {
        server = new InetSocketAddress(host, port);
    }

    /** Has servers named by other ports in what the server says over connections that are made from now on: see {@link RenamedPorts}. */
    void rename(Map<Integer, Integer> ports) {
        renamed = Map.copyOf(ports);
    }

    /** Delays in both directions: see {@link #delay(Direction, Duration)}. */
    public void delay(Duration delay) {
        delay(Direction.TO_SERVER, delay);
        delay(Direction.TO_CLIENT, delay);
    }

    /**
     * Forwards bytes that arrive from now on no sooner than {@code delay} after their arrival.
     *
     * @param delay zero for none
     * @throws IllegalArgumentException if the delay is negative
     */
    public void delay(Direction direction, Duration delay) {
        if (delay.isNegative()) {
            throw new IllegalArgumentException("a negative delay: " + delay);
        }
        faults(direction).delay(delay);
    }

    /** Freezes both directions: see {@link #freeze(Direction)}. */
    public void freeze() {
        freeze(Direction.TO_SERVER);
        freeze(Direction.TO_CLIENT);
    }

    /**
     * Accepts connections and bytes, and forwards neither bytes nor the end of a stream, until {@link #thaw}: each side sees an
     * open connection without traffic. At most the bytes being written during this call still pass.
     */
    public void freeze(Direction direction) {
        faults(direction).freeze();
    }

    /** Takes {@link #freeze()} back in both directions. */
    public void thaw() {
        thaw(Direction.TO_SERVER);
        thaw(Direction.TO_CLIENT);
    }

    /** Takes {@link #freeze(Direction)} back, and forwards what was held. */
    public void thaw(Direction direction) {
        faults(direction).thaw();
        connections.forEach(connection -> connection.wake(direction));
    }

    /**
     * Drops all bytes of the current connections from now on, the end of a stream included. Each side sees an open connection
     * that stays silent, as when the other machine was switched off, or a firewall between them has dropped the connection. New
     * connections work. {@link #restore} does not take it back.
     */
    public void swallow() {
        connections.forEach(ProxiedConnection::swallow);
    }

    /**
     * Drops all bytes of connections from these addresses, present and future ones, as {@link #swallow} does. The connections of
     * addresses that are heard again are closed, since bytes of theirs are lost.
     *
     * @param addresses of clients; those of an earlier call that are not among them are heard again
     */
    void unhear(Set<InetAddress> addresses) {
        Set<InetAddress> before = unheard;
        unheard = Set.copyOf(addresses);
        for (ProxiedConnection connection : connections) {
            if (addresses.contains(connection.client())) {
                connection.swallow();
            } else if (before.contains(connection.client())) {
                connection.close();
            }
        }
    }

    /** Closes all current connections on both sides, frozen or not; bytes in transit are lost. New connections work. */
    public void cut() {
        connections.forEach(ProxiedConnection::close);
    }

    /**
     * Lets {@code bytes} more bytes pass, counted over all connections, then closes the connection that carried the last
     * of them, on both sides; the others go on. It happens once. With zero, the connection is closed instead of
     * forwarding the next byte.
     *
     * @throws IllegalArgumentException if the number is negative
     */
    public void cutAfter(Direction direction, long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("a negative number of bytes: " + bytes);
        }
        faults(direction).cutAfter(bytes);
    }

    /** Closes all current connections, and has the kernel refuse new ones, until {@link #restore}. */
    public synchronized void refuse() {
        if (listener != null) {
            listener.close();
            listener = null;
        }
        // The listener has ended, so no connection can be added after the cut.
        cut();
    }

    /**
     * Takes every fault back: new connections are accepted, nothing is delayed, held or about to be cut. Current
     * connections stay.
     *
     * @throws IllegalStateException if the proxy is closed
     */
    public synchronized void restore() {
        if (closed) {
            throw new IllegalStateException("the proxy on port " + port() + " is closed");
        }
        delay(Duration.ZERO);
        toServer.neverCut();
        toClient.neverCut();
        thaw();
        if (listener == null) {
            listen();
        }
    }

    /** Closes all connections and the port, and waits for the proxy's threads to end. A second call does nothing. */
    @Override
    public synchronized void close() {
        closed = true;
        refuse();
        threads.shutdown();
        try {
            if (!threads.awaitTermination(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                throw new IllegalStateException("threads of the proxy on port " + port() + " still run after " + LIMIT);
            }
        } catch (InterruptedException e) {
            threads.shutdownNow();
            Thread.currentThread().interrupt();
        }
        port.close();
    }

    private Faults faults(Direction direction) {
        return direction == Direction.TO_SERVER ? toServer : toClient;
    }

    private synchronized void listen() {
        try {
            ServerSocket socket = new ServerSocket();
            // Former connections of the port may linger in the kernel; they must not prevent it from being opened
            // again.
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(LoopbackPort.address(), port()), BACKLOG);
            listener = new Listener(socket, CompletableFuture.runAsync(() -> accept(socket), threads));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot listen on port " + port(), e);
        }
    }

    private void accept(ServerSocket socket) {
        while (true) {
            try {
                Socket client = socket.accept();
                ProxiedConnection connection = new ProxiedConnection(
                        client, server, toServer, toClient, new RenamedPorts(renamed), connections::remove);
                connections.add(connection);
                if (unheard.contains(connection.client())) {
                    connection.swallow();
                }
                connection.start(threads);
            } catch (IOException e) {
                if (socket.isClosed()) {
                    return;
                }
                throw new UncheckedIOException("cannot accept on port " + port(), e);
            }
        }
    }

    /** An open port and the task that accepts connections on it. */
    private record Listener(ServerSocket socket, CompletableFuture<Void> accepting) {
        void close() {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot close " + socket, e);
            }
            accepting.join();
        }
    }
}
