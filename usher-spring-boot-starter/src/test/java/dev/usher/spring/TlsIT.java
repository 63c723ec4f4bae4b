package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CachesHealth;
import dev.usher.Explanation.Holding;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** A Redis with TLS that requires a client certificate, a user name and a password. */
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("TlsIT") // runs its tests one after the other
class TlsIT {

    private static final String STORE_PASSWORD = "changeit";

    @TempDir
    static Path directory;

    private static RedisServer redis;
    private static int port;

    private final ApplicationContextRunner withoutSpringData = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(
                    SslAutoConfiguration.class, UsherAutoConfiguration.class, Resp3AutoConfiguration.class))
            .withClassLoader(new FilteredClassLoader("org.springframework.boot.data.redis"))
            .withUserConfiguration(UsherAutoConfigurationIT.Source.class)
            .withPropertyValues(
                    "spring.data.redis.ssl.bundle=redis",
                    // The first calls of a JVM can take longer than the default timeout.
                    "usher.redis.command-timeout=5s");

    private final ApplicationContextRunner runner = withoutSpringData
            .withConfiguration(AutoConfigurations.of(DataRedisAutoConfiguration.class))
            .withClassLoader(TlsIT.class.getClassLoader());

    @BeforeAll
    static void startRedis() throws Exception {
        Path certificate = directory.resolve("certificate.pem");
        Path key = directory.resolve("key.pem");
        makeKeys(directory, certificate, key);
        port = freePort();
        redis = RedisServer.start(
                "tls-port " + port,
                "tls-cert-file " + certificate,
                "tls-key-file " + key,
                "tls-ca-cert-file " + certificate,
                "tls-auth-clients yes",
                "user default off",
                "user usher on >s3cret ~user:* ~{user:* +@all");
    }

    @AfterAll
    static void stopRedis() {
        redis.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aBundleAUserAndAPasswordAreEnough(boolean springData) {
        assertWorks(
                springData,
                "spring.data.redis.host=127.0.0.1",
                "spring.data.redis.port=" + port,
                "spring.data.redis.username=usher",
                "spring.data.redis.password=s3cret");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void soAreAUrlAndABundle(boolean springData) {
        assertWorks(springData, "spring.data.redis.url=rediss://usher:s3cret@127.0.0.1:" + port);
    }

    @Test
    void aRedisWithAnUntrustedCertificateIsNotUsed() {
        runner.withPropertyValues(
                        "spring.data.redis.ssl.bundle=",
                        "spring.data.redis.url=rediss://usher:s3cret@127.0.0.1:" + port)
                .run(context -> assertThat(
                                context.getBean(UserCaches.class).health().redis())
                        .isEqualTo(CachesHealth.Redis.UNREACHABLE));
    }

    private void assertWorks(boolean springData, String... settings) {
        (springData ? runner : withoutSpringData)
                .withPropertyValues(settings)
                .withPropertyValues(
                        "spring.ssl.bundle.pem.redis.truststore.certificate=" + uri("certificate.pem"),
                        "spring.ssl.bundle.pem.redis.keystore.certificate=" + uri("certificate.pem"),
                        "spring.ssl.bundle.pem.redis.keystore.private-key=" + uri("key.pem"))
                .run(context -> {
                    assertThat(context).hasNotFailed();
                    UserCaches caches = context.getBean(UserCaches.class);
                    await().until(() -> caches.health().nearOpen());
                    UserProfileCache<Long> profiles = context.getBean(UsherAutoConfigurationIT.Caller.class)
                            .profiles();
                    // On a busy machine, a load may outlive its claim, and is then not stored.
                    await().untilAsserted(() -> {
                        assertThat(profiles.find(42L)).isPresent();
                        assertThat(profiles.explain(42L).shared()).isInstanceOf(Holding.Value.class);
                    });
                });
    }

    private static String uri(String file) {
        return directory.resolve(file).toUri().toString();
    }

    /** Makes a certificate that it has signed itself, for 127.0.0.1. */
    static void makeKeys(Path directory, Path certificate, Path key)
            throws IOException, GeneralSecurityException, InterruptedException {
        Path store = Files.createTempDirectory(directory, "keys").resolve("keys.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "redis",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=usher",
                        "-ext",
                        "san=ip:127.0.0.1",
                        "-validity",
                        "2",
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        STORE_PASSWORD,
                        "-keystore",
                        store.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(keytool.waitFor()).as(output).isZero();
        KeyStore keys = KeyStore.getInstance(store.toFile(), STORE_PASSWORD.toCharArray());
        Files.writeString(
                certificate, pem("CERTIFICATE", keys.getCertificate("redis").getEncoded()));
        Files.writeString(
                key,
                pem(
                        "PRIVATE KEY",
                        keys.getKey("redis", STORE_PASSWORD.toCharArray()).getEncoded()));
    }

    private static String pem(String what, byte[] encoded) {
        return "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(encoded) + "\n-----END " + what
                + "-----\n";
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
