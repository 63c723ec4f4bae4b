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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The code of the guide is compiled and tested: each block is in a source file, except for white space. */
class GuideTest {

    private static final Path ROOT = Path.of("..", "..");
    private static final Pattern BLOCK = Pattern.compile("```(?:java|yaml)\\n(.*?)```", Pattern.DOTALL);

    @ParameterizedTest
    @ValueSource(strings = {"getting-started.md", "open-connections.md", "recipes.md"})
    void everyBlockOfCodeStandsInTheSources(String guide) throws IOException {
        List<String> sources = sources();
        Matcher block =
                BLOCK.matcher(Files.readString(ROOT.resolve("docs/guide").resolve(guide)));
        List<String> strangers = new ArrayList<>();
        int blocks = 0;
        while (block.find()) {
            blocks++;
            String code = withoutSpace(block.group(1));
            if (sources.stream().noneMatch(source -> source.contains(code))) {
                strangers.add(block.group(1));
            }
        }

        assertThat(blocks).isPositive();
        assertThat(strangers).isEmpty();
    }

    private static List<String> sources() throws IOException {
        try (Stream<Path> own = Files.walk(ROOT.resolve("samples/spring-boot/src"));
                Stream<Path> starters = Files.walk(ROOT.resolve("usher-spring-boot-starter/src/test/java"))) {
            return Stream.concat(own, starters)
                    .filter(file -> file.toString().matches(".*\\.(java|yml)"))
                    .map(GuideTest::textOf)
                    .toList();
        }
    }

    private static String textOf(Path file) {
        try {
            return withoutSpace(Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String withoutSpace(String code) {
        return code.replaceAll("\\s+", "");
    }
}
