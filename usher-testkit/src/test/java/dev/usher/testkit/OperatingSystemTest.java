package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OperatingSystemTest {

    @Test
    void theErrorOnWindowsAdvisesAnOwnServer() {
        assertThatThrownBy(() -> OperatingSystem.requireUnix("Redis", "Windows 11"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "the embedded Redis runs on Linux and macOS, but this is Windows 11: use a server of your own, or"
                                + " the Windows Subsystem for Linux");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Linux", "Mac OS X"})
    void linuxAndMacOsAreSupported(String name) {
        assertThatCode(() -> OperatingSystem.requireUnix("Redis", name)).doesNotThrowAnyException();
    }
}
