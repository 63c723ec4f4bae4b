package dev.usher.testkit;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** The wait for the end of a process, interrupted or not, because a server must be cleared away in either case. */
final class ProcessExit {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private ProcessExit() {}

    // Not Process.onExit: it completes in the common pool, whose one thread on a small machine a test may be blocking.
    static void await(Process process) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    if (process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                        return;
                    }
                    throw new IllegalStateException("process " + process.pid() + " still runs after " + LIMIT);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
