package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import jakarta.servlet.http.Cookie;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.BeanUtils;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.http.converter.autoconfigure.HttpMessageConvertersAutoConfiguration;
import org.springframework.boot.jackson.autoconfigure.JacksonAutoConfiguration;
import org.springframework.boot.test.context.assertj.ApplicationContextAssertProvider;
import org.springframework.boot.test.context.runner.AbstractApplicationContextRunner;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.webflux.autoconfigure.WebFluxAutoConfiguration;
import org.springframework.boot.webmvc.autoconfigure.WebMvcAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.graphql.data.method.annotation.QueryMapping;
import org.springframework.http.MediaType;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.messaging.handler.annotation.MessageExceptionHandler;
import org.springframework.messaging.handler.annotation.MessageMapping;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.messaging.rsocket.annotation.ConnectMapping;
import org.springframework.messaging.rsocket.annotation.support.RSocketMessageHandler;
import org.springframework.messaging.simp.annotation.SubscribeMapping;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.stereotype.Controller;
import org.springframework.test.web.servlet.MockMvc;
import org.springframework.test.web.servlet.request.MockMvcRequestBuilders;
import org.springframework.test.web.servlet.setup.MockMvcBuilders;
import org.springframework.util.ReflectionUtils;
import org.springframework.validation.annotation.Validated;
import org.springframework.web.bind.WebDataBinder;
import org.springframework.web.bind.annotation.CookieValue;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.InitBinder;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RequestPart;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.bind.annotation.SessionAttribute;
import org.springframework.web.context.WebApplicationContext;
import org.springframework.web.method.annotation.ModelAttributeMethodProcessor;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.service.annotation.HttpExchange;
import org.springframework.web.service.annotation.PostExchange;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;
import org.springframework.web.socket.config.annotation.EnableWebSocketMessageBroker;
import org.springframework.web.socket.config.annotation.StompEndpointRegistry;
import org.springframework.web.socket.config.annotation.WebSocketMessageBrokerConfigurer;

/**
 * A parameter with CurrentUser never holds what the caller sends: for each framework that binds arguments, and each kind of
 * parameter.
 */
class CurrentUserBindingTest {

    private static final String EVIL = "Evil";
    private static final String ANN = "Ann";
    private static final UserProfile PROFILE = new UserProfile("13800000001", ANN, "", false, "", "");

    private static final AutoConfigurations USHER = AutoConfigurations.of(
            UsherAutoConfiguration.class,
            UsherCurrentUserAutoConfiguration.class,
            UsherSecurityAutoConfiguration.class,
            UsherWebMvcAutoConfiguration.class);

    private final WebApplicationContextRunner mvc = usher(new WebApplicationContextRunner())
            .withConfiguration(AutoConfigurations.of(
                    JacksonAutoConfiguration.class,
                    HttpMessageConvertersAutoConfiguration.class,
                    WebMvcAutoConfiguration.class));

    private final ReactiveWebApplicationContextRunner webFlux = usher(new ReactiveWebApplicationContextRunner())
            .withConfiguration(AutoConfigurations.of(WebFluxAutoConfiguration.class));

    @BeforeEach
    void logIn() {
        TestingAuthenticationToken ann = new TestingAuthenticationToken("1", "", "ROLE_USER");
        SecurityContextHolder.getContext().setAuthentication(ann);
    }

    @AfterEach
    void logOut() {
        SecurityContextHolder.clearContext();
    }

    @Test
    void springMvcFillsEveryKindWithTheCallerAndNeverFromTheRequest() {
        mvc.withBean(Kinds.class)
                .withBean(Shared.class)
                .withBean(Inherited.class)
                .run(context -> {
                    MockMvc client = mockMvc(context);
                    for (Method method : handlersOf(Kinds.class, Shared.class, Inherited.class)) {
                        assertThat(answer(client, method.getName()))
                                .as(method.toString())
                                .contains("200", ann(method))
                                .doesNotContain(EVIL, "666", "DISABLED");
                    }
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"usher.enabled=false", "usher.web.current-user=none"})
    void springMvcRefusesEveryKindWithoutABeanThatKnowsTheCurrentUser(String setting) {
        mvc.withPropertyValues(setting).withBean(Kinds.class).run(context -> {
            MockMvc client = mockMvc(context);
            for (Method method : handlersOf(Kinds.class)) {
                assertThat(answer(client, method.getName()))
                        .as(method.toString())
                        .contains("No bean supplies the current user")
                        .doesNotContain(EVIL, "666", "DISABLED");
            }
        });
    }

    @Test
    void exceptionHandlersGetTheCallerToo() {
        mvc.withBean(Failing.class)
                .withBean(Advice.class)
                .run(context -> assertThat(answer(mockMvc(context), "fail"))
                        .contains("model of " + ANN, "bound for " + ANN, "failed for " + ANN)
                        .doesNotContain(EVIL));
    }

    @Test
    void aReactiveApplicationDoesNotStart() {
        webFlux.run(context -> assertThat(context).getFailure().isInstanceOf(ReactiveApplicationException.class));
    }

    @Test
    void aReactiveApplicationThatUsesTheCachesAloneStarts() {
        webFlux.withPropertyValues("usher.web.current-user=none")
                .run(context -> assertThat(context)
                        .hasNotFailed()
                        .hasSingleBean(UserCaches.class)
                        .doesNotHaveBean(CurrentUserId.class)
                        .doesNotHaveBean("usherStatusGate"));
    }

    /** An application, and the methods that fail its start. */
    record Application(String name, BiFunction<Class<?>, Boolean, @Nullable Throwable> start, Class<?> handlers) {

        static <
                        S extends AbstractApplicationContextRunner<S, C, A>,
                        C extends ConfigurableApplicationContext,
                        A extends ApplicationContextAssertProvider<C>>
                Application of(String name, S runner, Class<?> handlers) {
            return new Application(name, (type, lazy) -> failureOf(runner, type, lazy), handlers);
        }

        private static <
                        T,
                        S extends AbstractApplicationContextRunner<S, C, A>,
                        C extends ConfigurableApplicationContext,
                        A extends ApplicationContextAssertProvider<C>>
                @Nullable Throwable failureOf(S runner, Class<T> type, boolean lazy) {
            AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
            runner.withBean(type, () -> BeanUtils.instantiateClass(type), definition -> definition.setLazyInit(lazy))
                    .run(context -> failure.set(context.getStartupFailure()));
            return failure.get();
        }

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Application> applicationsThatDoNotStart() {
        CurrentUserBindingTest test = new CurrentUserBindingTest();
        ReactiveWebApplicationContextRunner alone = test.webFlux.withPropertyValues("usher.web.current-user=none");
        ApplicationContextRunner plain = usher(new ApplicationContextRunner());
        WebApplicationContextRunner stomp = test.mvc.withUserConfiguration(Stomp.class);
        return Stream.of(
                Application.of("WebFlux", alone, Kinds.class),
                Application.of("WebFlux, by an interface", alone, Shared.class),
                Application.of("WebFlux, by a base class", alone, Inherited.class),
                Application.of(
                        "WebFlux, usher off", test.webFlux.withPropertyValues("usher.enabled=false"), Kinds.class),
                Application.of("STOMP", stomp, Messages.class),
                Application.of(
                        "STOMP, caches alone", stomp.withPropertyValues("usher.web.current-user=none"), Messages.class),
                Application.of("RSocket", plain.withBean(RSocketMessageHandler.class), RSocketMessages.class),
                Application.of(
                        "RSocket beside WebFlux", alone.withBean(RSocketMessageHandler.class), RSocketMessages.class),
                Application.of("GraphQL", test.mvc, Queries.class),
                Application.of("an actuator endpoint", plain, Operations.class),
                Application.of("a framework that usher does not know", plain, Unknown.class),
                Application.of("usher off", plain.withPropertyValues("usher.enabled=false"), Unknown.class),
                Application.of("two frameworks at once", test.mvc, Both.class));
    }

    @ParameterizedTest
    @MethodSource("applicationsThatDoNotStart")
    void anApplicationThatWouldFillAParameterFromTheRequestDoesNotStart(Application application) {
        for (boolean lazy : new boolean[] {false, true}) {
            Throwable failure =
                    requireNonNull(application.start().apply(application.handlers(), lazy), "it has started");

            assertThat(failure).isInstanceOf(UnservedCurrentUserException.class);
            for (Method method : handlersOf(application.handlers())) {
                assertThat(failure)
                        .hasMessageContaining(
                                "parameter 0 of " + application.handlers().getName() + "." + method.getName() + ":");
            }
        }
    }

    @Test
    void aResolverThatComesBeforeUshersFailsTheStart() {
        mvc.withBean(Kinds.class)
                .withUserConfiguration(EverythingFirst.class)
                .run(context -> assertThat(context)
                        .getFailure()
                        .isInstanceOf(UnservedCurrentUserException.class)
                        .hasMessageContaining(
                                "another argument resolver of Spring MVC takes the parameter before usher's"));
    }

    @Test
    void withoutUshersPartForSpringMvcTheStartFails() {
        new WebApplicationContextRunner()
                .withConfiguration(
                        AutoConfigurations.of(UsherCurrentUserAutoConfiguration.class, WebMvcAutoConfiguration.class))
                .withBean(Kinds.class)
                .run(context -> assertThat(context).getFailure().isInstanceOf(UnservedCurrentUserException.class));
    }

    @Test
    void uncalledControllersDoNotFailTheStart() {
        usher(new ApplicationContextRunner())
                .withBean(Kinds.class)
                .run(context -> assertThat(context).hasNotFailed());
    }

    /** The methods that they inherit from Java are not open to reflection. */
    @Test
    void beansThatAreAnEnumOrAThreadDoNotFailTheStart() {
        usher(new WebApplicationContextRunner())
                .withBean(TimeUnit.class, () -> TimeUnit.SECONDS)
                .withBean(Weekday.class, () -> Weekday.MONDAY)
                .withBean(Background.class)
                .run(context -> assertThat(context).hasNotFailed());
    }

    enum Weekday {
        MONDAY
    }

    static final class Background extends Thread {}

    private static <S extends AbstractApplicationContextRunner<S, ?, ?>> S usher(S runner) {
        return runner.withConfiguration(USHER)
                .withUserConfiguration(Sources.class)
                // A port without a server: no test here waits for Redis.
                .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");
    }

    private static MockMvc mockMvc(WebApplicationContext context) {
        return MockMvcBuilders.webAppContextSetup(context).build();
    }

    /** The answer of the handler at a path, to a caller that claims in every part of the request to be another user. */
    private static String answer(MockMvc client, String path) {
        try {
            MockHttpServletResponse response = client.perform(MockMvcRequestBuilders.post("/" + path + "/" + EVIL)
                            .queryParam("me", EVIL)
                            .queryParam("name", EVIL)
                            .queryParam("mobile", "666")
                            .queryParam("photo", EVIL)
                            .queryParam("isMedia", "true")
                            .queryParam("intro", EVIL)
                            .queryParam("certi", EVIL)
                            .queryParam("id", "666")
                            .queryParam("status", "DISABLED")
                            .queryParam("karma", "666")
                            .header("me", EVIL)
                            .cookie(new Cookie("me", EVIL))
                            .requestAttr("me", EVIL)
                            .sessionAttr("me", EVIL)
                            .contentType(MediaType.APPLICATION_JSON)
                            .content("{\"name\":\"Evil\",\"mobile\":\"666\",\"karma\":666}"))
                    .andReturn()
                    .getResponse();
            return response.getStatus() + " " + response.getContentAsString();
        } catch (Exception e) {
            return String.valueOf(NestedExceptionUtils.getMostSpecificCause(e).getMessage());
        }
    }

    /** The expected text of the method's first parameter. */
    private static String ann(Method method) {
        String type = method.getGenericParameterTypes()[0].getTypeName();
        return type.contains("UserProfile")
                ? ANN
                : type.contains("Status") ? "ENABLED" : type.contains("Badges") ? "karma 7" : "=1";
    }

    private static List<Method> handlersOf(Class<?>... types) {
        List<Method> handlers = Stream.of(types)
                .flatMap(type -> Stream.of(ReflectionUtils.getUniqueDeclaredMethods(
                        type,
                        method -> method.getDeclaringClass() != Object.class
                                && !method.isSynthetic()
                                && method.getParameterCount() > 0
                                && !Modifier.isStatic(method.getModifiers()))))
                .toList();
        assertThat(handlers).isNotEmpty();
        return handlers;
    }

    private static String text(@Nullable Object argument) {
        Object value = argument instanceof Optional<?> optional ? optional.orElseThrow() : argument;
        return value instanceof UserProfile profile
                ? profile.name()
                : value instanceof Badges badges ? "karma " + badges.karma() : "=" + value;
    }

    record Badges(int karma) {}

    @Configuration(proxyBeanMethods = false)
    static class Sources {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of(1L, PROFILE);
        }

        @Bean
        UserSource<Long, UserStatus> statuses() {
            return ids -> Map.of(1L, UserStatus.ENABLED);
        }

        @Bean
        Facet<Badges> badges() {
            return Facet.of("badges", Badges.class);
        }

        @Bean
        UserSource<Long, Badges> badgesOfUsers() {
            return ids -> Map.of(1L, new Badges(7));
        }
    }

    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.PARAMETER)
    @CurrentUser
    @interface Me {}

    /** Each kind of parameter, alone and with each annotation from which Spring MVC or WebFlux would fill it. */
    @RestController
    static class Kinds {

        @PostMapping("/profile/{me}")
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/maybeProfile/{me}")
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @PostMapping("/status/{me}")
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @PostMapping("/maybeStatus/{me}")
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @PostMapping("/badges/{me}")
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @PostMapping("/maybeBadges/{me}")
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @PostMapping("/id/{me}")
        String id(@CurrentUser long me) {
            return text(me);
        }

        @PostMapping("/boxedId/{me}")
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @PostMapping("/maybeId/{me}")
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }

        @PostMapping("/metaProfile/{me}")
        String metaProfile(@Me UserProfile me) {
            return text(me);
        }

        @PostMapping("/metaId/{me}")
        String metaId(@Me Long me) {
            return text(me);
        }

        @PostMapping("/requestParamProfile/{me}")
        String requestParamProfile(@CurrentUser @RequestParam("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestParamId/{me}")
        String requestParamId(@CurrentUser @RequestParam("me") Long me) {
            return text(me);
        }

        @PostMapping("/optionalRequestParamProfile/{me}")
        String optionalRequestParamProfile(@CurrentUser @RequestParam(required = false) UserProfile me) {
            return text(me);
        }

        @PostMapping("/optionalRequestParamId/{me}")
        String optionalRequestParamId(@CurrentUser @RequestParam(required = false) Long me) {
            return text(me);
        }

        @PostMapping("/requestBodyProfile/{me}")
        String requestBodyProfile(@CurrentUser @RequestBody UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestBodyId/{me}")
        String requestBodyId(@CurrentUser @RequestBody Long me) {
            return text(me);
        }

        @PostMapping("/modelAttributeProfile/{me}")
        String modelAttributeProfile(@CurrentUser @ModelAttribute UserProfile me) {
            return text(me);
        }

        @PostMapping("/modelAttributeId/{me}")
        String modelAttributeId(@CurrentUser @ModelAttribute Long me) {
            return text(me);
        }

        @PostMapping("/pathVariableProfile/{me}")
        String pathVariableProfile(@CurrentUser @PathVariable UserProfile me) {
            return text(me);
        }

        @PostMapping("/pathVariableId/{me}")
        String pathVariableId(@CurrentUser @PathVariable Long me) {
            return text(me);
        }

        @PostMapping("/requestHeaderProfile/{me}")
        String requestHeaderProfile(@CurrentUser @RequestHeader("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestHeaderId/{me}")
        String requestHeaderId(@CurrentUser @RequestHeader("me") Long me) {
            return text(me);
        }

        @PostMapping("/cookieValueProfile/{me}")
        String cookieValueProfile(@CurrentUser @CookieValue("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/cookieValueId/{me}")
        String cookieValueId(@CurrentUser @CookieValue("me") Long me) {
            return text(me);
        }

        @PostMapping("/requestPartProfile/{me}")
        String requestPartProfile(@CurrentUser @RequestPart("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestPartId/{me}")
        String requestPartId(@CurrentUser @RequestPart("me") Long me) {
            return text(me);
        }

        @PostMapping("/requestAttributeProfile/{me}")
        String requestAttributeProfile(@CurrentUser @RequestAttribute("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestAttributeId/{me}")
        String requestAttributeId(@CurrentUser @RequestAttribute("me") Long me) {
            return text(me);
        }

        @PostMapping("/sessionAttributeProfile/{me}")
        String sessionAttributeProfile(@CurrentUser @SessionAttribute("me") UserProfile me) {
            return text(me);
        }

        @PostMapping("/sessionAttributeId/{me}")
        String sessionAttributeId(@CurrentUser @SessionAttribute("me") Long me) {
            return text(me);
        }

        @PostMapping("/valueProfile/{me}")
        String valueProfile(@CurrentUser @Value("Evil") UserProfile me) {
            return text(me);
        }

        @PostMapping("/valueId/{me}")
        String valueId(@CurrentUser @Value("Evil") Long me) {
            return text(me);
        }

        @PostMapping("/authenticationPrincipalProfile/{me}")
        String authenticationPrincipalProfile(@CurrentUser @AuthenticationPrincipal UserProfile me) {
            return text(me);
        }

        @PostMapping("/authenticationPrincipalId/{me}")
        String authenticationPrincipalId(@CurrentUser @AuthenticationPrincipal Long me) {
            return text(me);
        }

        @PostMapping("/validatedProfile/{me}")
        String validatedProfile(@CurrentUser @Validated UserProfile me) {
            return text(me);
        }

        @PostMapping("/validatedId/{me}")
        String validatedId(@CurrentUser @Validated Long me) {
            return text(me);
        }

        @PostMapping("/nullableProfile/{me}")
        String nullableProfile(@CurrentUser @Nullable UserProfile me) {
            return text(me);
        }

        @PostMapping("/requestParamMaybeProfile/{me}")
        String requestParamMaybeProfile(@CurrentUser @RequestParam("me") Optional<UserProfile> me) {
            return text(me);
        }

        @PostMapping("/requestParamStatus/{me}")
        String requestParamStatus(@CurrentUser @RequestParam("me") UserStatus me) {
            return text(me);
        }

        @PostMapping("/requestParamBadges/{me}")
        String requestParamBadges(@CurrentUser @RequestParam("me") Badges me) {
            return text(me);
        }

        @PostMapping("/requestBodyMaybeProfile/{me}")
        String requestBodyMaybeProfile(@CurrentUser @RequestBody Optional<UserProfile> me) {
            return text(me);
        }

        @PostMapping("/requestBodyStatus/{me}")
        String requestBodyStatus(@CurrentUser @RequestBody UserStatus me) {
            return text(me);
        }

        @PostMapping("/requestBodyBadges/{me}")
        String requestBodyBadges(@CurrentUser @RequestBody Badges me) {
            return text(me);
        }

        @PostMapping("/modelAttributeMaybeProfile/{me}")
        String modelAttributeMaybeProfile(@CurrentUser @ModelAttribute Optional<UserProfile> me) {
            return text(me);
        }

        @PostMapping("/modelAttributeStatus/{me}")
        String modelAttributeStatus(@CurrentUser @ModelAttribute UserStatus me) {
            return text(me);
        }

        @PostMapping("/modelAttributeBadges/{me}")
        String modelAttributeBadges(@CurrentUser @ModelAttribute Badges me) {
            return text(me);
        }

        @PostMapping("/pathVariableMaybeProfile/{me}")
        String pathVariableMaybeProfile(@CurrentUser @PathVariable Optional<UserProfile> me) {
            return text(me);
        }

        @PostMapping("/pathVariableStatus/{me}")
        String pathVariableStatus(@CurrentUser @PathVariable UserStatus me) {
            return text(me);
        }

        @PostMapping("/pathVariableBadges/{me}")
        String pathVariableBadges(@CurrentUser @PathVariable Badges me) {
            return text(me);
        }
    }

    @HttpExchange
    interface Api {

        @PostExchange("/exchanged/{me}")
        String exchanged(@CurrentUser UserProfile me);
    }

    @RestController
    static class Shared implements Api {

        @Override
        public String exchanged(UserProfile me) {
            return text(me);
        }
    }

    abstract static class Base {

        @PostMapping("/inherited/{me}")
        String inherited(@CurrentUser UserProfile me) {
            return text(me);
        }
    }

    @RestController
    static class Inherited extends Base {}

    @RestController
    static class Failing {

        private String bound = "nothing";

        @InitBinder
        void bind(WebDataBinder binder, @CurrentUser @RequestParam UserProfile me) {
            bound = me.name();
        }

        @PostMapping("/fail/{path}")
        String fail(@RequestParam String id, @ModelAttribute("user") String user) {
            throw new IllegalArgumentException(user + ", bound for " + bound + ", ");
        }
    }

    @RestControllerAdvice
    static class Advice {

        @ModelAttribute("user")
        String user(@CurrentUser @RequestParam UserProfile me) {
            return "model of " + me.name();
        }

        @ExceptionHandler
        String failed(IllegalArgumentException e, @CurrentUser @RequestAttribute UserProfile me) {
            return e.getMessage() + "failed for " + me.name();
        }
    }

    /** Puts its own resolver before all others. */
    @Configuration(proxyBeanMethods = false)
    static class EverythingFirst {

        @Bean
        static SmartInitializingSingleton everythingFirst(RequestMappingHandlerAdapter adapter) {
            return () -> {
                List<HandlerMethodArgumentResolver> resolvers =
                        new ArrayList<>(List.of(new ModelAttributeMethodProcessor(true)));
                resolvers.addAll(Objects.requireNonNull(adapter.getArgumentResolvers()));
                adapter.setArgumentResolvers(resolvers);
            };
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableWebSocketMessageBroker
    static class Stomp implements WebSocketMessageBrokerConfigurer {

        @Override
        public void registerStompEndpoints(StompEndpointRegistry registry) {
            registry.addEndpoint("/stomp");
        }
    }

    @Controller
    static class Messages {

        @MessageMapping("/profile")
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @MessageMapping("/maybeProfile")
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @MessageMapping("/status")
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @MessageMapping("/maybeStatus")
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @MessageMapping("/badges")
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @MessageMapping("/maybeBadges")
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @MessageMapping("/id")
        String id(@CurrentUser long me) {
            return text(me);
        }

        @MessageMapping("/boxedId")
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @MessageMapping("/maybeId")
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }

        @MessageMapping("/payload")
        String payload(@CurrentUser @Payload UserProfile me) {
            return text(me);
        }

        @MessageMapping("/header")
        String header(@CurrentUser @Header Long me) {
            return text(me);
        }

        @MessageMapping("/meta")
        String meta(@Me UserProfile me) {
            return text(me);
        }

        @SubscribeMapping("/subscribed")
        String subscribed(@CurrentUser UserProfile me) {
            return text(me);
        }

        @MessageExceptionHandler(RuntimeException.class)
        String failed(@CurrentUser UserProfile me) {
            return text(me);
        }
    }

    @Controller
    static class RSocketMessages {

        @MessageMapping("/profile")
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @MessageMapping("/maybeProfile")
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @MessageMapping("/status")
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @MessageMapping("/maybeStatus")
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @MessageMapping("/badges")
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @MessageMapping("/maybeBadges")
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @MessageMapping("/id")
        String id(@CurrentUser long me) {
            return text(me);
        }

        @MessageMapping("/boxedId")
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @MessageMapping("/maybeId")
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }

        @MessageMapping("/payload")
        String payload(@CurrentUser @Payload UserProfile me) {
            return text(me);
        }

        @MessageMapping("/header")
        String header(@CurrentUser @Header Long me) {
            return text(me);
        }

        @MessageMapping("/meta")
        String meta(@Me UserProfile me) {
            return text(me);
        }

        @ConnectMapping("connected")
        void connected(@CurrentUser UserProfile me) {
            text(me);
        }
    }

    @Controller
    static class Queries {

        @QueryMapping
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @QueryMapping
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @QueryMapping
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @QueryMapping
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @QueryMapping
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @QueryMapping
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @QueryMapping
        String id(@CurrentUser long me) {
            return text(me);
        }

        @QueryMapping
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @QueryMapping
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }
    }

    @Endpoint(id = "caller")
    static class Operations {

        @ReadOperation
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @ReadOperation
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @ReadOperation
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @ReadOperation
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @ReadOperation
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @ReadOperation
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @ReadOperation
        String id(@CurrentUser long me) {
            return text(me);
        }

        @ReadOperation
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @ReadOperation
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }
    }

    /** The methods of an unknown framework. */
    @Controller
    static class Unknown {

        @Listens
        String profile(@CurrentUser UserProfile me) {
            return text(me);
        }

        @Listens
        String maybeProfile(@CurrentUser Optional<UserProfile> me) {
            return text(me);
        }

        @Listens
        String status(@CurrentUser UserStatus me) {
            return text(me);
        }

        @Listens
        String maybeStatus(@CurrentUser Optional<UserStatus> me) {
            return text(me);
        }

        @Listens
        String badges(@CurrentUser Badges me) {
            return text(me);
        }

        @Listens
        String maybeBadges(@CurrentUser Optional<Badges> me) {
            return text(me);
        }

        @Listens
        String id(@CurrentUser long me) {
            return text(me);
        }

        @Listens
        String boxedId(@CurrentUser Long me) {
            return text(me);
        }

        @Listens
        String maybeId(@CurrentUser Optional<Long> me) {
            return text(me);
        }
    }

    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.METHOD)
    @interface Listens {}

    @RestController
    static class Both {

        @PostMapping("/message/{me}")
        @MessageMapping("message")
        String message(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/subscription/{me}")
        @SubscribeMapping("subscription")
        String subscription(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/connection/{me}")
        @ConnectMapping("connection")
        String connection(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/query/{me}")
        @QueryMapping
        String query(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/operation/{me}")
        @ReadOperation
        String operation(@CurrentUser UserProfile me) {
            return text(me);
        }

        @PostMapping("/failure/{me}")
        @MessageExceptionHandler(RuntimeException.class)
        String failure(@CurrentUser UserProfile me) {
            return text(me);
        }
    }
}
