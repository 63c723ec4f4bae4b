package dev.usher.server;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Connections of one stranger who sends each request byte by byte, or stops in the middle. One thread serves them all. */
final class SlowRequests implements AutoCloseable {

    private static final Duration PAUSE = Duration.ofMillis(250);

    private static final int BODY = 60_000;

    /** What is sent slowly. */
    enum Kind {
        HEAD("POST /v1/login HTTP/1.1\r\nHost: usher\r\n", "X-Slow: "),
        BODY_BY_LENGTH(head("Content-Length: " + BODY), "{\"mobile\": \""),
        BODY_IN_CHUNKS(head("Transfer-Encoding: chunked"), "1\r\n{\r\n"),
        BODY_THAT_STOPS(head("Content-Length: " + BODY), "");

        private final String first;
        private final String then;

        Kind(String first, String then) {
            this.first = first;
            this.then = then;
        }

        private static String head(String field) {
            return "POST /v1/login HTTP/1.1\r\nHost: usher\r\nContent-Type: application/json\r\n" + field + "\r\n\r\n";
        }

        /** The byte of that number, after the first ones; none where it stops. */
        private byte[] next(int number) {
            if (then.isEmpty()) {
                return new byte[0];
            }
            byte[] bytes = then.getBytes(StandardCharsets.US_ASCII);
            if (this == BODY_IN_CHUNKS) {
                // A whole chunk takes as many steps as it has bytes.
                return new byte[] {bytes[number % bytes.length]};
            }
            return new byte[] {number < bytes.length ? bytes[number] : (byte) 'x'};
        }
    }

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final List<Sender> senders = new ArrayList<>();

    private static final class Sender {

        private final Kind kind;
        private final SocketChannel channel;
        private final long begunAt = System.nanoTime();
        private final ByteBuffer answer = ByteBuffer.allocate(4096);
        private int sent;
        private volatile Duration cutOffAfter = Duration.ZERO;

        private Sender(Kind kind, InetSocketAddress address) throws IOException {
            this.kind = kind;
            this.channel = SocketChannel.open(address);
            channel.write(ByteBuffer.wrap(kind.first.getBytes(StandardCharsets.US_ASCII)));
            channel.configureBlocking(false);
        }

        private boolean isCutOff() {
            return !cutOffAfter.isZero();
        }

        private void step() {
            if (isCutOff()) {
                return;
            }
            try {
                answer.clear();
                if (channel.read(answer) < 0) {
                    cutOff();
                    return;
                }
                channel.write(ByteBuffer.wrap(kind.next(sent++)));
            } catch (IOException e) {
                cutOff();
            }
        }

        private void cutOff() {
            cutOffAfter = Duration.ofNanos(System.nanoTime() - begunAt);
        }
    }

    /** Connects so many, of each kind alike. */
    SlowRequests(int count, URI server) throws IOException {
        InetSocketAddress address = new InetSocketAddress(server.getHost(), server.getPort());
        for (int i = 0; i < count; i++) {
            senders.add(new Sender(Kind.values()[i % Kind.values().length], address));
        }
        var unused = timer.scheduleAtFixedRate(
                () -> senders.forEach(Sender::step), 0, PAUSE.toMillis(), TimeUnit.MILLISECONDS);
    }

    long notCutOff() {
        return senders.stream().filter(sender -> !sender.isCutOff()).count();
    }

    /** How long the one of them lived that was cut off last. */
    Duration longest() {
        return senders.stream()
                .map(sender -> sender.cutOffAfter)
                .max(Duration::compareTo)
                .orElse(Duration.ZERO);
    }

    /** Who has not been cut off, by what they send. */
    String remaining() {
        return Arrays.toString(senders.stream()
                .filter(sender -> !sender.isCutOff())
                .map(sender -> sender.kind)
                .distinct()
                .toArray());
    }

    @Override
    public void close() throws IOException {
        timer.shutdownNow();
        for (Sender sender : senders) {
            sender.channel.close();
        }
    }
}
