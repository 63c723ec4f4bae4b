package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every member that ARCHITECTURE.md, or the table of waits, names with its type exists. */
class NamesInDocumentsTest {

    private static final Path ROOT = Path.of("../..");
    private static final Pattern MEMBER = Pattern.compile("`([A-Z]\\w+)\\.(\\w+)`");

    @ParameterizedTest
    @ValueSource(strings = {"ARCHITECTURE.md", "docs/decisions/0041-who-may-wait-where.md"})
    void everyMemberIsInTheSources(String document) throws IOException {
        Matcher member = MEMBER.matcher(Files.readString(ROOT.resolve(document)));
        int members = 0;
        while (member.find()) {
            members++;
            assertThat(sourceOf(member.group(1))).as(member.group()).containsPattern("\\b" + member.group(2) + "\\b");
        }
        assertThat(members).isGreaterThan(8);
    }

    private static String sourceOf(String type) throws IOException {
        for (String module : List.of("usher-core", "usher-relay", "usher-spring-boot-starter", "usher-server")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src/main/java"))) {
                Optional<Path> source =
                        files.filter(file -> file.endsWith(type + ".java")).findFirst();
                if (source.isPresent()) {
                    return Files.readString(source.get());
                }
            }
        }
        throw new AssertionError("there is no " + type);
    }
}
