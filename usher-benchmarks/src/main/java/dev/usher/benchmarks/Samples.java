package dev.usher.benchmarks;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * The measurements of one contender over all of its turns.
 *
 * @param perSecond the calls a second in each round
 * @param nanos the time of each call, over all rounds
 */
record Samples(List<Double> perSecond, Histogram nanos) {

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

    /** The time within which this share of the calls was answered, in microseconds. */
    double micros(double percentile) {
        return nanos.getValueAtPercentile(percentile) / (double) TimeUnit.MICROSECONDS.toNanos(1);
    }
}
