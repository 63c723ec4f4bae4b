package dev.usher.benchmarks;

/** The measurement of one row, on its own servers. */
interface Measurement {

    /**
     * Lets all contenders do the work of the row, one after the other or by turns.
     *
     * @param plan how much is measured
     * @return the results
     * @throws Exception if a contender misbehaves or a server does not start; the run ends then
     */
    Section measure(Plan plan) throws Exception;
}
