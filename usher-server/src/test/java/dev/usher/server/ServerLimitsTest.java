package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.util.unit.DataSize;

class ServerLimitsTest {

    @Test
    void theDefaultsNeedNoSettings() {
        assertThat(bind(Map.of()))
                .isEqualTo(new ServerLimits(
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(5),
                        DataSize.ofMegabytes(32),
                        DataSize.ofMegabytes(64),
                        20,
                        40));
    }

    @Test
    void everySettingIsReadFromText() {
        assertThat(bind(Map.of(
                        "usher.server.limits.head-timeout", "2s",
                        "usher.server.limits.body-timeout", "1m",
                        "usher.server.limits.buffered-bodies", "64KB",
                        "usher.server.limits.buffered-answers", "2MB",
                        "usher.server.limits.waiting-receipts", "3",
                        "usher.server.limits.waiting-for-database", "7")))
                .isEqualTo(new ServerLimits(
                        Duration.ofSeconds(2),
                        Duration.ofMinutes(1),
                        DataSize.ofKilobytes(64),
                        DataSize.ofMegabytes(2),
                        3,
                        7));
    }

    @ParameterizedTest
    @CsvSource({
        "head-timeout, 0, 'must be from a millisecond to an hour, but is PT0S'",
        "body-timeout, 61m, 'must be from a millisecond to an hour, but is PT1H1M'",
        "waiting-receipts, -1, 'must be at least 0, but is -1'",
        "waiting-for-database, 0, 'must be at least 1, but is 0'",
    })
    void limitsThatCannotBeAreRefused(String setting, String value, String fault) {
        assertThatThrownBy(() -> bind(Map.of("usher.server.limits." + setting, value)))
                .rootCause()
                .hasMessage("usher.server.limits." + setting + " " + fault);
    }

    private static ServerLimits bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.server.limits", ServerLimits.class);
    }
}
