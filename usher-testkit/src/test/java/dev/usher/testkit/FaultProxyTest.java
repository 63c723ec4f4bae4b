package dev.usher.testkit;

import static dev.usher.testkit.LineClient.BROKEN;
import static dev.usher.testkit.LineClient.NOTHING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.FaultProxy.Direction;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FaultProxyTest {
    private static final Duration SHORT = Duration.ofMillis(100);

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private EchoServer server;
    private FaultProxy proxy;
    private LineClient client;

    @BeforeEach
    void connect() throws IOException {
        server = new EchoServer();
        proxy = FaultProxy.inFrontOf(LoopbackPort.HOST, server.port());
        client = new LineClient(proxy.port());
        assertThat(client.ask("hello")).isEqualTo("hello");
    }

    @AfterEach
    void disconnect() throws IOException {
        client.close();
        proxy.close();
        server.close();
        threads.shutdown();
    }

    @Test
    void withoutFaultsEveryByteArrivesInOrder() throws IOException {
        assertEcho(new byte[3 * 1024 * 1024]);
    }

    @Test
    void newConnectionsLeadToTheServerThatTheProxyPointsToNow() throws IOException {
        try (EchoServer other = new EchoServer()) {
            proxy.pointTo(LoopbackPort.HOST, other.port());
            assertThat(client.ask("where it was")).isEqualTo("where it was");
            assertThat(other.received()).isZero();

            try (LineClient late = new LineClient(proxy.port())) {
                assertThat(late.ask("moved")).isEqualTo("moved");
                assertThat(other.received()).isEqualTo("moved\r\n".length());
            }
        }
    }

    @Test
    void aDelayCountsInEachDirection() throws IOException {
        proxy.delay(Duration.ofMillis(60));
        assertThat(timeOf(() -> client.ask("slow"))).isGreaterThanOrEqualTo(Duration.ofMillis(120));

        proxy.delay(Direction.TO_CLIENT, Duration.ZERO);
        assertThat(timeOf(() -> client.ask("half"))).isGreaterThanOrEqualTo(Duration.ofMillis(60));
    }

    @Test
    void aNegativeDelayIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> proxy.delay(Duration.ofMillis(-1)));
    }

    @Test
    void aFrozenProxyForwardsNothingUntilItIsThawed() throws IOException {
        proxy.freeze();
        assertThat(client.send("held").reply(SHORT)).isEqualTo(NOTHING);
        assertThat(server.received()).isEqualTo("hello\r\n".length());

        proxy.thaw();
        assertThat(client.reply()).isEqualTo("held");
    }

    @Test
    void aFrozenProxyStillAcceptsConnections() throws IOException {
        proxy.freeze();
        try (LineClient late = new LineClient(proxy.port())) {
            assertThat(late.send("late").reply(SHORT)).isEqualTo(NOTHING);
            proxy.thaw();
            assertThat(late.reply()).isEqualTo("late");
        }
    }

    @Test
    void aSwallowedConnectionStaysOpenAndSilentForEverWhileNewOnesWork() throws IOException {
        proxy.swallow();
        assertThat(client.send("lost").reply(SHORT)).isEqualTo(NOTHING);
        try (LineClient other = new LineClient(proxy.port())) {
            assertThat(other.ask("new")).isEqualTo("new");
        }
        proxy.restore();
        server.close();
        assertThat(client.send("lost too").reply(SHORT)).isEqualTo(NOTHING);
        assertThat(server.received()).isEqualTo("hello\r\nnew\r\n".length());
    }

    @Test
    void frozenTowardsTheClientTheServerGetsTheCommandButTheClientNoReply() throws IOException {
        proxy.freeze(Direction.TO_CLIENT);
        client.send("executed");
        await().until(() -> server.received() == "hello\r\nexecuted\r\n".length());
        assertThat(client.reply(SHORT)).isEqualTo(NOTHING);

        proxy.thaw(Direction.TO_CLIENT);
        assertThat(client.reply()).isEqualTo("executed");
    }

    @Test
    void frozenTowardsTheServerTheServerGetsNothing() throws IOException {
        proxy.freeze(Direction.TO_SERVER);
        assertThat(client.send("held").reply(SHORT)).isEqualTo(NOTHING);
        assertThat(server.received()).isEqualTo("hello\r\n".length());

        proxy.thaw(Direction.TO_SERVER);
        assertThat(client.reply()).isEqualTo("held");
    }

    @Test
    void aFrozenProxyHidesTheDeathOfTheServer() throws IOException {
        proxy.freeze();
        server.close();
        assertThat(client.reply(SHORT)).isEqualTo(NOTHING);
        try (LineClient late = new LineClient(proxy.port())) {
            assertThat(late.reply(SHORT)).isEqualTo(NOTHING);
            proxy.thaw();
            assertThat(client.reply()).isEqualTo(BROKEN);
            assertThat(late.reply()).isEqualTo(BROKEN);
        }
    }

    @Test
    void aCutClosesBothSidesAndNewConnectionsWork() throws IOException {
        proxy.cut();

        assertThat(client.reply()).isEqualTo(BROKEN);
        await().until(() -> server.connections() == 0);
        assertThat(proxy.connections()).isZero();
        assertANewConnectionWorks();
    }

    @Test
    void aFrozenConnectionCanBeCut() throws IOException {
        proxy.freeze();
        client.send("lost");
        proxy.cut();

        assertThat(client.reply()).isEqualTo(BROKEN);
        assertThat(server.received()).isEqualTo("hello\r\n".length());
    }

    @Test
    void aConnectionIsCutInTheMiddleOfAReply() throws IOException {
        proxy.cutAfter(Direction.TO_CLIENT, 3);

        assertThat(client.ask("reply")).isEqualTo("rep" + BROKEN);
        assertANewConnectionWorks();
    }

    @Test
    void aConnectionIsCutInTheMiddleOfACommand() throws IOException {
        proxy.cutAfter(Direction.TO_SERVER, 2);
        client.send("command");
        await().until(() -> server.connections() == 0);

        assertThat(server.received()).isEqualTo("hello\r\nco".length());
    }

    @Test
    void aConnectionCutAfterZeroBytesLosesTheWholeReply() throws IOException {
        proxy.cutAfter(Direction.TO_CLIENT, 0);

        assertThat(client.ask("executed")).isEqualTo(BROKEN);
        assertThat(server.received()).isEqualTo("hello\r\nexecuted\r\n".length());
    }

    @Test
    void bytesUntilACutAreCountedOverSeveralReplies() throws IOException {
        proxy.cutAfter(Direction.TO_CLIENT, "one\r\ntw".length());

        assertThat(client.ask("one")).isEqualTo("one");
        assertThat(client.ask("two")).isEqualTo("tw" + BROKEN);
    }

    @Test
    void aNegativeNumberOfBytesIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> proxy.cutAfter(Direction.TO_CLIENT, -1));
    }

    @Test
    void aRefusingProxyClosesItsConnectionsAndTakesNone() throws IOException {
        proxy.refuse();
        assertThat(client.reply()).isEqualTo(BROKEN);
        assertThatThrownBy(() -> new LineClient(proxy.port())).isInstanceOf(ConnectException.class);

        proxy.restore();
        assertANewConnectionWorks();
    }

    @Test
    void refusingTwiceIsRefusingOnce() throws IOException {
        proxy.refuse();
        proxy.refuse();
        proxy.restore();
        assertANewConnectionWorks();
    }

    @Test
    void restoringTakesEveryFaultBackAndKeepsConnections() throws IOException {
        proxy.delay(Duration.ofHours(1));
        proxy.freeze();
        proxy.cutAfter(Direction.TO_SERVER, 1);
        proxy.cutAfter(Direction.TO_CLIENT, 1);
        proxy.restore();

        assertThat(client.ask("again")).isEqualTo("again");
    }

    @Test
    void aServerThatIsNotThereLooksLikeABrokenConnection() throws IOException {
        server.close();
        try (LineClient late = new LineClient(proxy.port())) {
            assertThat(late.reply()).isEqualTo(BROKEN);
        }
    }

    @Test
    void aClientThatEndsItsStreamStillGetsTheReply() throws IOException {
        client.send("last").socket().shutdownOutput();

        assertThat(client.reply()).isEqualTo("last");
        assertThat(client.reply()).isEqualTo(BROKEN);
        await().until(() -> proxy.connections() == 0);
    }

    @Test
    void aFrozenProxyTakesMoreThanTheKernelBuffersAndLosesNoneOfIt() throws IOException {
        proxy.freeze(Direction.TO_CLIENT);
        CompletableFuture<Void> thaw = CompletableFuture.runAsync(
                () -> {
                    await().until(() -> server.received() > 1024 * 1024);
                    proxy.thaw(Direction.TO_CLIENT);
                },
                threads);
        assertEcho(new byte[12 * 1024 * 1024]);
        thaw.join();
    }

    @Test
    void closingLeavesNoThreadAndNoConnection() throws IOException {
        proxy.freeze();
        client.send("held");
        proxy.close();

        // The executor reports its end a moment before its last thread has ended.
        await().untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .doesNotContain("fault-proxy-" + proxy.port()));
        assertThat(client.reply()).isEqualTo(BROKEN);
        await().until(() -> server.connections() == 0);
        assertThatThrownBy(() -> new LineClient(proxy.port())).isInstanceOf(ConnectException.class);
    }

    @Test
    void aClosedProxyStaysClosed() {
        proxy.close();
        proxy.close();
        assertThatIllegalStateException().isThrownBy(() -> proxy.restore());
    }

    private void assertANewConnectionWorks() throws IOException {
        try (LineClient next = new LineClient(proxy.port())) {
            assertThat(next.ask("next")).isEqualTo("next");
        }
    }

    private void assertEcho(byte[] sent) throws IOException {
        new Random(1).nextBytes(sent);
        CompletableFuture<Void> sending = CompletableFuture.runAsync(
                () -> {
                    try {
                        client.socket().getOutputStream().write(sent);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                threads);
        byte[] got = client.socket().getInputStream().readNBytes(sent.length);
        sending.join();
        assertThat(got).isEqualTo(sent);
    }

    private static Duration timeOf(Call call) throws IOException {
        long start = System.nanoTime();
        String ignored = call.run();
        return Duration.ofNanos(System.nanoTime() - start);
    }

    @FunctionalInterface
    private interface Call {
        String run() throws IOException;
    }
}
