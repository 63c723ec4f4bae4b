package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.testkit.RedisServer;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** Certificates of Redis and of the application that are replaced while the application runs. */
class ReloadedCertificatesIT {

    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void newConnectionsUseTheNewCertificates(boolean springData) throws Exception {
        Path certificate = directory.resolve("certificate.pem");
        Path key = directory.resolve("key.pem");
        TlsIT.makeKeys(directory, certificate, key);
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        ApplicationContextRunner runner = new ApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(SslAutoConfiguration.class, UsherAutoConfiguration.class))
                .withPropertyValues(
                        "spring.data.redis.host=127.0.0.1",
                        "spring.data.redis.port=" + port,
                        "spring.data.redis.ssl.bundle=redis",
                        "spring.ssl.bundle.watch.file.quiet-period=50ms",
                        "spring.ssl.bundle.pem.redis.reload-on-update=true",
                        "spring.ssl.bundle.pem.redis.truststore.certificate=" + certificate.toUri(),
                        "spring.ssl.bundle.pem.redis.keystore.certificate=" + certificate.toUri(),
                        "spring.ssl.bundle.pem.redis.keystore.private-key=" + key.toUri(),
                        "usher.redis.command-timeout=5s");
        runner = springData
                ? runner.withConfiguration(AutoConfigurations.of(DataRedisAutoConfiguration.class))
                : runner.withClassLoader(new FilteredClassLoader("org.springframework.boot.data.redis"));
        try (RedisServer redis = RedisServer.start(
                "tls-port " + port,
                "tls-cert-file " + certificate,
                "tls-key-file " + key,
                "tls-ca-cert-file " + certificate,
                "tls-auth-clients yes")) {
            runner.run(context -> {
                UserCaches caches = context.getBean(UserCaches.class);
                await().atMost(SOON).until(() -> caches.health().nearOpen());

                replace(certificate, key);
                redis.restart();

                await().atMost(SOON).until(() -> !caches.health().nearOpen());
                await().atMost(SOON).until(() -> caches.health().isWell());
                assertThat(caches.health().lastError()).isNull();
            });
        }
    }

    private void replace(Path certificate, Path key) throws Exception {
        Path newCertificate = directory.resolve("new-certificate.pem");
        Path newKey = directory.resolve("new-key.pem");
        TlsIT.makeKeys(directory, newCertificate, newKey);
        Files.move(newKey, key, StandardCopyOption.ATOMIC_MOVE);
        Files.move(newCertificate, certificate, StandardCopyOption.ATOMIC_MOVE);
    }
}
