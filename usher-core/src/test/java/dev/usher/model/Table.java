package dev.usher.model;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Explores a model, and prints a line of a table: what was explored, how many states it has, and what is broken, with the steps to that. */
public final class Table {

    private Table() {}

    /** Explores all states. */
    public static <S, P extends Enum<P>> Explorer.Finding<P> all(String row, Model<S, P> model, Class<P> properties) {
        return print(row, Explorer.explore(model, properties, EnumSet.noneOf(properties)));
    }

    /** Explores until something is broken. */
    public static <S, P extends Enum<P>> Explorer.Finding<P> until(
            String row, Model<S, P> model, Class<P> properties, Set<P> lookedFor) {
        return print(row, Explorer.explore(model, properties, lookedFor));
    }

    private static <P> Explorer.Finding<P> print(String row, Explorer.Finding<P> finding) {
        Map<P, List<String>> broken = finding.broken();
        String text = broken.isEmpty() ? "nothing is broken" : "broken: " + broken.keySet();
        System.out.printf(
                Locale.ROOT,
                "%-72s %,10d states %s  %s%n",
                row,
                finding.states(),
                finding.isComplete() ? "(all)" : "",
                text);
        broken.forEach((property, steps) -> System.out.println(
                steps.stream().collect(Collectors.joining("\n        ", "    " + property + ":\n        ", ""))));
        return finding;
    }
}
