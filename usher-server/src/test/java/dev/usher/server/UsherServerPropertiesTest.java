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
                        Duration.ofSeconds(5),
                        null,
                        List.of(),
                        10_000,
                        false,
                        new UsherServerProperties.Attempts(10, 100, 50, Duration.ofMinutes(10)),
                        new UsherServerProperties.Logins(20, 240),
                        new UsherServerProperties.Passwords(0, 20, Duration.ofSeconds(2)),
                        new UsherServerProperties.Reads(6000, Duration.ofMinutes(10)),
                        new UsherServerProperties.Admin(null, null, "Administrator")));
    }

    @Test
    void everySettingIsReadFromText() {
        assertThat(bind(Map.ofEntries(
                        Map.entry("usher.server.issuer", "https://users.example.org"),
                        Map.entry("usher.server.audience", "shop"),
                        Map.entry("usher.server.token-ttl", "5m"),
                        Map.entry("usher.server.fresh-token-ttl", "7d"),
                        Map.entry("usher.server.clock-skew", "1s"),
                        Map.entry("usher.server.signing-key", "file:/keys/usher.pem"),
                        Map.entry("usher.server.verification-keys", "file:/keys/old.pem,file:/keys/new.pem"),
                        Map.entry("usher.server.max-verified-tokens", "500"),
                        Map.entry("usher.server.security-observations", "true"),
                        Map.entry("usher.server.attempts.per-mobile", "3"),
                        Map.entry("usher.server.attempts.per-address", "0"),
                        Map.entry("usher.server.attempts.registrations-per-address", "7"),
                        Map.entry("usher.server.attempts.window", "1h"),
                        Map.entry("usher.server.logins.max-per-user", "3"),
                        Map.entry("usher.server.logins.max-refreshes-per-hour", "60"),
                        Map.entry("usher.server.passwords.max-at-once", "4"),
                        Map.entry("usher.server.passwords.max-waiting", "8"),
                        Map.entry("usher.server.passwords.max-wait", "500ms"),
                        Map.entry("usher.server.reads.per-caller", "200"),
                        Map.entry("usher.server.reads.window", "1m"),
                        Map.entry("usher.server.admin.mobile", "13800000000"),
                        Map.entry("usher.server.admin.password", "correct horse"),
                        Map.entry("usher.server.admin.name", "Root"))))
                .isEqualTo(new UsherServerProperties(
                        "https://users.example.org",
                        "shop",
                        Duration.ofMinutes(5),
                        Duration.ofDays(7),
                        Duration.ofSeconds(1),
                        "file:/keys/usher.pem",
                        List.of("file:/keys/old.pem", "file:/keys/new.pem"),
                        500,
                        true,
                        new UsherServerProperties.Attempts(3, 0, 7, Duration.ofHours(1)),
                        new UsherServerProperties.Logins(3, 60),
                        new UsherServerProperties.Passwords(4, 8, Duration.ofMillis(500)),
                        new UsherServerProperties.Reads(200, Duration.ofMinutes(1)),
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
        "attempts.per-mobile, -1, 'per-mobile must be from 0, for no limit, to 1000000, but is -1'",
        "attempts.per-address, 1000001, 'per-address must be from 0'",
        "attempts.registrations-per-address, -1, 'registrations-per-address must be from 0'",
        "attempts.window, 10, 'window must be at least a second, but is PT0.01S'",
        "attempts.window, 25h, 'window must be at most a day'",
        "reads.per-caller, -1, 'per-caller must be 0, for no limit, or from 200 to 1000000, but is -1'",
        "reads.per-caller, 199, 'per-caller must be 0'",
        "reads.per-caller, 1000001, 'per-caller must be 0'",
        "reads.window, 999ms, 'window must be at least a second'",
        "reads.window, 25h, 'window must be at most a day'",
    })
    void limitsThatCannotBeAreRefused(String setting, String value, String fault) {
        assertThatThrownBy(() -> bind(Map.of("usher.server." + setting, value)))
                .rootCause()
                .hasMessageContaining("usher.server." + setting.replaceAll("[.].*", ".") + fault);
    }

    @ParameterizedTest
    @CsvSource({
        "clock-skew, -1s, 'clock-skew must be from PT0S to PT1M, but is PT-1S'",
        "clock-skew, 61s, 'clock-skew must be from PT0S to PT1M'",
        "max-verified-tokens, -1, 'max-verified-tokens must be from 0 to 1000000, but is -1'",
        "max-verified-tokens, 1000001, 'max-verified-tokens must be from 0 to 1000000'",
        "logins.max-per-user, 0, 'logins.max-per-user must be from 1 to 1000, but is 0'",
        "logins.max-per-user, 1001, 'logins.max-per-user must be from 1 to 1000'",
        "logins.max-refreshes-per-hour, 0, 'logins.max-refreshes-per-hour must be from 1 to 100000'",
        "logins.max-refreshes-per-hour, 100001, 'logins.max-refreshes-per-hour must be from 1'",
        "passwords.max-at-once, -1, 'passwords.max-at-once must be from 0 to 1000, but is -1'",
        "passwords.max-at-once, 1001, 'passwords.max-at-once must be from 0 to 1000'",
        "passwords.max-waiting, -1, 'passwords.max-waiting must be from 0 to 1000'",
        "passwords.max-waiting, 1001, 'passwords.max-waiting must be from 0 to 1000'",
        "passwords.max-wait, 0, 'passwords.max-wait must be from PT0.001S to PT30S, but is PT0S'",
        "passwords.max-wait, 31s, 'passwords.max-wait must be from PT0.001S to PT30S'",
    })
    void boundsThatCannotBeAreRefused(String setting, String value, String fault) {
        assertThatThrownBy(() -> bind(Map.of("usher.server." + setting, value)))
                .rootCause()
                .hasMessageContaining("usher.server." + fault);
    }

    @Test
    void itsTextHoldsNoSecrets() {
        assertThat(new UsherServerProperties(
                                "usher",
                                "usher",
                                Duration.ofMinutes(15),
                                Duration.ofDays(30),
                                Duration.ofSeconds(5),
                                "-----BEGIN PRIVATE KEY-----",
                                List.of("-----BEGIN PRIVATE KEY-----"),
                                10_000,
                                false,
                                new UsherServerProperties.Attempts(10, 100, 50, Duration.ofMinutes(10)),
                                new UsherServerProperties.Logins(20, 240),
                                new UsherServerProperties.Passwords(0, 20, Duration.ofSeconds(2)),
                                new UsherServerProperties.Reads(6000, Duration.ofMinutes(10)),
                                new UsherServerProperties.Admin("13800000000", "correct horse", "Root"))
                        .toString())
                .doesNotContain("BEGIN", "13800000000", "correct horse");
    }

    private static UsherServerProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.server", UsherServerProperties.class);
    }
}
