package dev.usher.benchmarks;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * A figure that was taken several times.
 *
 * @param median the one in the middle
 * @param low what nine in ten lie above
 * @param high what nine in ten lie below
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

    /** The spread of the ratios of what was taken in the same round, so that what slowed down both does not count. */
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

    /** The figure as it stands in a table: {@code 1.05 (1.02 to 1.09)}. */
    String asRatio() {
        return String.format(Locale.ROOT, "%.2f (%.2f to %.2f)", median, low, high);
    }
}
