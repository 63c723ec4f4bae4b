package dev.usher.benchmarks;

import java.util.Locale;

/** Figures as tables show them. */
final class Figures {

    private Figures() {}

    /** A number of things, in full. */
    static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }

    /** Three significant digits, with separators for thousands. */
    static String figure(double value) {
        double size = Math.abs(value);
        if (size >= 100 || size == 0) {
            return String.format(Locale.ROOT, "%,.0f", value);
        }
        return String.format(Locale.ROOT, size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f", value);
    }
}
