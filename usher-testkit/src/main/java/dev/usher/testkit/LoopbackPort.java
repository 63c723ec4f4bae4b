package dev.usher.testkit;

import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/** The choice and the watching of a TCP port on 127.0.0.1. */
final class LoopbackPort {
    static final String HOST = "127.0.0.1";

    // Below the ephemeral ranges of Linux (32768) and macOS (49152), so that no outgoing connection takes the port of a
    // server that is down; and disjoint from itself plus 10000, where a Redis in cluster mode opens its bus.
    private static final int LOWEST = 12_768;
    private static final int HIGHEST = 22_767;

    private static final Duration POLL = Duration.ofMillis(5);

    private LoopbackPort() {}

    /** A port nobody listens on at the moment, in 12768..22767. */
    static int free() {
        for (int attempt = 0; attempt < 1_000; attempt++) {
            int port = ThreadLocalRandom.current().nextInt(LOWEST, HIGHEST + 1);
            if (isFree(port)) {
                return port;
            }
        }
        throw new IllegalStateException("no free port in " + LOWEST + ".." + HIGHEST + " on " + HOST);
    }

    static InetAddress address() {
        try {
            return InetAddress.getByAddress(HOST, new byte[] {127, 0, 0, 1});
        } catch (UnknownHostException e) {
            throw new IllegalStateException(HOST + " has four bytes", e);
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

    /** The short wait between two looks at something that reports no change by itself. */
    static void pause() {
        LockSupport.parkNanos(POLL.toNanos());
    }

    private static boolean isFree(int port) {
        try (ServerSocket probe = new ServerSocket(port, 1, address())) {
            return probe.isBound();
        } catch (BindException e) {
            return false;
        } catch (IOException e) {
            throw new IllegalStateException("cannot probe port " + port, e);
        }
    }

    /** Whether nobody listens on the port. A frozen server still does, in its kernel. */
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
}
