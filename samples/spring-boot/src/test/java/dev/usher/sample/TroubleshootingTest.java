package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The troubleshooting page quotes only messages of usher, and every message that usher logs. */
class TroubleshootingTest {

    private static final Path ROOT = Path.of("..", "..");
    private static final List<String> MODULES = List.of(
            "usher-core", "usher-relay", "usher-spring-boot-starter", "usher-server", "usher-cli", "usher-testkit");

    /** The first cell of a row, and the messages quoted in it. */
    private static final Pattern ROW = Pattern.compile("^\\| (`[^|]*) \\|", Pattern.MULTILINE);

    private static final Pattern QUOTED = Pattern.compile("`([^`]+)`");

    private static final Pattern LOGGED = literalIn("[Ll]og\\.(?:info|warn|error)\\(\\s*");
    private static final Pattern OF_REDIS = literalIn("\\bfailed\\(\\s*");
    private static final Pattern UNAVAILABLE = literalIn("UserUnavailableException\\.of\\w*\\([^;\"]*");

    /** Messages of other programs, and error codes in answers of Redis. */
    private static final Pattern FOREIGN = Pattern.compile("UnsupportedClassVersionError|Invalid value …|ERR|MOVED");

    private final String page = read(ROOT.resolve("docs/guide/troubleshooting.md"));
    private final List<String> sources = sources();

    @Test
    void everyMessageOnThePageIsInTheSources() {
        List<String> quotes = new ArrayList<>();
        Matcher row = ROW.matcher(page);
        while (row.find()) {
            Matcher quoted = QUOTED.matcher(row.group(1));
            while (quoted.find()) {
                quotes.add(quoted.group(1));
            }
        }

        assertThat(quotes)
                .hasSizeGreaterThan(50)
                .allSatisfy(quote -> assertThat(partsOf(quote))
                        .allSatisfy(part -> assertThat(sources).anyMatch(source -> source.contains(part))));
    }

    @Test
    void everyLoggedMessageIsOnThePage() {
        assertOnThePage(LOGGED, 30);
    }

    @Test
    void everyReasonWhyRedisIsNotAskedIsOnThePage() {
        assertOnThePage(OF_REDIS, 4);
    }

    @Test
    void everyReasonWhyAUserIsUnavailableIsOnThePage() {
        assertOnThePage(UNAVAILABLE, 5);
    }

    private void assertOnThePage(Pattern message, int atLeast) {
        List<String> messages = sources.stream()
                .flatMap(source -> message.matcher(source).results())
                .map(found -> found.group(1).replace("{}", "…").replaceAll("…+", "…"))
                .toList();

        assertThat(messages)
                .hasSizeGreaterThanOrEqualTo(atLeast)
                .allSatisfy(text -> assertThat(page).contains("`" + text.stripTrailing()));
    }

    /** The constant parts of a quoted message, without those of messages of other programs. */
    private static List<String> partsOf(String quote) {
        return FOREIGN.matcher(quote).matches()
                ? List.of()
                : Stream.of(quote.split("…"))
                        .map(String::strip)
                        .filter(part -> !part.isEmpty())
                        .toList();
    }

    private static Pattern literalIn(String call) {
        return Pattern.compile(call + "\"((?:[^\"\\\\]|\\\\.)+)\"");
    }

    /** The sources, with each text of several lines joined. */
    private static List<String> sources() {
        return MODULES.stream()
                .flatMap(module -> javaFilesOf(ROOT.resolve(module).resolve("src/main/java")).stream())
                .map(file -> read(file).replaceAll("\"\\s*\\+\\s*\"", ""))
                .toList();
    }

    private static List<Path> javaFilesOf(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
