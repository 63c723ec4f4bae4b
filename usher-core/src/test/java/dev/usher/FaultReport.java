package dev.usher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The results of all faults, as a table. */
final class FaultReport {

    private final List<FaultVerdict> verdicts = new ArrayList<>();

    void add(FaultVerdict verdict) {
        verdicts.add(verdict);
    }

    /** Prints the table, and writes it to a file. */
    void publish(Path file) throws IOException {
        List<String> lines = new ArrayList<>(List.of(FaultVerdict.heading()));
        verdicts.forEach(verdict -> lines.add(verdict.line()));
        verdicts.forEach(verdict -> lines.addAll(verdict.details()));
        Files.write(file, lines);
        lines.forEach(System.out::println);
    }
}
