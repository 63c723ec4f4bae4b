package dev.usher;

import dev.usher.RevocationReceipt.Reason;
import dev.usher.redis.NodeRegister;
import dev.usher.redis.Revocations;
import dev.usher.redis.Revocations.Progress;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The wait for all nodes after a fence has been confirmed.
 *
 * <p>It ends when every node of a complete register has seen the number of the revocation; or when the staleness bound has passed since the number was
 * given: by then, a node has either had no heartbeat from after it, and so neither answers from memory nor believes Redis any more; or it has had one, before which the
 * pushes of the fences were processed, does not believe Redis about the users, and is only slow to process the revocation itself. Of a facet that
 * allows stale answers no number is given; only the bound counts, if they end by then.
 */
final class Revocation {

    private static final Duration FIRST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(10);
    private static final Duration LAST_LOOK = Duration.ofMillis(100);

    private final NodeRegister register;
    private final Revocations revocations;
    private final List<String> users;
    private final String facet;

    /** How long a node like this one may answer without heartbeats. */
    private final Duration limit;

    /** How long it waits for nodes that it does not hear of. */
    private final long boundNanos;

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
    private final Function<Duration, Revocations.@Nullable Acknowledged> fences;
    private final Supplier<@Nullable Reason> brokenOff;
    private final long fencedAt = System.nanoTime();

    /** The number, or {@code null} while there is none. */
    private Revocations.@Nullable Numbered revocation;

    private @Nullable SharedTierException failure;

    /**
     * Of a fence that has just been confirmed.
     *
     * @param users the keys of the users
     * @param alone whether every node that could answer is in the register
     * @param fences says, within a time, what the replicas have acknowledged of the fences, or {@code null} when the register is on their primary
     * @param brokenOff why there is nothing more to wait for, such as that Redis may have forgotten it since, or {@code null}
     */
    Revocation(
            NodeRegister register,
            List<String> users,
            String facet,
            CachePolicy policy,
            Alone alone,
            Function<Duration, Revocations.@Nullable Acknowledged> fences,
            Supplier<@Nullable Reason> brokenOff) {
        this.alone = alone;
        this.fences = fences;
        this.brokenOff = brokenOff;
        this.register = register;
        this.revocations = register.revocations();
        this.users = users;
        this.facet = facet;
        this.failsClosed = policy.failsClosed();
        this.limit = failsClosed ? policy.believedFor() : policy.longestAnswer();
        Duration bound = failsClosed ? policy.believedFor() : policy.stalenessBound();
        // Clocks of different machines do not run equally fast: a thousandth is more than any of them is off.
        this.boundNanos = bound.toNanos() + bound.toNanos() / 1000;
    }

    /**
     * Waits.
     *
     * @param askedAt when the caller came
     */
    RevocationReceipt await(long askedAt) {
        if (!failsClosed) {
            return awaitBound(askedAt);
        }
        long until = fencedAt + boundNanos;
        for (Duration pause = FIRST_PAUSE; ; pause = next(pause)) {
            if (register.otherFormat() != null) {
                return unfinished(Reason.OTHER_REGISTER, askedAt);
            }
            if (revocation == null) {
                revoke(until);
                until = revocation == null ? until : revocation.at() + boundNanos;
            }
            Progress progress = progress(until);
            Reason broken = brokenOff.get();
            if (broken != null) {
                // It is sent again, and until then nodes may read the old value where they had read that there is none.
                return unfinished(broken, askedAt);
            }
            if (progress != null && progress.isSeenByAll() && progress.isComplete() && isAlone(until)) {
                Set<String> nodes = nodes();
                if (nodes != null) {
                    return RevocationReceipt.sent(
                                    onPrimaryFor(), nodes, Set.of(), Set.of(), ended(nodes), since(askedAt))
                            .acknowledgedBy(acknowledged(), missing());
                }
            }
            long left = until - System.nanoTime();
            if (left <= 0) {
                return waitedOut(askedAt);
            }
            try {
                TimeUnit.NANOSECONDS.sleep(Math.min(pause.toNanos(), left));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return unfinished(Reason.INTERRUPTED, askedAt);
            }
        }
    }

    /** Where stale answers are allowed, a node may give one that is in no register; it is enough if all of them have ended. */
    private RevocationReceipt awaitBound(long askedAt) {
        if (limit.toNanos() > boundNanos) {
            return RevocationReceipt.sent(
                    Reason.STALE_ANSWERS_ALLOWED, Set.of(), Set.of(), Set.of(), Map.of(), since(askedAt));
        }
        for (Duration pause = FIRST_PAUSE; ; pause = next(pause)) {
            Reason broken = brokenOff.get();
            long left = fencedAt + boundNanos - System.nanoTime();
            if (broken == null && left > 0) {
                try {
                    TimeUnit.NANOSECONDS.sleep(Math.min(pause.toNanos(), left));
                    continue;
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    broken = Reason.INTERRUPTED;
                }
            }
            return broken == null
                    ? waitedForBound(askedAt)
                    : RevocationReceipt.sent(broken, Set.of(), Set.of(), Set.of(), Map.of(), since(askedAt));
        }
    }

    /** On a Cluster, a primary that has been replaced may be believed for longer than the bound. */
    private RevocationReceipt waitedForBound(long askedAt) {
        Revocations.Acknowledged acknowledged = fences.apply(Duration.ofNanos(boundNanos));
        if (acknowledged == null) {
            return RevocationReceipt.sent(null, Set.of(), Set.of(), Set.of(), Map.of(), since(askedAt));
        }
        return RevocationReceipt.sent(
                        onPrimaryFor(acknowledged), Set.of(), Set.of(), Set.of(), Map.of(), since(askedAt))
                .acknowledgedBy(acknowledged.replicas(), acknowledged.missing());
    }

    private RevocationReceipt waitedOut(long askedAt) {
        Revocations.Numbered numbered = revocation;
        if (numbered == null) {
            SharedTierException why = failure;
            return RevocationReceipt.unnumbered(why == null ? null : why.errorCode(), since(askedAt));
        }
        Map<String, Duration> silent = silent(numbered);
        Set<String> unheard = new HashSet<>();
        Set<String> closed = new HashSet<>();
        silent.forEach((node, theirs) -> (theirs.compareTo(limit) > 0 ? unheard : closed).add(node));
        Set<String> confirmed = confirmedBut(silent.keySet());
        return RevocationReceipt.sent(
                        unheard.isEmpty() ? onPrimaryFor() : Reason.NODES_UNHEARD,
                        confirmed,
                        closed,
                        unheard,
                        ended(confirmed),
                        since(askedAt))
                .acknowledgedBy(acknowledged(), missing());
    }

    /** Why the nodes that have seen the change prove nothing of another primary, or {@code null} when they do. */
    private @Nullable Reason onPrimaryFor() {
        Revocations.Numbered numbered = revocation;
        return numbered == null ? Reason.NOT_REPLICATED : onPrimaryFor(numbered.acknowledged());
    }

    private static @Nullable Reason onPrimaryFor(Revocations.Acknowledged acknowledged) {
        if (!acknowledged.isReplicated()) {
            return Reason.NOT_REPLICATED;
        }
        return acknowledged.missing() == null ? null : Reason.UNFENCED;
    }

    private @Nullable String missing() {
        Revocations.Numbered numbered = revocation;
        return numbered == null ? null : numbered.acknowledged().missing();
    }

    private int acknowledged() {
        Revocations.Numbered numbered = revocation;
        return numbered == null ? 0 : numbered.acknowledged().replicas();
    }

    private RevocationReceipt unfinished(Reason why, long askedAt) {
        Revocations.Numbered numbered = revocation;
        Set<String> silent = numbered == null ? Set.of() : silentSoFar(numbered);
        Set<String> confirmed = numbered == null ? Set.of() : confirmedBut(silent);
        return RevocationReceipt.sent(why, confirmed, Set.of(), silent, Map.of(), since(askedAt));
    }

    private Set<String> confirmedBut(Set<String> silent) {
        Set<String> nodes = nodes();
        Set<String> confirmed = new HashSet<>(nodes == null ? Set.of() : nodes);
        confirmed.removeAll(silent);
        return confirmed;
    }

    private void revoke(long until) {
        try {
            Revocations.Acknowledged ofFences = fences.apply(left(until)); // before the number
            Revocations.Numbered numbered = revocations.revoke(users, left(until));
            revocation = numbered == null ? null : numbered.and(ofFences);
        } catch (SharedTierException e) {
            failure = e;
        } catch (RuntimeException e) {
            // Also when the caches are closed meanwhile: the change is committed, and nothing may be thrown any more.
            failure = null;
        }
    }

    private boolean isAlone(long until) {
        try {
            return alone.test(limit, left(until));
        } catch (SharedTierException | RuntimeException e) {
            return false;
        }
    }

    private @Nullable Progress progress(long until) {
        Revocations.Numbered numbered = revocation;
        try {
            return numbered == null ? null : revocations.progressOf(numbered, limit, left(until));
        } catch (SharedTierException | RuntimeException e) {
            return null;
        }
    }

    private @Nullable Set<String> nodes() {
        try {
            return revocations.nodes(LAST_LOOK);
        } catch (SharedTierException | RuntimeException e) {
            return null;
        }
    }

    private Map<String, Duration> silent(Revocations.Numbered numbered) {
        try {
            return revocations.waitedOut(numbered, facet, limit, LAST_LOOK);
        } catch (SharedTierException | RuntimeException e) {
            return Map.of();
        }
    }

    private Set<String> silentSoFar(Revocations.Numbered numbered) {
        try {
            return revocations.silent(numbered, LAST_LOOK);
        } catch (SharedTierException | RuntimeException e) {
            return Set.of();
        }
    }

    private Map<String, Integer> ended(Set<String> confirmed) {
        Revocations.Numbered numbered = revocation;
        try {
            if (numbered == null) {
                return Map.of();
            }
            Map<String, Integer> ended = revocations.ended(numbered, LAST_LOOK);
            ended.keySet().retainAll(confirmed);
            return ended;
        } catch (SharedTierException | RuntimeException e) {
            return Map.of();
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
