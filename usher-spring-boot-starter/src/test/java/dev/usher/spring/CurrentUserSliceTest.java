package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.springframework.test.web.servlet.request.MockMvcRequestBuilders.get;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.graphql.test.autoconfigure.GraphQlTest;
import org.springframework.boot.security.autoconfigure.SecurityAutoConfiguration;
import org.springframework.boot.security.autoconfigure.web.servlet.SecurityFilterAutoConfiguration;
import org.springframework.boot.security.autoconfigure.web.servlet.ServletWebSecurityAutoConfiguration;
import org.springframework.boot.webflux.test.autoconfigure.WebFluxTest;
import org.springframework.boot.webmvc.test.autoconfigure.WebMvcTest;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.graphql.data.method.annotation.QueryMapping;
import org.springframework.http.HttpHeaders;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.stereotype.Controller;
import org.springframework.test.context.ContextConfiguration;
import org.springframework.test.context.TestContextManager;
import org.springframework.test.web.servlet.MockMvc;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** The test slices of Spring Boot contain a part of the application only; usher is in each slice that binds arguments. */
class CurrentUserSliceTest {

    private static final String PASSWORD = "correct horse 8";

    @Test
    void aSliceOfSpringMvcWithoutCachesRefusesTheParameter() {
        MockMvc client = contextOf(MvcSlice.class).getBean(MockMvc.class);

        assertThatThrownBy(() -> client.perform(get("/me?name=Evil")))
                .hasRootCauseMessage(
                        "No bean supplies the current user: @CurrentUser needs Spring Security, a UserSource for a"
                                + " cache, usher switched on, and no usher.web.current-user=none");
    }

    @Test
    void aSliceOfSpringMvcWithCachesWorks() throws Exception {
        MockMvc client = contextOf(MvcSliceWithCaches.class).getBean(MockMvc.class);

        assertThat(answer(client, "1").getContentAsString()).isEqualTo("Ann");
        assertThat(answer(client, "2").getContentAsString()).contains("account-disabled");
    }

    @Test
    void aSliceOfWebFluxDoesNotStart() {
        assertThatThrownBy(() -> contextOf(WebFluxSlice.class))
                .hasRootCauseInstanceOf(ReactiveApplicationException.class);
    }

    @Test
    void aSliceOfWebFluxThatUsesTheCachesAloneDoesNotStartWithTheParameter() {
        assertThatThrownBy(() -> contextOf(WebFluxSliceOfTheCachesAlone.class))
                .hasRootCauseInstanceOf(UnservedCurrentUserException.class);
    }

    @Test
    void aSliceOfGraphQlDoesNotStartWithTheParameter() {
        assertThatThrownBy(() -> contextOf(GraphQlSlice.class))
                .hasRootCauseInstanceOf(UnservedCurrentUserException.class);
    }

    private static ApplicationContext contextOf(Class<?> slice) {
        return new TestContextManager(slice).getTestContext().getApplicationContext();
    }

    private static MockHttpServletResponse answer(MockMvc client, String name) throws Exception {
        HttpHeaders headers = new HttpHeaders();
        headers.setBasicAuth(name, PASSWORD);
        return client.perform(get("/me?name=Evil").headers(headers)).andReturn().getResponse();
    }

    @WebMvcTest
    @ContextConfiguration(classes = Application.class)
    static class MvcSlice {}

    @WebMvcTest(properties = "spring.data.redis.url=redis://127.0.0.1:1")
    @ImportAutoConfiguration({
        SecurityAutoConfiguration.class,
        ServletWebSecurityAutoConfiguration.class,
        SecurityFilterAutoConfiguration.class,
        UsherAutoConfiguration.class
    })
    @ContextConfiguration(classes = {Application.class, Users.class})
    static class MvcSliceWithCaches {}

    @WebFluxTest
    @ContextConfiguration(classes = Application.class)
    static class WebFluxSlice {}

    @WebFluxTest(properties = "usher.web.current-user=none")
    @ContextConfiguration(classes = Application.class)
    static class WebFluxSliceOfTheCachesAlone {}

    @GraphQlTest
    @ContextConfiguration(classes = {Application.class, Query.class})
    static class GraphQlSlice {}

    @SpringBootConfiguration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @Import(Me.class)
    static class Application {}

    @Controller
    static class Query {

        @QueryMapping
        String me(@CurrentUser UserProfile me) {
            return me.name();
        }
    }

    @RestController
    static class Me {

        @GetMapping("/me")
        String me(@CurrentUser UserProfile me) {
            return me.name();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Users {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of(1L, new UserProfile("13800000001", "Ann", "", false, "", ""));
        }

        @Bean
        UserSource<Long, UserStatus> statuses() {
            return ids -> ids.stream()
                    .collect(Collectors.toMap(
                            Function.identity(), id -> id == 1 ? UserStatus.ENABLED : UserStatus.DISABLED));
        }

        @Bean
        UserDetailsService anyName() {
            return name -> User.withUsername(name).password("{noop}" + PASSWORD).build();
        }
    }
}
