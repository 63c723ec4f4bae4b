package dev.usher.benchmarks;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * A figure that was measured several times.
 *
 * @param median the value in the middle
 * @param low nine in ten values are above
 * @param high nine in ten values are below
 */
record Spread(double median, double low, double high) {

    private static final double TENTH = 0.1;

    /**
     * The spread of some figures.
     *
     * @throws IllegalArgumentException if there are none
     */
    static Spread of(List<Double> figures) {
        if (figures.isEmpty()) {
            throw new IllegalArgumentException("a spread of no figures");
        }
        double[] sorted =
                figures.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return new Spread(at(sorted, 0.5), at(sorted, TENTH), at(sorted, 1 - TENTH));
    }

    /** The spread of the ratios within each round: a slow moment of the machine affects both figures of a round and cancels out. */
    static Spread ofRatios(List<Double> numerators, List<Double> denominators) {
        if (numerators.size() != denominators.size()) {
            throw new IllegalArgumentException("ratios of " + numerators.size() + " to " + denominators.size());
        }
        return of(IntStream.range(0, numerators.size())
                .mapToObj(round -> numerators.get(round) / denominators.get(round))
                .toList());
    }

    private static double at(double[] sorted, double share) {
        double position = share * (sorted.length - 1);
        int below = (int) position;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }

    /** The figure as a table shows it: {@code 1.05 (1.02 to 1.09)}. */
    String asRatio() {
        return String.format(Locale.ROOT, "%.2f (%.2f to %.2f)", median, low, high);
    }
}
