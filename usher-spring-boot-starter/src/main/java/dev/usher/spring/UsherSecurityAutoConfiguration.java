package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import java.util.List;
import java.util.Set;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.AnyNestedCondition;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.core.ResolvableType;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.core.context.SecurityContextHolderStrategy;
import org.springframework.security.web.access.intercept.AuthorizationFilter;
import org.springframework.security.web.util.matcher.RequestMatcher;

/**
 * The current user of a servlet application with Spring Security, and the gate that refuses disabled users.
 *
 * <p>Each bean backs off if the application declares its own: a {@link CurrentUserId}, or a {@code Customizer<HttpSecurity>}
 * named {@code usherStatusGate}.
 */
@AutoConfiguration(after = UsherAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass({HttpSecurity.class, AuthorizationFilter.class})
@Conditional(UsherSecurityAutoConfiguration.OnAnyCache.class)
@ConditionalOnProperty(name = "usher.web.current-user", havingValue = "authentication", matchIfMissing = true)
public final class UsherSecurityAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    CurrentAuthentication usherCurrentAuthentication(ObjectProvider<SecurityContextHolderStrategy> contexts) {
        return new CurrentAuthentication(contexts.getIfUnique(SecurityContextHolder::getContextHolderStrategy));
    }

    @Bean
    @ConditionalOnMissingBean(CurrentUserId.class)
    <K> CurrentUserId<K> usherCurrentUserId(
            ObjectProvider<UserStatusCache<K>> statuses,
            ObjectProvider<UserProfileCache<K>> profiles,
            ObjectProvider<UserCache<K, ?>> others) {
        // All caches have the same type of ids, so any of them will do.
        return new NameAsUserId<>(statuses.stream()
                .<UserCache<K, ?>>map(UserStatusCache::cache)
                .findFirst()
                .or(() -> profiles.stream()
                        .<UserCache<K, ?>>map(UserProfileCache::cache)
                        .findFirst())
                .or(() -> others.stream().findFirst())
                .orElseThrow(() -> new IllegalStateException("there is a Facet, and no UserSource of its values")));
    }

    /** A gate in each filter chain of Spring Security. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnBean(UserStatusCache.class)
    @ConditionalOnBooleanProperty(name = "usher.web.status-gate.enabled", matchIfMissing = true)
    @EnableConfigurationProperties(UsherWebProperties.class)
    static class Gate {

        private static final String GATE = "usherStatusGate";

        @Bean(GATE)
        @ConditionalOnMissingBean(name = GATE)
        <K> Customizer<HttpSecurity> usherStatusGate(
                CurrentAuthentication authentication,
                CurrentUserId<K> ids,
                UserStatusCache<K> statuses,
                UsherWebProperties properties,
                ObjectProvider<StatusGatePass> passes,
                ObjectProvider<UserConnections<K>> connections) {
            RequestMatcher excluded =
                    ExcludedPaths.matcher(properties.statusGate().excludedPaths());
            Set<String> authorities = Set.copyOf(properties.statusGate().passAuthorities());
            // Resolved at the first request: a pass may depend on beans that this filter chain is built from.
            StatusGatePass pass = caller ->
                    hasAny(caller, authorities) || passes.orderedStream().anyMatch(own -> own.mayPass(caller));
            return http -> http.addFilterBefore(
                    new StatusGate<>(
                            authentication,
                            ids,
                            statuses,
                            pass,
                            excluded,
                            connections.getIfUnique(),
                            properties.revocation().endSessions()),
                    AuthorizationFilter.class);
        }

        private static boolean hasAny(Authentication caller, Set<String> authorities) {
            return caller.getAuthorities().stream()
                    .anyMatch(
                            granted -> granted.getAuthority() != null && authorities.contains(granted.getAuthority()));
        }

        /** Fails the start if a bean of another type replaces the gate: Spring Security would not apply it. */
        @Bean
        @Lazy(false)
        static SmartInitializingSingleton usherStatusGateCheck(ListableBeanFactory beans) {
            return () -> {
                String[] customizers = beans.getBeanNamesForType(
                        ResolvableType.forClassWithGenerics(Customizer.class, HttpSecurity.class), true, false);
                if (!List.of(customizers).contains(GATE)) {
                    throw new UnfitStatusGateException();
                }
            };
        }
    }

    /** Matches if there is a cache to look up the current user in. */
    static final class OnAnyCache extends AnyNestedCondition {

        OnAnyCache() {
            super(ConfigurationPhase.REGISTER_BEAN);
        }

        @ConditionalOnBean(UserStatusCache.class)
        static final class Statuses {}

        @ConditionalOnBean(UserProfileCache.class)
        static final class Profiles {}

        @ConditionalOnBean(UserCache.class)
        static final class Others {}

        /** The caches of own facets are beans too, but are not registered yet when this condition is evaluated. */
        @ConditionalOnBean({UserCaches.class, Facet.class})
        static final class OwnFacets {}
    }
}
