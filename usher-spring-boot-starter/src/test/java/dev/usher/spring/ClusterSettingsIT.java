package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CachesHealth;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.testkit.RedisCluster;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** A Redis Cluster with TLS and a password, by the settings of Spring Boot and by usher's own. */
@Tag("thorough")
class ClusterSettingsIT {

    @TempDir
    static Path directory;

    private static RedisCluster cluster;

    /** One node: the others are found by the addresses that they announce. */
    private static String node;

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(
                    SslAutoConfiguration.class, UsherAutoConfiguration.class, Resp3AutoConfiguration.class))
            .withUserConfiguration(UsherAutoConfigurationIT.Source.class)
            .withPropertyValues(
                    "spring.ssl.bundle.pem.redis.truststore.certificate="
                            + directory.resolve("certificate.pem").toUri(),
                    "usher.redis.command-timeout=5s");

    private final ApplicationContextRunner springData =
            runner.withConfiguration(AutoConfigurations.of(DataRedisAutoConfiguration.class));

    private final ApplicationContextRunner plain =
            runner.withClassLoader(new FilteredClassLoader("org.springframework.boot.data.redis"));

    @BeforeAll
    static void start() throws Exception {
        Path certificate = directory.resolve("certificate.pem");
        Path key = directory.resolve("key.pem");
        TlsIT.makeKeys(directory, certificate, key);
        cluster = RedisCluster.builder()
                .password("s3cret")
                .tls(certificate, key, certificate)
                .start();
        node = "127.0.0.1:" + cluster.primaries().get(0).port();
    }

    @AfterAll
    static void stop() {
        cluster.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theSettingsOfSpringBootAreEnough(boolean isSpringData) {
        assertWorks(
                isSpringData,
                "spring.data.redis.cluster.nodes=" + node,
                "spring.data.redis.password=s3cret",
                "spring.data.redis.ssl.bundle=redis");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void soAreUshersOwn(boolean isSpringData) {
        assertWorks(
                isSpringData,
                "usher.redis.cluster.nodes=" + node,
                "usher.redis.password=s3cret",
                "usher.redis.ssl.bundle=redis");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void soIsAUrlOfUshersOwn(boolean isSpringData) {
        assertWorks(isSpringData, "usher.redis.url=rediss-cluster://:s3cret@" + node, "usher.redis.ssl.bundle=redis");
    }

    private void assertWorks(boolean isSpringData, String... settings) {
        (isSpringData ? springData : plain).withPropertyValues(settings).run(context -> {
            assertThat(context).hasNotFailed();
            UserCaches caches = context.getBean(UserCaches.class);
            await().until(() -> caches.health().isWell());
            assertThat(caches.health().topology()).isEqualTo(CachesHealth.Topology.CLUSTER);
            UserProfileCache<Long> profiles =
                    context.getBean(UsherAutoConfigurationIT.Caller.class).profiles();
            assertThat(profiles.find(42L)).isPresent();
        });
    }
}
