package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.RevokedUsers;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.spring.LiveApplication.Call;
import dev.usher.spring.LiveApplication.Devices;
import dev.usher.spring.LiveApplication.Echo;
import dev.usher.spring.LiveApplication.Flood;
import dev.usher.spring.LiveApplication.Streams;
import dev.usher.spring.LiveSite.Peer;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.messaging.simp.stomp.StompHeaders;
import org.springframework.messaging.simp.stomp.StompSession;
import org.springframework.messaging.simp.stomp.StompSessionHandlerAdapter;
import org.springframework.web.socket.WebSocketHttpHeaders;
import org.springframework.web.socket.client.standard.StandardWebSocketClient;
import org.springframework.web.socket.messaging.WebSocketStompClient;

/** What is open for a user, on a real server, is ended when the user is revoked. */
@Timeout(60)
class EndedConnectionsIT {

    private static final String DISABLED = "1008 urn:usher:problem:account-disabled";

    private static LiveSite site;

    private final long ann = LiveSite.newUser();
    private final long bob = LiveSite.newUser();

    @BeforeAll
    static void start() {
        site = LiveSite.start(LiveApplication.class);
        // The first ban loads many classes; listeners have half a second.
        long user = LiveSite.newUser();
        site.connect("/echo", user);
        site.ban(user);
    }

    @AfterAll
    static void stop() {
        site.close();
    }

    @Test
    void theWebSocketsOfARevokedUserAreClosedAndNoOthers() throws Exception {
        Peer first = site.connect("/echo", ann);
        Peer second = site.connect("/echo", ann);
        Peer other = site.connect("/echo", bob);
        assertThat(echo(first)).isEqualTo("hello");

        assertThat(site.ban(ann)).isEqualTo(2);

        assertThat(first.closed.get(5, SECONDS)).isEqualTo(DISABLED);
        assertThat(second.closed.get(5, SECONDS)).isEqualTo(DISABLED);
        assertThat(echo(other)).isEqualTo("hello");
        assertThat(site.ban(ann)).isZero();
        assertThat(site.statusOf("/hello", ann)).isEqualTo(403);
    }

    @Test
    void aUserThatMayStillActKeepsItsConnections() throws Exception {
        Peer peer = site.connect("/echo", ann);

        assertThat(site.enable(ann)).isZero();
        assertThat(site.tell(RevokedUsers.of("profile", List.of(ann)))).isZero();

        assertThat(echo(peer)).isEqualTo("hello");
    }

    @Test
    void whereAnyUserMayBeRevokedTheDisabledOnesAreEnded() throws Exception {
        Peer banned = site.connect("/echo", ann);
        Peer other = site.connect("/echo", bob);
        disableUnheard(ann);

        assertThat(site.tell(RevokedUsers.everyone())).isEqualTo(1);

        assertThat(banned.closed.get(5, SECONDS)).isEqualTo(DISABLED);
        assertThat(echo(other)).isEqualTo("hello");
    }

    @SuppressWarnings("unchecked")
    private static void disableUnheard(long id) {
        site.bean(LiveApplication.Users.class).statuses.put(id, UserStatus.DISABLED);
        site.bean(UserStatusCache.class).invalidate(id);
    }

    @Test
    void aSockJsSessionIsClosed() throws Exception {
        Peer peer = site.connect("/sockjs/000/" + ann + "/websocket", ann);
        assertThat(peer.messages.poll(5, SECONDS)).isEqualTo("o");

        assertThat(site.ban(ann)).isEqualTo(1);

        assertThat(peer.messages.poll(5, SECONDS)).isEqualTo("c[1008,\"urn:usher:problem:account-disabled\"]");
        assertThat(peer.closed.get(5, SECONDS)).isEqualTo(DISABLED);
    }

    @Test
    void aStompSessionIsClosed() throws Exception {
        CompletableFuture<Throwable> lost = new CompletableFuture<>();
        WebSocketHttpHeaders handshake = new WebSocketHttpHeaders();
        handshake.add("Authorization", LiveSite.authorization(ann));
        StompSession session = stomp("/stomp", handshake, new StompHeaders(), lost);

        assertThat(site.ban(ann)).isEqualTo(1);

        assertThat(lost.get(5, SECONDS)).hasMessageContaining("Connection closed");
        assertThat(session.isConnected()).isFalse();
    }

    @Test
    void aStompSessionWhoseFrameAuthenticatesTheUserIsClosed() throws Exception {
        CompletableFuture<Throwable> lost = new CompletableFuture<>();
        StompHeaders connect = new StompHeaders();
        connect.setLogin(Long.toString(ann));
        int before = connections().size();
        StompSession session = stomp("/open-stomp", new WebSocketHttpHeaders(), connect, lost);
        // The answer to the frame can come before the frame is done with.
        await().untilAsserted(() -> assertThat(connections().size()).isEqualTo(before + 1));

        assertThat(site.ban(ann)).isEqualTo(1);

        assertThat(lost.get(5, SECONDS)).hasMessageContaining("Connection closed");
        assertThat(session.isConnected()).isFalse();
    }

    @Test
    void aDisabledUserIsSentAwayThatIsAuthenticatedByAFrame() throws Exception {
        site.ban(bob);
        CompletableFuture<Throwable> lost = new CompletableFuture<>();
        StompHeaders connect = new StompHeaders();
        connect.setLogin(Long.toString(bob));
        WebSocketStompClient client = new WebSocketStompClient(new StandardWebSocketClient());

        CompletableFuture<StompSession> unused = client.connectAsync(
                "ws://127.0.0.1:" + site.port() + "/open-stomp", new WebSocketHttpHeaders(), connect, lostTo(lost));

        assertThat(lost.get(5, SECONDS)).hasMessageContaining("Connection closed");
    }

    private static StompSession stomp(
            String path, WebSocketHttpHeaders handshake, StompHeaders connect, CompletableFuture<Throwable> lost)
            throws Exception {
        WebSocketStompClient client = new WebSocketStompClient(new StandardWebSocketClient());
        return client.connectAsync("ws://127.0.0.1:" + site.port() + path, handshake, connect, lostTo(lost))
                .get(10, SECONDS);
    }

    private static StompSessionHandlerAdapter lostTo(CompletableFuture<Throwable> lost) {
        return new StompSessionHandlerAdapter() {
            @Override
            public void handleTransportError(StompSession session, Throwable error) {
                lost.complete(error);
            }
        };
    }

    @Test
    void aStreamOfServerSentEventsIsEndedWithoutHelpOfItsController() throws Exception {
        Streams streams = site.bean(Streams.class);
        HttpResponse<InputStream> events =
                site.client.send(site.request("/events", ann).build(), BodyHandlers.ofInputStream());
        BufferedReader lines = new BufferedReader(new InputStreamReader(events.body(), StandardCharsets.UTF_8));
        assertThat(lines.readLine()).isEqualTo("data:hello");

        assertThat(site.ban(ann)).isEqualTo(1);

        assertThat(lines.lines()).allMatch(String::isEmpty);
        await().untilAsserted(() -> assertThat(streams.open).hasValue(0));
        assertThat(site.statusOf("/events", ann)).isEqualTo(403);
    }

    @Test
    void aRequestWithoutAnAnswerYetIsRefused() throws Exception {
        Streams streams = site.bean(Streams.class);
        CompletableFuture<HttpResponse<String>> poll =
                site.client.sendAsync(site.request("/poll", ann).build(), BodyHandlers.ofString());
        await().untilAsserted(() -> assertThat(streams.open).hasValue(1));
        await().untilAsserted(() ->
                assertThat(site.bean(UserConnections.class).size()).isPositive());

        assertThat(site.ban(ann)).isEqualTo(1);

        HttpResponse<String> answer = poll.get(5, SECONDS);
        assertThat(answer.statusCode()).isEqualTo(403);
        assertThat(answer.body()).contains("account-disabled");
        await().untilAsserted(() -> assertThat(streams.open).hasValue(0));
    }

    /** Written all the time, so that the end comes in the middle of a write; the client reads what is left of it to the end. */
    @Test
    void aDownloadIsCutOffBetweenTwoOfItsChunks() throws Exception {
        Streams streams = site.bean(Streams.class);
        for (int i = 0; i < 50; i++) {
            long user = LiveSite.newUser();
            HttpResponse<InputStream> stream =
                    site.client.send(site.request("/stream", user).build(), BodyHandlers.ofInputStream());

            site.ban(user);

            try (InputStream body = stream.body()) {
                body.transferTo(OutputStream.nullOutputStream());
            }
        }
        await().untilAsserted(() -> assertThat(streams.streaming).hasValue(0));
    }

    @Test
    void aConnectionOfTheApplicationsOwnIsEndedAlthoughAnotherCannotBe() throws Exception {
        Call call = new Call();
        Call other = new Call();
        Call over = new Call();
        connections().add(ann, () -> {
            throw new IllegalStateException("this one cannot be ended");
        });
        LiveApplication.opened(connections(), ann, call);
        LiveApplication.opened(connections(), bob, other);
        LiveApplication.opened(connections(), ann, over);
        over.end();

        assertThat(site.ban(ann)).isEqualTo(2);

        assertThat(call.closed.get(5, SECONDS)).isEqualTo("the account is disabled");
        assertThat(over.closed).isNotDone();
        assertThat(other.closed).isNotDone();
    }

    @Test
    void aListenerOfTheApplicationsOwnIsCalled() {
        site.bean(Devices.class).users.addAll(List.of(ann, bob));

        assertThat(site.ban(ann)).isEqualTo(1);

        assertThat(site.bean(Devices.class).users).containsExactly(bob);
        site.bean(Devices.class).users.clear();
    }

    /** Peers that do not read keep the server from writing its end of the session. */
    @Test
    void peersThatDoNotReadKeepNothingElseOpen() throws Exception {
        List<Socket> deaf = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                deaf.add(floodedPeer());
            }
            Peer peer = site.connect("/echo", ann);

            // The server has filled all buffers on the way to them, and waits.
            AtomicInteger sent = site.bean(Flood.class).sent;
            AtomicInteger last = new AtomicInteger(-1);
            await().pollInterval(Duration.ofMillis(300)).until(() -> last.getAndSet(sent.get()) == sent.get());

            long before = System.nanoTime();
            assertThat(site.ban(ann)).isEqualTo(4);

            assertThat(peer.closed.get(5, SECONDS)).isEqualTo(DISABLED);
            assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(2));
        } finally {
            for (Socket socket : deaf) {
                socket.close();
            }
        }
    }

    private Socket floodedPeer() throws Exception {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(4096);
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), site.port()));
        String handshake = "GET /flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: "
                + LiveSite.authorization(ann) + "\r\n\r\n";
        socket.getOutputStream().write(handshake.getBytes(StandardCharsets.US_ASCII));
        // A text frame with a mask of zeros.
        socket.getOutputStream().write(new byte[] {(byte) 0x81, (byte) 0x82, 0, 0, 0, 0, 'g', 'o'});
        assertThat(socket.getInputStream().readNBytes(200)).isNotEmpty();
        return socket;
    }

    @Test
    void aMessageThatArrivesAfterTheEndReachesNoHandler() throws Exception {
        Peer peer = site.connect("/echo", ann);
        assertThat(echo(peer)).isEqualTo("hello");
        int before = site.bean(Echo.class).messages.get();

        site.ban(ann);
        for (int i = 0; i < 10; i++) {
            try {
                requireNonNull(peer.socket).sendText("too late", true).join();
            } catch (RuntimeException e) {
                break;
            }
        }

        peer.closed.get(5, SECONDS);
        assertThat(site.bean(Echo.class).messages).hasValue(before);
    }

    @Tag("thorough")
    @Test
    @Timeout(240)
    void nothingIsKeptOfConnectionsThatHaveEnded() throws Exception {
        UserConnections<?> connections = connections();
        int before = connections.size();
        int count = Boolean.getBoolean("usher.thorough") ? 3_000 : 200;

        for (int i = 0; i < count; i++) {
            long user = LiveSite.newUser();
            Peer peer = site.connect("/echo", user);
            requireNonNull(peer.socket).sendClose(1000, "").join();
            assertThat(site.statusOf("/once", user)).isEqualTo(200);
        }

        await().untilAsserted(() -> assertThat(connections.size()).isEqualTo(before));
    }

    @SuppressWarnings("unchecked")
    private static UserConnections<Long> connections() {
        return site.bean(UserConnections.class);
    }

    private static String echo(Peer peer) throws Exception {
        requireNonNull(peer.socket).sendText("hello", true).join();
        return requireNonNull(peer.messages.poll(5, SECONDS));
    }
}
