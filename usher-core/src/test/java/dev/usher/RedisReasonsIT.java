package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The log and health name the failure of a Redis in the same words. */
@Tag("servers")
class RedisReasonsIT extends NodesOnRedis {

    private final Table table = new Table();

    @AfterEach
    void letEveryoneIn() {
        acl("SETUSER", "default", "on", "nopass", "+@all");
        acl("DELUSER", "usher");
    }

    @ParameterizedTest
    @CsvSource({
        "resetpass >secret, '', cannot be reached: NOAUTH",
        "resetpass >secret, :wrong@, cannot be reached: WRONGPASS",
        "nopass, nobody:secret@, cannot be reached: WRONGPASS",
        "nopass, off:secret@, cannot be reached: WRONGPASS"
    })
    void theReasonOfARefusedConnectionIsNamed(String standard, String user, String reason) {
        acl("SETUSER", "off", "off", ">secret", "~*", "+@all");
        acl(("SETUSER default " + standard).split(" "));
        assertIsNamed(node(uri().replace("://", "://" + user)), reason);
    }

    @Test
    void aPasswordThatWasChangedIsNamedWhenAConnectionIsLost() {
        acl("SETUSER", "usher", "on", ">secret", "~*", "+@all");
        UserCaches node = open(node(testRedis.uriAs("usher:secret")));
        UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
        await().until(() -> cache.stats().nearOpen());
        List<String> lines = LogLines.of("dev.usher", () -> {
            acl("SETUSER", "usher", "resetpass", ">another");
            client("KILL", "USER", "usher");
            await().untilAsserted(() -> {
                cache.find(1L);
                assertThat(node.health().lastError()).isEqualTo("cannot be reached: WRONGPASS");
            });
            cache.find(2L);
        });
        assertThat(lines).contains(line(server, "cannot be reached: WRONGPASS"));
    }

    @Test
    void aRedisThatIsFullOfClientsSaysSo() {
        String maxClients = redis.configGet("maxclients").get("maxclients");
        redis.configSet("maxclients", "2");
        try {
            assertIsNamed(node(uri()), "cannot be reached: max number of clients");
        } finally {
            redis.configSet("maxclients", maxClients);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-getex, failed: NOPERM (getex)",
        "-getrange, failed: NOPERM (getrange)",
        "-evalsha -eval, failed: NOPERM (evalsha)",
        "-set, failed: NOPERM (set)",
        "-time, failed: NOPERM (time)",
        "-hmget, failed: NOPERM (hmget)",
        "-zadd, failed: NOPERM (zadd)",
        "-zscore, failed: NOPERM (zscore)",
        "-hgetall, failed: NOPERM (hgetall)",
        "-llen, failed: NOPERM (llen)",
        "-client, failed: NOPERM (client)",
        "resetkeys ~{user:*, failed: NOPERM (a key)",
        "resetkeys ~user:*, failed: NOPERM (a key)"
    })
    void aRightThatIsMissingIsNamed(String rules, String reason) {
        acl(("SETUSER usher reset on >secret ~* +@all " + rules).split(" "));
        boolean subcommandsAreNamed = !redis.info("server").contains("redis_version:6.");
        assertIsNamed(
                node(testRedis.uriAs("usher:secret")),
                subcommandsAreNamed ? reason.replace("(client)", "(client|tracking)") : reason);
    }

    @ParameterizedTest
    @ValueSource(strings = {"get", "evalsha", "set", "getrange", "client"})
    void aCommandThatIsRenamedIsNamed(String command) {
        try (RedisServer renamed = RedisServer.start("rename-command " + command + " \"\"")) {
            assertIsNamed(node(renamed.uri()), renamed, "failed: ERR (unknown command " + command + ")");
        }
    }

    @Test
    void aCertificateThatHasExpiredIsNamedAndOneOfAnUnknownAuthority(@TempDir Path directory) throws Exception {
        Certificates certificates = Certificates.expired(directory);
        int port = freePort();
        try (RedisServer tls = RedisServer.start(
                "tls-port " + port,
                "tls-cert-file " + certificates.certificate(),
                "tls-key-file " + certificates.key(),
                "tls-ca-cert-file " + certificates.authority(),
                "tls-auth-clients no")) {
            String uri = "rediss://" + tls.host() + ":" + port;
            String address = tls.host() + ":" + port;
            assertIsNamed(
                    node(uri)
                            .clientOptions(ClientOptions.builder()
                                    .sslOptions(SslOptions.builder()
                                            .jdkSslProvider()
                                            .trustManager(
                                                    certificates.authority().toFile())
                                            .build())
                                    .build()),
                    address,
                    "cannot be reached: CertificateExpiredException");
            assertIsNamed(node(uri), address, "cannot be reached: SunCertPathBuilderException");
        }
    }

    private void assertIsNamed(UserCaches.Builder builder, String reason) {
        assertIsNamed(builder, server, reason);
    }

    private void assertIsNamed(UserCaches.Builder builder, RedisServer where, String reason) {
        assertIsNamed(builder, where.host() + ":" + where.port(), reason);
    }

    private void assertIsNamed(UserCaches.Builder builder, String address, String reason) {
        List<String> reasons = new ArrayList<>();
        List<String> lines = LogLines.of("dev.usher", () -> {
            UserCaches node = builder.build();
            try {
                UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, table);
                for (long id = 1; id <= 3; id++) {
                    cache.find(id);
                }
                await().pollInterval(Duration.ofMillis(20)).untilAsserted(() -> {
                    reasons.add(String.valueOf(node.health().lastError()));
                    assertThat(reasons).contains(reason);
                });
                cache.find(4L); // the first attempt may have been broken off, and no call have failed since
            } finally {
                node.close();
            }
        });
        assertThat(lines).contains("Redis at " + address + " " + reason + "; the source answers instead");
        assertThat(lines.toString() + reasons).doesNotContain("secret");
    }

    private static String line(RedisServer where, String reason) {
        return "Redis at " + where.host() + ":" + where.port() + " " + reason + "; the source answers instead";
    }

    private static UserCaches.Builder node(String uri) {
        return UserCaches.builder().redis(RedisURI.create(uri)).commandTimeout(Duration.ofSeconds(5));
    }

    private static void acl(String... words) {
        dispatch(CommandType.ACL, words);
    }

    private static void client(String... words) {
        dispatch(CommandType.CLIENT, words);
    }

    private static void dispatch(CommandType command, String... words) {
        CommandArgs<String, String> arguments = new CommandArgs<>(StringCodec.UTF8);
        List.of(words).forEach(arguments::add);
        redis.dispatch(command, new ArrayOutput<>(StringCodec.UTF8), arguments);
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
