package dev.usher.benchmarks;

import java.util.ArrayList;
import java.util.List;

/** The part of a report about one row. Not thread-safe. */
final class Section {

    /** A part of a section. */
    sealed interface Part permits Text, Table, Bars, Lines {}

    /** A paragraph, in Markdown. */
    record Text(String markdown) implements Part {}

    /**
     * A table.
     *
     * @param columns the heads of the columns; the first names the rows
     * @param rows as many cells each as there are columns
     */
    record Table(List<String> columns, List<List<String>> rows) implements Part {}

    /** A picture with a bar for each contender. */
    record Bars(String title, String unit, List<Point> points) implements Part {}

    /**
     * A picture with a line for each contender, both axes logarithmic.
     *
     * @param x what is on the horizontal axis
     * @param y what is on the vertical axis
     */
    record Lines(String title, String x, String y, List<Line> lines) implements Part {}

    /** One bar. */
    record Point(String label, double value) {}

    /** One line, through points in the order of {@code x}. */
    record Line(String label, List<Double> x, List<Double> y) {}

    private final Row row;
    private final String title;
    private final List<Part> parts = new ArrayList<>();

    Section(Row row, String title) {
        this.row = row;
        this.title = title;
    }

    /** The same, with the Redis that it was measured on in its title. */
    Section on(Topology redis) {
        Section copy = new Section(row, title + ", on " + redis.title());
        copy.parts.addAll(parts);
        return copy;
    }

    Row row() {
        return row;
    }

    String title() {
        return title;
    }

    List<Part> parts() {
        return List.copyOf(parts);
    }

    Section text(String markdown) {
        parts.add(new Text(markdown));
        return this;
    }

    /**
     * Adds a table.
     *
     * @throws IllegalArgumentException if there are no rows, if a row does not have a cell for each column, or if a cell is
     *     blank: a value that was not measured is marked as such
     */
    Section table(List<String> columns, List<List<String>> rows) {
        if (rows.isEmpty()) {
            throw new IllegalArgumentException("a table without rows in '" + title + "'");
        }
        for (List<String> row : rows) {
            if (row.size() != columns.size() || row.stream().anyMatch(String::isBlank)) {
                throw new IllegalArgumentException("a table of '" + title + "' with a row that is not filled: " + row);
            }
        }
        parts.add(new Table(List.copyOf(columns), List.copyOf(rows)));
        return this;
    }

    Section picture(Bars bars) {
        parts.add(bars);
        return this;
    }

    Section picture(Lines lines) {
        parts.add(lines);
        return this;
    }
}
