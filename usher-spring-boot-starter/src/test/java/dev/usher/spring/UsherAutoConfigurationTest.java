package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.usher.CachesHealth;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import io.lettuce.core.RedisCredentials;
import io.lettuce.core.RedisCredentialsProvider;
import io.lettuce.core.RedisURI;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.beans.factory.NoUniqueBeanDefinitionException;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.support.StaticListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.core.env.StandardEnvironment;

class UsherAutoConfigurationTest {

    /** A port without a server: no test here waits for Redis. */
    private static final String NOWHERE = "redis://127.0.0.1:1";

    private final ApplicationContextRunner springData = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(
                    SslAutoConfiguration.class, DataRedisAutoConfiguration.class, UsherAutoConfiguration.class));

    private final ApplicationContextRunner plain = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(SslAutoConfiguration.class, UsherAutoConfiguration.class))
            .withClassLoader(new FilteredClassLoader("org.springframework.boot.data.redis"));

    private final ApplicationContextRunner nowhere = plain.withPropertyValues("spring.data.redis.url=" + NOWHERE);

    @Test
    void aSourceOfEachFacetMakesBothCaches() {
        nowhere.withUserConfiguration(Sources.class, Consumer.class).run(context -> {
            assertThat(context).hasSingleBean(UserCaches.class);
            assertThat(context).hasSingleBean(UserProfileCache.class);
            assertThat(context).hasSingleBean(UserStatusCache.class);
            assertThat(context.getBean(Consumer.class).profiles.find(42L)).contains(ANN);
            assertThat(context.getBean(Consumer.class).statuses.isEnabled(42L)).isTrue();
        });
    }

    @Test
    void withoutSourcesThereAreNoCachesButApplicationsMayMakeTheirOwn() {
        nowhere.run(context -> {
            assertThat(context).hasSingleBean(UserCaches.class);
            assertThat(context).doesNotHaveBean(UserProfileCache.class);
            assertThat(context).doesNotHaveBean(UserStatusCache.class);
        });
    }

    @Test
    void aSourceOfOneFacetMakesOneCache() {
        nowhere.withUserConfiguration(ProfileSource.class).run(context -> {
            assertThat(context).hasSingleBean(UserProfileCache.class);
            assertThat(context).doesNotHaveBean(UserStatusCache.class);
        });
    }

    @Test
    void aSourceThatIsAClassIsFound() {
        nowhere.withBean(UuidSource.class).run(context -> {
            assertThat(context).hasSingleBean(UserStatusCache.class);
            assertThat(context).doesNotHaveBean(UserProfileCache.class);
        });
    }

    @Test
    void severalSourcesOfOneFacetAreRefusedByName() {
        nowhere.withUserConfiguration(ProfileSource.class, Sources.class)
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasRootCauseInstanceOf(NoUniqueBeanDefinitionException.class)
                        .hasStackTraceContaining("profileSource,profiles"));
    }

    @Test
    void amongSeveralSourcesThePrimaryOneIsTaken() {
        nowhere.withUserConfiguration(
                        ProfileSource.class, PrimaryProfileSource.class, Consumer.class, StatusSource.class)
                .run(context -> assertThat(
                                context.getBean(Consumer.class).profiles.find(42L))
                        .contains(BOB));
    }

    @Test
    void itBacksOffFromTheApplicationsOwnBeans() {
        nowhere.withUserConfiguration(Sources.class, OwnBeans.class).run(context -> {
            assertThat(context.getBean(UserCaches.class)).isSameAs(context.getBean("ownCaches"));
            assertThat(context.getBean(UserProfileCache.class)).isSameAs(context.getBean("ownProfiles"));
            assertThat(context.getBean(UserStatusCache.class)).isSameAs(context.getBean("ownStatuses"));
            assertThat(context).doesNotHaveBean(RedisEndpoint.class);
        });
    }

    @Test
    void theMetersGoToTheApplicationsRegistryUntilTheContextIsClosed() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        nowhere.withUserConfiguration(Sources.class, Consumer.class)
                .withBean(MeterRegistry.class, () -> registry)
                .run(context -> {
                    context.getBean(Consumer.class).profiles.find(42L);
                    assertThat(registry.get("usher.loads")
                                    .tag("facet", "profile")
                                    .functionCounter()
                                    .count())
                            .isEqualTo(1);
                    context.close();
                    assertThat(registry.getMeters()).isEmpty();
                });
    }

    @Test
    void amongSeveralRegistriesThePrimaryOneGetsTheMeters() {
        SimpleMeterRegistry one = new SimpleMeterRegistry();
        SimpleMeterRegistry primary = new SimpleMeterRegistry();
        nowhere.withBean("one", MeterRegistry.class, () -> one)
                .withBean("other", MeterRegistry.class, () -> primary, definition -> definition.setPrimary(true))
                .run(context -> {
                    assertThat(primary.find("usher.near.open").gauge()).isNotNull();
                    assertThat(one.getMeters()).isEmpty();
                });
    }

    @Test
    void severalRegistriesWithoutAPrimaryOneGetNone() {
        SimpleMeterRegistry one = new SimpleMeterRegistry();
        SimpleMeterRegistry other = new SimpleMeterRegistry();
        nowhere.withBean("one", MeterRegistry.class, () -> one)
                .withBean("other", MeterRegistry.class, () -> other)
                .run(context -> {
                    assertThat(context).hasSingleBean(UserCaches.class);
                    assertThat(one.getMeters()).isEmpty();
                    assertThat(other.getMeters()).isEmpty();
                });
    }

    @Test
    void withoutMicrometerTheCachesShowNoMeters() {
        nowhere.withClassLoader(new FilteredClassLoader("org.springframework.boot.data.redis", "io.micrometer.core"))
                .run(context -> assertThat(context)
                        .hasSingleBean(UserCaches.class)
                        .doesNotHaveBean(UsherAutoConfiguration.CacheMeters.class));
    }

    @Test
    void itCanBeSwitchedOff() {
        nowhere.withUserConfiguration(Sources.class)
                .withPropertyValues("usher.enabled=false")
                .run(context -> assertThat(context).doesNotHaveBean(UserCaches.class));
    }

    @Test
    void theCachesAreClosedWithTheContext() {
        nowhere.withUserConfiguration(Sources.class, Consumer.class).run(context -> {
            UserProfileCache<Long> profiles = context.getBean(Consumer.class).profiles;
            context.close();
            assertThatIllegalStateException().isThrownBy(() -> profiles.find(42L));
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "usher.profile.ttl=0s",
                "usher.status.jitter=2",
                "usher.key-prefix=a b",
                "usher.redis.command-timeout=0ms"
            })
    void anInvalidSettingFailsTheStartByName(String setting) {
        String property = setting.substring(0, setting.indexOf('='));
        nowhere.withUserConfiguration(Sources.class)
                .withPropertyValues(setting)
                .run(context -> assertThat(context)
                        .getFailure()
                        .hasStackTraceContaining(InvalidConfigurationPropertyValueException.class.getName())
                        .hasStackTraceContaining("Property " + property + " "));
    }

    @Test
    void aSettingThatIsNoDurationFailsTheStartByName() {
        nowhere.withPropertyValues("usher.profile.ttl=soon")
                .run(context -> assertThat(context).getFailure().hasStackTraceContaining("usher.profile.ttl"));
    }

    @Test
    void withoutSettingsRedisIsOnThisMachine() {
        StaticListableBeanFactory none = new StaticListableBeanFactory();
        RedisEndpoint endpoint = RedisEndpoint.of(
                RedisEndpoint.APPLICATIONS,
                DataRedisSettings.of(new StandardEnvironment()),
                none.getBeanProvider(SslBundles.class),
                none.getBeanProvider(RedisCredentialsProvider.class));

        assertThat(endpoint.uri()).isEqualTo(RedisURI.create("redis://localhost:6379/0"));
        assertThat(endpoint.uri().isSsl()).isFalse();
    }

    @Test
    void theSettingsOfRedisAreReadAlikeWithSpringDataAndWithout() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.host=127.0.0.1",
                            "spring.data.redis.port=1",
                            "spring.data.redis.database=3",
                            "spring.data.redis.username=usher",
                            "spring.data.redis.password=s3cret",
                            "spring.data.redis.client-name=front",
                            "spring.data.redis.ssl.enabled=true")
                    .run(context -> {
                        RedisURI uri = uriOf(context);
                        assertThat(uri.getHost()).isEqualTo("127.0.0.1");
                        assertThat(uri.getPort()).isEqualTo(1);
                        assertThat(uri.getDatabase()).isEqualTo(3);
                        assertThat(uri.getClientName()).isEqualTo("front");
                        assertThat(uri.isSsl()).isTrue();
                        assertCredentials(uri, "usher", "s3cret");
                    });
        }
    }

    @Test
    void aUrlTakesPrecedenceWithSpringDataAndWithout() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.url=rediss://usher:s3cret@127.0.0.1:1/5",
                            "spring.data.redis.host=elsewhere")
                    .run(context -> {
                        RedisURI uri = uriOf(context);
                        assertThat(uri.getHost()).isEqualTo("127.0.0.1");
                        assertThat(uri.getPort()).isEqualTo(1);
                        assertThat(uri.getDatabase()).isEqualTo(5);
                        assertThat(uri.isSsl()).isTrue();
                        assertCredentials(uri, "usher", "s3cret");
                    });
        }
    }

    @Test
    void aServiceConnectionIsHonoured() {
        springData
                .withUserConfiguration(ServiceConnection.class)
                .withPropertyValues("spring.data.redis.port=2")
                .run(context -> assertThat(uriOf(context).getPort()).isEqualTo(1));
    }

    @Test
    void aClusterIsReadAlikeWithSpringDataAndWithout() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.cluster.nodes=127.0.0.1:1,[::1]:2",
                            "spring.data.redis.username=usher",
                            "spring.data.redis.password=s3cret",
                            "spring.data.redis.ssl.enabled=true")
                    .run(context -> {
                        List<RedisURI> nodes =
                                context.getBean(RedisEndpoint.class).clusterNodes();
                        assertThat(nodes).extracting(RedisURI::getHost).containsExactly("127.0.0.1", "::1");
                        assertThat(nodes).extracting(RedisURI::getPort).containsExactly(1, 2);
                        assertThat(nodes).allSatisfy(node -> {
                            assertThat(node.isSsl()).isTrue();
                            assertCredentials(node, "usher", "s3cret");
                        });
                        assertThat(context.getBean(UserCaches.class).health().topology())
                                .isEqualTo(CachesHealth.Topology.CLUSTER);
                        assertThat(context.getBean(RedisEndpoint.class).toString())
                                .doesNotContain("s3cret");
                    });
        }
    }

    @Test
    void aDatabaseOfAClusterIsRefusedByTheNameOfTheSetting() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues("spring.data.redis.cluster.nodes=127.0.0.1:1", "spring.data.redis.database=3")
                    .run(context -> assertThat(context)
                            .getFailure()
                            .hasStackTraceContaining("spring.data.redis.database")
                            .hasStackTraceContaining("A Redis Cluster has no database but 0."));
        }
    }

    @Test
    void aClusterOfUshersOwnIsNamedByAUrlOrByItsNodes() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            for (String settings : List.of(
                    "usher.redis.url=rediss-cluster://usher:s3cret@127.0.0.1:1,[::1]:2?clientName=caches",
                    "usher.redis.cluster.nodes=127.0.0.1:1,[::1]:2 usher.redis.username=usher usher.redis.password=s3cret"
                            + " usher.redis.ssl.enabled=true usher.redis.client-name=caches usher.redis.database=0")) {
                runner.withPropertyValues("spring.data.redis.host=127.0.0.1", "spring.data.redis.database=5")
                        .withPropertyValues(settings.split(" "))
                        .run(context -> {
                            List<RedisURI> nodes =
                                    context.getBean(RedisEndpoint.class).clusterNodes();
                            assertThat(nodes).extracting(RedisURI::getHost).containsExactly("127.0.0.1", "::1");
                            assertThat(nodes).extracting(RedisURI::getPort).containsExactly(1, 2);
                            assertThat(nodes).allSatisfy(node -> {
                                assertThat(node.isSsl()).isTrue();
                                assertThat(node.getDatabase()).isZero();
                                assertThat(node.getClientName()).isEqualTo("caches");
                                assertCredentials(node, "usher", "s3cret");
                            });
                            assertThat(context.getBean(UserCaches.class)
                                            .health()
                                            .topology())
                                    .isEqualTo(CachesHealth.Topology.CLUSTER);
                        });
            }
        }
    }

    @Test
    void sentinelsTakePrecedenceOverAClusterAsInSpringBoot() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.cluster.nodes=127.0.0.1:7",
                            "spring.data.redis.sentinel.master=primary",
                            "spring.data.redis.sentinel.nodes=127.0.0.1:1",
                            "spring.data.redis.database=3")
                    .run(context -> {
                        RedisEndpoint endpoint = context.getBean(RedisEndpoint.class);
                        assertThat(endpoint.clusterNodes()).isEmpty();
                        assertThat(endpoint.uri().getSentinels()).hasSize(1);
                        assertThat(endpoint.uri().getDatabase()).isEqualTo(3);
                    });
        }
    }

    @Test
    void aRedisThatUsherDoesNotSupportIsRefusedByTheNameOfTheSetting() {
        String topology = "masterreplica";
        String nodes = "spring.data.redis." + topology + ".nodes";
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(nodes + "=127.0.0.1:1")
                    .run(context -> assertThat(context)
                            .getFailure()
                            .hasStackTraceContaining(nodes)
                            .hasStackTraceContaining("usher does not support Redis as a " + topology));
        }
    }

    @Test
    void aUrlThatCannotBeReadIsNotQuoted() {
        plain.withPropertyValues("spring.data.redis.url=http://usher:s3cret@127.0.0.1")
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessageContaining("spring.data.redis.url cannot be read")
                        .hasMessageNotContaining("s3cret"));
    }

    @Test
    void sentinelsAreReadAlikeWithSpringDataAndWithout() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.sentinel.master=primary",
                            "spring.data.redis.sentinel.nodes=127.0.0.1:1,[::1]:2",
                            "spring.data.redis.sentinel.username=watcher",
                            "spring.data.redis.sentinel.password=pr1vate",
                            "spring.data.redis.database=3",
                            "spring.data.redis.username=usher",
                            "spring.data.redis.password=s3cret",
                            "spring.data.redis.ssl.enabled=true")
                    .run(context -> {
                        RedisURI uri = uriOf(context);
                        assertThat(uri.getSentinelMasterId()).isEqualTo("primary");
                        assertThat(uri.getDatabase()).isEqualTo(3);
                        assertThat(uri.isSsl()).isTrue();
                        assertCredentials(uri, "usher", "s3cret");
                        assertThat(uri.getSentinels())
                                .extracting(RedisURI::getHost)
                                .containsExactly("127.0.0.1", "::1");
                        assertThat(uri.getSentinels()).allSatisfy(sentinel -> {
                            assertThat(sentinel.isSsl()).isTrue();
                            assertCredentials(sentinel, "watcher", "pr1vate");
                        });
                        assertThat(context.getBean(RedisEndpoint.class).toString())
                                .doesNotContain("s3cret", "pr1vate");
                    });
        }
    }

    @Test
    void aRedisOfUshersOwnTakesNothingFromTheApplications() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "spring.data.redis.cluster.nodes=127.0.0.1:7",
                            "spring.data.redis.password=foreign",
                            "spring.data.redis.database=5",
                            "usher.redis.host=127.0.0.1",
                            "usher.redis.port=1",
                            "usher.redis.username=usher",
                            "usher.redis.password=s3cret",
                            "usher.redis.client-name=caches")
                    .run(context -> {
                        RedisURI uri = uriOf(context);
                        assertThat(uri.getHost()).isEqualTo("127.0.0.1");
                        assertThat(uri.getPort()).isEqualTo(1);
                        assertThat(uri.getDatabase()).isZero();
                        assertThat(uri.getClientName()).isEqualTo("caches");
                        assertCredentials(uri, "usher", "s3cret");
                    });
        }
    }

    @Test
    void aUrlOfUshersOwnMayNameSentinelsWhoseAccountStandsBeside() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues(
                            "usher.redis.url=rediss-sentinel://usher:s3cret@127.0.0.1:1,[::1]:2/4#primary",
                            "usher.redis.sentinel.password=pr1vate")
                    .run(context -> {
                        RedisURI uri = uriOf(context);
                        assertThat(uri.getSentinelMasterId()).isEqualTo("primary");
                        assertThat(uri.getDatabase()).isEqualTo(4);
                        assertCredentials(uri, "usher", "s3cret");
                        assertThat(uri.getSentinels()).hasSize(2).allSatisfy(sentinel -> {
                            assertThat(sentinel.isSsl()).isTrue();
                            assertCredentials(sentinel, null, "pr1vate");
                        });
                    });
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "usher.redis.password=s3cret                                              | usher.redis.password",
                "usher.redis.database=3                                                   | usher.redis.database",
                "usher.redis.ssl.bundle=own                                               | usher.redis.ssl",
                "usher.redis.sentinel.password=s3cret                                     | usher.redis.sentinel",
                "usher.redis.url=redis://127.0.0.1:1 usher.redis.port=1                   | usher.redis.port",
                "usher.redis.url=redis://127.0.0.1:1 usher.redis.password=s3cret          | usher.redis.password",
                "usher.redis.sentinel.nodes=127.0.0.1:1                                   | usher.redis.sentinel.master",
                "usher.redis.sentinel.master=primary                                      | usher.redis.sentinel.nodes",
                "usher.redis.sentinel.master=p usher.redis.sentinel.nodes=127.0.0.1:x     | usher.redis.sentinel.nodes",
                "usher.redis.sentinel.master=p usher.redis.sentinel.nodes=::1:26379       | usher.redis.sentinel.nodes",
                "usher.redis.url=redis-sentinel://127.0.0.1:1#p usher.redis.sentinel.nodes=a:1 | usher.redis.sentinel.nodes",
                "usher.redis.port=70000                                                   | usher.redis.port",
                "usher.redis.cluster.nodes=a:1 usher.redis.url=redis://:s3cret@a:1        | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=a:1 usher.redis.url=redis-cluster://a:1        | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=a:1 usher.redis.host=a                         | usher.redis.host",
                "usher.redis.cluster.nodes=a:1 usher.redis.port=1                         | usher.redis.port",
                "usher.redis.cluster.nodes=a:1 usher.redis.database=3                     | usher.redis.database",
                "usher.redis.cluster.nodes=a:1 usher.redis.sentinel.nodes=b:1             | usher.redis.sentinel",
                "usher.redis.cluster.nodes=a:1 usher.redis.sentinel.password=s3cret       | usher.redis.sentinel",
                "usher.redis.cluster.nodes=a:x                                            | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=a:0                                            | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=a:70000                                        | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=::1:7001                                       | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=[a]:7001                                       | usher.redis.cluster.nodes",
                "usher.redis.cluster.nodes=a:1,:2                                         | usher.redis.cluster.nodes",
                "usher.redis.url=redis-cluster://:s3cret@a:1 usher.redis.sentinel.nodes=b:1 | usher.redis.sentinel",
                "usher.redis.url=redis-cluster://:s3cret@a:1 usher.redis.sentinel.password=s3cret | usher.redis.sentinel",
                "usher.redis.url=redis-cluster://:s3cret@a:1/3                            | usher.redis.url",
                "usher.redis.url=redis-cluster://:s3cret@a:port                           | usher.redis.url",
                "usher.redis.url=redis-cluster://:s3cret@a:1,:s3cret@b:2                  | usher.redis.url",
                "spring.data.redis.url=redis-cluster://:s3cret@a:1                        | spring.data.redis.url",
                "spring.data.redis.cluster.nodes=a:x                                      | spring.data.redis.cluster.nodes",
                "spring.data.redis.cluster.nodes=a:1 spring.data.redis.database=3         | spring.data.redis.database",
                "usher.redis.url=redis-sentinel://:s3cret@127.0.0.1:1                     | usher.redis.url",
                "usher.redis.url=http://:s3cret@127.0.0.1:1                               | usher.redis.url",
                "spring.data.redis.url=redis-sentinel://:s3cret@127.0.0.1:1#p             | spring.data.redis.url"
            })
    void aMistakeInTheAddressOfRedisNamesTheSettingAndNoSecret(String settings, String named) {
        plain.withPropertyValues(settings.split(" "))
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .message()
                        .contains(named)
                        .doesNotContain("s3cret"));
    }

    @Test
    void emptySettingsOfARedisOfUshersOwnAreNone() {
        nowhere.withPropertyValues(
                        "usher.redis.url=",
                        "usher.redis.port=",
                        "usher.redis.password=",
                        "usher.redis.ssl.bundle=",
                        "usher.redis.sentinel.nodes=",
                        "usher.redis.sentinel.password=")
                .run(context -> assertThat(uriOf(context).getPort()).isEqualTo(1));
    }

    @Test
    void aBeanOfCredentialsNamesTheAccount() {
        for (ApplicationContextRunner runner : new ApplicationContextRunner[] {plain, springData}) {
            runner.withPropertyValues("spring.data.redis.url=redis://:old@127.0.0.1:1")
                    .withBean(
                            RedisCredentialsProvider.class,
                            () -> RedisCredentialsProvider.from(() -> RedisCredentials.just("usher", "s3cret")))
                    .run(context -> assertCredentials(uriOf(context), "usher", "s3cret"));
        }
    }

    private static RedisURI uriOf(AssertableApplicationContext context) {
        return context.getBean(RedisEndpoint.class).uri();
    }

    private static void assertCredentials(RedisURI uri, @Nullable String username, String password) {
        RedisCredentials credentials = uri.getCredentialsProvider()
                .resolveCredentials()
                .blockOptional()
                .orElseThrow();
        assertThat(credentials.getUsername()).isEqualTo(username);
        assertThat(credentials.getPassword()).isEqualTo(password.toCharArray());
    }

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final UserProfile BOB = new UserProfile("13900000000", "Bob", "", false, "", "");

    record Consumer(UserProfileCache<Long> profiles, UserStatusCache<Long> statuses) {

        @Autowired
        Consumer {}
    }

    @Configuration(proxyBeanMethods = false)
    static class ProfileSource {

        @Bean
        UserSource<Long, UserProfile> profileSource() {
            return ids -> Map.of(42L, ANN);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class PrimaryProfileSource {

        @Bean
        @Primary
        UserSource<Long, UserProfile> primaryProfileSource() {
            return ids -> Map.of(42L, BOB);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class StatusSource {

        @Bean
        UserSource<Long, UserStatus> statusSource() {
            return ids -> Map.of(42L, UserStatus.ENABLED);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Sources {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of(42L, ANN);
        }

        @Bean
        UserSource<Long, UserStatus> statuses() {
            return ids -> Map.of(42L, UserStatus.ENABLED);
        }
    }

    static final class UuidSource implements UserSource<UUID, UserStatus> {

        @Override
        public Map<UUID, UserStatus> load(Set<UUID> ids) {
            return Map.of();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnBeans {

        @Bean
        UserCaches ownCaches() {
            return UserCaches.builder().redis(NOWHERE).build();
        }

        @Bean
        UserProfileCache<Long> ownProfiles(UserCaches caches, UserSource<Long, UserProfile> source) {
            return new UserProfileCache<>(caches.cache(UserProfile.FACET, Long.class, source));
        }

        @Bean
        UserStatusCache<Long> ownStatuses(UserCaches caches, UserSource<Long, UserStatus> source) {
            return new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, source));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class ServiceConnection {

        @Bean
        DataRedisConnectionDetails details() {
            return new DataRedisConnectionDetails() {
                @Override
                public Standalone getStandalone() {
                    return Standalone.of("127.0.0.1", 1);
                }
            };
        }
    }
}
