package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Lines;
import dev.usher.benchmarks.Section.Table;
import dev.usher.benchmarks.Section.Text;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/** The report of a run: {@code report.md}, {@code report.html}, and their pictures beside them. */
final class Report {

    private static final List<Extension> EXTENSIONS = List.of(TablesExtension.create());

    private static final String PAGE = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>usher, measured</title>
            <style>
            body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
            table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; font-size: 0.9rem; }
            th, td { border-bottom: 1px solid #d5d9de; padding: 0.3rem 0.8rem; text-align: right; white-space: nowrap; }
            th:first-child, td:first-child { text-align: left; }
            img { max-width: 100%; height: auto; }
            code { background: #f2f4f6; padding: 0 0.2rem; }
            </style>
            </head>
            <body>
            <!-- report -->
            </body>
            </html>
            """;

    private final Path directory;

    /**
     * A report in a directory, which is created if it does not exist.
     *
     * @param directory where its files go
     */
    Report(Path directory) {
        this.directory = directory;
    }

    /**
     * Writes the report, and replaces an earlier one.
     *
     * @param head the text before the sections, in Markdown
     * @throws IOException if a file cannot be written
     */
    void write(String head, List<Section> sections) throws IOException {
        Files.createDirectories(directory);
        StringBuilder markdown = new StringBuilder(head);
        Set<Integer> named = new HashSet<>();
        int repeated = 0;
        for (Section section : sections) {
            // A row may be there more than once.
            String suffix = named.add(section.row().number()) ? "" : "-" + (char) ('b' + repeated++);
            markdown.append("\n## ")
                    .append(section.row().number())
                    .append(". ")
                    .append(section.title())
                    .append('\n');
            int picture = 0;
            for (Section.Part part : section.parts()) {
                markdown.append('\n');
                if (part instanceof Text text) {
                    markdown.append(text.markdown()).append('\n');
                } else if (part instanceof Table table) {
                    append(table, markdown);
                } else {
                    picture++;
                    append(part, "row-" + section.row().number() + suffix + "-" + picture + ".png", markdown);
                }
            }
        }
        Files.writeString(directory.resolve("report.md"), markdown);
        String body = HtmlRenderer.builder()
                .extensions(EXTENSIONS)
                .build()
                .render(Parser.builder().extensions(EXTENSIONS).build().parse(markdown.toString()));
        Files.writeString(directory.resolve("report.html"), PAGE.replace("<!-- report -->\n", body));
    }

    private static void append(Table table, StringBuilder markdown) {
        appendRow(table.columns(), markdown);
        appendRow(Collections.nCopies(table.columns().size(), "---"), markdown);
        table.rows().forEach(row -> appendRow(row, markdown));
    }

    private static void appendRow(List<String> cells, StringBuilder markdown) {
        markdown.append(
                cells.stream().map(cell -> cell.replace("|", "\\|")).collect(Collectors.joining(" | ", "| ", " |\n")));
    }

    private void append(Section.Part part, String file, StringBuilder markdown) throws IOException {
        String title = part instanceof Bars bars ? bars.title() : ((Lines) part).title();
        if (Pictures.canBeDrawn()) {
            Pictures.draw(part, directory.resolve(file));
            markdown.append("![").append(title).append("](").append(file).append(")\n");
        } else {
            markdown.append('*')
                    .append(title)
                    .append(": no picture, for this machine has no fonts. The figures are in the tables.*\n");
        }
    }
}
