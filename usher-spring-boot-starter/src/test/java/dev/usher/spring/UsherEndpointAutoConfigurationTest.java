package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

class UsherEndpointAutoConfigurationTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(UsherAutoConfiguration.class, UsherEndpointAutoConfiguration.class))
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    private final ApplicationContextRunner exposed =
            runner.withPropertyValues("management.endpoints.web.exposure.include=usher");

    @Test
    void itIsThereWhereItIsExposed() {
        exposed.run(context -> assertThat(context).hasSingleBean(UsherEndpoint.class));
    }

    @Test
    void itIsNotExposedByItself() {
        runner.run(context -> {
            assertThat(context).hasSingleBean(UserCaches.class);
            assertThat(context).doesNotHaveBean(UsherEndpoint.class);
        });
    }

    @Test
    void accessToItCanBeForbidden() {
        exposed.withPropertyValues("management.endpoint.usher.access=NONE")
                .run(context -> assertThat(context).doesNotHaveBean(UsherEndpoint.class));
    }

    @Test
    void withoutTheActuatorThereIsNone() {
        exposed.withClassLoader(new FilteredClassLoader("org.springframework.boot.actuate"))
                .run(context -> {
                    assertThat(context).hasSingleBean(UserCaches.class);
                    assertThat(context).doesNotHaveBean(UsherEndpoint.class);
                });
    }

    @Test
    void withoutCachesThereIsNone() {
        exposed.withPropertyValues("usher.enabled=false")
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(UsherEndpoint.class));
    }

    @Test
    void itBacksOffFromTheApplicationsOwn() {
        UsherEndpoint own = new UsherEndpoint(
                () -> {
                    throw new UnsupportedOperationException();
                },
                List.<UserCache<?, ?>>of());
        exposed.withBean("own", UsherEndpoint.class, () -> own)
                .run(context -> assertThat(context.getBean(UsherEndpoint.class)).isSameAs(own));
    }
}
