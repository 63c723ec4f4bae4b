package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The code of {@code docs/guide/other-languages.md}, as it stands there, announces changes to a real Redis. */
@Tag("servers")
class OtherLanguagesIT {

    private static final Path DOCS = Path.of("..", "docs");
    private static final Path SCRIPTS = Path.of("src", "main", "resources", "dev", "usher", "redis");
    private static final Path PROGRAMS = Path.of("src", "test", "resources", "other-languages");
    private static final int SECONDS = 60;

    private static RedisServer server;
    private static RedisClient client;
    private static RedisCommands<String, String> redis;

    @TempDir
    private Path folder;

    @BeforeAll
    static void start() {
        server = RedisServer.start();
        client = RedisClient.create(server.uri());
        redis = client.connect().sync();
    }

    @AfterAll
    static void stop() {
        client.shutdown();
        server.close();
    }

    @BeforeEach
    void fenceIsBesideTheCode() throws IOException {
        Files.copy(SCRIPTS.resolve("fence.lua"), folder.resolve("fence.lua"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"protocol.md", "guide/other-languages.md"})
    void thePagesShowFenceByteForByte(String page) throws IOException {
        assertThat(block(page, "lua")).isEqualTo(Files.readString(SCRIPTS.resolve("fence.lua")));
        assertThat(GuardScript.FENCE.source()).isEqualTo(Files.readString(SCRIPTS.resolve("fence.lua")));
    }

    @Test
    void thePageOfTheProtocolNamesTheNumbersAndEachScript() throws IOException {
        String page = Files.readString(DOCS.resolve("protocol.md"));
        assertThat(page)
                .contains("| fence | the life of a fence | 5,000 |")
                .contains("| lease | how long a claim lives without being renewed | 800 |");
        assertThat(GuardProtocol.FENCE.toMillis()).isEqualTo(5000);
        assertThat(GuardProtocol.LEASE.toMillis()).isEqualTo(800);
        assertThat(page)
                .contains(List.of(
                        "| CLAIM |", "| FILL |", "| RENEW |", "| ABSENT |", "| REFRESH |", "| OFFER |", "| FENCE |"));
    }

    @Test
    void theGuardsScriptsAreTheCommonPartALineFeedAndTheirFile() throws IOException {
        for (GuardScript script : List.of(GuardScript.CLAIM, GuardScript.FILL, GuardScript.OFFER)) {
            assertThat(script.source()).startsWith(Files.readString(SCRIPTS.resolve("guard.lua")) + "\n");
        }
        assertThat(GuardScript.CLAIM.source()).endsWith("\n" + Files.readString(SCRIPTS.resolve("claim.lua")));
    }

    static boolean isPythonThere() {
        return isThere("python3");
    }

    static boolean isRedisPyThere() {
        return pythonWithRedisPy().isPresent();
    }

    /** Debian's package is for Debian's Python, which may not be the first one on the PATH. */
    private static Optional<String> pythonWithRedisPy() {
        return Stream.of("python3", "/usr/bin/python3")
                .filter(python -> Files.isExecutable(Path.of(python)) || isThere(python))
                .filter(python -> exitOf(List.of(python, "-c", "import redis"), Map.of(), new File("/dev/null")) == 0)
                .findFirst();
    }

    static boolean isRedisCliThere() {
        return isThere("redis-cli");
    }

    /** With a stand-in for redis-py, which has the same names and signatures. */
    @Test
    @EnabledIf(value = "isPythonThere", disabledReason = "this machine has no python3")
    void thePythonCodePassesTheVectors() throws IOException {
        Files.copy(PROGRAMS.resolve("stub/redis.py"), folder.resolve("redis.py"));

        assertThat(vectorsIn("python3")).contains(cases() + " cases with " + folder.resolve("redis.py"));
    }

    @Test
    @EnabledIf(
            value = "isRedisPyThere",
            disabledReason = "this machine has no redis-py: install python3-redis, of Debian")
    void thePythonCodePassesTheVectorsWithRedisPy() throws IOException {
        assertThat(vectorsIn(pythonWithRedisPy().orElseThrow()))
                .contains(cases() + " cases with ")
                .doesNotContain(folder.toString());
    }

    private static int cases() throws IOException {
        return ProtocolVectorsIT.cases().size();
    }

    private String vectorsIn(String python) throws IOException {
        Files.writeString(folder.resolve("fence.py"), block("guide/other-languages.md", "python"));
        Files.copy(PROGRAMS.resolve("vectors.py"), folder.resolve("vectors.py"));
        return outputOf(
                List.of(
                        python,
                        folder.resolve("vectors.py").toString(),
                        Integer.toString(server.port()),
                        ProtocolVectorsIT.VECTORS.toString(),
                        SCRIPTS.toString()),
                Map.of());
    }

    @Test
    @EnabledIf(value = "isPythonThere", disabledReason = "this machine has no python3")
    void thePythonCodeSaysThatRedisHasNotAnswered() throws IOException {
        Files.copy(PROGRAMS.resolve("stub/redis.py"), folder.resolve("redis.py"));
        Files.writeString(folder.resolve("fence.py"), block("guide/other-languages.md", "python"));
        Files.writeString(
                folder.resolve("refused.py"),
                "import redis\nfrom fence import fence\nprint(fence(redis.Redis(host='127.0.0.1', port=1), 42))\n");

        assertThat(outputOf(List.of("python3", folder.resolve("refused.py").toString()), Map.of()))
                .isEqualTo("False\n");
    }

    @Test
    @EnabledIf(
            value = "isRedisCliThere",
            disabledReason = "this machine has no redis-cli: install redis-tools, of Debian")
    void theLinesOfRedisCliFenceBothFacets() throws IOException {
        redis.set("user:42:status", "1");
        redis.set("user:42:profile", "{}");

        String output = outputOf(
                List.of("sh", "-e", "-c", "cd " + folder + "\n" + block("guide/other-languages.md", "sh")),
                Map.of("REDIS", server.uri()));

        assertThat(output.lines()).hasSize(2).allMatch(line -> line.endsWith("1"));
        assertThat(redis.exists("user:42:status", "user:42:profile")).isZero();
        assertThat(redis.get("{user:42:status}:guard")).isEqualTo("-");
        assertThat(redis.get("{user:42:profile}:guard")).isEqualTo("-");
        assertThat(redis.scriptExists(GuardScript.FENCE.sha1())).containsExactly(true);
    }

    /** The only block of a page in a language. */
    private static String block(String page, String language) throws IOException {
        Matcher block = Pattern.compile("^```" + language + "\\n(.*?)^```$", Pattern.DOTALL | Pattern.MULTILINE)
                .matcher(Files.readString(DOCS.resolve(page)));
        assertThat(block.find()).as(page + " has code in " + language).isTrue();
        return block.group(1);
    }

    private static boolean isThere(String program) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    private String outputOf(List<String> command, Map<String, String> variables) throws IOException {
        Path output = folder.resolve("output");
        int exit = exitOf(command, variables, output.toFile());
        String text = Files.readString(output);
        assertThat(exit).as(text).isZero();
        return text;
    }

    private static int exitOf(List<String> command, Map<String, String> variables, File output) {
        ProcessBuilder program =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output);
        program.environment().putAll(variables);
        program.environment().put("PYTHONDONTWRITEBYTECODE", "1");
        try {
            Process process = program.start();
            try {
                assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS))
                        .as("%s ends", command)
                        .isTrue();
                return process.exitValue();
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
