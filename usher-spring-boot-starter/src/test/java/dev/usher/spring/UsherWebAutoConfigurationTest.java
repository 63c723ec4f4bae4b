package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import jakarta.servlet.Filter;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.session.MapSessionRepository;
import org.springframework.session.SessionRepository;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** Which parts for web applications are present, and when. */
@ExtendWith(OutputCaptureExtension.class)
class UsherWebAutoConfigurationTest {

    private static final AutoConfigurations USHER = AutoConfigurations.of(
            UsherAutoConfiguration.class,
            UsherCurrentUserAutoConfiguration.class,
            UsherSecurityAutoConfiguration.class,
            UsherRevocationAutoConfiguration.class,
            UsherWebMvcAutoConfiguration.class);

    private final WebApplicationContextRunner withoutSources = new WebApplicationContextRunner()
            .withConfiguration(USHER)
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    private final WebApplicationContextRunner runner = withoutSources.withUserConfiguration(Sources.class);

    @ParameterizedTest
    @CsvSource(
            nullValues = "none",
            value = {
                "none, 50",
                "server.tomcat.threads.max=40, 10",
                "server.jetty.threads.max=20, 5",
                "server.tomcat.threads.max=2, 1",
                "usher.profile.max-waiting-loads=7, 7"
            })
    void callersThatWaitHoldAQuarterOfTheWebServersThreads(@Nullable String setting, int maxWaiting) {
        runner.withPropertyValues(setting == null ? new String[0] : new String[] {setting})
                .run(context -> assertThat(context.getBean(UserProfileCache.class)
                                .cache()
                                .facet()
                                .policy()
                                .maxWaitingLoads())
                        .isEqualTo(maxWaiting));
    }

    @Test
    void whereThreadsAreVirtualOrThereIsNoWebServerTheyAreNotCounted() {
        int uncounted = UserProfile.FACET.policy().maxWaitingLoads();
        new ApplicationContextRunner()
                .withConfiguration(USHER)
                .withUserConfiguration(Sources.class)
                .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1")
                .run(context -> assertThat(context.getBean(UserProfileCache.class)
                                .cache()
                                .facet()
                                .policy()
                                .maxWaitingLoads())
                        .isEqualTo(uncounted));
        if (Runtime.version().feature() >= 21) {
            runner.withPropertyValues("spring.threads.virtual.enabled=true")
                    .run(context -> assertThat(context.getBean(UserProfileCache.class)
                                    .cache()
                                    .facet()
                                    .policy()
                                    .maxWaitingLoads())
                            .isEqualTo(uncounted));
        }
    }

    @Test
    void aServletApplicationWithSpringSecurityHasAllOfThem() {
        runner.run(context -> {
            assertThat(context).hasSingleBean(CurrentUserId.class).hasBean("usherStatusGate");
            assertThat(context).hasSingleBean(UnavailableUserAdvice.class);
            assertThat(context).hasSingleBean(CurrentUserArgumentResolver.class);
            assertThat(context).hasSingleBean(UserConnections.class).hasSingleBean(WebSocketHandlers.class);
            assertThat(context).hasSingleBean(StompUsers.class).hasSingleBean(SpringSessions.class);
        });
    }

    @Test
    void whatAnApplicationDoesNotHaveIsNotEnded() {
        runner.withClassLoader(new FilteredClassLoader(
                        "org.springframework.web.socket",
                        "org.springframework.messaging",
                        "org.springframework.session"))
                .run(context -> {
                    assertThat(context).hasSingleBean(UserConnections.class).doesNotHaveBean("usherWebSocketHandlers");
                    assertThat(context).doesNotHaveBean("usherStompUsers").doesNotHaveBean("usherSpringSessions");
                });
        runner.withClassLoader(new FilteredClassLoader("org.springframework.messaging"))
                .run(context ->
                        assertThat(context).hasBean("usherWebSocketHandlers").doesNotHaveBean("usherStompUsers"));
    }

    @Test
    void connectionsAndSessionsCanBeLeftOpen() {
        runner.withPropertyValues("usher.web.revocation.end-connections=false")
                .run(context -> assertThat(context)
                        .doesNotHaveBean(UserConnections.class)
                        .doesNotHaveBean(WebSocketHandlers.class)
                        .doesNotHaveBean(StompUsers.class)
                        .hasSingleBean(SpringSessions.class));
        runner.withPropertyValues("usher.web.revocation.end-sessions=false")
                .run(context -> assertThat(context)
                        .doesNotHaveBean(SpringSessions.class)
                        .hasSingleBean(UserConnections.class));
        runner.withPropertyValues("usher.web.status-gate.enabled=false")
                .run(context -> assertThat(context)
                        .doesNotHaveBean(SpringSessions.class)
                        .doesNotHaveBean(UserConnections.class));
    }

    @Test
    void aRepositoryThatDoesNotFindSessionsByUserIsSaid(CapturedOutput log) {
        runner.withBean(SessionRepository.class, () -> new MapSessionRepository(new HashMap<>()))
                .run(context -> assertThat(context).hasNotFailed());

        assertThat(log).contains("MapSessionRepository, does not find sessions by the name of their user");
    }

    @Test
    void anApplicationThatIsNotAWebApplicationHasNone() {
        new ApplicationContextRunner()
                .withConfiguration(USHER)
                .withUserConfiguration(Sources.class)
                .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1")
                .run(context -> assertThat(context)
                        .hasSingleBean(UserCaches.class)
                        .doesNotHaveBean(CurrentUserId.class)
                        .doesNotHaveBean("usherStatusGate")
                        .doesNotHaveBean(WebMvcConfigurer.class)
                        .doesNotHaveBean("usherCurrentUserComesFirst")
                        .doesNotHaveBean(UnavailableUserAdvice.class));
    }

    @Test
    void withoutSpringSecurityThereIsNoCurrentUser() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.security"))
                .run(context -> {
                    assertThat(context)
                            .hasSingleBean(UserCaches.class)
                            .hasSingleBean(UnavailableUserAdvice.class)
                            .doesNotHaveBean("usherCurrentUserId")
                            .doesNotHaveBean("usherStatusGate");
                    assertThat(context).doesNotHaveBean(CurrentUserArgumentResolver.class);
                });
    }

    @Test
    void withUsherSwitchedOffThereIsNoCurrentUser() {
        runner.withPropertyValues("usher.enabled=false").run(context -> {
            assertThat(context)
                    .doesNotHaveBean(CurrentUserId.class)
                    .doesNotHaveBean("usherStatusGate")
                    .doesNotHaveBean(UnavailableUserAdvice.class);
            assertThat(context).doesNotHaveBean(CurrentUserArgumentResolver.class);
        });
    }

    @Test
    void anApplicationThatUsesTheCachesAloneHasNeitherACurrentUserNorAGate() {
        runner.withPropertyValues("usher.web.current-user=none")
                .run(context -> assertThat(context)
                        .hasSingleBean(UserCaches.class)
                        .hasSingleBean(UnavailableUserAdvice.class)
                        .doesNotHaveBean(CurrentUserId.class)
                        .doesNotHaveBean(CurrentUserArgumentResolver.class)
                        .doesNotHaveBean("usherStatusGate"));
    }

    @Test
    void aCurrentUserFromElsewhereFailsTheStartByTheNameOfItsSetting() {
        runner.withPropertyValues("usher.web.current-user=session")
                .run(context -> assertThat(context).getFailure().hasStackTraceContaining("usher.web.current-user"));
    }

    @ParameterizedTest
    @MethodSource
    void aBeanThatSpringSecurityDoesNotApplyFailsTheStart(Object own) {
        runner.withInitializer(context -> context.getBeanFactory().registerSingleton("usherStatusGate", own))
                .run(context -> assertThat(context).getFailure().isInstanceOf(UnfitStatusGateException.class));
    }

    static Stream<Object> aBeanThatSpringSecurityDoesNotApplyFailsTheStart() {
        Filter filter = (request, response, chain) -> chain.doFilter(request, response);
        return Stream.of(filter, new ForAnother());
    }

    static final class ForAnother implements Customizer<String> {

        @Override
        public void customize(String text) {}
    }

    @Test
    void withoutSpringMvcTheGateIsThereAlone() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.web.servlet"))
                .run(context -> assertThat(context)
                        .hasBean("usherStatusGate")
                        .doesNotHaveBean("usherCurrentUserComesFirst")
                        .doesNotHaveBean(UnavailableUserAdvice.class));
    }

    @Test
    void withoutSourcesThereIsNothingToAsk() {
        withoutSources.run(context -> {
            assertThat(context).doesNotHaveBean(CurrentUserId.class).doesNotHaveBean("usherStatusGate");
            assertThat(context).doesNotHaveBean(CurrentUserArgumentResolver.class);
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
    void anInvalidPathFailsTheStartByName() {
        runner.withPropertyValues("usher.web.status-gate.excluded-paths=logout")
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining("Property usher.web.status-gate.excluded-paths[0] "));
    }

    @Test
    void theyBackOffFromTheApplicationsOwn() {
        CurrentUserId<Long> own = authentication -> Optional.empty();
        WebMvcConfigurer configurer = new WebMvcConfigurer() {};
        UnavailableUserAdvice advice = new UnavailableUserAdvice();
        runner.withBean(CurrentUserId.class, () -> own)
                .withUserConfiguration(OwnGate.class)
                .withBean("usherWebMvcConfigurer", WebMvcConfigurer.class, () -> configurer)
                .withBean("ownAdvice", UnavailableUserAdvice.class, () -> advice)
                .run(context -> {
                    assertThat(context.getBean(CurrentUserId.class)).isSameAs(own);
                    assertThat(context.getBean("usherStatusGate")).isSameAs(OwnGate.OPEN);
                    assertThat(context.getBean(WebMvcConfigurer.class)).isSameAs(configurer);
                    assertThat(context.getBean(UnavailableUserAdvice.class)).isSameAs(advice);
                });
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnGate {

        static final Customizer<HttpSecurity> OPEN = http -> {};

        @Bean
        Customizer<HttpSecurity> usherStatusGate() {
            return OPEN;
        }
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
