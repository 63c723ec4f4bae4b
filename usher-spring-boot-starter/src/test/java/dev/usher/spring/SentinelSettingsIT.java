package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** A Redis behind Sentinels, all with TLS and passwords, by the settings of Spring Boot and by usher's own. */
class SentinelSettingsIT {

    @TempDir
    static Path directory;

    private static SentinelGroup group;
    private static String nodes;

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
        group = SentinelGroup.builder()
                .password("s3cret")
                .sentinelPassword("pr1vate")
                .tls(certificate, key, certificate)
                .start();
        nodes = group.sentinels().stream()
                .map(RedisServer::port)
                .map(port -> "127.0.0.1:" + port)
                .collect(Collectors.joining(","));
    }

    @AfterAll
    static void stop() {
        group.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theSettingsOfSpringBootAreEnough(boolean isSpringData) {
        assertWorks(
                isSpringData,
                "spring.data.redis.sentinel.master=" + group.name(),
                "spring.data.redis.sentinel.nodes=" + nodes,
                "spring.data.redis.sentinel.password=pr1vate",
                "spring.data.redis.password=s3cret",
                "spring.data.redis.ssl.bundle=redis");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void soIsAUrlOfUshersOwn(boolean isSpringData) {
        assertWorks(
                isSpringData,
                "usher.redis.url=" + group.uri().replace("//", "//:s3cret@"),
                "usher.redis.sentinel.password=pr1vate",
                "usher.redis.ssl.bundle=redis");
    }

    private void assertWorks(boolean isSpringData, String... settings) {
        (isSpringData ? springData : plain).withPropertyValues(settings).run(context -> {
            assertThat(context).hasNotFailed();
            UserCaches caches = context.getBean(UserCaches.class);
            await().until(() -> caches.health().isWell());
            assertThat(caches.health().sentinels()).startsWith("3 of 3 name ");
            UserProfileCache<Long> profiles =
                    context.getBean(UsherAutoConfigurationIT.Caller.class).profiles();
            assertThat(profiles.find(42L)).isPresent();
        });
    }
}
