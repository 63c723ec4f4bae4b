package dev.usher.server.attempt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Sha256;
import dev.usher.spring.RedisEndpoint;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The keys of attempts in Redis, and the rights that they need: nodes of two versions count in the same buckets. */
class AttemptKeysIT {

    private static final Path GUIDE = Path.of("..", "docs", "guide", "security.md");
    private static final Path FORMATS = Path.of("src", "test", "resources", "formats");
    private static final Pattern RIGHTS = Pattern.compile("^ *ACL SETUSER usher (.+)$", Pattern.MULTILINE);

    private static final String MOBILE = "13812345678";
    private static final String ADDRESS = "192.0.2.7";

    /** Buckets hold the time at which a token was taken. */
    private static final InstantSource CLOCK = () -> Instant.parse("2027-01-01T00:00:00Z");

    private static RedisServer server;
    private static RedisClient client;
    private static RedisCommands<String, byte[]> operator;

    private AttemptLimits limits;

    @BeforeAll
    static void start() throws IOException {
        server = RedisServer.start();
        client = RedisClient.create(server.uri());
        operator = client.connect(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE))
                .sync();
        RIGHTS.matcher(Files.readString(GUIDE)).results().forEach(rights -> {
            CommandArgs<String, byte[]> arguments = new CommandArgs<>(
                            RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE))
                    .add("SETUSER")
                    .add("usher");
            Stream.of(rights.group(1).split(" ")).forEach(arguments::add);
            operator.dispatch(
                    CommandType.ACL,
                    new ArrayOutput<>(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE)),
                    arguments);
        });
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        server.close();
    }

    @BeforeEach
    void connect() {
        operator.flushall();
        operator.configResetstat();
        limits = new AttemptLimits(
                new UsherServerProperties.Attempts(3, 100, 3, Duration.ofMinutes(1)),
                "user",
                new RedisEndpoint(
                        RedisURI.create(
                                "redis://usher:a-long-secret-of-your-own@" + server.host() + ":" + server.port()),
                        ClientOptions.create()),
                Duration.ofSeconds(5),
                owner -> Sha256.hex(owner.substring(owner.indexOf(':') + 1)),
                CLOCK);
    }

    @AfterEach
    void disconnect() {
        limits.destroy();
    }

    @Test
    void theAccountOfTheCachesAndOneRightMoreAreEnough() {
        fail();
        assertThat(limits.login(MOBILE, ADDRESS, () -> "done")).isEqualTo("done");
        fail();
        limits.countRegistration(ADDRESS);

        assertThat(operator.aclLog()).as("what was refused").isEmpty();
        assertThat(operator.info("commandstats")).contains("cmdstat_psetex:calls=");
        assertThat(operator.keys("*")).hasSize(4);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aBucketOfEachReleaseIsTakenFrom(Path file) {
        Bucket bucket = Bucket.read(file);
        operator.psetex(bucket.key, bucket.ttl, bucket.value);

        fail();

        assertThatExceptionOfType(ProblemException.class)
                .isThrownBy(() -> limits.login(MOBILE, ADDRESS, () -> "done"))
                .satisfies(e -> assertThat(e.problem().type()).isEqualTo(ProblemType.TOO_MANY_ATTEMPTS.uri()));
    }

    @Test
    void aBucketIsWrittenAsTheLatestReleaseWroteIt() {
        Bucket latest = Bucket.read(formats().get(formats().size() - 1));

        fail();
        fail();

        assertThat(HexFormat.of().formatHex(operator.get(latest.key)))
                .isEqualTo(HexFormat.of().formatHex(latest.value));
        assertThat(operator.pttl(latest.key)).isBetween(latest.ttl - 4000, latest.ttl);
    }

    private void fail() {
        assertThatExceptionOfType(ProblemException.class)
                .isThrownBy(() -> limits.login(MOBILE, ADDRESS, () -> {
                    throw new ProblemException(ProblemType.BAD_CREDENTIALS);
                }))
                .satisfies(e -> assertThat(e.problem().type()).isEqualTo(ProblemType.BAD_CREDENTIALS.uri()));
    }

    /** The bucket of a mobile number after two of three attempts, by release. */
    static List<Path> formats() {
        try (Stream<Path> files = Files.walk(FORMATS)) {
            return files.filter(file -> file.endsWith("attempts.json")).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("ArrayRecordComponent")
    private record Bucket(String key, long ttl, byte[] value) {

        static Bucket read(Path file) {
            JsonNode json = new JsonMapper().readTree(file);
            return new Bucket(
                    json.required("key").stringValue(),
                    json.required("ttl").longValue(),
                    HexFormat.of().parseHex(json.required("hex").stringValue()));
        }
    }
}
