package dev.usher;

import java.io.IOException;

/** A process with caches that nobody asks, until its input ends. */
final class IdleNode {

    private IdleNode() {}

    public static void main(String[] args) throws IOException {
        try (UserCaches caches = UserCaches.builder().redis(args[0]).build()) {
            System.out.println(caches.health().redis() == CachesHealth.Redis.ANSWERING ? "connected" : "alone");
            while (System.in.read() >= 0) {}
        }
    }
}
