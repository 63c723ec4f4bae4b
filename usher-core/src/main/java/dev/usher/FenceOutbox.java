package dev.usher;

import dev.usher.redis.Deadline;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisPrimary;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends fences, and keeps those that Redis has not confirmed until it has.
 *
 * <p>There is room for a limited number, on each primary. When a change finds none, its key is dropped and its facet is noted: any key of
 * that facet is then pending, until a {@link FullFlush} has fenced all that its primary holds.
 *
 * <p>What is pending on one primary is sent apart from the others: one that is away holds up its own fences only.
 *
 * <p>What Redis has confirmed of late is pending again when the connection is lost, for Redis may come back with older data. It is sent again unless the
 * server turns out to be the same one.
 *
 * <p>Thread-safe.
 */
final class FenceOutbox {

    /** How many keys are kept. */
    static final int LIMIT = 10_000;

    private static final Logger log = LoggerFactory.getLogger(FenceOutbox.class);

    private static final Duration RETRY = Duration.ofMillis(100);
    private static final int BATCH = 1000;

    /** What is sent first, so that a Redis that is away costs little. */
    private static final int PROBE = 10;

    /** Until then a silent Redis is not sent the same again: it may still have what was sent before. */
    private static final Duration LONGEST_ROUND = Duration.ofSeconds(30);

    /** How often a lasting failure is logged. */
    private static final Duration WARNING = Duration.ofSeconds(10);

    private static final String SILENT = "Redis has not answered yet";

    private final SharedTier shared;
    private final ScheduledExecutorService scheduler;
    private final String keyPrefix;
    private final int limit;
    private final Duration offersEnd;

    /** By key, a mark of the latest change. */
    private final ConcurrentMap<String, Mark> pending = new ConcurrentHashMap<>();

    private final RecentKeys recent = new RecentKeys(LIMIT);

    /** The primaries of which it is not known yet whether they have what they had confirmed. */
    private final Set<RedisPrimary> unsettled = ConcurrentHashMap.newKeySet();

    /** How many of the pending keys had been confirmed once: they take no room of changes. */
    private final AtomicInteger suspects = new AtomicInteger();

    /** In a Cluster, how many changes are pending on each primary, about: counted in each round. */
    private final ConcurrentMap<RedisPrimary, Integer> counts = new ConcurrentHashMap<>();

    private final PendingFlush<RedisPrimary> flushes;
    private final AtomicBoolean retrying = new AtomicBoolean();

    /** The primaries that are being sent what is pending. */
    private final Set<RedisPrimary> rounds = ConcurrentHashMap.newKeySet();

    /** By primary, where its next round begins: a key that is always refused does not hold up the others. */
    private final Map<RedisPrimary, Iterator<Map.Entry<String, Mark>>> unsent = new HashMap<>();

    private final LongAdder overflows = new LongAdder();
    private final LongAdder resent = new LongAdder();
    private final AtomicLong nextWarningAt;
    private final AtomicBoolean warned = new AtomicBoolean();

    /** What has failed last. */
    private volatile String lastError = SILENT;

    /**
     * An empty outbox.
     *
     * @param keyPrefix what all keys begin with
     * @param limit how many keys are kept, of each primary
     * @param offersEnd for how long after a change a row from before it may be offered
     * @param nextWarningAt when the next lasting failure is logged, in {@link System#nanoTime()}; of several outboxes, which share it, that
     *     of one
     */
    FenceOutbox(
            SharedTier shared,
            ScheduledExecutorService scheduler,
            String keyPrefix,
            int limit,
            Duration offersEnd,
            AtomicLong nextWarningAt) {
        this.shared = shared;
        this.flushes = new PendingFlush<>(shared::primaryOf);
        this.scheduler = scheduler;
        this.keyPrefix = keyPrefix;
        this.limit = limit;
        this.offersEnd = offersEnd;
        this.nextWarningAt = nextWarningAt;
    }

    /** A change, told apart from every other: a fence that was sent before it does not confirm it. */
    private static final class Mark {

        /** When the first change of the key that is still pending was announced, in {@link System#nanoTime()}. */
        private final long since;

        private final Kind kind;

        private Mark(long since, Kind kind) {
            this.since = since;
            this.kind = kind;
        }

        private boolean is(Kind other) {
            return kind == other;
        }
    }

    /** What is pending. */
    private enum Kind {
        /** A change that Redis has not confirmed. */
        CHANGE,

        /** A fence that Redis had confirmed, of which it is not known yet whether it still has it. */
        SUSPECT,

        /** A fence that Redis had confirmed, and may have lost. */
        LOST
    }

    /**
     * Announces a fence: from now on, until Redis has confirmed one that is sent later, this node does not believe what
     * Redis says of the key.
     *
     * @return the mark of this change
     */
    Object announce(String key) {
        long now = System.nanoTime();
        Mark earlier = pending.get(key);
        Mark mark = new Mark(earlier == null ? now : earlier.since, Kind.CHANGE);
        if (earlier == null && !hasRoom(key)) {
            overflow(key, now);
        } else {
            pending.put(key, mark);
        }
        return mark;
    }

    private boolean hasRoom(String key) {
        // One primary that is away leaves room for the changes of the others.
        boolean hasRoom = shared.isCluster() && counts.merge(shared.primaryOf(key), 1, Integer::sum) <= limit;
        return hasRoom || pending.size() < limit + suspects.get();
    }

    /**
     * What has become of fences that were sent.
     *
     * @param pending the keys whose fences Redis has not confirmed, and which are kept
     * @param failure why, or {@code null} when there are none
     */
    record Sent(Set<String> pending, @Nullable SharedTierException failure) {

        static final Sent ALL = new Sent(Set.of(), null);
    }

    /**
     * Sends announced fences in one pipeline, and waits once for all of them, for the command timeout at most.
     *
     * @param marks by key
     */
    Sent send(Map<String, Object> marks) {
        Map<String, CompletableFuture<Void>> sent = new LinkedHashMap<>();
        marks.forEach((key, mark) -> sent.put(key, sendAndConfirm(key, mark)));
        try {
            shared.awaitAll(List.copyOf(sent.keySet()), List.copyOf(sent.values()));
            return Sent.ALL;
        } catch (SharedTierException e) {
            sent.values().removeIf(fence -> fence.isDone() && !fence.isCompletedExceptionally());
            if (sent.isEmpty()) {
                return Sent.ALL; // confirmed at the last moment
            }
            lastError = "the invalidation of " + sent.keySet().iterator().next() + " failed: " + e.getMessage();
            warn();
            retryLater();
            return new Sent(Set.copyOf(sent.keySet()), e);
        }
    }

    /**
     * Sends an announced fence without waiting. What Redis does not confirm within the command timeout is sent again.
     *
     * @return completed when Redis has confirmed the fence, or has not
     */
    CompletableFuture<?> sendUnawaited(String key, Object mark) {
        return shared.guards(key).bounded(sendAndConfirm(key, mark)).handle((done, failure) -> {
            if (failure != null) {
                retryLater();
            }
            return null;
        });
    }

    /** Sends what has been announced and not been sent, without waiting for it. */
    void sendLater() {
        retryLater();
    }

    /** Whether Redis may still hold what a change on this node has made old. */
    boolean isPending(String key) {
        return (!pending.isEmpty() && pending.containsKey(key)) || flushes.covers(key);
    }

    /** How many changes Redis has not confirmed: several of one key count once, if its key is kept. */
    int size() {
        Overflow overflowed = flushes.overflow();
        return pending.size() + (overflowed == null ? 0 : overflowed.changes());
    }

    /** Whether the keys of some changes are forgotten, and not all that Redis holds of their facets has been fenced yet. */
    boolean isOverflowed() {
        return flushes.overflow() != null;
    }

    /** Whether something is pending, or may be again when the connection is lost. */
    boolean isNeeded() {
        return size() > 0 || recent.holdsAny(provenAt());
    }

    /** For how long the first of the changes has been pending, or {@code null} when none is. */
    @Nullable Duration oldest() {
        long now = System.nanoTime();
        Overflow overflowed = flushes.overflow();
        long oldest = overflowed == null ? -1 : now - overflowed.first();
        for (Mark mark : pending.values()) {
            oldest = Math.max(oldest, now - mark.since);
        }
        return oldest < 0 ? null : Duration.ofNanos(oldest);
    }

    /** How often what had been confirmed may have been lost. */
    long losses() {
        return shared.losses();
    }

    /** How often changes began to find no room. */
    LongAdder overflows() {
        return overflows;
    }

    /** How many fences were confirmed only when they were sent again. */
    LongAdder resent() {
        return resent;
    }

    /**
     * A revocation was seen that another node has announced: its fence counts as one of this node's, which sends it again when a new primary may be without it.
     * The other node may be gone by then.
     */
    void remember(String key) {
        recent.add(key, System.nanoTime(), provenAt());
    }

    /** Announces and sends the fence of a revocation again, which may have been lost, as {@link #announce} without a new change. */
    void resend(String key) {
        Mark lost = new Mark(System.nanoTime(), Kind.LOST);
        pending.merge(key, lost, (earlier, now) -> earlier.is(Kind.SUSPECT) ? now : earlier);
        retryLater();
    }

    /**
     * The connection over which fences are sent is lost. The next server at the address may be without those that were confirmed of late,
     * and without those of a flush under way: they are pending until the primary is {@linkplain #settle settled}. Called on that connection's event loop.
     */
    void suspectRecent(RedisPrimary lost) {
        List<RedisPrimary> primaries = shared.primaries();
        unsettled.removeIf(primary -> !primaries.contains(primary));
        if (primaries.contains(lost)) {
            unsettled.add(lost);
        }
        long now = System.nanoTime();
        List<String> keys =
                recent.takeAll(provenAt(), key -> shared.primaryOf(key).equals(lost));
        suspects.accumulateAndGet(keys.size(), Math::max);
        keys.forEach(key -> pending.putIfAbsent(key, new Mark(now, Kind.SUSPECT)));
        flushes.mayHaveMissed(lost);
        if (size() > 0) {
            retryLater();
        }
    }

    /**
     * Keys are on other primaries than before, which may be without the fences that were confirmed of late: these are sent again.
     *
     * @param isMoved whether a key is one of them
     */
    void moved(Predicate<String> isMoved) {
        long now = System.nanoTime();
        List<String> keys = recent.takeAll(provenAt(), isMoved);
        suspects.accumulateAndGet(keys.size(), Math::max);
        keys.forEach(key -> pending.putIfAbsent(key, new Mark(now, Kind.LOST)));
        pending.forEach((key, mark) -> {
            if (mark.is(Kind.SUSPECT) && isMoved.test(key)) {
                pending.replace(key, mark, new Mark(mark.since, Kind.LOST));
            }
        });
        flushes.mayHaveMissed();
        if (size() > 0) {
            retryLater();
        }
    }

    /**
     * A primary is connected again. Called on that connection's event loop.
     *
     * @param hasAll whether it is certainly the same server, which has lost nothing; otherwise the recent fences are sent again
     */
    void settle(RedisPrimary primary, boolean hasAll) {
        pending.forEach((key, mark) -> {
            if (!mark.is(Kind.SUSPECT) || !shared.primaryOf(key).equals(primary)) {
                return;
            }
            if (!hasAll) {
                pending.replace(key, mark, new Mark(mark.since, Kind.LOST));
            } else if (pending.remove(key, mark)) {
                recent.add(key, System.nanoTime(), provenAt());
            }
        });
        unsettled.remove(primary);
    }

    /** Up to when the primaries were proven to be the ones: a fence that was confirmed since may be lost with a primary that had been replaced. */
    private long provenAt() {
        return shared.lastProvenAt();
    }

    /**
     * Sends what is kept, a last time.
     *
     * @param until the moment of {@link System#nanoTime()} up to which the confirmations are waited for
     */
    void drain(long until) {
        if (size() == 0) {
            return;
        }
        unsettled.clear();
        try {
            CompletableFuture.allOf(pendingByPrimary().keySet().stream()
                            .map(primary -> sendAll(primary, pending.entrySet().iterator(), BATCH))
                            .toArray(CompletableFuture[]::new))
                    .get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            // What is left is said below.
        }
        List<String> left = pending.entrySet().stream()
                .filter(change -> change.getValue().is(Kind.CHANGE))
                .map(Map.Entry::getKey)
                .toList();
        if (!left.isEmpty()) {
            log.error(
                    "{} invalidations could not be sent before the caches were closed: Redis may hold old values of {}{}",
                    left.size(),
                    left.subList(0, Math.min(20, left.size())),
                    left.size() > 20 ? " and others" : "");
        }
        Overflow overflowed = flushes.overflow();
        if (overflowed != null) {
            log.error(
                    "{} more invalidations did not fit into the outbox, and the caches were closed before Redis was flushed:"
                            + " it may hold old values of the facets {}",
                    overflowed.changes(),
                    overflowed.facets());
        }
    }

    private void overflow(String key, long now) {
        if (flushes.add(key, now, shared.primaries())) {
            overflows.increment();
            log.warn(
                    "{} invalidations are not confirmed, and the outbox is full: entries of the facet {} in Redis are not used"
                            + " until they have been flushed",
                    pending.size(),
                    KeySpace.facetOf(key));
        }
        retryLater();
    }

    private void retryLater() {
        if (retrying.compareAndSet(false, true)) {
            var unused = scheduler.schedule(this::retry, RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void retry() {
        retrying.set(false);
        flush();
        Map<RedisPrimary, Integer> all = pendingByPrimary();
        counts.keySet().retainAll(all.keySet());
        counts.putAll(all);
        unsent.keySet().retainAll(all.keySet());
        all.keySet().forEach(primary -> {
            if (rounds.add(primary)) {
                Iterator<Map.Entry<String, Mark>> next = unsent.get(primary);
                if (next == null || !next.hasNext()) {
                    next = pending.entrySet().iterator();
                    unsent.put(primary, next);
                }
                var unused = Deadline.of(sendAll(primary, next, PROBE), LONGEST_ROUND, scheduler)
                        .whenComplete((done, failure) -> {
                            rounds.remove(primary);
                            goOn();
                        });
            }
        });
        goOn();
    }

    /** Looks again in a moment, if anything is pending. */
    private void goOn() {
        if (size() > 0) {
            warn();
            retryLater();
        } else {
            suspects.set(0);
            lastError = SILENT;
            if (warned.compareAndSet(true, false)) {
                log.info("All pending invalidations have been sent");
            }
        }
    }

    /** The primaries of pending keys, and how many of these are changes. */
    private Map<RedisPrimary, Integer> pendingByPrimary() {
        Map<RedisPrimary, Integer> all = new HashMap<>();
        pending.forEach((key, mark) -> all.merge(shared.primaryOf(key), mark.is(Kind.CHANGE) ? 1 : 0, Integer::sum));
        return all;
    }

    /** Flushes, where there has been an overflow, from the beginning. */
    private void flush() {
        shared.primaries().forEach(primary -> {
            Overflow overflowed = flushes.begin(primary);
            if (overflowed == null) {
                return;
            }
            var unused = new FullFlush(shared, primary, scheduler, keyPrefix, overflowed, offersEnd)
                    .run()
                    .whenComplete((done, failure) -> {
                        if (failure != null) {
                            lastError = "the flush failed: " + SharedTierException.reasonOf(failure);
                        }
                        if (flushes.end(primary, failure == null, shared.primaries())) {
                            log.info(
                                    "The entries of the facets {} have been flushed from Redis; Redis is used for them again",
                                    overflowed.facets());
                        }
                    });
        });
    }

    /** Sends a primary batch after batch, as long as it confirms any; without waiting, so that no renewal of a claim waits behind it. */
    private CompletableFuture<?> sendAll(RedisPrimary primary, Iterator<Map.Entry<String, Mark>> changes, int most) {
        List<CompletableFuture<Boolean>> sent = new ArrayList<>();
        while (sent.size() < most && changes.hasNext()) {
            Map.Entry<String, Mark> change = changes.next();
            if (!shared.primaryOf(change.getKey()).equals(primary)
                    || (change.getValue().is(Kind.SUSPECT) && unsettled.contains(primary))) {
                continue; // the latter may not be needed
            }
            sent.add(sendAndConfirm(change.getKey(), change.getValue()).handle((done, failure) -> failure == null));
        }
        return CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new))
                .thenComposeAsync(
                        done -> {
                            long confirmed = sent.stream()
                                    .filter(CompletableFuture::join)
                                    .count();
                            resent.add(confirmed);
                            return confirmed > 0 && changes.hasNext()
                                    ? sendAll(primary, changes, BATCH)
                                    : CompletableFuture.completedFuture(null);
                        },
                        scheduler);
    }

    /**
     * Sends a fence without waiting. It is removed on the connection's event loop: a loss of the connection that comes
     * after the confirmation finds it among the recent ones.
     *
     * <p>A fence that was under way while its key came to another primary may be on the one before: it is not confirmed, and sent again.
     */
    private CompletableFuture<Void> sendAndConfirm(String key, Object mark) {
        long losses = losses();
        return shared.sendFence(key).thenAccept(done -> {
            recent.add(key, System.nanoTime(), provenAt());
            if (shared.hasMovedSince(key, losses)) {
                throw new CompletionException(
                        new SharedTierException("the key has come to another primary meanwhile", null));
            }
            if (pending.remove(key, mark) && shared.isCluster()) {
                counts.computeIfPresent(shared.primaryOf(key), (primary, count) -> count - 1);
            }
        });
    }

    /** A line in the log now and then, not one for each fence. */
    private void warn() {
        long now = System.nanoTime();
        long due = nextWarningAt.get();
        if (now - due < 0) {
            return; // before all that is kept is looked at
        }
        Duration oldest = oldest();
        if (oldest != null && nextWarningAt.compareAndSet(due, now + WARNING.toNanos())) {
            warned.set(true);
            log.warn(
                    "{} invalidations are not confirmed, the oldest for {} s; they are sent again until they are ({})",
                    size(),
                    oldest.toSeconds(),
                    lastError);
        }
    }
}
