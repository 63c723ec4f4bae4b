package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.CachePolicy;
import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.jackson.autoconfigure.JacksonAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The caches that an application gets for its facets. */
class UserCacheRegistrarTest {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(UsherAutoConfiguration.class))
            // A port without a server: no test here waits for Redis.
            .withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1");

    record Badges(int karma) {}

    record Settings(String language) {}

    @Test
    void aFacetWithItsSourceIsACache() {
        runner.withUserConfiguration(Specified.class, Own.class, Consumer.class).run(context -> {
            Consumer consumer = context.getBean(Consumer.class);
            assertThat(consumer.badges.find(42L)).contains(new Badges(7));
            assertThat(consumer.badges.facet().policy().ttl()).isEqualTo(Duration.ofMinutes(10));
            assertThat(consumer.settings.find("ann")).contains(new Settings("zh"));
            assertThat(consumer.profiles.find(42L)).contains(ANN);
            assertThat(consumer.statuses.find(42L)).contains(UserStatus.ENABLED);
            assertThat(consumer.profiles)
                    .isSameAs(context.getBean(UserProfileCache.class).cache());
            assertThat(context.getBeansOfType(UserCache.class)).hasSize(4);
        });
    }

    /** Other services read the facets of the specification too, so their JSON is fixed. */
    @Test
    void theApplicationsMapperWritesItsOwnFacetsAndNoOthers() {
        runner.withUserConfiguration(Specified.class, Own.class, Consumer.class)
                .withConfiguration(AutoConfigurations.of(JacksonAutoConfiguration.class))
                .withPropertyValues("spring.jackson.property-naming-strategy=UPPER_CAMEL_CASE")
                .run(context -> {
                    Consumer consumer = context.getBean(Consumer.class);
                    assertThat(consumer.badges.facet().codec().encode(new Badges(7)))
                            .asString()
                            .isEqualTo("{\"Karma\":7}");
                    assertThat(consumer.profiles.facet().codec().encode(ANN))
                            .isEqualTo(UserProfile.FACET.codec().encode(ANN));
                    assertThat(consumer.statuses.facet().codec().encode(UserStatus.ENABLED))
                            .asString()
                            .isEqualTo("1");
                });
    }

    @Test
    void anIdIsParsedBeforeTheFirstLookup() {
        runner.withUserConfiguration(Specified.class, Own.class, Consumer.class).run(context -> {
            Consumer consumer = context.getBean(Consumer.class);
            assertThat(consumer.badges.idOf("42")).isEqualTo(42L);
            assertThat(consumer.settings.idOf("ann")).isEqualTo("ann");
            assertThat(consumer.profiles.idOf("42")).isEqualTo(42L);
            assertThat(consumer.statuses.idOf("42")).isEqualTo(42L);
        });
        UUID uuid = UUID.randomUUID();
        runner.withBean(UuidSource.class)
                .run(context -> assertThat(
                                context.getBean(UserStatusCache.class).cache().idOf(uuid.toString()))
                        .isEqualTo(uuid));
    }

    @Test
    void aSourceMayAskTheCacheOfAnotherFacet() {
        runner.withUserConfiguration(AskingSource.class, Specified.class).run(context -> {
            assertThat(context).hasNotFailed();
            @SuppressWarnings("unchecked")
            UserCache<Long, Badges> badges = (UserCache<Long, Badges>) context.getBean("badgesUserCache");
            assertThat(badges.find(42L)).contains(new Badges(3));
            assertThat(context.getBean(UserProfileCache.class).cache().idOf("42"))
                    .isEqualTo(42L);
        });
    }

    @Test
    void aFacetWithoutASourceFailsTheStartByTheTypeOfTheSource() {
        runner.withBean("badges", Facet.class, () -> null)
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining("the facet 'badges' does not declare the type of its values"));
        runner.withUserConfiguration(FacetOnly.class)
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining("dev.usher.UserSource<?, " + Badges.class.getName()));
    }

    @Test
    void aDeclaredFacetOfTheSpecificationReplacesTheDefaultOne() {
        runner.withUserConfiguration(Specified.class, OwnProfileFacet.class).run(context -> {
            assertThat(context.getBean(UserProfileCache.class).cache().facet().name())
                    .isEqualTo("card");
            assertThat(context.getBean(UserStatusCache.class).cache().facet().name())
                    .isEqualTo("status");
        });
    }

    @Test
    void itBacksOffFromACacheThatTheApplicationHasMade() {
        runner.withUserConfiguration(Own.class, OwnCache.class).run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(context.getBeanNamesForType(UserCache.class))
                    .containsExactlyInAnyOrder("ownBadges", "settingsUserCache");
        });
    }

    @Test
    void withoutSpringsTransactionsTheCachesAreNotWrapped() {
        runner.withClassLoader(new FilteredClassLoader("org.springframework.transaction"))
                .withUserConfiguration(Specified.class, Own.class, Consumer.class)
                .run(context -> assertThat(context).hasNotFailed());
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21)
    void withVirtualThreadsTheWorkIsDoneOnThem() {
        runner.withPropertyValues("spring.threads.virtual.enabled=true")
                .withUserConfiguration(ThreadTelling.class)
                .run(context -> {
                    @SuppressWarnings("unchecked")
                    UserCache<Long, String> threads = (UserCache<Long, String>) context.getBean("threadUserCache");
                    assertThat(threads.findAsync(42L).get()).get().asString().matches("usher-\\d+virtual");
                });
    }

    record Consumer(
            UserCache<Long, Badges> badges,
            UserCache<String, Settings> settings,
            UserCache<Long, UserProfile> profiles,
            UserCache<Long, UserStatus> statuses) {

        @Autowired
        Consumer {}
    }

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
    static class Own {

        @Bean
        Facet<Badges> badges() {
            return Facet.of("badges", Badges.class).with(CachePolicy.of(Duration.ofMinutes(10)));
        }

        @Bean
        UserSource<Long, Badges> badgeSource() {
            return ids -> Map.of(42L, new Badges(7));
        }

        @Bean
        Facet<Settings> settings() {
            return Facet.of("settings", Settings.class);
        }

        @Bean
        UserSource<String, Settings> settingsSource() {
            return ids -> Map.of("ann", new Settings("zh"));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class AskingSource {

        @Bean
        Facet<Badges> badges() {
            return Facet.of("badges", Badges.class);
        }

        @Bean
        UserSource<Long, Badges> badgeSource(UserProfileCache<Long> profiles) {
            return ids -> Map.of(
                    42L, new Badges(profiles.find(42L).orElseThrow().name().length()));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class FacetOnly {

        @Bean
        Facet<Badges> badges() {
            return Facet.of("badges", Badges.class);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnProfileFacet {

        @Bean
        Facet<UserProfile> card() {
            return Facet.of("card", UserProfile.class);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnCache {

        @Bean
        UserCache<Long, Badges> ownBadges(UserCaches caches, Facet<Badges> facet, UserSource<Long, Badges> source) {
            return caches.cache(facet, Long.class, source);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class ThreadTelling {

        @Bean
        Facet<String> thread() {
            return Facet.of("thread", String.class);
        }

        @Bean
        UserSource<Long, String> threadSource() {
            return ids -> {
                Thread thread = Thread.currentThread();
                boolean virtual = (boolean) Thread.class.getMethod("isVirtual").invoke(thread);
                return Map.of(42L, thread.getName() + (virtual ? "virtual" : "platform"));
            };
        }
    }

    static final class UuidSource implements UserSource<UUID, UserStatus> {

        @Override
        public Map<UUID, UserStatus> load(Set<UUID> ids) {
            return Map.of();
        }
    }
}
