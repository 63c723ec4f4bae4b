package dev.usher.benchmarks;

import java.util.SplittableRandom;

/** Something that callers do over and over again. Used by many threads at once. */
@FunctionalInterface
interface Call {

    /**
     * Does it once.
     *
     * @param random the caller's own, to choose by
     */
    void make(SplittableRandom random) throws Exception;
}
