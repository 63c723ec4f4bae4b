package dev.usher.cli;

import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Prints the rows of the demo in columns that are as wide as their texts. */
final class CallTable {

    private static final List<List<String>> HEAD = List.of(
            List.of("", "", "", "from", "from", "from", "SQL", "p50", "p99", "max", "calls"),
            List.of("what", "call", "calls", "memory", "Redis", "SQL", "queries", "ms", "ms", "ms", "per s"));

    /** How many columns, from the first, hold text; the others hold numbers. */
    private static final int TEXTS = 2;

    private static final String GAP = "  ";

    private CallTable() {}

    static void print(List<CallRow> rows, PrintStream output) {
        List<List<String>> body = rows.stream().map(CallTable::cells).toList();
        int[] widths = IntStream.range(0, HEAD.get(0).size())
                .map(column -> Math.max(width(HEAD, column), width(body, column)))
                .toArray();
        String rule = "-".repeat(IntStream.of(widths).sum() + GAP.length() * (widths.length - 1));
        HEAD.forEach(line -> output.println(line(line, widths)));
        output.println(rule);
        body.forEach(line -> output.println(line(line, widths)));
        output.println(rule);
    }

    /** A number with its thousands separated. */
    static String count(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    private static List<String> cells(CallRow row) {
        return List.of(
                row.what(),
                row.call(),
                count(row.calls()),
                count(row.tally().nearHits()),
                count(row.tally().sharedHits()),
                count(row.tally().sourceAnswers()),
                count(row.tally().statements()),
                millis(row.quantile(0.5)),
                millis(row.quantile(0.99)),
                millis(row.quantile(1)),
                count(Math.round(row.callsPerSecond())));
    }

    private static int width(List<List<String>> lines, int column) {
        return lines.stream().mapToInt(line -> line.get(column).length()).max().orElse(0);
    }

    private static String line(List<String> cells, int[] widths) {
        return IntStream.range(0, cells.size())
                .mapToObj(column -> {
                    String cell = cells.get(column);
                    String padding = " ".repeat(widths[column] - cell.length());
                    return column < TEXTS ? cell + padding : padding + cell;
                })
                .collect(Collectors.joining(GAP));
    }

    private static String millis(Duration duration) {
        return String.format(Locale.ROOT, "%,.1f", duration.toNanos() / 1e6);
    }
}
