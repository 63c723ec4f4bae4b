package dev.usher;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * A process with one node that reads one user repeatedly, and records every answer. It prints {@code watching} once it answers from
 * memory, and runs until its standard input ends; then it prints how many answers came from memory.
 */
final class WatchingNode {

    private static final int CAPACITY = 4_000_000;

    private WatchingNode() {}

    /** Arguments: the URI of Redis, the URL of the database, a file for the reads, the user, the bound, the pause between reads. */
    public static void main(String[] args) throws Exception {
        int id = Integer.parseInt(args[3]);
        Long boxed = (long) id;
        Facet<UserProfile> facet = facet(Duration.parse(args[4]));
        long pause = Duration.parse(args[5]).toNanos();
        ReadLog log = ReadLog.create(Path.of(args[2]), CAPACITY);
        Thread input = new Thread(WatchingNode::awaitEndOfInput, "end-of-input");
        try (VersionTable table = new VersionTable(args[1]);
                UserCaches caches = UserCaches.builder().redis(args[0]).build()) {
            UserCache<Long, UserProfile> cache = caches.cache(facet, Long.class, table);
            input.start();
            boolean watching = false;
            while (input.isAlive()) {
                // Both ends of each read: a process may be frozen anywhere.
                long asked = System.nanoTime();
                int version = VersionTable.versionOf(id, cache.find(boxed));
                log.add(asked, System.nanoTime(), id, version);
                if (!watching && cache.stats().nearHits() > 0) {
                    watching = true;
                    System.out.println("watching");
                }
                LockSupport.parkNanos(pause);
            }
            System.out.println(cache.stats().nearHits());
        }
    }

    /** The watched facet. */
    static Facet<UserProfile> facet(Duration bound) {
        return UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
                .stalenessBound(bound)
                .serveStaleFor(Duration.ZERO)
                .build());
    }

    private static void awaitEndOfInput() {
        try {
            while (System.in.read() >= 0) {}
        } catch (IOException e) {
            // The input has ended, too.
        }
    }
}
