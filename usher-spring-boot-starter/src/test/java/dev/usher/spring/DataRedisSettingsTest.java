package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.StandardEnvironment;

class DataRedisSettingsTest {

    @Test
    void theDefaultsAreThoseOfSpringBoot() {
        DataRedisSettings defaults = settings(Map.of());

        assertThat(defaults.url()).isNull();
        assertThat(defaults.host()).isEqualTo("localhost");
        assertThat(defaults.port()).isEqualTo(6379);
        assertThat(defaults.database()).isZero();
        assertThat(defaults.username()).isNull();
        assertThat(defaults.password()).isNull();
        assertThat(defaults.clientName()).isNull();
        assertThat(defaults.ssl().isOn()).isFalse();
        assertThat(defaults.ssl().bundle()).isNull();
        assertThat(defaults.cluster()).isNull();
        assertThat(defaults.sentinel()).isNull();
        assertThat(defaults.masterreplica()).isNull();
        assertThat(defaults.hasTlsUrl()).isFalse();
    }

    @Test
    void everySettingIsReadFromText() {
        DataRedisSettings settings = settings(Map.ofEntries(
                Map.entry("spring.data.redis.url", "rediss://127.0.0.1:7"),
                Map.entry("spring.data.redis.host", "redis"),
                Map.entry("spring.data.redis.port", "6380"),
                Map.entry("spring.data.redis.database", "3"),
                Map.entry("spring.data.redis.username", "usher"),
                Map.entry("spring.data.redis.password", "s3cret"),
                Map.entry("spring.data.redis.client-name", "front"),
                Map.entry("spring.data.redis.ssl.enabled", "true"),
                Map.entry("spring.data.redis.ssl.bundle", "redis"),
                Map.entry("spring.data.redis.cluster.nodes", "a:1,b:2"),
                Map.entry("spring.data.redis.sentinel.master", "primary"),
                Map.entry("spring.data.redis.sentinel.nodes", "c:3"),
                Map.entry("spring.data.redis.sentinel.username", "watcher"),
                Map.entry("spring.data.redis.sentinel.password", "s3cret"),
                Map.entry("spring.data.redis.masterreplica.nodes", "d:4")));

        assertThat(settings)
                .isEqualTo(new DataRedisSettings(
                        "rediss://127.0.0.1:7",
                        "redis",
                        6380,
                        3,
                        "usher",
                        "s3cret",
                        "front",
                        new DataRedisSettings.Ssl(true, "redis"),
                        new DataRedisSettings.Nodes(List.of("a:1", "b:2")),
                        new DataRedisSettings.Sentinel("primary", List.of("c:3"), "watcher", "s3cret"),
                        new DataRedisSettings.Nodes(List.of("d:4"))));
        assertThat(settings.hasTlsUrl()).isTrue();
    }

    @Test
    void aBundleSwitchesTlsOnUnlessItIsSwitchedOff() {
        assertThat(settings(Map.of("spring.data.redis.ssl.bundle", "redis"))
                        .ssl()
                        .isOn())
                .isTrue();
        assertThat(settings(Map.of("spring.data.redis.ssl.bundle", "redis", "spring.data.redis.ssl.enabled", "false"))
                        .ssl()
                        .isOn())
                .isFalse();
    }

    @Test
    void thePasswordIsNotShown() {
        DataRedisSettings settings = settings(Map.of(
                "spring.data.redis.url",
                "redis://:s3cret@127.0.0.1",
                "spring.data.redis.password",
                "s3cret",
                "spring.data.redis.sentinel.password",
                "s3cret"));
        assertThat(settings.toString() + settings.sentinel()).doesNotContain("s3cret");
    }

    private static DataRedisSettings settings(Map<String, Object> properties) {
        StandardEnvironment environment = new StandardEnvironment();
        environment.getPropertySources().addFirst(new MapPropertySource("test", properties));
        return DataRedisSettings.of(environment);
    }
}
