package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
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
                        new UsherServerProperties.Admin(null, null, "Administrator")));
    }

    @Test
    void everySettingIsReadFromText() {
        assertThat(bind(Map.of(
                        "usher.server.issuer", "https://users.example.org",
                        "usher.server.audience", "shop",
                        "usher.server.token-ttl", "5m",
                        "usher.server.fresh-token-ttl", "7d",
                        "usher.server.signing-key", "file:/keys/usher.pem",
                        "usher.server.admin.mobile", "13800000000",
                        "usher.server.admin.password", "correct horse",
                        "usher.server.admin.name", "Root")))
                .isEqualTo(new UsherServerProperties(
                        "https://users.example.org",
                        "shop",
                        Duration.ofMinutes(5),
                        Duration.ofDays(7),
                        "file:/keys/usher.pem",
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

    @Test
    void itsTextHoldsNoSecrets() {
        assertThat(new UsherServerProperties(
                                "usher",
                                "usher",
                                Duration.ofMinutes(15),
                                Duration.ofDays(30),
                                "-----BEGIN PRIVATE KEY-----",
                                new UsherServerProperties.Admin("13800000000", "correct horse", "Root"))
                        .toString())
                .doesNotContain("BEGIN", "13800000000", "correct horse");
    }

    private static UsherServerProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.server", UsherServerProperties.class);
    }
}
