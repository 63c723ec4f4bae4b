package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class KilledJvmIT {
    @Tag("thorough")
    @Test
    void serversEndWithAJvmThatIsKilledThoughTheyAreFrozen() throws IOException {
        Process jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        FrozenServers.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = jvm.inputReader()) {
            int redis = Integer.parseInt(output.readLine());
            int postgres = Integer.parseInt(output.readLine());
            assertThat(List.of(redis, postgres)).noneMatch(LoopbackPort::refuses);

            jvm.destroyForcibly();
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> LoopbackPort.refuses(redis) && LoopbackPort.refuses(postgres));
        } finally {
            jvm.destroyForcibly();
        }
    }

    /** The program that is killed. */
    static final class FrozenServers {
        private FrozenServers() {}

        public static void main(String[] arguments) throws IOException {
            RedisServer redis = RedisServer.start();
            PostgresServer postgres = PostgresServer.start();
            redis.freeze();
            postgres.freeze();
            System.out.println(redis.port());
            System.out.println(postgres.port());
            int endOfInput = System.in.read();
            throw new IllegalStateException("read " + endOfInput + " instead of being killed");
        }
    }
}
