package dev.usher;

import dev.usher.RevocationReceipt.Reason;
import dev.usher.redis.NodeRegister;
import dev.usher.redis.NodeRegister.Member;
import dev.usher.redis.NodeRegister.Snapshot;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The wait for all nodes after a fence has been confirmed.
 *
 * <p>It ends when every node of a complete register has seen the fence; or when the staleness bound has passed since the fence:
 * a node that has not seen it by then has had no sign of life from after it, and so answers from memory no more. Where stale answers
 * are allowed, the register does not say all, and only the bound counts, if they end by then.
 */
final class Revocation {

    private static final Duration FIRST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(10);
    private static final Duration LAST_LOOK = Duration.ofMillis(100);

    private final NodeRegister register;
    private final String facet;
    private final Duration bound;

    /** How long a node like this one may answer after its last sign of life. */
    private final Duration limit;

    /**
     * No node answers from memory with what Redis does not tell of. Otherwise there may be a node that does: it is in no register for want
     * of a Redis, or has lost its connection for a moment, and hears of no change of what it had read over it.
     */
    private final boolean failsClosed;

    /** Says whether every node that could answer is in the register. */
    @FunctionalInterface
    interface Alone {

        /**
         * Asks Redis, if need be.
         *
         * @param limit how long a node may answer that has been lost from a register
         * @throws SharedTierException when Redis does not say
         */
        boolean test(Duration limit, Duration atMost) throws SharedTierException;
    }

    private final Alone alone;
    private final Supplier<@Nullable Reason> brokenOff;
    private final long fencedAt = System.nanoTime();

    /**
     * Of a fence that has just been confirmed.
     *
     * @param alone whether every node that could answer is in the register
     * @param brokenOff why there is nothing more to wait for, such as that Redis may have forgotten it since, or {@code null}
     */
    Revocation(
            NodeRegister register,
            String facet,
            CachePolicy policy,
            Alone alone,
            Supplier<@Nullable Reason> brokenOff) {
        this.alone = alone;
        this.brokenOff = brokenOff;
        this.register = register;
        this.facet = facet;
        this.bound = policy.stalenessBound();
        this.limit = policy.longestAnswer();
        this.failsClosed = policy.serveStaleFor().isZero();
    }

    /**
     * Waits.
     *
     * @param askedAt when the caller came
     */
    RevocationReceipt await(long askedAt) {
        // Clocks of different machines do not run equally fast: a thousandth is more than any of them is off.
        long until = fencedAt + bound.toNanos() + bound.toNanos() / 1000;
        long number = number(until);
        Snapshot snapshot = null;
        for (Duration pause = FIRST_PAUSE; ; pause = next(pause)) {
            Snapshot latest = read(until);
            snapshot = latest == null ? snapshot : latest;
            Reason broken = brokenOff.get();
            if (broken != null) {
                // It is sent again, and until then nodes may read the old value where they had read that there is none.
                return brokenOff(broken, snapshot, number, askedAt);
            }
            if (latest != null && number > 0 && silent(latest, number).isEmpty()) {
                boolean confirmed = failsClosed && register.isComplete(latest, limit) && isAlone(until);
                boolean canBeConfirmed = limit.compareTo(bound) <= 0;
                if (confirmed || !canBeConfirmed) {
                    return RevocationReceipt.sent(
                            confirmed ? null : Reason.STALE_ANSWERS_ALLOWED,
                            latest.members().keySet(),
                            Set.of(),
                            Set.of(),
                            since(askedAt));
                }
            }
            long left = until - System.nanoTime();
            if (left <= 0) {
                return waitedOut(snapshot, number, askedAt);
            }
            try {
                TimeUnit.NANOSECONDS.sleep(Math.min(pause.toNanos(), left));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return brokenOff(Reason.INTERRUPTED, snapshot, number, askedAt);
            }
        }
    }

    private RevocationReceipt waitedOut(@Nullable Snapshot snapshot, long number, long askedAt) {
        Set<String> unheard = new HashSet<>();
        Set<String> closed = new HashSet<>();
        for (String node : silent(snapshot, number)) {
            (limitOf(snapshot, node).compareTo(bound) > 0 ? unheard : closed).add(node);
        }
        Reason reason = null;
        if (!unheard.isEmpty()) {
            reason = Reason.NODES_UNHEARD;
        } else if (limit.compareTo(bound) > 0) {
            // Then a node that is in no register may still answer.
            reason = Reason.STALE_ANSWERS_ALLOWED;
        }
        return RevocationReceipt.sent(reason, confirmed(snapshot, number), closed, unheard, since(askedAt));
    }

    private RevocationReceipt brokenOff(Reason why, @Nullable Snapshot snapshot, long number, long askedAt) {
        return RevocationReceipt.sent(
                why, confirmed(snapshot, number), Set.of(), silent(snapshot, number), since(askedAt));
    }

    private static Set<String> confirmed(@Nullable Snapshot snapshot, long number) {
        Set<String> confirmed =
                new HashSet<>(snapshot == null ? Set.of() : snapshot.members().keySet());
        confirmed.removeAll(silent(snapshot, number));
        return confirmed;
    }

    private Duration limitOf(@Nullable Snapshot snapshot, String node) {
        Member member = snapshot == null ? null : snapshot.members().get(node);
        return member == null ? limit : member.limits().getOrDefault(facet, limit);
    }

    /** The nodes that have not seen the revocation. */
    private static Set<String> silent(@Nullable Snapshot snapshot, long number) {
        Set<String> silent = new HashSet<>();
        if (snapshot == null) {
            return silent;
        }
        for (Map.Entry<String, Member> node : snapshot.members().entrySet()) {
            Member member = node.getValue();
            if (number == 0 || member.seen() < number || !member.epoch().equals(snapshot.epoch())) {
                silent.add(node.getKey());
            }
        }
        return silent;
    }

    /** The number that the nodes are to see, or 0 when Redis gives none: then no node will have seen it. */
    private long number(long until) {
        try {
            return register.revoke(left(until));
        } catch (SharedTierException | RuntimeException e) {
            // Also when the caches are closed meanwhile: the change is committed, and nothing may be thrown any more.
            return 0;
        }
    }

    private boolean isAlone(long until) {
        try {
            return alone.test(limit, left(until));
        } catch (SharedTierException | RuntimeException e) {
            return false;
        }
    }

    private @Nullable Snapshot read(long until) {
        try {
            return register.read(left(until));
        } catch (SharedTierException | RuntimeException e) {
            return null;
        }
    }

    /** At the end one last read of the register is worth a moment. */
    private static Duration left(long until) {
        Duration left = Duration.ofNanos(until - System.nanoTime());
        return left.compareTo(LAST_LOOK) > 0 ? left : LAST_LOOK;
    }

    private static Duration next(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
    }

    private static Duration since(long askedAt) {
        return Duration.ofNanos(System.nanoTime() - askedAt);
    }
}
