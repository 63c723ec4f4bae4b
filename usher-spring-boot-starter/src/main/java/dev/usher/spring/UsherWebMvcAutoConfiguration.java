package dev.usher.spring;

import dev.usher.UserCaches;
import java.util.List;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.Authentication;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.HandlerMethodArgumentResolverComposite;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;
import org.springframework.web.servlet.handler.HandlerExceptionResolverComposite;
import org.springframework.web.servlet.mvc.method.annotation.ExceptionHandlerExceptionResolver;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;

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

    /** Always: see {@link CurrentUserParameters}. It reaches a Spring MVC in a child context too, which the next bean does not. */
    @Bean
    @ConditionalOnMissingBean(name = "usherWebMvcConfigurer")
    WebMvcConfigurer usherWebMvcConfigurer(
            @Qualifier(RESOLVER) ObjectProvider<HandlerMethodArgumentResolver> resolver) {
        return new WebMvcConfigurer() {
            @Override
            public void addArgumentResolvers(List<HandlerMethodArgumentResolver> resolvers) {
                resolvers.add(new CurrentUserParameters(resolver.getIfAvailable()));
            }
        };
    }

    /**
     * In front of all other resolvers: Spring MVC asks those that know an annotation, such as that of {@code @RequestParam}, before
     * those that an application adds.
     */
    @Bean
    static BeanPostProcessor usherCurrentUserComesFirst(
            @Qualifier(RESOLVER) ObjectProvider<HandlerMethodArgumentResolver> resolver) {
        return new BeanPostProcessor() {
            @Override
            public Object postProcessAfterInitialization(Object bean, String name) {
                if (bean instanceof RequestMappingHandlerAdapter adapter) {
                    CurrentUserParameters first = new CurrentUserParameters(resolver.getIfAvailable());
                    adapter.setArgumentResolvers(first.before(adapter.getArgumentResolvers()));
                    adapter.setInitBinderArgumentResolvers(first.before(adapter.getInitBinderArgumentResolvers()));
                } else if (bean instanceof HandlerExceptionResolverComposite composite) {
                    composite.getExceptionResolvers().forEach(one -> postProcessAfterInitialization(one, name));
                } else if (bean instanceof ExceptionHandlerExceptionResolver handlers) {
                    HandlerMethodArgumentResolverComposite others = handlers.getArgumentResolvers();
                    CurrentUserParameters first = new CurrentUserParameters(resolver.getIfAvailable());
                    handlers.setArgumentResolvers(first.before(others == null ? List.of() : others.getResolvers()));
                }
                return bean;
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
