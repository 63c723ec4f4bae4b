package dev.usher.server;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Clients that send a request slowly, or do not take its answer: each a connection to which a byte is written now and then. */
public final class SlowSenders implements AutoCloseable {

    private static final long PAUSE_MILLIS = 100;
    private static final String JSON = "Host: localhost\r\nContent-Type: application/json\r\n";

    /** How a client is slow. */
    public enum Kind {
        A_HEAD_BYTE_BY_BYTE("GET /v1/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "x"),
        A_HEAD_THAT_STOPS("GET /v1/me HTTP/1.1\r\nHost: loc", ""),
        HEADERS_WITHOUT_END("GET /v1/me HTTP/1.1\r\nHost: localhost\r\n", "a: b\r\n"),
        EMPTY_LINES_BEFORE_A_HEAD("\r\n", "\r\n"),
        NOTHING("", ""),
        A_BODY_BYTE_BY_BYTE("POST /v1/login HTTP/1.1\r\n" + JSON + "Content-Length: 60000\r\n\r\n{", " "),
        A_BODY_THAT_STOPS("POST /v1/users HTTP/1.1\r\n" + JSON + "Content-Length: 60000\r\n\r\n{", ""),
        A_BODY_OF_A_CALL_WITHOUT_ITS_TOKEN("PATCH /v1/me HTTP/1.1\r\n" + JSON + "Content-Length: 9000\r\n\r\n", " "),
        A_BODY_OF_A_CALL_THAT_TAKES_NONE(
                "GET /actuator/health HTTP/1.1\r\n" + JSON + "Content-Length: 90\r\n\r\n", " "),
        A_BODY_FOR_AN_ADDRESS_THAT_IS_NONE("PUT /nowhere HTTP/1.1\r\n" + JSON + "Content-Length: 90\r\n\r\n", " "),
        A_BODY_OF_A_METHOD_THAT_IS_REFUSED("TRACE /v1/me HTTP/1.1\r\n" + JSON + "Content-Length: 90\r\n\r\n", ""),
        A_BODY_OF_AN_ADDRESS_THAT_IS_REFUSED(
                "POST /v1;a/login HTTP/1.1\r\n" + JSON + "Content-Length: 90\r\n\r\n", " "),
        A_BODY_THAT_IS_TOO_LARGE("POST /v1/login HTTP/1.1\r\n" + JSON + "Content-Length: 70000\r\n\r\n", " "),
        A_BODY_THAT_IS_FAR_TOO_LARGE("POST /v1/login HTTP/1.1\r\n" + JSON + "Content-Length: 70000000\r\n\r\n", ""),
        A_BODY_THAT_WAITS_TO_BE_ASKED_FOR(
                "POST /v1/login HTTP/1.1\r\n" + JSON + "Content-Length: 90\r\nExpect: 100-continue\r\n\r\n", ""),
        A_CHUNK_BYTE_BY_BYTE(chunked("ffff\r\n"), " "),
        THE_LENGTH_OF_A_CHUNK(chunked(""), "0"),
        THE_EXTENSION_OF_A_CHUNK(chunked("1;a="), "b"),
        TRAILERS(chunked("2\r\n{}\r\n0\r\n"), "a: b\r\n"),
        ANSWERS_THAT_ARE_NOT_READ("GET /v3/api-docs HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(90), ""),
        ANSWERS_THAT_ARE_READ_SLOWLY("GET /v3/api-docs HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(90), ""),
        ANSWERS_TO_BODIES_THAT_ARE_NOT_READ(
                "GET /v3/api-docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n ".repeat(90), "");

        private final String start;
        private final String next;

        Kind(String start, String next) {
            this.start = start;
            this.next = next;
        }

        /** Whether the client reads nothing of the answer. */
        public boolean isNotRead() {
            return this == ANSWERS_THAT_ARE_NOT_READ || this == ANSWERS_TO_BODIES_THAT_ARE_NOT_READ;
        }

        private static String chunked(String body) {
            return "POST /v1/login HTTP/1.1\r\n" + JSON + "Transfer-Encoding: chunked\r\n\r\n" + body;
        }
    }

    /** One client. */
    public static final class Sender {

        private final Kind kind;
        private final SocketChannel channel;
        private final StringBuilder answer = new StringBuilder();
        private final long begin = System.nanoTime();
        private volatile Duration cutOffAfter = Duration.ZERO;

        private Sender(Kind kind, int port) throws IOException {
            this.kind = kind;
            channel = SocketChannel.open();
            if (kind.isNotRead() || kind == Kind.ANSWERS_THAT_ARE_READ_SLOWLY) {
                channel.setOption(StandardSocketOptions.SO_RCVBUF, 1024);
            }
            channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            channel.write(ByteBuffer.wrap(kind.start.getBytes(US_ASCII)));
            channel.configureBlocking(false);
        }

        public Kind kind() {
            return kind;
        }

        public boolean isCutOff() {
            return !cutOffAfter.isZero();
        }

        public Duration cutOffAfter() {
            return cutOffAfter;
        }

        /** The answers so far, of a client that reads. */
        public synchronized String answer() {
            return answer.toString();
        }

        /** All that the server has answered, to a client that has been cut off. */
        public synchronized String rest() throws IOException {
            channel.configureBlocking(true);
            while (!isCutOff()) {
                goOn();
            }
            return answer();
        }

        private synchronized void goOn() {
            if (isCutOff()) {
                return;
            }
            try {
                if (kind.isNotRead()) {
                    return;
                }
                ByteBuffer read = ByteBuffer.allocate(2048);
                int count = channel.read(read);
                if (count < 0) {
                    cutOffAfter = Duration.ofNanos(System.nanoTime() - begin);
                } else {
                    answer.append(ISO_8859_1.decode(read.flip()));
                    channel.write(ByteBuffer.wrap(kind.next.getBytes(US_ASCII)));
                }
            } catch (IOException e) {
                cutOffAfter = Duration.ofNanos(System.nanoTime() - begin);
            }
        }
    }

    private final List<Sender> senders = new CopyOnWriteArrayList<>();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();

    /** Begins to send. */
    public SlowSenders(int port, List<Kind> kinds, int each) throws IOException {
        // Before the first connection: one that is not fed while the others are made would be cut off for its silence.
        var unused = timer.scheduleAtFixedRate(
                () -> senders.forEach(Sender::goOn), PAUSE_MILLIS, PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        for (Kind kind : kinds) {
            for (int i = 0; i < each; i++) {
                senders.add(new Sender(kind, port));
            }
        }
    }

    /** All of them. */
    public List<Sender> all() {
        return senders;
    }

    @Override
    public void close() {
        timer.shutdownNow();
        for (Sender sender : senders) {
            try {
                sender.channel.close();
            } catch (IOException e) {
                // It was cut off.
            }
        }
    }
}
