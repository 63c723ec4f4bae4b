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
 * What keeps a {@link CurrentUser} parameter from being filled with anything else than the current user, in every kind of
 * application: an application in which that could happen does not start.
 */
@AutoConfiguration
@EnableConfigurationProperties(UsherWebProperties.class)
public final class UsherCurrentUserAutoConfiguration {

    /** Also with {@code usher.enabled=false}: the annotation is there all the same. */
    @Bean
    @Lazy(false)
    static CurrentUserParameterCheck usherCurrentUserParameterCheck(ConfigurableListableBeanFactory beans) {
        return new CurrentUserParameterCheck(beans);
    }

    /** A reactive application, until there are a resolver and a gate for it. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.REACTIVE)
    @ConditionalOnBooleanProperty(name = "usher.enabled", matchIfMissing = true)
    static class Reactive {

        /** Before any bean is made, so that the report comes at once, and nothing else has to end. */
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
