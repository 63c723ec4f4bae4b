package dev.usher.redis;

import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/** How long this node may answer without heartbeats, and so how often it has one. Thread-safe. */
final class AnswerLimits {

    /** How often a heartbeat is due at most, and at least. */
    static final Duration SHORTEST_BEAT = Duration.ofMillis(100);

    private static final Duration LONGEST_BEAT = Duration.ofMillis(250);

    private final AtomicLong beatNanos = new AtomicLong(LONGEST_BEAT.toNanos());

    /** By facet that fails closed. */
    private final ConcurrentMap<String, Duration> limits = new ConcurrentHashMap<>();

    /** Says that answers of a facet may be so old: heartbeats are due four times within that. */
    void bound(Duration bound) {
        long quarter = Math.max(SHORTEST_BEAT.toNanos(), bound.toNanos() / 4);
        beatNanos.accumulateAndGet(quarter, Math::min);
    }

    /** After which the next heartbeat is due. */
    long beatNanos() {
        return beatNanos.get();
    }

    /** Says how long this node may answer without heartbeats, in a facet that fails closed. */
    void limit(String facet, Duration limit) {
        Duration before = limits.get(facet);
        if (before == null || before.compareTo(limit) < 0) {
            limits.merge(facet, limit, AnswerLimits::longer);
        }
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
