package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.bytes;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Takes nodes out of the register that have been silent for so long that they have closed. No clock of a server is compared with an entry: this node
 * remembers how many changes of entries there had been, and when, by its own clock. Thread-safe.
 */
final class SilentNodes {

    /** How often the number of changes is noted. */
    private static final Duration NOTE = Duration.ofMillis(500);

    private final RegisterScripts keys;
    private final AnswerLimits limits;
    private final RedisLink scripts;
    private final Deque<Count> counts = new ArrayDeque<>();
    private long sweepAt = System.nanoTime();

    /** How many changes of entries there had been at a moment. */
    private record Count(long changes, long at) {}

    /** Of one register. */
    SilentNodes(RegisterScripts keys, AnswerLimits limits, RedisLink scripts) {
        this.keys = keys;
        this.limits = limits;
        this.scripts = scripts;
    }

    /** Notes how many changes of entries there have been until now. */
    synchronized void note(long changes) {
        long now = System.nanoTime();
        Count last = counts.peekLast();
        if (last == null || now - last.at >= NOTE.toNanos()) {
            counts.addLast(new Count(changes, now));
        }
    }

    /** What was noted was of another register. */
    synchronized void forget() {
        counts.clear();
    }

    /**
     * Whether a sweep is due. Each node has its own moments, and where there are many nodes, each sweeps less often.
     *
     * @param now of {@link System#nanoTime()}
     */
    synchronized boolean isDue(long now) {
        if (now - sweepAt < 0) {
            return false;
        }
        long period = limits.sweepNanos();
        sweepAt = now + period / 2 + ThreadLocalRandom.current().nextLong(period);
        return true;
    }

    /**
     * Takes nodes away, without waiting for it.
     *
     * @param register which they are in, or {@code null} when that is not known
     * @param silence after which a node is taken away, and more than heartbeats count that write no entry
     */
    void sweep(@Nullable String register, Duration silence) {
        long now = System.nanoTime();
        Count old = null;
        synchronized (this) {
            for (Count first = counts.peekFirst();
                    first != null && now - first.at > silence.toNanos();
                    first = counts.peekFirst()) {
                old = counts.removeFirst();
            }
        }
        if (old != null && register != null) {
            // Its last heartbeats may have written no entry.
            expel(register, old.changes, old.at + AnswerLimits.COUNTED_WITHOUT_ENTRY.toNanos());
        }
    }

    /**
     * Takes the nodes away that have not changed their entries since, and must have closed, without waiting for it.
     *
     * @param changes how many changes of entries there had been
     * @param since when such a node may have had its last heartbeat, in {@link System#nanoTime()}
     */
    void expel(String register, long changes, long since) {
        long closedFor = Duration.ofNanos(System.nanoTime() - since).toMillis();
        try {
            CompletableFuture<List<?>> expelled = keys.run(
                    scripts.commands(),
                    RegisterScripts.EXPEL,
                    bytes(register),
                    bytes(changes),
                    bytes(closedFor),
                    bytes(limits.longest().toMillis()));
            var unused = expelled.exceptionally(failure -> List.of());
        } catch (SharedTierException e) {
            // It is done by another node, or by the next sweep.
        }
    }
}
