package dev.usher.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** A TCP client that exchanges lines, as Redis does, and reports a broken or silent connection as text. */
final class LineClient implements AutoCloseable {
    static final String NOTHING = "(nothing)";
    static final String BROKEN = "(broken)";

    private final Socket socket;

    LineClient(int port) throws IOException {
        socket = new Socket(LoopbackPort.address(), port);
    }

    LineClient send(String line) throws IOException {
        socket.getOutputStream().write((line + "\r\n").getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    String ask(String line) throws IOException {
        return send(line).reply();
    }

    /** The next line, or its part before the connection broke, followed by {@link #BROKEN}. */
    String reply() throws IOException {
        return reply(Duration.ofSeconds(20));
    }

    /** As {@link #reply()}, or {@link #NOTHING} if no byte arrives within the time. */
    String reply(Duration limit) throws IOException {
        socket.setSoTimeout((int) limit.toMillis());
        StringBuilder line = new StringBuilder();
        try {
            InputStream in = socket.getInputStream();
            int next;
            while ((next = in.read()) != '\n') {
                if (next < 0) {
                    return line + BROKEN;
                }
                if (next != '\r') {
                    line.append((char) next);
                }
            }
            return line.toString();
        } catch (SocketTimeoutException e) {
            return NOTHING;
        } catch (SocketException e) {
            return line + BROKEN;
        }
    }

    Socket socket() {
        return socket;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
