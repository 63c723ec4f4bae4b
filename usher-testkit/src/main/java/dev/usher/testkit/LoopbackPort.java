package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A TCP port on 127.0.0.1, reserved until it is {@linkplain #close closed}: no server of another JVM of the same user takes
 * it, also while nothing listens on it. A program that is not usher's may still take it; a server that finds its port taken
 * is {@linkplain #serve started on another}.
 *
 * <p>A reservation is the lock of one byte of a file that all JVMs share, so it ends with its JVM at the latest.
 */
final class LoopbackPort implements AutoCloseable {
    static final String HOST = "127.0.0.1";

    /** The same machine by IPv6, where there is such a device. */
    static final String HOST_6 = "::1";

    // Below the ephemeral ranges of Linux (32768) and macOS (49152), so that no outgoing connection takes the port of a
    // server that is down; and disjoint from itself plus 10000, where a Redis in cluster mode opens its bus.
    private static final int LOWEST = 12_768;
    private static final int HIGHEST = 22_767;

    private static final int MAX_STARTS = 10;

    private static final Duration POLL = Duration.ofMillis(5);

    /** The lock file; {@code null} where none can be written, and two JVMs may then choose the same port. */
    private static final @Nullable FileChannel RESERVATIONS = openReservations();

    private final int number;
    private final @Nullable FileLock reservation;

    private LoopbackPort(int number, @Nullable FileLock reservation) {
        this.number = number;
        this.reservation = reservation;
    }

    /** Reserves a port in 12768..22767 on which nothing listens at the moment. */
    static LoopbackPort reserve() {
        for (int attempt = 0; attempt < 1_000; attempt++) {
            LoopbackPort port = tryReserve(ThreadLocalRandom.current().nextInt(LOWEST, HIGHEST + 1));
            if (port != null) {
                return port;
            }
        }
        throw new IllegalStateException("no free port in " + LOWEST + ".." + HIGHEST + " on " + HOST);
    }

    /** As {@link #reserve}, with another port of this distance, on which nothing listens either. */
    static LoopbackPort reserveWith(int distance) {
        for (int attempt = 0; attempt < 1_000; attempt++) {
            LoopbackPort port = reserve();
            if (!isTaken(port.number + distance)) {
                return port;
            }
            port.close();
        }
        throw new IllegalStateException("no free pair of ports " + distance + " apart on " + HOST);
    }

    /** Reserves a port, or returns {@code null} when it is reserved already or something listens on it. */
    static @Nullable LoopbackPort tryReserve(int number) {
        LoopbackPort port;
        try {
            FileLock reservation = RESERVATIONS == null ? null : RESERVATIONS.tryLock(number, 1, false);
            if (reservation == null && RESERVATIONS != null) {
                return null;
            }
            port = new LoopbackPort(number, reservation);
        } catch (OverlappingFileLockException e) {
            return null; // reserved by this JVM
        } catch (IOException e) {
            throw new UncheckedIOException("cannot reserve port " + number, e);
        }
        if (port.isTaken()) {
            port.close();
            return null;
        }
        return port;
    }

    /**
     * Starts a server on a reserved port, and on another one, up to nine times, if the port has been taken meanwhile.
     *
     * @param ports reserves a port
     * @param start starts the server; when it fails, the reservation ends
     */
    static <S> S serve(Supplier<LoopbackPort> ports, Function<LoopbackPort, S> start) {
        for (int attempt = 1; ; attempt++) {
            LoopbackPort port = ports.get();
            try {
                return start.apply(port);
            } catch (RuntimeException e) {
                boolean taken = port.isTaken();
                port.close();
                if (!taken || attempt == MAX_STARTS) {
                    throw e;
                }
            }
        }
    }

    int number() {
        return number;
    }

    /** Whether another server is bound to this port. */
    boolean isTaken() {
        return isTaken(number);
    }

    private static boolean isTaken(int number) {
        try (ServerSocket probe = new ServerSocket(number, 1, address())) {
            return !probe.isBound();
        } catch (BindException e) {
            return true;
        } catch (IOException e) {
            throw new IllegalStateException("cannot probe port " + number, e);
        }
    }

    /** Ends the reservation. A second call does nothing. */
    @Override
    public void close() {
        if (reservation != null) {
            try {
                reservation.release();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot give port " + number + " back", e);
            }
        }
    }

    static InetAddress address() {
        return address(1);
    }

    /** Whether a server can listen on {@link #HOST_6}. */
    static boolean hasIpv6() {
        byte[] address = new byte[16];
        address[15] = 1;
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getByAddress(address))) {
            return probe.isBound();
        } catch (IOException e) {
            return false;
        }
    }

    /** An address of the loopback device, of which Linux has many, and macOS one. */
    static InetAddress address(int last) {
        try {
            return InetAddress.getByAddress(new byte[] {127, 0, 0, (byte) last});
        } catch (UnknownHostException e) {
            throw new IllegalStateException("the address has four bytes", e);
        }
    }

    /** Waits until connections to the port are refused, that is, until its server's death has reached the kernel. */
    static void awaitRefusal(int port, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!refuses(port)) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("port " + port + " still accepts connections after " + limit);
            }
            pause();
        }
    }

    /** The short pause between two polls of a state that sends no notification. */
    static void pause() {
        LockSupport.parkNanos(POLL.toNanos());
    }

    /** Whether connections to the port are refused. A frozen server accepts them, in its kernel. */
    static boolean refuses(int port) {
        try (Socket probe = new Socket(address(), port)) {
            return !probe.isConnected();
        } catch (ConnectException e) {
            return true;
        } catch (IOException e) {
            // A reset in the middle of the handshake: the server is dying, not yet dead.
            return false;
        }
    }

    private static @Nullable FileChannel openReservations() {
        return ServerDirectory.cache("ports")
                .map(directory -> {
                    try {
                        return FileChannel.open(
                                directory.resolve("reserved"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    } catch (IOException e) {
                        return null;
                    }
                })
                .orElse(null);
    }
}
