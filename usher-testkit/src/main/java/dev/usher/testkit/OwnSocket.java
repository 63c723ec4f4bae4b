package dev.usher.testkit;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A connection to a Redis or a Sentinel over the socket in its own directory: on its port, another program might answer, or
 * ask for TLS. Not thread-safe.
 */
final class OwnSocket implements AutoCloseable {
    /** The name of the socket, in the directory of the server. */
    static final String NAME = "redis.sock";

    private static final Duration LIMIT = Duration.ofSeconds(1);

    private final SocketChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocate(4096).flip();

    private OwnSocket(SocketChannel channel) {
        this.channel = channel;
    }

    static OwnSocket of(Path directory) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve(NAME)));
        channel.configureBlocking(false);
        return new OwnSocket(channel);
    }

    /**
     * Sends a command and waits for its reply.
     *
     * @return the values of the reply in their order, without their nesting; an error is one value that begins with
     *     {@code -}
     * @throws IOException if the connection breaks, or nothing arrives for a second
     */
    List<String> ask(String... words) throws IOException {
        StringBuilder command = new StringBuilder("*" + words.length + "\r\n");
        for (String word : words) {
            int bytes = word.getBytes(StandardCharsets.UTF_8).length;
            command.append('$').append(bytes).append("\r\n").append(word).append("\r\n");
        }
        ByteBuffer out = ByteBuffer.wrap(command.toString().getBytes(StandardCharsets.UTF_8));
        while (out.hasRemaining()) {
            channel.write(out);
        }
        List<String> values = new ArrayList<>();
        readInto(values);
        return values;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private void readInto(List<String> values) throws IOException {
        String line = line();
        switch (line.charAt(0)) {
            case '*' -> {
                for (int left = Integer.parseInt(line.substring(1)); left > 0; left--) {
                    readInto(values);
                }
            }
            case '$' -> {
                int length = Integer.parseInt(line.substring(1));
                if (length >= 0) {
                    byte[] bytes = new byte[length];
                    for (int i = 0; i < length; i++) {
                        bytes[i] = next();
                    }
                    line();
                    values.add(new String(bytes, StandardCharsets.UTF_8));
                }
            }
            case '-' -> values.add(line);
            default -> values.add(line.substring(1));
        }
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (byte next = next(); next != '\n'; next = next()) {
            if (next != '\r') {
                line.append((char) next);
            }
        }
        return line.toString();
    }

    private byte next() throws IOException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!buffer.hasRemaining()) {
            buffer.clear();
            int read = channel.read(buffer);
            buffer.flip();
            if (read < 0) {
                throw new EOFException("the server has closed the connection");
            }
            if (read == 0) {
                if (System.nanoTime() - deadline > 0) {
                    throw new IOException("nothing arrived for " + LIMIT);
                }
                LoopbackPort.pause();
            }
        }
        return buffer.get();
    }
}
