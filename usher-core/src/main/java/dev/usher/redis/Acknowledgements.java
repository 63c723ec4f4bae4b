package dev.usher.redis;

import dev.usher.redis.RedisSettings.AwaitReplicas;
import dev.usher.redis.Revocations.Acknowledged;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/**
 * Waits for the replicas of a primary, and says whether a write outlives that primary: every server that could take its place has acknowledged the write, and it
 * still was the primary afterwards.
 *
 * <p>{@code WAIT} holds up whatever else is on its connection. So revocations have a connection of their own, which is made where there are replicas; and so
 * have heartbeats, where these wait for replicas as well. Thread-safe.
 */
final class Acknowledgements {

    private static final Duration PAUSE = Duration.ofMillis(1);
    private static final int LAST_ROUNDS = 5;
    private static final int ATTEMPTS = 3;

    private final AwaitReplicas awaited;
    private final PrimaryJudge judge;
    private final RedisLink scripts;
    private final RedisLink revocations;
    private final RedisLink heartbeats;
    private final LastingReplicas replicas = new LastingReplicas();
    private final Function<RedisLink, CompletionStage<?>> connect;
    private final AtomicBoolean connects = new AtomicBoolean();

    /**
     * Nothing is connected yet.
     *
     * @param judge knows which servers could take the place of the primary
     * @param scripts takes revocations while no connection is kept for them
     * @param revocations the link that is kept for revocations
     * @param heartbeats the link that is kept for heartbeats that wait
     * @param connect connects a link
     */
    Acknowledgements(
            AwaitReplicas awaited,
            PrimaryJudge judge,
            RedisLink scripts,
            RedisLink revocations,
            RedisLink heartbeats,
            Function<RedisLink, CompletionStage<?>> connect) {
        this.awaited = awaited;
        this.judge = judge;
        this.scripts = scripts;
        this.revocations = revocations;
        this.heartbeats = heartbeats;
        this.connect = connect;
    }

    /** Makes the connection of revocations, where there is something to wait for: it is there for the next ones. */
    void note(Replication replication) {
        if ((awaited.ofRevocations() > 0 || replication.replicas() > 0) && connects.compareAndSet(false, true)) {
            var unused = connect.apply(revocations);
        }
    }

    /** The link over which revocations are written. */
    RedisLink ofRevocations() {
        return revocations.isMade() ? revocations : scripts;
    }

    /**
     * Waits until the replicas have the revocation that was written last over a connection.
     *
     * @param redis the connection
     * @param history the replication history in which it was written
     */
    Acknowledged await(RedisLink link, RedisAsyncCommands<String, byte[]> redis, String history, Duration atMost) {
        long until = System.nanoTime() + atMost.toNanos();
        try {
            // All that is acknowledged up to this offset has the revocation, which was written before.
            Replication written = replicationOf(link, redis, until);
            note(written);
            int wanted = awaited.ofRevocations(written);
            if (wanted > 0) {
                waitFor(link, redis, wanted, until);
            }
            // Asked after the acknowledgement: a server that has taken the place of this one by then is the one
            // that they name, or is among the replicas, and has acknowledged nothing since.
            Candidates candidates = candidates(written, until);
            Replication now = acknowledged(link, redis, written, until);
            return outcome(history, written, wanted, candidates, now);
        } catch (SharedTierException e) {
            return new Acknowledged(
                    0, false, "it is not known which replicas have acknowledged the ban: " + e.getMessage());
        }
    }

    /**
     * What is known of a revocation.
     *
     * @param history in which it was written
     * @param written the replication of the server after that
     * @param wanted how many replicas were waited for
     * @param candidates which servers could take the place of that server, asked after the wait
     * @param now the replication of the server after that
     */
    static Acknowledged outcome(
            String history, Replication written, int wanted, Candidates candidates, Replication now) {
        int replicas = now.acknowledged(written.offset());
        if (!written.isPrimary()
                || !now.isPrimary()
                || !written.history().equals(history)
                || !now.history().equals(history)) {
            return new Acknowledged(0, false, "Redis was replaced, or started anew, while the ban was written");
        }
        Map<ServerAddress, Long> offsets = new HashMap<>(now.offsets());
        candidates.others().forEach((replica, other) -> {
            Long offset = offsets.get(other);
            if (offset != null) {
                offsets.putIfAbsent(replica, offset);
            }
        });
        Set<ServerAddress> all = new HashSet<>(candidates.replicas());
        all.addAll(offsets.keySet());
        List<String> missing = new ArrayList<>();
        List<String> lacking = all.stream()
                .filter(replica -> offsets.getOrDefault(replica, -1L) < written.offset())
                .map(ServerAddress::toString)
                .sorted()
                .toList();
        if (!lacking.isEmpty()) {
            missing.add(
                    "no acknowledgement of the ban by " + String.join(", ", lacking)
                            + ": start it, or, when it is gone for good, SENTINEL RESET on each Sentinel, in a Cluster CLUSTER FORGET on each server");
        }
        if (now.replicas() > now.offsets().size()) {
            missing.add("a replica that is connected does not follow yet, or has the address of another");
        }
        if (replicas < wanted) {
            missing.add(replicas + " of the " + wanted + " replicas that were waited for have acknowledged the ban");
        }
        boolean isReplicated = missing.isEmpty();
        if (candidates.missing() != null) {
            missing.add(candidates.missing());
        } else if (now.replicas() == 0 && !now.isAlone()) {
            missing.add("Redis has had replicas within the last hour (repl-backlog-ttl), and none is left");
        }
        return new Acknowledged(replicas, isReplicated, missing.isEmpty() ? null : String.join("; ", missing));
    }

    /** Ends before a replica that hangs counts as a Redis that does not answer. */
    private static void waitFor(RedisLink link, RedisAsyncCommands<String, byte[]> redis, int wanted, long until)
            throws SharedTierException {
        long patience =
                Math.max(1, Math.min(left(until).toMillis(), link.timeout().toMillis()) / 2);
        var unused = link.await(redis.waitForReplication(wanted, patience).toCompletableFuture(), left(until));
    }

    /** The replication after the wait. Some servers wait for less than the offset that is compared: the rest follows at once. */
    private static Replication acknowledged(
            RedisLink link, RedisAsyncCommands<String, byte[]> redis, Replication written, long until)
            throws SharedTierException {
        Replication now = replicationOf(link, redis, until);
        for (int round = 0; round < LAST_ROUNDS && now.isBehind(written.offset()); round++) {
            LockSupport.parkNanos(PAUSE.toNanos());
            now = replicationOf(link, redis, until);
        }
        return now;
    }

    private Candidates candidates(Replication written, long until) {
        CompletableFuture<Candidates> asked = judge.askCandidates(written).toCompletableFuture();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return asked.get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (TimeoutException | ExecutionException e) {
            return Candidates.unknown("the Sentinels did not answer in time");
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Asks again when an answer is late: it changes nothing, and without it a ban that is confirmed would not count as such. */
    private static Replication replicationOf(RedisLink link, RedisAsyncCommands<String, byte[]> redis, long until)
            throws SharedTierException {
        for (int attempt = 1; ; attempt++) {
            try {
                return link.await(
                        redis.info("replication").thenApply(Replication::parse).toCompletableFuture(), left(until));
            } catch (SharedTierException e) {
                if (attempt == ATTEMPTS || System.nanoTime() - until >= 0) {
                    throw e;
                }
            }
        }
    }

    private static Duration left(long until) {
        return Duration.ofNanos(Math.max(1, until - System.nanoTime()));
    }

    // Heartbeats.

    /** Whether heartbeats wait for the replicas as well. */
    boolean areOfHeartbeats() {
        return awaited.ofHeartbeats();
    }

    /** The link over which heartbeats are written that wait for replicas. */
    RedisLink ofHeartbeats() {
        return heartbeats;
    }

    /** Makes the connection of heartbeats, where these wait for replicas. Completed when it stands or the first attempt has failed. */
    CompletionStage<?> open() {
        return awaited.ofHeartbeats()
                ? connect.apply(heartbeats).handle((connected, failure) -> null)
                : CompletableFuture.completedStage(null);
    }

    /**
     * Waits, without a thread, until all replicas have the heartbeat that was written last over its connection.
     *
     * @param history the replication history in which it was written
     * @return whether they have, within the command timeout
     */
    CompletionStage<Boolean> ofHeartbeat(RedisAsyncCommands<String, byte[]> redis, String history) {
        return redis.info("replication").thenApply(Replication::parse).thenCompose(written -> {
            int wanted = replicas.toAwait(written, System.nanoTime());
            if (!written.isPrimary() || !written.history().equals(history)) {
                return CompletableFuture.completedStage(false);
            }
            if (wanted == 0) {
                return CompletableFuture.completedStage(true);
            }
            return redis.waitForReplication(wanted, heartbeats.timeout().toMillis())
                    .thenCompose(count -> redis.info("replication"))
                    .thenApply(Replication::parse)
                    .thenApply(now -> now.history().equals(history) && now.acknowledged(written.offset()) >= wanted);
        });
    }
}
