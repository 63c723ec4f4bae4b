package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A process that is stopped for longer than a connection may be silent: Redis was not the silent one. */
@EnabledOnOs(OS.LINUX)
@Tag("thorough")
class FrozenConnectionIT extends NodesOnRedis {

    /** Several times the pause between two pulses. */
    private static final Duration SILENCE = Duration.ofSeconds(1);

    @TempDir
    private Path directory;

    @Test
    void aProcessThatWakesKeepsItsConnections() throws Exception {
        Set<String> before = clients();
        try (JavaProcess process =
                JavaProcess.start(IdleNode.class, directory.resolve("log"), List.of(uri(), SILENCE.toString()))) {
            assertThat(process.answer()).isEqualTo("connected");
            await().until(() -> clients().size() == before.size() + 2);
            Set<String> connected = clients();
            process.signal("STOP");
            await().pollDelay(SILENCE.multipliedBy(2)).until(() -> true);
            process.signal("CONT");
            await().pollDelay(SILENCE.multipliedBy(3).dividedBy(2))
                    .until(() -> clients().size() >= connected.size());
            assertThat(clients()).isEqualTo(connected);
        }
    }

    private static Set<String> clients() {
        return redis.clientList()
                .lines()
                .map(line -> line.substring(0, line.indexOf(' ')))
                .collect(Collectors.toSet());
    }
}
