package dev.usher.redis;

import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/**
 * How long this node may answer without heartbeats, and so how often it has one. Where many nodes share a Redis, each asks it less often. Thread-safe.
 */
final class AnswerLimits {

    /** How often a heartbeat is due at most, and at least. */
    static final Duration SHORTEST_BEAT = Duration.ofMillis(100);

    private static final Duration LONGEST_BEAT = Duration.ofMillis(250);

    /** For how long heartbeats count that write no entry, after the last one that has. */
    static final Duration COUNTED_WITHOUT_ENTRY = Duration.ofSeconds(3);

    private static final Duration LONGEST_WITHOUT_ENTRY = Duration.ofSeconds(2);

    /** How much of Redis' time the nodes share: 2,000 heartbeats a second, 500 entries, 1,000 pulses (1,300 where {@link #LONGEST_PULSE} holds), 50 sweeps. */
    private static final long BEAT_NANOS_OF_A_NODE = Duration.ofSeconds(1).toNanos() / 2000;

    private static final long ENTRY_NANOS_OF_A_NODE = Duration.ofSeconds(1).toNanos() / 500;
    private static final long PULSE_NANOS_OF_A_NODE = Duration.ofSeconds(1).toNanos() / 1000;
    private static final long SWEEP_NANOS_OF_A_NODE = Duration.ofSeconds(1).toNanos() / 50;

    private static final Duration LONGEST_PULSE = Duration.ofMillis(750);
    private static final Duration SHORTEST_SWEEP = Duration.ofSeconds(1);

    private final AtomicLong beatNanos = new AtomicLong(LONGEST_BEAT.toNanos());

    private final AtomicLong leastBoundNanos = new AtomicLong(Long.MAX_VALUE);

    private volatile long nodes = 1;

    /** By facet that fails closed. */
    private final ConcurrentMap<String, Duration> limits = new ConcurrentHashMap<>();

    /** Says that answers of a facet may be so old: heartbeats are due four times within that; twice, where there are very many nodes; once in {@link #SHORTEST_BEAT} at most. */
    void bound(Duration bound) {
        long quarter = Math.max(SHORTEST_BEAT.toNanos(), bound.toNanos() / 4);
        beatNanos.accumulateAndGet(quarter, Math::min);
        leastBoundNanos.accumulateAndGet(bound.toNanos(), Math::min);
    }

    /** Says how many nodes share this Redis. */
    void nodes(long count) {
        nodes = Math.max(1, count);
    }

    /** After which the next heartbeat is due. */
    long beatNanos() {
        long shortest = beatNanos.get();
        return within(shortest, nodes * BEAT_NANOS_OF_A_NODE, Math.min(2 * shortest, leastBoundNanos.get() / 2));
    }

    /** After which the next heartbeat is due that writes the entry. */
    long entryNanos() {
        return within(2 * beatNanos.get(), nodes * ENTRY_NANOS_OF_A_NODE, LONGEST_WITHOUT_ENTRY.toNanos());
    }

    /** After which a connection that is not used shows whether it works. */
    long pulseNanos() {
        return within(RedisLink.PULSE.toNanos(), nodes * PULSE_NANOS_OF_A_NODE, LONGEST_PULSE.toNanos());
    }

    /** After which this node looks for silent ones. */
    long sweepNanos() {
        return Math.max(SHORTEST_SWEEP.toNanos(), nodes * SWEEP_NANOS_OF_A_NODE);
    }

    private static long within(long least, long nanos, long most) {
        return Math.max(least, Math.min(nanos, most));
    }

    /**
     * Says how long this node may answer without heartbeats, in a facet that fails closed.
     *
     * @return whether that is more than the entry says
     */
    boolean limit(String facet, Duration limit) {
        Duration before = limits.get(facet);
        if (before == null || before.compareTo(limit) < 0) {
            limits.merge(facet, limit, AnswerLimits::longer);
            return true;
        }
        return false;
    }

    /** The longest limit of all facets, or zero when there is none. */
    Duration longest() {
        return limits.values().stream().reduce(Duration.ZERO, AnswerLimits::longer);
    }

    /** All limits, as an entry has them. */
    String text() {
        return limits.entrySet().stream()
                .map(limit -> limit.getKey() + '=' + limit.getValue().toMillis())
                .collect(Collectors.joining(","));
    }

    static Duration longer(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? other : one;
    }
}
