package dev.usher.benchmarks;

import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * A process that caches users and prints the bytes of its heap that each of them takes. Its arguments are the name of a {@link
 * Peer}, the URI of a Redis and the number of users.
 */
final class MemoryNode {

    private static final MemoryMXBean MEMORY = ManagementFactory.getMemoryMXBean();

    private static final long QUIET_NANOS = Duration.ofMillis(500).toNanos();

    /** Heartbeats, and the commands of this class. */
    private static final long FEW_COMMANDS = 50;

    private MemoryNode() {}

    /** Runs the process, until its standard input ends. */
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        int users = Integer.parseInt(arguments[2]);
        try (Contender contender =
                Peer.valueOf(arguments[0]).open(new Site(arguments[1], new CountedSource(users), users))) {
            // The first call allocates what all users share.
            contender.find(1L);
            long before = heap();
            Contenders.fill(contender, users);
            // Twice: some contenders do not keep a user in memory at the first read.
            Contenders.remember(contender, users);
            Contenders.remember(contender, users);
            awaitWrites(arguments[1]);
            answers.println((heap() - before) / (double) users);
            while (System.in.read() >= 0) {
                // Wait for the end of the input: the parent looks at Redis meanwhile.
            }
        }
        System.exit(0);
    }

    /** Waits until asynchronous writes have reached Redis, that is, until hardly a command arrives any more. */
    private static void awaitWrites(String redisUri) {
        long before;
        long now = RedisFigures.of(redisUri).commands();
        do {
            LockSupport.parkNanos(QUIET_NANOS);
            before = now;
            now = RedisFigures.of(redisUri).commands();
        } while (now - before > FEW_COMMANDS);
    }

    /** The bytes in use on the heap, after a garbage collection. */
    private static long heap() {
        long used = Long.MAX_VALUE;
        while (true) {
            System.gc();
            long now = MEMORY.getHeapMemoryUsage().getUsed();
            if (now >= used) {
                return used;
            }
            used = now;
        }
    }
}
