package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Scope;
import org.springframework.web.bind.annotation.RequestMapping;

/** The type of the ids in an application: every declaration agrees. */
class UserIdClassesTest {

    private static final UUID ID = UUID.randomUUID();

    /** The last context: the runner does not hand out a failed one. */
    private final AtomicReference<ConfigurableApplicationContext> last = new AtomicReference<>();

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(UsherAutoConfiguration.class, UsherJdbcAutoConfiguration.class))
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1", "usher.jdbc.check-at-start=false")
            .withInitializer(last::set);

    private static final String TABLE = "usher.jdbc.table=users";

    /** A type of ids, and everything that can declare it. */
    private enum Ids {
        LONG(Long.class, LongStatuses.class, LongProfiles.class, LongUser.class, NeedsLongs.class),
        UUIDS(UUID.class, UuidStatuses.class, UuidProfiles.class, UuidUser.class, NeedsUuids.class),
        STRING(String.class, StringStatuses.class, StringProfiles.class, StringUser.class, NeedsStrings.class);

        private final Class<?> type;
        private final Class<?> statuses;
        private final Class<?> profiles;
        private final Class<?> currentUser;
        private final Class<?> injection;

        Ids(Class<?> type, Class<?> statuses, Class<?> profiles, Class<?> currentUser, Class<?> injection) {
            this.type = type;
            this.statuses = statuses;
            this.profiles = profiles;
            this.currentUser = currentUser;
            this.injection = injection;
        }

        String setting() {
            return "usher.jdbc.id-type=" + UserIdType.of(type).setting();
        }
    }

    /** Each pair of declarations, and the outcome of the start. */
    @TestFactory
    Stream<DynamicTest> idsAreOfOneTypeOrTheStartFailsWithBothNamed() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Ids one : Ids.values()) {
            for (Ids other : one == Ids.STRING ? List.of(Ids.STRING, Ids.LONG) : List.of(Ids.LONG, Ids.UUIDS)) {
                Map<String, ApplicationContextRunner> starts = Map.of(
                        "sources of statuses and profiles",
                        with(one.statuses).withUserConfiguration(other.profiles),
                        "a source of statuses and the setting",
                        withTable(one.statuses).withPropertyValues(other.setting()),
                        "a source of profiles and the setting",
                        withTable(one.profiles).withPropertyValues(other.setting()),
                        "a source of statuses and CurrentUserId",
                        with(one.statuses).withUserConfiguration(other.currentUser),
                        "the setting and CurrentUserId",
                        withTable(other.currentUser).withPropertyValues(one.setting()),
                        "sources and what is injected",
                        with(one.statuses).withUserConfiguration(one.profiles, other.injection),
                        "the setting and what is injected",
                        withTable(other.injection).withPropertyValues(one.setting()));
                starts.forEach((name, start) -> tests.add(DynamicTest.dynamicTest(
                        name + ": " + one + " and " + other, () -> start.run(context -> check(one, other, context)))));
            }
        }
        return tests.stream();
    }

    private void check(Ids one, Ids other, AssertableApplicationContext context) {
        if (one != other) {
            assertThat(reportOf(context)).contains(one.type.getSimpleName(), other.type.getSimpleName());
            return;
        }
        assertThat(context).hasNotFailed();
        assertThat(context.getBean(UserStatusCache.class).cache().idOf(one == Ids.LONG ? "42" : ID.toString()))
                .isInstanceOf(one.type);
    }

    /** The report that Spring Boot would print. */
    private String reportOf(AssertableApplicationContext context) {
        Throwable failure = requireNonNull(context.getStartupFailure(), "the start has not failed");
        FailureAnalysis analysis = new IdTypesFailureAnalyzer().analyze(failure);
        if (analysis == null) {
            ConfigurableApplicationContext started = requireNonNull(last.get());
            analysis = new MissingUserCacheFailureAnalyzer(started.getBeanFactory(), started.getEnvironment())
                    .analyze(failure);
        }
        return requireNonNull(analysis, failure::toString).getDescription() + analysis.getAction();
    }

    private ApplicationContextRunner with(Class<?> configuration) {
        return runner.withUserConfiguration(configuration);
    }

    private ApplicationContextRunner withTable(Class<?> configuration) {
        return with(configuration).withPropertyValues(TABLE).withBean(JdbcDataSource.class);
    }

    @Test
    void withoutADeclarationIdsInATableAreLongs() {
        runner.withPropertyValues(TABLE)
                .withBean(JdbcDataSource.class)
                .run(context -> assertThat(
                                context.getBean(UserStatusCache.class).cache().idOf("42"))
                        .isEqualTo(42L));
    }

    @Test
    void idsInATableHaveTheTypeThatTheRestOfTheApplicationDeclares() {
        for (Class<?> configuration : new Class<?>[] {UuidStatuses.class, UuidProfiles.class, UuidUser.class}) {
            withTable(configuration).run(context -> {
                assertThat(context).hasNotFailed();
                assertThat(context.getBean(UserStatusCache.class).cache().idOf(ID.toString()))
                        .isEqualTo(ID);
                assertThat(context.getBean(UserProfileCache.class).cache().idOf(ID.toString()))
                        .isEqualTo(ID);
            });
        }
    }

    @Test
    void injectingUuidsFromATableOfLongsNamesTheSetting() {
        withTable(NeedsUuids.class)
                .run(context -> assertThat(reportOf(context)).contains("set usher.jdbc.id-type=uuid"));
    }

    @Test
    void aParameterThatIsAnIdOfAnotherTypeFailsTheStart() {
        WebApplicationContextRunner web = new WebApplicationContextRunner()
                .withConfiguration(
                        AutoConfigurations.of(UsherAutoConfiguration.class, UsherCurrentUserAutoConfiguration.class))
                .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1")
                .withUserConfiguration(LongStatuses.class);
        web.withBean(TakesLongs.class).run(context -> assertThat(context).hasNotFailed());
        web.withBean(TakesUuid.class)
                .run(context -> assertThat(requireNonNull(new IdTypesFailureAnalyzer()
                                        .analyze(requireNonNull(context.getStartupFailure())))
                                .getDescription())
                        .isEqualTo(
                                "The ids of users are of two types: the cache 'userStatusCache' declares Long, and parameter 0 of "
                                        + TakesUuid.class.getName() + ".get declares UUID."));
    }

    @Test
    void aSourceWithoutATypeOfIdsFailsTheStart() {
        with(Untyped.class)
                .run(context -> assertThat(reportOf(context))
                        .contains("The source of the facet 'status' does not declare the type of its ids")
                        .contains("UserSource<Long, UserStatus>"));
    }

    @Test
    void theTypeOfIdsComesFromASourceInAParentContextAndFromAPrototype() {
        try (var parent = new AnnotationConfigApplicationContext(UuidStatuses.class)) {
            runner.withParent(parent)
                    .run(context -> assertThat(context.getBean(UserStatusCache.class)
                                    .cache()
                                    .idOf(ID.toString()))
                            .isEqualTo(ID));
        }
        with(Prototype.class)
                .run(context -> assertThat(
                                context.getBean(UserStatusCache.class).cache().idOf(ID.toString()))
                        .isEqualTo(ID));
    }

    @Test
    void aFacetOfTheApplicationMayHaveIdsOfItsOwn() {
        with(LongStatuses.class).withUserConfiguration(Nicks.class).run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(context.getBean("nickUserCache", UserCache.class).idOf("ann"))
                    .isEqualTo("ann");
        });
    }

    static class TakesLongs {
        @RequestMapping
        void get(@CurrentUser long id, @CurrentUser Optional<Long> same, @CurrentUser UserStatus status) {}
    }

    static class TakesUuid {
        @RequestMapping
        void get(@CurrentUser Optional<UUID> id) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class LongStatuses {
        @Bean
        UserSource<Long, UserStatus> statuses() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class UuidStatuses {
        @Bean
        UserSource<UUID, UserStatus> statuses() {
            return ids -> Map.of();
        }
    }

    /** Declares the type by the class of the source, not by the return type of the method. */
    @Configuration(proxyBeanMethods = false)
    static class StringStatuses {
        @Bean
        TextSource statuses() {
            return new TextSource();
        }
    }

    static final class TextSource implements UserSource<String, UserStatus> {
        @Override
        public Map<String, UserStatus> load(Set<String> ids) {
            return Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class LongProfiles {
        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class UuidProfiles {
        @Bean
        UserSource<UUID, UserProfile> profiles() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class StringProfiles {
        @Bean
        UserSource<String, UserProfile> profiles() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class LongUser {
        @Bean
        CurrentUserId<Long> currentUserId() {
            return authentication -> Optional.empty();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class UuidUser {
        @Bean
        CurrentUserId<UUID> currentUserId() {
            return authentication -> Optional.empty();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class StringUser {
        @Bean
        CurrentUserId<String> currentUserId() {
            return authentication -> Optional.empty();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsLongs {
        NeedsLongs(UserStatusCache<Long> statuses, UserCache<Long, UserProfile> profiles) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsUuids {
        NeedsUuids(UserProfileCache<UUID> profiles, UserStatusCache<UUID> statuses) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsStrings {
        NeedsStrings(UserCache<String, UserStatus> statuses) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class Untyped {
        @Bean
        <K> UserSource<K, UserStatus> statuses() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Prototype {
        @Bean
        @Scope("prototype")
        UserSource<UUID, UserStatus> statuses() {
            return ids -> Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Nicks {
        @Bean
        Facet<String> nick() {
            return Facet.of("nick", String.class);
        }

        @Bean
        UserSource<String, String> nicks() {
            return ids -> Map.of();
        }
    }
}
