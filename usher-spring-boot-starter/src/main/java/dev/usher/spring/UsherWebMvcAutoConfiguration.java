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
 * The support for controllers of Spring MVC: {@link CurrentUser} parameters, and an answer of 503 for unavailable users.
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

    /**
     * Always registered: see {@link CurrentUserParameters}. It also reaches Spring MVC in a child context, which the next bean
     * does not.
     */
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
     * Moves usher's resolver before all others: Spring MVC asks the resolvers of annotations, such as {@code @RequestParam},
     * before those that an application adds.
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

    /** Applications with a bean that knows the current user. */
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
