package dev.usher.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * The measurements of one contender over all of its turns.
 *
 * @param perSecond the calls a second in each round
 * @param processorMicros the processor time of the answering process for a call, in microseconds, in each round
 * @param nanos the time of each call, over all rounds
 */
record Samples(List<Double> perSecond, List<Double> processorMicros, Histogram nanos) {

    /** The significant digits of the time of a call. */
    static final int DIGITS = 3;

    /** Those of a contender that has not had a turn. */
    Samples() {
        this(new ArrayList<>(), new ArrayList<>(), new Histogram(DIGITS));
    }

    /** Calls a second, with their spread. */
    Spread rate() {
        return Spread.of(perSecond);
    }

    /** Calls a second, relative to another contender's in the same round. */
    Spread rateOver(Samples other) {
        return Spread.ofRatios(perSecond, other.perSecond);
    }

    /** The time of a call, relative to another contender's in the same round, with the same number of callers. */
    Spread timeOver(Samples other) {
        return Spread.ofRatios(other.perSecond, perSecond);
    }

    /** The processor time of a call in microseconds, with its spread. */
    Spread processor() {
        return Spread.of(processorMicros);
    }

    /** The processor time of a call, relative to another contender's in the same round. */
    Spread processorOver(Samples other) {
        return Spread.ofRatios(processorMicros, other.processorMicros);
    }

    /**
     * Whether the processor time of a call no longer falls.
     *
     * @param rounds so many rounds are compared with as many before them
     * @param share by which share it may have fallen
     */
    boolean isFlat(int rounds, double share) {
        int taken = processorMicros.size();
        return taken >= 2 * rounds
                && mean(processorMicros.subList(taken - rounds, taken))
                        >= mean(processorMicros.subList(taken - 2 * rounds, taken - rounds)) * (1 - share);
    }

    private static double mean(List<Double> figures) {
        return figures.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }

    /** The time within which this share of the calls was answered, in microseconds. */
    double micros(double percentile) {
        return nanos.getValueAtPercentile(percentile) / (double) TimeUnit.MICROSECONDS.toNanos(1);
    }
}
