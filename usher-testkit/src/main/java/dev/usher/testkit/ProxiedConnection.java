package dev.usher.testkit;

import dev.usher.testkit.FaultProxy.Direction;
import dev.usher.testkit.HeldBytes.Kind;
import dev.usher.testkit.HeldBytes.Parcel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * A client's connection to a {@link FaultProxy}, and the matching connection from the proxy to the server. In each direction
 * one thread reads and one writes, with {@link HeldBytes} between them. Thread-safe.
 */
final class ProxiedConnection {
    private static final int READ_SIZE = 16 * 1024;
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final Socket client;
    private final InetAddress clientAddress;
    private final Socket server = new Socket();
    private final InetSocketAddress serverAddress;
    private final HeldBytes toServer;
    private final HeldBytes toClient;
    private final RenamedPorts renamed;
    private final Consumer<ProxiedConnection> whenClosed;
    private final CountDownLatch dialled = new CountDownLatch(1);
    private final AtomicInteger openDirections = new AtomicInteger(2);
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile boolean swallowing;

    ProxiedConnection(
            Socket client,
            InetSocketAddress serverAddress,
            Faults toServer,
            Faults toClient,
            RenamedPorts renamed,
            Consumer<ProxiedConnection> whenClosed) {
        this.client = client;
        this.clientAddress = client.getInetAddress();
        this.serverAddress = serverAddress;
        this.toServer = new HeldBytes(toServer);
        this.toClient = new HeldBytes(toClient);
        this.renamed = renamed;
        this.whenClosed = whenClosed;
    }

    void start(Executor threads) {
        threads.execute(() -> run(() -> read(client, toServer, new RenamedPorts(Map.of()))));
        threads.execute(() -> run(() -> {
            dialled.await();
            write(toServer, server);
        }));
        threads.execute(() -> run(() -> {
            if (dial()) {
                read(server, toClient, renamed);
            }
        }));
        threads.execute(() -> run(() -> write(toClient, client)));
    }

    void wake(Direction direction) {
        (direction == Direction.TO_SERVER ? toServer : toClient).wake();
    }

    /** The address that the client connects from. */
    InetAddress client() {
        return clientAddress;
    }

    void swallow() {
        swallowing = true;
    }

    void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        try (client;
                server) {
            toServer.close();
            toClient.close();
            dialled.countDown();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot close a connection to " + serverAddress, e);
        } finally {
            whenClosed.accept(this);
        }
    }

    private boolean dial() throws InterruptedException {
        try {
            server.connect(serverAddress);
            // Otherwise the kernel would delay small replies by 40 ms, waiting for more bytes.
            server.setTcpNoDelay(true);
            client.setTcpNoDelay(true);
            dialled.countDown();
            return true;
        } catch (IOException e) {
            // The client sees a broken connection, subject to the faults: later if delayed, and not while its direction
            // is frozen.
            toClient.add(Kind.BREAK, NOTHING);
            return false;
        }
    }

    private static void read(Socket source, HeldBytes held, RenamedPorts renamed) throws InterruptedException {
        byte[] buffer = new byte[READ_SIZE];
        try {
            InputStream in = source.getInputStream();
            int length;
            while ((length = in.read(buffer)) >= 0) {
                hold(held, renamed.next(buffer, length));
            }
            hold(held, renamed.last());
            held.add(Kind.END, NOTHING);
        } catch (IOException e) {
            held.add(Kind.BREAK, NOTHING);
        }
    }

    private static void hold(HeldBytes held, byte[] bytes) throws InterruptedException {
        if (bytes.length > 0) {
            held.add(Kind.BYTES, ByteBuffer.wrap(bytes));
        }
    }

    private void write(HeldBytes held, Socket sink) throws IOException, InterruptedException {
        Parcel parcel;
        while ((parcel = held.take()) != null) {
            if (swallowing) {
                continue;
            }
            switch (parcel.kind()) {
                case BYTES -> {
                    Faults.Passage passage = held.faults().pass(parcel.bytes().remaining());
                    OutputStream out = sink.getOutputStream();
                    out.write(parcel.bytes().array(), 0, passage.bytes());
                    if (passage.thenCut()) {
                        close();
                        return;
                    }
                }
                case END -> {
                    sink.shutdownOutput();
                    if (openDirections.decrementAndGet() == 0) {
                        close();
                    }
                    return;
                }
                case BREAK -> {
                    close();
                    return;
                }
            }
        }
    }

    private void run(Transfer transfer) {
        try {
            transfer.run();
        } catch (IOException e) {
            // The receiving side has closed its connection.
            close();
        } catch (InterruptedException e) {
            close();
            Thread.currentThread().interrupt();
        }
    }

    /** The work of one thread. */
    @FunctionalInterface
    private interface Transfer {
        void run() throws IOException, InterruptedException;
    }
}
