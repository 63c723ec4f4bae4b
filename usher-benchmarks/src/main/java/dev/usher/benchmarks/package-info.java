/**
 * usher beside what people would use instead, on the same work in one run: {@code ./usher bench}.
 *
 * <p>{@link dev.usher.benchmarks.BenchCommand} reads the command line. A {@link dev.usher.benchmarks.Contender} is one way to
 * cache users, and {@link dev.usher.benchmarks.Contract} is what all of them must do before anything is timed.
 */
@NullMarked
package dev.usher.benchmarks;

import org.jspecify.annotations.NullMarked;
