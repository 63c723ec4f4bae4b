package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.usher.CachePolicy;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class UsherPropertiesTest {

    @Test
    void theDefaultsAreThoseOfTheCore() {
        UsherProperties defaults = bind(Map.of());

        assertThat(defaults.enabled()).isTrue();
        assertThat(defaults.keyPrefix()).isEqualTo("user");
        assertThat(defaults.redis())
                .isEqualTo(new UsherProperties.Redis(
                        Duration.ofMillis(100),
                        true,
                        "auto",
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null,
                        null));
        assertThat(defaults.profile().policy(1000)).isEqualTo(UserProfile.FACET.policy());
        assertThat(defaults.status().policy(1000)).isEqualTo(UserStatus.FACET.policy());
    }

    @Test
    void theDefaultLivesAreThoseOfTheSpecification() {
        UsherProperties defaults = bind(Map.of());

        assertThat(defaults.profile())
                .isEqualTo(new UsherProperties.Profile(
                        Duration.ofMinutes(30),
                        0.1,
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(5),
                        10_000,
                        Duration.ofMinutes(5),
                        0.1,
                        Duration.ofSeconds(1),
                        Duration.ofMinutes(5),
                        4,
                        null,
                        Duration.ofSeconds(3)));
        assertThat(defaults.status())
                .isEqualTo(new UsherProperties.Status(
                        Duration.ofMinutes(60),
                        0.1,
                        Duration.ofSeconds(60),
                        Duration.ofSeconds(1),
                        10_000,
                        Duration.ofMinutes(5),
                        0.1,
                        Duration.ofSeconds(1),
                        Duration.ZERO,
                        4,
                        null,
                        Duration.ofSeconds(3)));
    }

    @Test
    void everySettingIsReadFromText() {
        UsherProperties properties = bind(Map.ofEntries(
                Map.entry("usher.enabled", "false"),
                Map.entry("usher.key-prefix", "tenant7"),
                Map.entry("usher.redis.command-timeout", "250ms"),
                Map.entry("usher.redis.require-resp3", "false"),
                Map.entry("usher.redis.await-replicas", "all"),
                Map.entry("usher.redis.url", "redis://:s3cret@127.0.0.1:7"),
                Map.entry("usher.redis.host", "redis"),
                Map.entry("usher.redis.port", "6380"),
                Map.entry("usher.redis.database", "3"),
                Map.entry("usher.redis.username", "usher"),
                Map.entry("usher.redis.password", "s3cret"),
                Map.entry("usher.redis.client-name", "front"),
                Map.entry("usher.redis.ssl.enabled", "true"),
                Map.entry("usher.redis.ssl.bundle", "redis"),
                Map.entry("usher.redis.sentinel.master", "primary"),
                Map.entry("usher.redis.sentinel.nodes", "c:3,[::1]:4"),
                Map.entry("usher.redis.sentinel.username", "watcher"),
                Map.entry("usher.redis.sentinel.password", "s3cret"),
                Map.entry("usher.redis.cluster.nodes", "d:5,[::1]:6"),
                Map.entry("usher.profile.ttl", "10m"),
                Map.entry("usher.profile.jitter", "0"),
                Map.entry("usher.profile.absent-ttl", "20s"),
                Map.entry("usher.profile.staleness-bound", "3s"),
                Map.entry("usher.profile.near-size", "500"),
                Map.entry("usher.profile.near-ttl", "90s"),
                Map.entry("usher.profile.refresh-ahead", "0.2"),
                Map.entry("usher.profile.claim-wait", "400ms"),
                Map.entry("usher.profile.serve-stale-for", "2m"),
                Map.entry("usher.profile.max-loads", "6"),
                Map.entry("usher.profile.max-waiting-loads", "60"),
                Map.entry("usher.profile.max-wait", "900ms"),
                Map.entry("usher.status.ttl", "15m"),
                Map.entry("usher.status.jitter", "0.25"),
                Map.entry("usher.status.absent-ttl", "21s"),
                Map.entry("usher.status.staleness-bound", "2s"),
                Map.entry("usher.status.near-size", "0"),
                Map.entry("usher.status.near-ttl", "70s"),
                Map.entry("usher.status.refresh-ahead", "0"),
                Map.entry("usher.status.claim-wait", "500ms"),
                Map.entry("usher.status.serve-stale-for", "10s"),
                Map.entry("usher.status.max-loads", "7"),
                Map.entry("usher.status.max-waiting-loads", "0"),
                Map.entry("usher.status.max-wait", "2s")));

        assertThat(properties.enabled()).isFalse();
        assertThat(properties.keyPrefix()).isEqualTo("tenant7");
        assertThat(properties.redis())
                .isEqualTo(new UsherProperties.Redis(
                        Duration.ofMillis(250),
                        false,
                        "all",
                        "redis://:s3cret@127.0.0.1:7",
                        "redis",
                        6380,
                        3,
                        "usher",
                        "s3cret",
                        "front",
                        new UsherProperties.Ssl(true, "redis"),
                        new UsherProperties.Sentinel("primary", List.of("c:3", "[::1]:4"), "watcher", "s3cret"),
                        new UsherProperties.Cluster(List.of("d:5", "[::1]:6"))));
        assertThat(properties.toString() + properties.redis().sentinel()).doesNotContain("s3cret");
        assertThat(properties.profile().policy(12))
                .isEqualTo(CachePolicy.builder()
                        .ttl(Duration.ofMinutes(10))
                        .jitter(0)
                        .absentTtl(Duration.ofSeconds(20))
                        .stalenessBound(Duration.ofSeconds(3))
                        .nearSize(500)
                        .nearTtl(Duration.ofSeconds(90))
                        .refreshAhead(0.2)
                        .claimWait(Duration.ofMillis(400))
                        .serveStaleFor(Duration.ofMinutes(2))
                        .maxLoads(6)
                        .maxWaitingLoads(60)
                        .maxWait(Duration.ofMillis(900))
                        .build());
        assertThat(properties.status().policy(12))
                .isEqualTo(CachePolicy.builder()
                        .ttl(Duration.ofMinutes(15))
                        .jitter(0.25)
                        .absentTtl(Duration.ofSeconds(21))
                        .stalenessBound(Duration.ofSeconds(2))
                        .nearSize(0)
                        .nearTtl(Duration.ofSeconds(70))
                        .refreshAhead(0)
                        .claimWait(Duration.ofMillis(500))
                        .serveStaleFor(Duration.ofSeconds(10))
                        .maxLoads(7)
                        .maxWaitingLoads(0)
                        .maxWait(Duration.ofSeconds(2))
                        .build());
    }

    @Test
    void asManyCallersWaitAsFitTheWebServerUnlessASettingSaysIt() {
        UsherProperties defaults = bind(Map.of());
        assertThat(defaults.profile().policy(12).maxWaitingLoads()).isEqualTo(12);
        assertThat(defaults.status().policy(13).maxWaitingLoads()).isEqualTo(13);
    }

    @ParameterizedTest
    @CsvSource({
        "usher.key-prefix, a{b",
        "usher.key-prefix, ''",
        "usher.redis.command-timeout, 0s",
        "usher.redis.await-replicas, some",
        "usher.redis.await-replicas, -1",
        "usher.profile.ttl, 0s",
        "usher.profile.jitter, 1",
        "usher.profile.absent-ttl, -1s",
        "usher.profile.staleness-bound, -1s",
        "usher.profile.near-size, -1",
        "usher.profile.near-ttl, 0s",
        "usher.profile.refresh-ahead, 1",
        "usher.profile.claim-wait, -1s",
        "usher.profile.serve-stale-for, -1s",
        "usher.profile.max-loads, 0",
        "usher.profile.max-waiting-loads, -1",
        "usher.profile.max-wait, -1s",
        "usher.status.ttl, 0s",
        "usher.status.jitter, -0.1",
        "usher.status.absent-ttl, 0s",
        "usher.status.staleness-bound, -1s",
        "usher.status.near-size, -1",
        "usher.status.near-ttl, 0s",
        "usher.status.refresh-ahead, -0.1",
        "usher.status.claim-wait, -1s",
        "usher.status.serve-stale-for, -1s",
        "usher.status.max-loads, 0",
        "usher.status.max-waiting-loads, -1",
        "usher.status.max-wait, -1s",
    })
    void aValueThatCannotBeIsRefusedByTheNameOfItsProperty(String property, String value) {
        UsherProperties properties = bind(Map.of(property, value));

        assertThat(catchThrowableOfType(InvalidConfigurationPropertyValueException.class, () -> {
                    properties.builder();
                    properties.profile().policy(12);
                    properties.status().policy(12);
                }))
                .extracting(InvalidConfigurationPropertyValueException::getName)
                .isEqualTo(property);
    }

    private static UsherProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings)).bindOrCreate("usher", UsherProperties.class);
    }
}
