package dev.usher.testkit;

import static dev.usher.testkit.LineClient.BROKEN;
import static dev.usher.testkit.LineClient.NOTHING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("servers")
class RedisServerIT {
    private static final Duration SHORT = Duration.ofMillis(100);

    @Test
    void twoServersServeAtOnceOnPortsOfTheirOwn() throws IOException {
        try (RedisServer one = RedisServer.start();
                RedisServer two = RedisServer.start()) {
            assertThat(ask(one, "SET key one")).isEqualTo("+OK");
            assertThat(ask(two, "EXISTS key")).isEqualTo(":0");
            assertThat(one.port()).isNotEqualTo(two.port());
            assertThat(one.uri()).isEqualTo("redis://127.0.0.1:" + one.port());
        }
    }

    /** A process that another thread forks while the executable is unpacked inherits its open file. */
    @Test
    void manyServersAreStartedAtOnce() {
        List<RedisServer> servers = IntStream.range(0, 24)
                .parallel()
                .mapToObj(any -> RedisServer.start())
                .toList();
        assertThat(servers).allMatch(RedisServer::isRunning);
        servers.forEach(RedisServer::close);
    }

    @Test
    void directivesReachTheServer() throws IOException {
        try (RedisServer redis = RedisServer.start("maxmemory 5mb", "requirepass secret");
                LineClient client = new LineClient(redis.port())) {
            assertThat(client.ask("PING")).startsWith("-NOAUTH");
            assertThat(client.ask("AUTH secret")).isEqualTo("+OK");
            client.send("CONFIG GET maxmemory");
            assertThat(client.reply() + client.reply() + client.reply() + client.reply() + client.reply())
                    .isEqualTo("*2$9maxmemory$75242880");
        }
    }

    @Test
    void aServerCanBeANodeOfACluster() throws IOException {
        try (RedisServer redis = RedisServer.start("cluster-enabled yes");
                LineClient client = new LineClient(redis.port())) {
            assertThat(client.ask("CLUSTER INFO")).startsWith("$");
            assertThat(client.reply()).isEqualTo("cluster_state:fail");
        }
    }

    @Test
    void nothingIsWrittenToDisk() throws IOException {
        try (RedisServer redis = RedisServer.start();
                LineClient client = new LineClient(redis.port())) {
            client.send("CONFIG GET save");
            assertThat(client.reply() + client.reply() + client.reply() + client.reply() + client.reply())
                    .isEqualTo("*2$4save$0");
        }
    }

    @Test
    void aWrongDirectiveIsReportedWithTheLogOfTheServer() {
        assertThatIllegalStateException()
                .isThrownBy(() -> RedisServer.start("no-such-directive yes"))
                .withMessageContaining("no-such-directive");
    }

    @Test
    void aFrozenServerAnswersOnlyAfterItIsThawed() throws IOException {
        try (RedisServer redis = RedisServer.start();
                LineClient client = new LineClient(redis.port())) {
            redis.freeze();
            assertThat(client.send("PING").reply(SHORT)).isEqualTo(NOTHING);
            assertThat(redis.isRunning()).isTrue();

            redis.thaw();
            assertThat(client.reply()).isEqualTo("+PONG");
        }
    }

    @Test
    void aKilledServerBreaksItsConnectionsAndRefusesNewOnes() throws IOException {
        try (RedisServer redis = RedisServer.start();
                LineClient client = new LineClient(redis.port())) {
            long pid = redis.pid();
            redis.kill();

            assertThat(client.reply()).isEqualTo(BROKEN);
            assertThatThrownBy(() -> new LineClient(redis.port())).isInstanceOf(ConnectException.class);
            assertThat(ProcessHandle.of(pid)).isEmpty();
            assertThat(redis.isRunning()).isFalse();
            assertThatIllegalStateException().isThrownBy(redis::freeze);
        }
    }

    @Test
    void aFrozenServerCanBeKilled() {
        try (RedisServer redis = RedisServer.start()) {
            redis.freeze();
            redis.kill();
            assertThat(redis.isRunning()).isFalse();
        }
    }

    @Test
    void aStoppedServerRefusesConnectionsUntilItIsRestarted() throws IOException {
        try (RedisServer redis = RedisServer.start("requirepass secret")) {
            int port = redis.port();
            redis.freeze();
            redis.stop();
            assertThatThrownBy(() -> new LineClient(port)).isInstanceOf(ConnectException.class);

            redis.restart();
            assertThat(redis.port()).isEqualTo(port);
            assertThat(ask(redis, "PING")).startsWith("-NOAUTH");
        }
    }

    @Test
    void aRestartedServerIsEmpty() throws IOException {
        try (RedisServer redis = RedisServer.start()) {
            assertThat(ask(redis, "SET key value")).isEqualTo("+OK");
            redis.restart();
            assertThat(ask(redis, "EXISTS key")).isEqualTo(":0");
            redis.kill();
            redis.restart();
            assertThat(ask(redis, "PING")).isEqualTo("+PONG");
        }
    }

    @Test
    void closingLeavesNoProcess() {
        RedisServer redis = RedisServer.start();
        long pid = redis.pid();
        redis.close();
        redis.close();

        assertThat(ProcessHandle.of(pid)).isEmpty();
        assertThat(ProcessHandle.current().descendants()).isEmpty();
        assertThatIllegalStateException().isThrownBy(redis::restart);
    }

    private static String ask(RedisServer redis, String command) throws IOException {
        try (LineClient client = new LineClient(redis.port())) {
            return client.ask(command);
        }
    }
}
