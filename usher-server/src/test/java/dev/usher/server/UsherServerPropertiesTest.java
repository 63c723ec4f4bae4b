package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class UsherServerPropertiesTest {

    @Test
    void theDefaultsNeedNoSettings() {
        assertThat(bind(Map.of()))
                .isEqualTo(new UsherServerProperties(
                        "usher",
                        "usher",
                        Duration.ofMinutes(15),
                        Duration.ofDays(30),
                        null,
                        List.of(),
                        new UsherServerProperties.Attempts(10, 100, 50, Duration.ofMinutes(10)),
                        new UsherServerProperties.Admin(null, null, "Administrator")));
    }

    @Test
    void everySettingIsReadFromText() {
        assertThat(bind(Map.ofEntries(
                        Map.entry("usher.server.issuer", "https://users.example.org"),
                        Map.entry("usher.server.audience", "shop"),
                        Map.entry("usher.server.token-ttl", "5m"),
                        Map.entry("usher.server.fresh-token-ttl", "7d"),
                        Map.entry("usher.server.signing-key", "file:/keys/usher.pem"),
                        Map.entry("usher.server.verification-keys", "file:/keys/old.pem,file:/keys/new.pem"),
                        Map.entry("usher.server.attempts.per-mobile", "3"),
                        Map.entry("usher.server.attempts.per-address", "0"),
                        Map.entry("usher.server.attempts.registrations-per-address", "7"),
                        Map.entry("usher.server.attempts.window", "1h"),
                        Map.entry("usher.server.admin.mobile", "13800000000"),
                        Map.entry("usher.server.admin.password", "correct horse"),
                        Map.entry("usher.server.admin.name", "Root"))))
                .isEqualTo(new UsherServerProperties(
                        "https://users.example.org",
                        "shop",
                        Duration.ofMinutes(5),
                        Duration.ofDays(7),
                        "file:/keys/usher.pem",
                        List.of("file:/keys/old.pem", "file:/keys/new.pem"),
                        new UsherServerProperties.Attempts(3, 0, 7, Duration.ofHours(1)),
                        new UsherServerProperties.Admin("13800000000", "correct horse", "Root")));
    }

    @Test
    void aLifeWithoutAUnitIsRefusedForItMeansMilliseconds() {
        assertThatThrownBy(() -> bind(Map.of("usher.server.token-ttl", "15")))
                .hasRootCauseMessage("usher.server.token-ttl must be at least a second, but is PT0.015S;"
                        + " a number without a unit is milliseconds");
        assertThatThrownBy(() -> bind(Map.of("usher.server.fresh-token-ttl", "-1d")))
                .rootCause()
                .hasMessageContaining("fresh-token-ttl");
    }

    @ParameterizedTest
    @CsvSource({
        "per-mobile, -1, 'per-mobile must be from 0, for no limit, to 1000000, but is -1'",
        "per-address, 1000001, 'per-address must be from 0'",
        "registrations-per-address, -1, 'registrations-per-address must be from 0'",
        "window, 10, 'window must be at least a second, but is PT0.01S'",
        "window, 25h, 'window must be at most a day'",
    })
    void limitsThatCannotBeAreRefused(String setting, String value, String fault) {
        assertThatThrownBy(() -> bind(Map.of("usher.server.attempts." + setting, value)))
                .rootCause()
                .hasMessageContaining("usher.server.attempts." + fault);
    }

    @Test
    void itsTextHoldsNoSecrets() {
        assertThat(new UsherServerProperties(
                                "usher",
                                "usher",
                                Duration.ofMinutes(15),
                                Duration.ofDays(30),
                                "-----BEGIN PRIVATE KEY-----",
                                List.of("-----BEGIN PRIVATE KEY-----"),
                                new UsherServerProperties.Attempts(10, 100, 50, Duration.ofMinutes(10)),
                                new UsherServerProperties.Admin("13800000000", "correct horse", "Root"))
                        .toString())
                .doesNotContain("BEGIN", "13800000000", "correct horse");
    }

    private static UsherServerProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.server", UsherServerProperties.class);
    }
}
