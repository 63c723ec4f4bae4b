package dev.usher.benchmarks;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * What one contender did in all of its turns.
 *
 * @param perSecond the calls a second in each round
 * @param nanos the time of each call, over all rounds
 */
record Samples(List<Double> perSecond, Histogram nanos) {

    /** Calls a second, and how that varied. */
    Spread rate() {
        return Spread.of(perSecond);
    }

    /** Calls a second, as a multiple of another contender's in the same round. */
    Spread rateOver(Samples other) {
        return Spread.ofRatios(perSecond, other.perSecond);
    }

    /** The time of a call, as a multiple of another contender's in the same round, for as many callers. */
    Spread timeOver(Samples other) {
        return Spread.ofRatios(other.perSecond, perSecond);
    }

    /** The time within which this share of the calls was answered, in microseconds. */
    double micros(double percentile) {
        return nanos.getValueAtPercentile(percentile) / (double) TimeUnit.MICROSECONDS.toNanos(1);
    }
}
