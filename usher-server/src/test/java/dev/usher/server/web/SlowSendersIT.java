package dev.usher.server.web;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Node;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.Shared;
import dev.usher.server.SlowSenders;
import dev.usher.server.SlowSenders.Kind;
import dev.usher.server.SlowSenders.Sender;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Clients that send slowly, or do not read, hold no thread, and are cut off in time: there are many more of them than
 * threads, and the server goes on.
 */
class SlowSendersIT {

    private static final int EACH = 40;

    /** For all kinds at once. */
    private static final int SOME_OF_EACH = 16;

    private static final int CALLS = 20;

    /** Of a call of a known user while the clients send, on a busy machine. */
    private static final Duration LONGEST_CALL = Duration.ofSeconds(2);

    /** The deadline, and how long it may take until it is looked at. */
    private static final Duration LATEST_CUT_OFF = Duration.ofSeconds(5);

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Node node = Fragile.whole().node();

    @Test
    void ofAllKindsAtOnceNoneHoldsAThreadAndAllAreCutOff() throws IOException {
        run(List.of(Kind.values()), SOME_OF_EACH);
    }

    @ParameterizedTest
    @EnumSource
    @Tag("thorough") // the same for one kind after the other, to see which
    void noneOfOneKindHoldsAThreadAndAllAreCutOff(Kind kind) throws IOException {
        run(List.of(kind), EACH);
    }

    private void run(List<Kind> kinds, int each) throws IOException {
        String token = node.register().token();
        node.get("/v1/me", token).with(200);
        node.get("/v3/api-docs", null).with(200);
        try (SlowSenders senders = new SlowSenders(node.address("/").getPort(), kinds, each)) {
            List<Duration> calls = new ArrayList<>();
            for (int i = 0; i < CALLS; i++) {
                for (String path : List.of("/v1/me", "/actuator/health")) {
                    long begin = System.nanoTime();
                    node.send(node.request("GET", path, null, token).timeout(PATIENCE))
                            .with(200);
                    calls.add(Duration.ofNanos(System.nanoTime() - begin));
                }
            }
            await().atMost(PATIENCE).until(() -> readers(senders).allMatch(Sender::isCutOff));
            // A client that does not read does not see it.
            await().atMost(LATEST_CUT_OFF).until(() -> node.connections() < each);

            assertThat(calls).as("%s", kinds).allMatch(call -> call.compareTo(LONGEST_CALL) < 0);
            assertThat(readers(senders).map(Sender::cutOffAfter))
                    .as("%s", kinds)
                    .allMatch(after -> after.compareTo(LATEST_CUT_OFF) < 0);
            answersOf(senders, Kind.A_BODY_THAT_STOPS)
                    .forEach(answer -> assertThat(answer)
                            .startsWith("HTTP/1.1 408 ")
                            .contains("urn:usher:problem:request-timeout")
                            .containsIgnoringCase("Connection: close"));
            answersOf(senders, Kind.A_BODY_THAT_IS_TOO_LARGE)
                    .forEach(answer -> assertThat(answer)
                            .startsWith("HTTP/1.1 413 ")
                            .contains("urn:usher:problem:body-too-large"));
        }
    }

    private static Stream<Sender> readers(SlowSenders senders) {
        return senders.all().stream()
                .filter(sender -> !sender.kind().isNotRead() && sender.kind() != Kind.ANSWERS_THAT_ARE_READ_SLOWLY);
    }

    private static Stream<String> answersOf(SlowSenders senders, Kind kind) {
        return senders.all().stream().filter(sender -> sender.kind() == kind).map(Sender::answer);
    }

    @Test
    void largeBodiesHaveSoMuchMemoryTogetherAndSmallOnesNeedNone() throws IOException {
        String large = "{\"fresh_token\":\"" + "x".repeat(60_000) + "\"}";
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), node.address("/").getPort())) {
            socket.getOutputStream()
                    .write(("POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60001\r\n\r\n"
                                    + "x".repeat(60_000))
                            .getBytes(US_ASCII));

            // When the other body has arrived, or has been given up, is up to the server.
            await().atMost(PATIENCE)
                    .untilAsserted(
                            () -> node.post("/v1/token/refresh", large, null).problem(503, "unavailable"));
            node.post("/v1/token/refresh", "{\"fresh_token\":\"x\"}", null).problem(401, "bad-fresh-token");
        }
        await().atMost(PATIENCE)
                .untilAsserted(() -> assertThat(
                                node.post("/v1/token/refresh", large, null).status())
                        .isEqualTo(401));
    }

    @RepeatedTest(20) // how the pieces are divided is left to chance
    void aBodyThatComesInPiecesIsReadAsOne() throws IOException {
        String body = "{\"fresh_token\":\"x\"}";
        for (String head : List.of(
                "Content-Length: " + body.length() + "\r\n",
                "Content-Length: " + body.length() + "\r\nExpect: 100-continue\r\n",
                "Transfer-Encoding: chunked\r\n")) {
            // A server without the short deadlines of the others: a busy machine may take a second for all the pieces.
            try (Socket socket = new Socket(
                    InetAddress.getLoopbackAddress(), Shared.NODE.address("/").getPort())) {
                socket.setTcpNoDelay(true);
                String sent = head.startsWith("Transfer")
                        ? body.chars()
                                        .mapToObj(c -> "1;a=b\r\n" + (char) c + "\r\n")
                                        .reduce("", String::concat) + "0\r\na: b\r\n\r\n"
                        : body;
                String request = "POST /v1/token/refresh HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: application/json\r\n" + head + "\r\n" + sent;
                // Behind it, in the same bytes, is the next one.
                request += "GET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
                for (byte next : request.getBytes(US_ASCII)) {
                    socket.getOutputStream().write(next);
                }
                String answer = new String(socket.getInputStream().readAllBytes(), US_ASCII);

                assertThat(answer)
                        .contains("urn:usher:problem:bad-fresh-token")
                        .contains("urn:usher:problem:unauthenticated");
                assertThat(answer.contains("HTTP/1.1 100")).isEqualTo(head.contains("Expect"));
            }
        }
    }

    @Test
    void aRefusedRequestWithABodyIsAnsweredAsWithoutOne() {
        String token = node.register().token();

        node.post("/actuator/health", "{}", token).problem(405, "method-not-allowed");
        node.post("/v1/nowhere", "{}", token).problem(404, "not-found");
        node.post("/v1/nowhere", "{}", null).problem(401, "unauthenticated");
        node.post("/v1/users/1%0a", "{}", token).problem(400, "malformed-request");
        node.post("/error", "{}", token).problem(404, "not-found");
        node.send("TRACE", "/v1/login", "{}", null).problem(405, "method-not-allowed");
        assertThat(node.send("GET", "/v1/me", "{}", token)
                        .with(200)
                        .response()
                        .headers()
                        .map())
                .containsKey("X-Content-Type-Options");
    }

    /** A client gets complete answers, then perhaps a part of one, and nothing after that. */
    @Test
    void anAnswerThatIsTakenTooSlowlyEndsTheConnection() throws IOException {
        int length = node.get("/v3/api-docs", null).with(200).response().body().getBytes(UTF_8).length;
        long others = node.connections();
        try (SlowSenders senders =
                new SlowSenders(node.address("/").getPort(), List.of(Kind.ANSWERS_THAT_ARE_READ_SLOWLY), 1)) {
            await().until(() -> node.connections() > others);
            await().atMost(PATIENCE).until(() -> node.connections() <= others);
            String answers = senders.all().get(0).rest();

            while (answers.length() > 0) {
                assertThat(answers).startsWith("HTTP/1.1 200 ");
                int head = answers.indexOf("\r\n\r\n");
                answers = head < 0 ? "" : answers.substring(Math.min(answers.length(), head + 4 + length));
            }
        }
    }
}
