package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Line;
import dev.usher.benchmarks.Section.Lines;
import dev.usher.benchmarks.Section.Point;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {

    @TempDir
    private Path directory;

    private Path file(String name) {
        return directory.resolve("a").resolve("b").resolve(name);
    }

    private void write(Section... sections) throws IOException {
        new Report(directory.resolve("a").resolve("b")).write("# Measured\n", List.of(sections));
    }

    @Test
    void aTableIsTheSameInBothFormats() throws IOException {
        write(new Section(Row.SHARED_HITS, "Hits")
                .text("Some *words*.")
                .table(List.of("", "µs"), List.of(List.of("a|b", "1 < 2"))));

        assertThat(Files.readString(file("report.md")))
                .isEqualTo(
                        "# Measured\n\n## 2. Hits\n\nSome *words*.\n\n|  | µs |\n| --- | --- |\n| a\\|b | 1 < 2 |\n");
        assertThat(Files.readString(file("report.html")))
                .contains("<h2>2. Hits</h2>", "<em>words</em>", "<th>µs</th>", "<td>a|b</td>", "<td>1 &lt; 2</td>");
    }

    @Test
    void picturesStandBesideTheReport() throws IOException {
        assumeTrue(Pictures.canBeDrawn(), "this machine has no fonts, so that reports have no pictures");
        write(new Section(Row.MANY_USERS, "Growth")
                .picture(new Bars("Bars", "µs", List.of(new Point("usher", 1), new Point("other", 1_000))))
                .picture(new Lines(
                        "Lines", "users", "µs", List.of(new Line("usher", List.of(1.0, 10.0), List.of(2.0, 3.0))))));

        for (String picture : List.of("row-3-1.png", "row-3-2.png")) {
            assertThat(Files.readString(file("report.html"))).contains("<img src=\"" + picture + "\"");
            assertThat(ImageIO.read(file(picture).toFile()).getWidth()).isGreaterThan(500);
        }
    }

    @Test
    void noCellIsLeftBlank() {
        Section section = new Section(Row.NEAR_HITS, "Hits");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> section.table(List.of("", "µs"), List.of(List.of("usher", " "))))
                .withMessageContaining("usher");
        assertThatIllegalArgumentException().isThrownBy(() -> section.table(List.of("", "µs"), List.of()));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> section.table(List.of("", "µs"), List.of(List.of("usher"))));
    }
}
