package dev.usher.testkit;

/** Ends a server with the JVM, unless it was ended before. Thread-safe. */
final class ShutdownHook {
    private final Thread thread;

    ShutdownHook(String name, Runnable end) {
        this.thread = new Thread(end, name);
    }

    void add() {
        Runtime.getRuntime().addShutdownHook(thread);
    }

    void remove() {
        try {
            Runtime.getRuntime().removeShutdownHook(thread);
        } catch (IllegalStateException e) {
            // The JVM is shutting down, and the hook finds nothing left to do.
        }
    }
}
