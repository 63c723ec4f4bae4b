package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedisExecutableIT {

    @ParameterizedTest
    @CsvSource({"'',6.2.", "7.0,7.0.15"})
    void theSettingChoosesTheVersion(String setting, String version, @TempDir Path directory) throws IOException {
        Path program = RedisExecutable.find(setting, directory);
        assertThat(program).hasParent(directory);
        assertThat(RedisExecutable.versionOf(program)).contains("v=" + version);
    }

    @Test
    void anyProgramCanBeNamedByItsPath(@TempDir Path directory, @TempDir Path elsewhere) throws IOException {
        Path program = RedisExecutable.find("", elsewhere);
        assertThat(RedisExecutable.find(program.toString(), directory)).isEqualTo(program);
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void aPathWithoutAProgramIsRefused(@TempDir Path directory) {
        assertThatIllegalStateException()
                .isThrownBy(() -> RedisExecutable.find(directory + "/redis-server", directory))
                .withMessageContaining("usher.testkit.redis")
                .withMessageContaining("/redis-server");
        assertThatIllegalStateException().isThrownBy(() -> RedisExecutable.find(directory.toString(), directory));
    }

    @ParameterizedTest
    @CsvSource({
        "Linux,amd64,linux-amd64",
        "Linux,aarch64,linux-arm64",
        "Linux,i386,linux-386",
        "Mac OS X,aarch64,darwin-arm64",
        "Mac OS X,x86_64,darwin-amd64"
    })
    void theProgramIsThatOfTheMachine(String system, String processor, String expected) {
        assertThat(RedisExecutable.platform(system, processor)).isEqualTo(expected);
    }
}
