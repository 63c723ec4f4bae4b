package dev.usher.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.impl.io.DefaultBHttpClientConnection;
import org.apache.hc.core5.http.impl.io.HttpRequestExecutor;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.apache.hc.core5.http.protocol.HttpCoreContext;
import org.apache.hc.core5.io.CloseMode;

/** A GET with a bearer token. Each caller keeps its own connection. Thread-safe. */
final class HttpCall implements Call, AutoCloseable {

    private static final String HOST = "127.0.0.1";

    private final JavaProcess server;
    private final int port;
    private final String path;
    private final String token;
    private final HttpRequestExecutor executor = new HttpRequestExecutor();
    private final Queue<DefaultBHttpClientConnection> connections = new ConcurrentLinkedQueue<>();
    private final ThreadLocal<DefaultBHttpClientConnection> connection = ThreadLocal.withInitial(this::connect);

    HttpCall(JavaProcess server, int port, String path, String token) {
        this.server = server;
        this.port = port;
        this.path = path;
        this.token = token;
    }

    @Override
    public void make(SplittableRandom random) throws IOException, HttpException {
        try (ClassicHttpResponse response = executor.execute(
                ClassicRequestBuilder.get(path)
                        .setHeader("Host", HOST + ":" + port)
                        .setHeader("Authorization", "Bearer " + token)
                        .build(),
                connection.get(),
                HttpCoreContext.create())) {
            EntityUtils.consume(response.getEntity());
            if (response.getCode() != 200) {
                throw new IOException(path + " answered " + response.getCode());
            }
        }
    }

    @Override
    public long processorNanos() {
        return server.processorNanos();
    }

    private DefaultBHttpClientConnection connect() {
        try {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setTcpNoDelay(true);
            DefaultBHttpClientConnection connected = new DefaultBHttpClientConnection(null);
            connected.bind(socket);
            connections.add(connected);
            return connected;
        } catch (IOException e) {
            throw new UncheckedIOException("no connection to the server", e);
        }
    }

    @Override
    public void close() {
        connections.forEach(connected -> connected.close(CloseMode.IMMEDIATE));
    }
}
