package dev.usher.spring;

import dev.usher.UserCaches;
import dev.usher.spring.UsherWebProperties.CurrentUserFrom;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;

/**
 * The health of the caches, as {@code usher} among an application's health indicators. It can be switched off with {@code
 * management.health.usher.enabled}.
 */
@AutoConfiguration(after = UsherAutoConfiguration.class)
@ConditionalOnClass(HealthIndicator.class)
@ConditionalOnSingleCandidate(UserCaches.class)
public final class UsherHealthContributorAutoConfiguration {

    @Bean
    @ConditionalOnEnabledHealthIndicator("usher")
    @ConditionalOnMissingBean(name = {"usherHealthIndicator", "usherHealthContributor"})
    UsherHealthIndicator usherHealthContributor(UserCaches caches, Environment environment) {
        return new UsherHealthIndicator(
                caches::health, CurrentUserFrom.of(Binder.get(environment)) == CurrentUserFrom.NONE);
    }
}
