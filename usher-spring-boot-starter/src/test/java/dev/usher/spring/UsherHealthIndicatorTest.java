package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import dev.usher.CachesHealth;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.health.actuate.endpoint.HttpCodeStatusMapper;
import org.springframework.boot.health.actuate.endpoint.StatusAggregator;
import org.springframework.boot.health.autoconfigure.actuate.endpoint.HealthEndpointAutoConfiguration;
import org.springframework.boot.health.autoconfigure.registry.HealthContributorRegistryAutoConfiguration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;

class UsherHealthIndicatorTest {

    @Test
    void healthyCachesAreUpWithoutErrors() {
        Health health = healthOf(
                CachesHealth.builder().watermarkAge(Duration.ofMillis(42)).build());

        assertThat(health.getStatus()).isEqualTo(Status.UP);
        assertThat(health.getDetails())
                .containsExactly(
                        entry("redis", CachesHealth.Redis.ANSWERING),
                        entry("nearOpen", true),
                        entry("watermarkAge", "42ms"),
                        entry("pendingFences", 0L),
                        entry("fencesOverflowed", false),
                        entry("topology", CachesHealth.Topology.STANDALONE),
                        entry("role", CachesHealth.Role.PRIMARY),
                        entry("replicas", 0),
                        entry("lag", "0ms"));
    }

    @Test
    void cachesWithProblemsAreDegradedWithAllDetails() {
        Health health = healthOf(CachesHealth.builder()
                .redis(CachesHealth.Redis.UNREACHABLE)
                .lastError("is not connected")
                .watermarkAge(null)
                .pendingFences(3)
                .oldestPendingFence(Duration.ofSeconds(12))
                .fencesOverflowed(true)
                .resp2Only(true)
                .topology(CachesHealth.Topology.SENTINEL)
                .primary("10.0.0.5:6379")
                .primaries(Map.of("10.0.0.5:6379", CachesHealth.Redis.UNREACHABLE))
                .role(CachesHealth.Role.REPLICA)
                .replicas(null)
                .unfenced("replicas and no Sentinels")
                .lag(null)
                .riskyEviction("allkeys-random")
                .unfitServer("is a replica")
                .sentinels("3 of 3 name 10.0.0.5:6379")
                .riskyFailover("lag")
                .source(Map.of("status", "BadSqlGrammarException, caused by PSQLException, SQLSTATE 42P01"))
                .uncached(Map.of("badges", "why"))
                .build());

        assertThat(health.getStatus().getCode()).isEqualTo("DEGRADED");
        assertThat(health.getDetails())
                .containsExactly(
                        entry("redis", CachesHealth.Redis.UNREACHABLE),
                        entry("lastError", "is not connected"),
                        entry("nearOpen", false),
                        entry("pendingFences", 3L),
                        entry("oldestPendingFence", "12000ms"),
                        entry("fencesOverflowed", true),
                        entry("resp2Only", true),
                        entry("topology", CachesHealth.Topology.SENTINEL),
                        entry("primary", "10.0.0.5:6379"),
                        entry("primaries", Map.of("10.0.0.5:6379", CachesHealth.Redis.UNREACHABLE)),
                        entry("role", CachesHealth.Role.REPLICA),
                        entry("unfenced", "replicas and no Sentinels"),
                        entry("riskyEviction", "allkeys-random"),
                        entry("unfitServer", "is a replica"),
                        entry("sentinels", "3 of 3 name 10.0.0.5:6379"),
                        entry("riskyFailover", "lag"),
                        entry(
                                "source",
                                Map.of("status", "BadSqlGrammarException, caused by PSQLException, SQLSTATE 42P01")),
                        entry("uncached", Map.of("badges", "why")));
    }

    @Test
    void aFailingSourceAloneIsDegraded() {
        Health health = healthOf(CachesHealth.builder()
                .source(Map.of("profile", "CannotGetJdbcConnectionException"))
                .build());

        assertThat(health.getStatus().getCode()).isEqualTo("DEGRADED");
        assertThat(health.getDetails())
                .contains(entry("source", Map.of("profile", "CannotGetJdbcConnectionException")));
    }

    @Test
    void degradedHealthIsAnsweredWith200() {
        Status overall = StatusAggregator.getDefault().getAggregateStatus(Status.UP, UsherHealthIndicator.DEGRADED);

        assertThat(overall).isEqualTo(Status.UP);
        new WebApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(
                        HealthContributorRegistryAutoConfiguration.class, HealthEndpointAutoConfiguration.class))
                .run(context -> assertThat(context.getBean(HttpCodeStatusMapper.class)
                                .getStatusCode(UsherHealthIndicator.DEGRADED))
                        .isEqualTo(200));
    }

    @Test
    void anApplicationThatUsesTheCachesAloneReportsThat() {
        CachesHealth well = CachesHealth.builder().build();

        Health health = new UsherHealthIndicator(() -> well, true).health();

        assertThat(health.getStatus()).isEqualTo(Status.UP);
        assertThat(health.getDetails()).contains(entry("currentUser", "none"), entry("statusGate", "none"));
    }

    private static Health healthOf(CachesHealth caches) {
        return new UsherHealthIndicator(() -> caches, false).health();
    }
}
