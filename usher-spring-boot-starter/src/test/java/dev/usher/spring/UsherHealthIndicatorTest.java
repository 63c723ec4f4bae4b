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
        Health health = healthOf(new CachesHealth(
                CachesHealth.Redis.ANSWERING,
                null,
                true,
                Duration.ofMillis(42),
                0,
                null,
                false,
                false,
                null,
                Map.of(),
                Map.of()));

        assertThat(health.getStatus()).isEqualTo(Status.UP);
        assertThat(health.getDetails())
                .containsExactly(
                        entry("redis", CachesHealth.Redis.ANSWERING),
                        entry("nearOpen", true),
                        entry("watermarkAge", "42ms"),
                        entry("pendingFences", 0L),
                        entry("fencesOverflowed", false));
    }

    @Test
    void cachesWithProblemsAreDegradedWithAllDetails() {
        Health health = healthOf(new CachesHealth(
                CachesHealth.Redis.UNREACHABLE,
                "is not connected",
                false,
                null,
                3,
                Duration.ofSeconds(12),
                true,
                true,
                "allkeys-random",
                Map.of("status", "BadSqlGrammarException, caused by PSQLException, SQLSTATE 42P01"),
                Map.of("badges", "why")));

        assertThat(health.getStatus().getCode()).isEqualTo("DEGRADED");
        assertThat(health.getDetails())
                .containsExactly(
                        entry("redis", CachesHealth.Redis.UNREACHABLE),
                        entry("trouble", "is not connected"),
                        entry("nearOpen", false),
                        entry("pendingFences", 3L),
                        entry("oldestPendingFence", "12000ms"),
                        entry("fencesOverflowed", true),
                        entry("resp2Only", true),
                        entry("riskyEviction", "allkeys-random"),
                        entry(
                                "source",
                                Map.of("status", "BadSqlGrammarException, caused by PSQLException, SQLSTATE 42P01")),
                        entry("uncached", Map.of("badges", "why")));
    }

    @Test
    void aFailingSourceAloneIsDegraded() {
        Health health = healthOf(new CachesHealth(
                CachesHealth.Redis.ANSWERING,
                null,
                true,
                Duration.ofMillis(42),
                0,
                null,
                false,
                false,
                null,
                Map.of("profile", "CannotGetJdbcConnectionException"),
                Map.of()));

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
        CachesHealth well = new CachesHealth(
                CachesHealth.Redis.ANSWERING,
                null,
                true,
                Duration.ofMillis(42),
                0,
                null,
                false,
                false,
                null,
                Map.of(),
                Map.of());

        Health health = new UsherHealthIndicator(() -> well, true).health();

        assertThat(health.getStatus()).isEqualTo(Status.UP);
        assertThat(health.getDetails()).contains(entry("currentUser", "none"), entry("statusGate", "none"));
    }

    private static Health healthOf(CachesHealth caches) {
        return new UsherHealthIndicator(() -> caches, false).health();
    }
}
