package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleDescriptor.Version;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The keys that a release leaves in Redis after one action: a file in {@code formats/<release>}. Names in angle brackets stand for
 * variable parts.
 *
 * @param release its version
 * @param name the name of the file
 * @param keys all keys, by name
 */
record Format(String release, String name, Map<String, Stored> keys) {

    private static final Path FORMATS = Path.of("src", "test", "resources", "formats");
    private static final JsonMapper MAPPER = new JsonMapper();
    private static final Pattern VARIABLE = Pattern.compile("<(\\w+)>");

    private static final Map<String, String> VARIABLES = Map.of(
            "token", "[0-9a-f-]{36}\\.\\d+",
            "deadline", "\\d{13}",
            "moment", "\\d{13}",
            "epoch", "[0-9a-f-]{36}",
            "uuid", "[0-9a-f-]{36}",
            "history", "[0-9a-f]{40}",
            "node", "\\d+@\\S+-[0-9a-f]{8}");

    /** The part of a TTL that may pass before a test reads it. */
    private static final long PATIENCE = 4000;

    /**
     * The content of a key.
     *
     * @param ttl in milliseconds, or {@code null} when the key does not expire
     * @param value of a string
     * @param fields of a hash
     */
    record Stored(@Nullable Long ttl, @Nullable String value, Map<String, String> fields) {}

    /** All files of all releases. */
    static List<Format> all() {
        return releases().stream().flatMap(Format::of).toList();
    }

    /** The formats that today's code has to write: each file of the latest release that has it. */
    static List<Format> latest() {
        Map<String, Format> latest = new TreeMap<>();
        all().forEach(format -> latest.put(format.name, format));
        return List.copyOf(latest.values());
    }

    private static List<Path> releases() {
        return list(FORMATS)
                .sorted(Comparator.comparing(
                        release -> Version.parse(release.getFileName().toString())))
                .toList();
    }

    private static Stream<Format> of(Path release) {
        return list(release).sorted().map(file -> read(release.getFileName().toString(), file));
    }

    private static Stream<Path> list(Path folder) {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.toList().stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Format read(String release, Path file) {
        Map<String, Stored> keys = new TreeMap<>();
        JsonNode json = MAPPER.readTree(file);
        json.required("keys").forEachEntry((key, stored) -> keys.put(key, stored(stored)));
        assertThat(keys).as("keys in %s", file).isNotEmpty();
        return new Format(release, file.getFileName().toString().replace(".json", ""), keys);
    }

    private static Stored stored(JsonNode json) {
        Map<String, String> fields = new TreeMap<>();
        boolean isHash = json.required("type").stringValue().equals("hash");
        if (isHash) {
            json.required("fields").forEachEntry((field, value) -> fields.put(field, value.stringValue()));
        }
        return new Stored(
                json.has("ttl") ? json.required("ttl").longValue() : null,
                isHash ? null : json.required("value").stringValue(),
                fields);
    }

    /** Writes the keys into Redis, with these variable parts. */
    void load(RedisClusterCommands<String, String> redis, Map<String, String> variables) {
        keys.forEach((key, stored) -> {
            if (stored.value == null) {
                stored.fields.forEach(
                        (field, value) -> redis.hset(key, with(variables, field), with(variables, value)));
            } else {
                redis.set(key, with(variables, stored.value));
            }
            if (stored.ttl != null) {
                redis.pexpire(key, stored.ttl);
            }
        });
    }

    private static String with(Map<String, String> variables, String text) {
        return VARIABLE.matcher(text)
                .replaceAll(variable -> Matcher.quoteReplacement(variables.get(variable.group(1))));
    }

    /**
     * Asserts that Redis holds these keys.
     *
     * @return the values of the variable parts
     */
    Map<String, String> assertWritten(RedisClusterCommands<String, String> redis) {
        Map<String, String> variables = new HashMap<>();
        keys.forEach((key, stored) -> {
            Map<String, String> actual =
                    stored.value == null ? redis.hgetall(key) : Map.of("", String.valueOf(redis.get(key)));
            assertMatches(key, text(stored), text(actual), variables);
            if (stored.ttl == null) {
                assertThat(redis.pttl(key)).as("the life of %s", key).isEqualTo(-1);
            } else {
                assertThat(redis.pttl(key)).as("the life of %s", key).isBetween(stored.ttl - PATIENCE, stored.ttl);
            }
        });
        return variables;
    }

    private static String text(Stored stored) {
        return text(stored.value == null ? stored.fields : Map.of("", stored.value));
    }

    private static String text(Map<String, String> fields) {
        return new TreeMap<>(fields).toString();
    }

    /** A name that comes twice stands for the same each time. */
    private static void assertMatches(String key, String expected, String actual, Map<String, String> variables) {
        StringBuilder pattern = new StringBuilder();
        Matcher variable = VARIABLE.matcher(expected);
        int from = 0;
        while (variable.find()) {
            String name = variable.group(1);
            pattern.append(Pattern.quote(expected.substring(from, variable.start())));
            pattern.append(
                    pattern.indexOf("(?<" + name + ">") < 0
                            ? "(?<" + name + ">" + VARIABLES.get(name) + ")"
                            : "\\k<" + name + ">");
            from = variable.end();
        }
        pattern.append(Pattern.quote(expected.substring(from)));
        Matcher matcher = Pattern.compile(pattern.toString()).matcher(actual);
        assertThat(matcher.matches())
                .as("what stands in %s:\n%s\nis to be\n%s", key, actual, expected)
                .isTrue();
        VARIABLES.keySet().stream()
                .filter(name -> pattern.indexOf("(?<" + name + ">") >= 0)
                .forEach(name -> variables.put(name, matcher.group(name)));
    }

    @Override
    public String toString() {
        return release + "/" + name;
    }
}
