package dev.usher;

import java.io.IOException;
import java.time.Duration;

/** A process with caches that are not called, until its input ends. */
final class IdleNode {

    private IdleNode() {}

    /** Arguments: the URI of Redis, and after which silence a connection is made anew. */
    public static void main(String[] args) throws IOException {
        try (UserCaches caches = UserCaches.builder()
                .redis(args[0])
                .commandTimeout(Duration.ofSeconds(5))
                .timing(Timing.STANDARD.withSilence(Duration.parse(args[1])))
                .build()) {
            System.out.println(caches.health().redis() == CachesHealth.Redis.ANSWERING ? "connected" : "alone");
            while (System.in.read() >= 0) {}
        }
    }
}
