package dev.usher.benchmarks;

import java.util.SplittableRandom;

/** An operation that callers repeat. Used by many threads at once. */
@FunctionalInterface
interface Call {

    /**
     * Calls once.
     *
     * @param random the caller's own source of random numbers
     */
    void make(SplittableRandom random) throws Exception;

    /** The processor time, in nanoseconds, that the process which answers has used; always zero where it is this one. */
    default long processorNanos() {
        return 0;
    }
}
