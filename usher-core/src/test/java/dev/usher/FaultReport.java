package dev.usher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The results of several trials, as a table. */
final class FaultReport {

    private final String heading;
    private final List<String> table = new ArrayList<>();
    private final List<String> details = new ArrayList<>();

    FaultReport(String heading) {
        this.heading = heading;
    }

    void add(String line, List<String> furtherDetails) {
        table.add(line);
        details.addAll(furtherDetails);
    }

    /** Prints the table, and writes it to a file. */
    void publish(Path file) throws IOException {
        List<String> lines = new ArrayList<>(List.of(heading));
        lines.addAll(table);
        lines.addAll(details);
        Files.write(file, lines);
        lines.forEach(System.out::println);
    }
}
