package dev.usher.spring;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

/** The endpoint {@code usher} of an application with the actuator, where {@code management.endpoints} exposes it. */
@AutoConfiguration(after = UsherAutoConfiguration.class)
@ConditionalOnClass(ConditionalOnAvailableEndpoint.class)
@ConditionalOnSingleCandidate(UserCaches.class)
public final class UsherEndpointAutoConfiguration {

    @Bean
    @ConditionalOnAvailableEndpoint
    @ConditionalOnMissingBean
    UsherEndpoint usherEndpoint(UserCaches caches, ObjectProvider<UserCache<?, ?>> facets) {
        return new UsherEndpoint(caches::health, facets);
    }
}
