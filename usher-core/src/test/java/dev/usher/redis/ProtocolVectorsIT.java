package dev.usher.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.RedisServer;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The vectors of {@code docs/protocol.md}, which other languages are tested by, hold for the scripts of usher. */
@Tag("servers")
class ProtocolVectorsIT {

    static final Path VECTORS = Path.of("..", "docs", "protocol", "vectors.jsonl");

    private static final JsonMapper MAPPER = new JsonMapper();
    private static final Pattern NOW = Pattern.compile("<now([+-]\\d+)?>");

    private static final Map<String, GuardScript> SCRIPTS = Map.of(
            "claim", GuardScript.CLAIM,
            "refresh", GuardScript.REFRESH,
            "renew", GuardScript.RENEW,
            "fill", GuardScript.FILL,
            "absent", GuardScript.ABSENT,
            "offer", GuardScript.OFFER,
            "fence", GuardScript.FENCE);

    private static RedisServer server;
    private static PlainClient redis;

    @BeforeAll
    static void start() throws IOException {
        server = RedisServer.start();
        redis = new PlainClient(server.port());
    }

    @AfterAll
    static void stop() throws IOException {
        redis.close();
        server.close();
    }

    /** A case of the file. */
    record Case(JsonNode json) {

        String name() {
            return json.path("case").asString();
        }

        JsonNode steps() {
            return json.path("steps");
        }

        @Override
        public String toString() {
            return name();
        }
    }

    static List<Case> cases() throws IOException {
        return Files.readAllLines(VECTORS).stream()
                .map(line -> new Case(MAPPER.readTree(line)))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void aCaseIsAnsweredAsItSays(Case vectors) throws IOException {
        assertThat(vectors.steps().isEmpty()).isFalse();
        for (JsonNode step : vectors.steps()) {
            Object answer = step.has("run") ? run(step) : redis.send(words(step.path("send")));
            if (step.has("answer")) {
                assertThat(fits(answer, step.path("answer")))
                        .as("%s was answered with %s", step, answer)
                        .isTrue();
            }
        }
    }

    @Test
    void everyScriptHasCasesAndEachCaseAName() throws IOException {
        Set<String> run = new TreeSet<>();
        for (Case vectors : cases()) {
            vectors.steps().forEach(step -> run.add(step.path("run").asString("send")));
        }
        run.remove("send");

        assertThat(run).isEqualTo(new TreeSet<>(SCRIPTS.keySet()));
        assertThat(cases()).extracting(Case::name).doesNotHaveDuplicates().noneMatch(String::isBlank);
    }

    private static @Nullable Object run(JsonNode step) throws IOException {
        GuardScript script = requireNonNull(SCRIPTS.get(step.path("run").asString()), step.toString());
        List<String> keys = words(step.path("keys"));
        List<String> command = new ArrayList<>(List.of("EVAL", script.source(), Integer.toString(keys.size())));
        command.addAll(keys);
        command.addAll(words(step.path("args")));
        return redis.send(command);
    }

    private static List<String> words(JsonNode words) {
        return words.valueStream()
                .map(word -> NOW.matcher(word.asString()).replaceAll(ProtocolVectorsIT::moment))
                .toList();
    }

    private static String moment(MatchResult now) {
        long millis = redis.millis();
        return Long.toString(millis + (now.group(1) == null ? 0 : Long.parseLong(now.group(1))));
    }

    private static boolean fits(@Nullable Object answer, JsonNode expected) {
        if (expected.isNull()) {
            return answer == null;
        }
        if (expected.has("matches")) {
            return answer instanceof String text
                    && Pattern.matches(expected.path("matches").asString(), text);
        }
        if (expected.has("from")) {
            return answer instanceof Long number
                    && number >= expected.path("from").asLong()
                    && number <= expected.path("to").asLong();
        }
        if (expected.isArray()) {
            return answer instanceof List<?> list
                    && list.size() == expected.size()
                    && IntStream.range(0, list.size()).allMatch(i -> fits(list.get(i), expected.get(i)));
        }
        return expected.isNumber()
                ? Long.valueOf(expected.asLong()).equals(answer)
                : expected.asString().equals(answer);
    }

    /** Sends a command and returns its answer as Redis gives it: a text, a number, nothing, or a list. */
    private static final class PlainClient implements AutoCloseable {

        private final Socket socket;
        private final InputStream answers;

        PlainClient(int port) throws IOException {
            socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setSoTimeout(30_000);
            answers = new BufferedInputStream(socket.getInputStream());
        }

        @Nullable Object send(List<String> command) throws IOException {
            ByteArrayOutputStream request = new ByteArrayOutputStream();
            request.writeBytes(("*" + command.size() + "\r\n").getBytes(UTF_8));
            for (String word : command) {
                byte[] bytes = word.getBytes(UTF_8);
                request.writeBytes(("$" + bytes.length + "\r\n").getBytes(UTF_8));
                request.writeBytes(bytes);
                request.writeBytes("\r\n".getBytes(UTF_8));
            }
            socket.getOutputStream().write(request.toByteArray());
            return answer();
        }

        /** The clock of Redis. */
        long millis() {
            try {
                List<?> time = (List<?>) requireNonNull(send(List.of("TIME")));
                return Long.parseLong((String) time.get(0)) * 1000 + Long.parseLong((String) time.get(1)) / 1000;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private @Nullable Object answer() throws IOException {
            String line = line();
            String rest = line.substring(1);
            return switch (line.charAt(0)) {
                case ':' -> Long.parseLong(rest);
                case '$' -> rest.equals("-1") ? null : text(Integer.parseInt(rest));
                case '*' -> list(Integer.parseInt(rest));
                case '+' -> rest;
                default -> line; // an error as it stands
            };
        }

        private String text(int length) throws IOException {
            String text = new String(answers.readNBytes(length), UTF_8);
            answers.skipNBytes(2);
            return text;
        }

        private List<@Nullable Object> list(int size) throws IOException {
            List<@Nullable Object> list = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                list.add(answer());
            }
            return list;
        }

        private String line() throws IOException {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int next = answers.read(); next != '\r'; next = answers.read()) {
                if (next < 0) {
                    throw new IOException("Redis has closed the connection");
                }
                line.write(next);
            }
            answers.skipNBytes(1);
            return line.toString(UTF_8);
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
