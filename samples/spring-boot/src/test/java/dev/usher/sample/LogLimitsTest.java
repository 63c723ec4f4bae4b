package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * No caller can flood usher's log: each line goes through a {@code RateLimitedLog}, or is listed here with its other limit.
 */
class LogLimitsTest {

    private static final Path ROOT = Path.of("..", "..");
    private static final List<String> MODULES = List.of(
            "usher-core", "usher-relay", "usher-spring-boot-starter", "usher-server", "usher-cli", "usher-testkit");

    /** The class and the beginning of the message, and the limit of the line. */
    private static final Map<String, String> OTHERWISE = Map.ofEntries(
            Map.entry("EntryCodec: Values of the facet '{}' are not cached", "it is said once"),
            Map.entry("EntryCodec: Values of the facet '{}' are cached from", "it is said once"),
            Map.entry("FenceOutbox: {} invalidations could not be sent", "the end of the caches"),
            Map.entry("FenceOutbox: {} more invalidations did not fit", "the end of the caches"),
            Map.entry(
                    "FenceOutbox: {} invalidations are not confirmed, and the outbox",
                    "the first overflow until a flush"),
            Map.entry("FenceOutbox: All pending invalidations", "the line that begins it, every ten seconds"),
            Map.entry("FenceOutbox: The entries of the facets", "an overflow"),
            Map.entry("FenceOutbox: {} invalidations are not confirmed, the oldest", "ten seconds"),
            Map.entry("ChangeRelay: Another relay follows", "a connection to the database, one in a second"),
            Map.entry("ChangeRelay: This node relays", "a connection to the database, one in a second"),
            Map.entry("ChangeRelay: The relay has given up", "a slot that has grown by max-retained"),
            Map.entry("Flushes: Everything cached has been", "a flush takes five seconds"),
            Map.entry("PostgresSession: Made the replication slot", "a connection to the database, one in a second"),
            Map.entry("TriggerTableSession: Made a position in", "a connection to the database, one in a second"),
            Map.entry("RateLimitedLog: ", "it is the limit"),
            Map.entry("RedisErrorLog: {}; the source answers", "ten seconds"),
            Map.entry("RedisErrorLog: Redis at {} answers again", "the line that begins it, every ten seconds"),
            Map.entry("SourceErrorLog: The source of {} answers again", "the line that begins it, every ten seconds"),
            Map.entry("ServerFacts: A failover of this Redis is risky", "a connection, and a new answer"),
            Map.entry("Sentinels: A majority of the Sentinels of {} names", "a failover"),
            Map.entry(
                    "ServerFacts: The maxmemory-policy {} of this Redis", "a look every ten seconds, and a new answer"),
            Map.entry("ServerFacts: Redis at {} may have lost", "a connection or a promotion, and another history"),
            Map.entry("ServerFacts: Redis at {} is unfenced", "a look every ten seconds, and a new answer"),
            Map.entry("ServerFacts: Redis at {} is {}", "a connection, and another server than before"),
            Map.entry(
                    "TrackedConnection: This Redis does not track",
                    "a second attempt in each second, and a new answer"),
            Map.entry("NodeEntry: The register of nodes in this Redis has the format", "a format that comes"),
            Map.entry("TrackedConnection: This Redis tracks reads again", "the line that begins it"),
            Map.entry("TableProbe: A table of users cannot be read", "it is said once of each table"),
            Map.entry("UsersTableCheck: The table {} could not be checked", "the start"),
            Map.entry("SpringSessions: The sessions of revoked users", "the start"),
            Map.entry("WebSocketHandlers: The WebSocket sessions at", "the start"),
            Map.entry("NameAsUserId: The name of an authentication", "it is said once"),
            Map.entry("FirstAdministrator: Created the first administrator", "the start"),
            Map.entry("Preparation: The database cannot be reached", "the start"),
            Map.entry("Preparation: The database has been reached", "the start"),
            Map.entry("Preparation: The database cannot be made ready", "the end of the server"),
            Map.entry("Preparation: A migration of the database has failed before", "the start"),
            Map.entry("SharedBuckets: Attempts are counted in Redis again", "the line that begins it"),
            Map.entry("SigningKeys: The signing keys cannot be read", "a look every five seconds, and a new answer"),
            Map.entry("SigningKeys: The signing key {} is published", "one key that is going to sign at a time"),
            Map.entry("SigningKeys: Deleted {} signing keys", "one key that is going to sign at a time"));

    private static final Pattern CALL = Pattern.compile(
            "\\b(\\w*[Ll]og(?:\\(\\w*\\))?)\\s*\\.(?:info|warn|error|log|at(?:Info|Warn|Error|Level)|makeLoggingEventBuilder)\\("
                    + "\\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\")?");
    private static final Pattern LIMITED =
            Pattern.compile("\\bRateLimitedLog(?:>)?\\s+(\\w*[Ll]og)\\b(?:\\s*=|\\s*;|\\()");
    private static final Pattern LOGGER = Pattern.compile("\\bLogger\\s+(\\w+)\\s*[=;]");

    @Test
    void eachLineIsLimitedByTheClassOrAsListedHere() {
        Set<String> unlimited = new TreeSet<>();
        for (Path file : sources()) {
            String source = read(file).replaceAll("\"\\s*\\+\\s*\"", "");
            Set<String> limited = LIMITED.matcher(source)
                    .results()
                    .map(found -> found.group(1))
                    .collect(Collectors.toSet());
            for (MatchResult call : CALL.matcher(source).results().toList()) {
                String logger = call.group(1).replaceAll("\\(.*", "");
                if (!limited.contains(logger)) {
                    String message = call.group(2) == null ? "" : call.group(2);
                    unlimited.add(file.getFileName().toString().replace(".java", "") + ": " + message);
                }
            }
        }

        assertThat(unlimited).allSatisfy(line -> assertThat(OTHERWISE.keySet()).anyMatch(line::startsWith));
        assertThat(OTHERWISE.keySet())
                .as("the log lines in the sources")
                .allSatisfy(known -> assertThat(unlimited).anyMatch(line -> line.startsWith(known)));
    }

    /** Otherwise this test would not find the calls. */
    @Test
    void eachLoggerIsNamedLog() {
        assertThat(sources())
                .flatExtracting(file -> {
                    Matcher logger = LOGGER.matcher(read(file));
                    return logger.results().map(found -> found.group(1)).toList();
                })
                .hasSizeGreaterThan(10)
                .allSatisfy(name -> assertThat(name).matches("\\w*[Ll]og"));
    }

    private static List<Path> sources() {
        return MODULES.stream()
                .flatMap(module -> {
                    try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src/main/java"))) {
                        return files.filter(file -> file.toString().endsWith(".java")).toList().stream();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .toList();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
