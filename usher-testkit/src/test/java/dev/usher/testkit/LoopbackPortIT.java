package dev.usher.testkit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LoopbackPortIT {

    /** Starts a kind of server, and returns its port. */
    interface Kind {
        int start(Supplier<LoopbackPort> ports);
    }

    private static int redis(Supplier<LoopbackPort> ports) {
        try (RedisServer server = LoopbackPort.serve(ports, port -> RedisServer.start(port))) {
            return server.port();
        }
    }

    private static int postgres(Supplier<LoopbackPort> ports) {
        try (PostgresServer server = LoopbackPort.serve(ports, PostgresServer::start)) {
            return server.port();
        }
    }

    private static int proxy(Supplier<LoopbackPort> ports) {
        try (FaultProxy server = LoopbackPort.serve(ports, port -> FaultProxy.start(port, "127.0.0.1", 1))) {
            return server.port();
        }
    }

    static Stream<Arguments> kinds() {
        return Stream.of(
                Arguments.of("Redis", (Kind) LoopbackPortIT::redis),
                Arguments.of("PostgreSQL", (Kind) LoopbackPortIT::postgres),
                Arguments.of("proxy", (Kind) LoopbackPortIT::proxy));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("kinds")
    void aServerThatFindsItsPortTakenIsStartedOnAnother(String name, Kind kind) throws IOException {
        LoopbackPort taken = LoopbackPort.reserve();
        LoopbackPort free = LoopbackPort.reserve();
        Deque<LoopbackPort> ports = new ArrayDeque<>(List.of(taken, free));
        try (ServerSocket foreign = new ServerSocket(taken.number(), 50, LoopbackPort.address())) {
            assertThat(foreign.isBound()).isTrue();
            assertThat(kind.start(ports::remove)).isEqualTo(free.number());
        }
    }

    @Test
    void anotherRedisOnThePortIsNotMistakenForTheOneThatWasStarted() {
        LoopbackPort port = LoopbackPort.reserve();
        try (RedisServer foreign = RedisServer.start(port)) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> RedisServer.start(port))
                    .withMessageContaining("instead of serving port " + foreign.port());
        }
    }

    @Test
    void aServerThatFailsForAnotherReasonIsNotStartedAgain() {
        Deque<LoopbackPort> ports = new ArrayDeque<>(List.of(LoopbackPort.reserve()));
        assertThatIllegalStateException()
                .isThrownBy(() -> LoopbackPort.serve(ports::remove, port -> RedisServer.start(port, "no-such yes")))
                .withMessageContaining("no-such");
    }

    @Test
    void aReservedPortIsNotReservedAgainUntilItIsClosed() {
        LoopbackPort port = LoopbackPort.reserve();
        assertThat(LoopbackPort.tryReserve(port.number())).isNull();
        port.close();
        port.close();
        requireNonNull(LoopbackPort.tryReserve(port.number())).close();
    }

    @Test
    void aPortThatAnotherJvmHasReservedIsLeftToIt() throws IOException {
        Process jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Reserving.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = jvm.inputReader()) {
            int port = Integer.parseInt(output.readLine());
            assertThat(LoopbackPort.tryReserve(port)).isNull();
            jvm.outputWriter().close();
            assertThat(output.readLine()).isNull();
        } finally {
            jvm.destroyForcibly();
        }
    }

    @Test
    void portsThatAreReservedDiffer() {
        List<LoopbackPort> ports =
                IntStream.range(0, 10).mapToObj(any -> LoopbackPort.reserve()).toList();
        assertThat(ports.stream().map(LoopbackPort::number)).doesNotHaveDuplicates();
        ports.forEach(LoopbackPort::close);
    }

    /** The other JVM. */
    static final class Reserving {
        private Reserving() {}

        public static void main(String[] arguments) throws IOException {
            try (LoopbackPort port = LoopbackPort.reserve()) {
                System.out.println(port.number());
                int endOfInput = System.in.read();
                assertThat(endOfInput).isEqualTo(-1);
            }
        }
    }
}
