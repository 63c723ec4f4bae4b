package dev.usher.spring;

import dev.usher.UserCaches;
import java.util.List;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.Authentication;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/**
 * What the controllers of a Spring MVC application get: {@link CurrentUser} parameters, and an answer of 503 for users of whom
 * nothing can be said.
 */
@AutoConfiguration(after = UsherSecurityAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass(WebMvcConfigurer.class)
public final class UsherWebMvcAutoConfiguration {

    private static final String RESOLVER = "usherCurrentUserArgumentResolver";

    @Bean
    @ConditionalOnBean(UserCaches.class)
    @ConditionalOnMissingBean
    UnavailableUserAdvice usherUnavailableUserAdvice() {
        return new UnavailableUserAdvice();
    }

    /** Always: see {@link CurrentUserParameters}. */
    @Bean
    @ConditionalOnMissingBean(name = "usherWebMvcConfigurer")
    WebMvcConfigurer usherWebMvcConfigurer(
            @Qualifier(RESOLVER) ObjectProvider<HandlerMethodArgumentResolver> resolver) {
        return new WebMvcConfigurer() {
            @Override
            public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
                resolvers.add(resolver.getIfAvailable(CurrentUserParameters::new));
            }
        };
    }

    /** Where somebody can say who calls. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(Authentication.class)
    @ConditionalOnBean({CurrentAuthentication.class, CurrentUserId.class})
    static class Authenticated {

        @Bean(RESOLVER)
        @ConditionalOnMissingBean(name = RESOLVER)
        <K> CurrentUserArgumentResolver<K> usherCurrentUserArgumentResolver(
                CurrentAuthentication authentication, CurrentUserId<K> ids, BeanFactory beans) {
            return new CurrentUserArgumentResolver<>(authentication, ids, beans);
        }
    }
}
