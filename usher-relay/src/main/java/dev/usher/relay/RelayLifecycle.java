package dev.usher.relay;

import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.context.SmartLifecycle;

/** Starts the relay when the application has all its caches, and closes it before them. Thread-safe. */
final class RelayLifecycle implements SmartLifecycle {

    private final Supplier<ChangeRelay> starter;
    private volatile @Nullable ChangeRelay relay;

    RelayLifecycle(Supplier<ChangeRelay> starter) {
        this.starter = starter;
    }

    /** How it is doing, or {@code null} while it is not started. */
    @Nullable RelayHealth health() {
        ChangeRelay running = relay;
        return running == null ? null : running.health();
    }

    @Override
    public synchronized void start() {
        if (relay == null) {
            relay = starter.get();
        }
    }

    @Override
    public synchronized void stop() {
        ChangeRelay running = relay;
        relay = null;
        if (running != null) {
            running.close();
        }
    }

    @Override
    public boolean isRunning() {
        return relay != null;
    }
}
