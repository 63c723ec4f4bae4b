package dev.usher.spring;

import dev.usher.spring.UsherWebProperties.CurrentUserFrom;
import org.springframework.beans.factory.config.BeanFactoryPostProcessor;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.core.env.Environment;

/**
 * The checks that a {@link CurrentUser} parameter is only ever filled with the current user, in every kind of application:
 * otherwise the application does not start.
 */
@AutoConfiguration
@EnableConfigurationProperties(UsherWebProperties.class)
public final class UsherCurrentUserAutoConfiguration {

    /** Active even with {@code usher.enabled=false}: the annotation can be used all the same. */
    @Bean
    @Lazy(false)
    static CurrentUserParameterCheck usherCurrentUserParameterCheck(ConfigurableListableBeanFactory beans) {
        return new CurrentUserParameterCheck(beans);
    }

    /** Refuses a reactive application, until usher has a resolver and a gate for it. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
    @ConditionalOnBooleanProperty(name = "usher.enabled", matchIfMissing = true)
    static class Reactive {

        /** Runs before any bean is created, so that the start fails at once and there is nothing to shut down. */
        @Bean
        static BeanFactoryPostProcessor usherReactiveRefusal(Environment environment) {
            return beans -> {
                if (CurrentUserFrom.of(Binder.get(environment)) != CurrentUserFrom.NONE) {
                    throw new ReactiveApplicationException();
                }
            };
        }
    }
}
