package dev.usher.benchmarks;

/** One row of work, on servers of its own. */
interface Measurement {

    /**
     * Has all contenders do it, one after the other or by turns.
     *
     * @param plan how much
     * @return what came of it
     * @throws Exception when a contender does what it should not, or a server does not start; the run ends then
     */
    Section measure(Plan plan) throws Exception;
}
