package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Micrometer is optional: an application that shows no meters does not need it. */
class WithoutMicrometerIT extends NodesOnRedis {

    @TempDir
    private Path logs;

    @Test
    void cachesWorkWithoutMicrometerOnTheClassPath() {
        String without = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains("micrometer"))
                .collect(Collectors.joining(File.pathSeparator));
        Path log = logs.resolve("node.log");
        try (JavaProcess node = JavaProcess.start(NodeWithoutMicrometer.class, without, log, List.of(uri()))) {
            assertThat(node.answer()).isEqualTo("{42=user 42, 43=user 43}, loaded: 3, well: true");
        }
    }
}
