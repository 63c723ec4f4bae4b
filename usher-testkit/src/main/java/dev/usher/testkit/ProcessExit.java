package dev.usher.testkit;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Waits for the end of a process, even when interrupted: a server must be cleaned up in either case. */
final class ProcessExit {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private ProcessExit() {}

    // Not Process.onExit: it completes in the common pool, and on a small machine a test may block its only thread.
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
