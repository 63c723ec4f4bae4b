package dev.usher.server.problem;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The page of problems has a section for each type, in their order, with its status. */
class ProblemsPageTest {

    private static final Path PAGE = Path.of("..", "docs", "guide", "problems.md");
    private static final Pattern SECTION = Pattern.compile("^## (\\S+)\\R\\R(\\d{3})\\b", Pattern.MULTILINE);

    @Test
    void eachTypeHasASectionWithItsStatus() throws IOException {
        List<String> sections = SECTION.matcher(Files.readString(PAGE))
                .results()
                .map(section -> "urn:usher:problem:" + section.group(1) + " " + section.group(2))
                .toList();

        assertThat(sections)
                .isEqualTo(Arrays.stream(ProblemType.values())
                        .map(type -> type.uri() + " " + type.status().value())
                        .toList());
    }
}
