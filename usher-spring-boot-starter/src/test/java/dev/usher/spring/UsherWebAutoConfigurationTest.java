package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.assertj.AssertableWebApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** Which of the parts for web applications are there, and when they are not. */
class UsherWebAutoConfigurationTest {

    private static final AutoConfigurations USHER = AutoConfigurations.of(
            UsherAutoConfiguration.class, UsherSecurityAutoConfiguration.class, UsherWebMvcAutoConfiguration.class);

    private final WebApplicationContextRunner withoutSources = new WebApplicationContextRunner()
            .withConfiguration(USHER)
            // Nobody listens there, and no answer is waited for.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    private final WebApplicationContextRunner runner = withoutSources.withUserConfiguration(Sources.class);

    @Test
    void aServletApplicationWithSpringSecurityHasAllOfThem() {
        runner.run(context -> {
            assertThat(context).hasSingleBean(CurrentUserId.class).hasBean("usherStatusGate");
            assertThat(context).hasSingleBean(UnavailableUserAdvice.class);
            assertThat(resolverIn(context)).isInstanceOf(CurrentUserArgumentResolver.class);
        });
    }

    @Test
    void anApplicationThatIsNoWebApplicationHasNone() {
        new ApplicationContextRunner()
                .withConfiguration(USHER)
                .withUserConfiguration(Sources.class)
                .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1")
                .run(context -> assertThat(context)
                        .hasSingleBean(UserCaches.class)
                        .doesNotHaveBean(CurrentUserId.class)
                        .doesNotHaveBean("usherStatusGate")
                        .doesNotHaveBean(WebMvcConfigurer.class)
                        .doesNotHaveBean(UnavailableUserAdvice.class));
    }

    @Test
    void withoutSpringSecurityNobodyIsTheCurrentUser() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.security"))
                .run(context -> {
                    assertThat(context)
                            .hasSingleBean(UserCaches.class)
                            .hasSingleBean(UnavailableUserAdvice.class)
                            .doesNotHaveBean("usherCurrentUserId")
                            .doesNotHaveBean("usherStatusGate");
                    assertThat(resolverIn(context)).isInstanceOf(CurrentUserParameters.class);
                });
    }

    @Test
    void whereUsherIsSwitchedOffNobodyIsTheCurrentUser() {
        runner.withPropertyValues("usher.enabled=false").run(context -> {
            assertThat(context)
                    .doesNotHaveBean(CurrentUserId.class)
                    .doesNotHaveBean("usherStatusGate")
                    .doesNotHaveBean(UnavailableUserAdvice.class);
            assertThat(resolverIn(context)).isInstanceOf(CurrentUserParameters.class);
        });
    }

    @Test
    void withoutSpringMvcTheGateIsThereAlone() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.web.servlet"))
                .run(context -> assertThat(context)
                        .hasBean("usherStatusGate")
                        .doesNotHaveBean("usherWebMvcConfigurer")
                        .doesNotHaveBean(UnavailableUserAdvice.class));
    }

    @Test
    void withoutSourcesThereIsNothingToAsk() {
        withoutSources.run(context -> {
            assertThat(context).doesNotHaveBean(CurrentUserId.class).doesNotHaveBean("usherStatusGate");
            assertThat(resolverIn(context)).isInstanceOf(CurrentUserParameters.class);
        });
    }

    @Test
    void withoutASourceOfStatusesThereIsNoGate() {
        withoutSources
                .withUserConfiguration(Profiles.class)
                .run(context ->
                        assertThat(context).hasSingleBean(CurrentUserId.class).doesNotHaveBean("usherStatusGate"));
    }

    @Test
    void anOwnFacetIsEnoughToKnowTheCurrentUser() {
        withoutSources
                .withUserConfiguration(OwnFacet.class)
                .run(context ->
                        assertThat(context).hasSingleBean(CurrentUserId.class).doesNotHaveBean("usherStatusGate"));
    }

    @Test
    void theGateCanBeSwitchedOff() {
        runner.withPropertyValues("usher.web.status-gate.enabled=false")
                .run(context ->
                        assertThat(context).hasSingleBean(CurrentUserId.class).doesNotHaveBean("usherStatusGate"));
    }

    @Test
    void aPathThatIsNoneFailsTheStartByName() {
        runner.withPropertyValues("usher.web.status-gate.excluded-paths=logout")
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining("Property usher.web.status-gate.excluded-paths[0] "));
    }

    @Test
    void theyBackOffFromTheApplicationsOwn() {
        CurrentUserId<Long> nobody = authentication -> Optional.empty();
        Customizer<HttpSecurity> open = http -> {};
        WebMvcConfigurer configurer = new WebMvcConfigurer() {};
        UnavailableUserAdvice advice = new UnavailableUserAdvice();
        runner.withBean(CurrentUserId.class, () -> nobody)
                .withBean("usherStatusGate", Customizer.class, () -> open)
                .withBean("usherWebMvcConfigurer", WebMvcConfigurer.class, () -> configurer)
                .withBean("ownAdvice", UnavailableUserAdvice.class, () -> advice)
                .run(context -> {
                    assertThat(context.getBean(CurrentUserId.class)).isSameAs(nobody);
                    assertThat(context.getBean("usherStatusGate")).isSameAs(open);
                    assertThat(context.getBean(WebMvcConfigurer.class)).isSameAs(configurer);
                    assertThat(context.getBean(UnavailableUserAdvice.class)).isSameAs(advice);
                });
    }

    private static HandlerMethodArgumentResolver resolverIn(AssertableWebApplicationContext context) {
        List<HandlerMethodArgumentResolver> resolvers = new ArrayList<>();
        context.getBean(WebMvcConfigurer.class).addArgumentResolvers(resolvers);
        assertThat(resolvers).hasSize(1);
        return resolvers.get(0);
    }

    record Badges(int karma) {}

    @Configuration(proxyBeanMethods = false)
    static class Profiles {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Sources {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of();
        }

        @Bean
        UserSource<Long, UserStatus> statuses() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnFacet {

        @Bean
        Facet<Badges> badges() {
            return Facet.of("badges", Badges.class);
        }

        @Bean
        UserSource<Long, Badges> badgesOfUsers() {
            return ids -> Map.of();
        }
    }
}
