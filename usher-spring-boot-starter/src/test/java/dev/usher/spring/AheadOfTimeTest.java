package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.elsewhere.OwnFacets;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.aot.hint.RuntimeHints;
import org.springframework.aot.hint.predicate.RuntimeHintsPredicates;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.util.TestPropertyValues;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.jdbc.datasource.DriverManagerDataSource;

/** Applications with the starter that are processed ahead of time have the same caches as others. */
class AheadOfTimeTest {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");

    record Row(
            String name,
            List<Class<?>> configurations,
            List<String> settings,
            Consumer<GenericApplicationContext> check) {

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Row> rows() {
        return Stream.of(
                new Row("Specified", List.of(Specified.class, Consumers.class), List.of(), context -> {
                    Consumers consumers = context.getBean(Consumers.class);
                    assertThat(consumers.profiles.find(42L)).contains(ANN);
                    assertThat(consumers.statuses.isEnabled(42L)).isTrue();
                    assertThat(consumers.profileCache)
                            .isSameAs(context.getBean(UserProfileCache.class).cache());
                    assertThat(consumers.profileCache.idOf("42")).isEqualTo(42L);
                    assertThat(context.getBeansOfType(UserCache.class)).hasSize(2);
                }),
                new Row("Own", List.of(OwnFacets.class), List.of(), OwnFacets::check),
                new Row(
                        "Made",
                        List.of(Made.class),
                        List.of(),
                        context -> assertThat(context.getBeanNamesForType(UserCache.class))
                                .containsExactly("ownBadge")),
                new Row(
                        "Table",
                        List.of(Table.class, TableConsumers.class),
                        List.of("usher.jdbc.table=users", "usher.jdbc.id-type=integer"),
                        context -> {
                            TableConsumers consumers = context.getBean(TableConsumers.class);
                            assertThat(consumers.profiles.find(42)).contains(ANN);
                            assertThat(consumers.statuses.isEnabled(42)).isTrue();
                            assertThat(context.getBeansOfType(UserCache.class)).hasSize(2);
                        }));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void anApplicationThatIsProcessedAheadOfTimeHasTheSameCaches(Row row) {
        ApplicationContextInitializer<GenericApplicationContext> processed =
                AheadOfTime.process(notProcessed(row), row.name);

        try (GenericApplicationContext context = new GenericApplicationContext()) {
            settings(row).applyTo(context);
            processed.initialize(context);
            context.refresh();
            row.check.accept(context);
        }
    }

    @Test
    void aNativeImageKeepsTheScriptsAndTheValuesOfTheFacets() {
        RuntimeHints hints = AheadOfTime.hintsOf(
                notProcessed(new Row("Own", List.of(OwnFacets.class), List.of(), OwnFacets::check)));

        assertThat(OwnFacets.valueTypes())
                .allSatisfy(
                        type -> assertThat(RuntimeHintsPredicates.reflection().onType(type))
                                .accepts(hints));
        assertThat(List.of(UserProfile.class, UserStatus.class))
                .allSatisfy(
                        type -> assertThat(RuntimeHintsPredicates.reflection().onType(type))
                                .accepts(hints));
        assertThat(List.of("claim", "fence", "fill", "guard", "offer", "refresh", "register", "renew"))
                .allSatisfy(script -> assertThat(
                                RuntimeHintsPredicates.resource().forResource("dev/usher/redis/" + script + ".lua"))
                        .accepts(hints));
    }

    private static GenericApplicationContext notProcessed(Row row) {
        AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
        settings(row).applyTo(context);
        row.configurations.forEach(context::register);
        context.register(AutoConfigurations.getClasses(
                AutoConfigurations.of(UsherAutoConfiguration.class, UsherJdbcAutoConfiguration.class)));
        return context;
    }

    private static TestPropertyValues settings(Row row) {
        // A port without a server: no test here waits for Redis.
        return TestPropertyValues.of("spring.data.redis.url=redis://127.0.0.1:1")
                .and(row.settings.toArray(String[]::new));
    }

    record Consumers(
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses,
            UserCache<Long, UserProfile> profileCache) {}

    record TableConsumers(UserProfileCache<Integer> profiles, UserStatusCache<Integer> statuses) {}

    @Configuration(proxyBeanMethods = false)
    static class Specified {

        @Bean
        UserSource<Long, UserProfile> profileSource() {
            return ids -> Map.of(42L, ANN);
        }

        @Bean
        UserSource<Long, UserStatus> statusSource() {
            return ids -> Map.of(42L, UserStatus.ENABLED);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Made {

        @Bean
        Facet<String> badge() {
            return Facet.of("badge", String.class);
        }

        @Bean
        UserSource<Long, String> badgeSource() {
            return ids -> Map.of(42L, "early");
        }

        @Bean
        UserCache<Long, String> ownBadge(UserCaches caches, Facet<String> facet, UserSource<Long, String> source) {
            return caches.cache(facet, Long.class, source);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Table {

        @Bean
        DataSource database() {
            return new DriverManagerDataSource(
                    "jdbc:h2:mem:ahead;DB_CLOSE_DELAY=-1;INIT=CREATE TABLE IF NOT EXISTS users"
                            + "(id INT PRIMARY KEY, mobile VARCHAR(20), name VARCHAR(20), profile_photo VARCHAR(20), is_media BOOLEAN,"
                            + " introduction VARCHAR(20), certificate VARCHAR(20), status INT)\\; MERGE INTO users"
                            + " VALUES (42, '13800000000', 'Ann', NULL, FALSE, NULL, NULL, 1)");
        }
    }
}
