package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserCaches;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.health.autoconfigure.contributor.HealthContributorAutoConfiguration;
import org.springframework.boot.health.autoconfigure.registry.HealthContributorRegistryAutoConfiguration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.registry.HealthContributorRegistry;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

class UsherHealthContributorAutoConfigurationTest {

    private final ApplicationContextRunner usher = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(UsherAutoConfiguration.class, UsherHealthContributorAutoConfiguration.class))
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    private final ApplicationContextRunner runner = usher.withConfiguration(AutoConfigurations.of(
            HealthContributorRegistryAutoConfiguration.class, HealthContributorAutoConfiguration.class));

    @Test
    void theCachesAreAmongTheIndicatorsByTheNameOfUsher() {
        runner.run(context -> assertThat(
                        context.getBean(HealthContributorRegistry.class).getContributor("usher"))
                .isInstanceOf(UsherHealthIndicator.class));
    }

    @Test
    void withoutHealthThereIsNoIndicator() {
        usher.withClassLoader(new FilteredClassLoader("org.springframework.boot.health"))
                .run(context -> {
                    assertThat(context).hasSingleBean(UserCaches.class);
                    assertThat(context).doesNotHaveBean("usherHealthContributor");
                });
    }

    @Test
    void withoutCachesThereIsNoIndicator() {
        runner.withPropertyValues("usher.enabled=false")
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean("usherHealthContributor"));
    }

    @Test
    void itCanBeSwitchedOff() {
        runner.withPropertyValues("management.health.usher.enabled=false")
                .run(context -> assertThat(context).doesNotHaveBean("usherHealthContributor"));
    }

    @Test
    void itSaysThatTheCachesAreUsedAlone() {
        runner.withPropertyValues("usher.web.current-user=none")
                .run(context -> assertThat(context.getBean(UsherHealthIndicator.class)
                                .health()
                                .getDetails())
                        .containsEntry("currentUser", "none")
                        .containsEntry("statusGate", "none"));
        runner.run(context -> assertThat(
                        context.getBean(UsherHealthIndicator.class).health().getDetails())
                .doesNotContainKeys("currentUser", "statusGate"));
    }

    @Test
    void itBacksOffFromTheApplicationsOwn() {
        HealthIndicator own = () -> Health.up().build();
        runner.withBean("usherHealthIndicator", HealthIndicator.class, () -> own)
                .run(context -> {
                    assertThat(context).doesNotHaveBean("usherHealthContributor");
                    assertThat(context.getBean(HealthContributorRegistry.class).getContributor("usher"))
                            .isSameAs(own);
                });
    }
}
