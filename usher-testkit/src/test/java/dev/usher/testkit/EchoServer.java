package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** A TCP server that echoes bytes, and counts them. */
final class EchoServer implements AutoCloseable {
    private final ServerSocket listener = new ServerSocket(0, 50, LoopbackPort.address());
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicLong received = new AtomicLong();
    private final CompletableFuture<Void> accepting;

    EchoServer() throws IOException {
        accepting = CompletableFuture.runAsync(this::accept, threads);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** The number of connections not yet closed by the other side. */
    int connections() {
        return sockets.size();
    }

    long received() {
        return received.get();
    }

    private void accept() {
        try {
            while (true) {
                Socket socket = listener.accept();
                sockets.add(socket);
                threads.execute(() -> echo(socket));
            }
        } catch (IOException e) {
            if (!listener.isClosed()) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private void echo(Socket socket) {
        byte[] buffer = new byte[4096];
        try (socket) {
            int length;
            while ((length = socket.getInputStream().read(buffer)) >= 0) {
                received.addAndGet(length);
                socket.getOutputStream().write(buffer, 0, length);
            }
        } catch (IOException e) {
            // The client is gone: the tests break its connection.
        } finally {
            sockets.remove(socket);
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        // Until its thread has noticed, the kernel may accept another connection.
        accepting.join();
        for (Socket socket : sockets) {
            socket.close();
        }
        threads.shutdown();
    }
}
