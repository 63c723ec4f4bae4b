package dev.usher;

import com.github.benmanes.caffeine.cache.Ticker;
import dev.usher.SingleFlight.Flight;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is done for users that memory does not know (a read-through), top to bottom: the shared tier, then the source under a claim, or
 * whatever other processes, which hold the claims, have stored.
 *
 * <p>The caller's own thread does the work, for one user as for many. Thread-safe.
 */
final class ReadThrough<K, V> {

    private static final Logger log = LoggerFactory.getLogger(ReadThrough.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = GuardProtocol.LEASE.dividedBy(3);

    private final Engine engine;
    private final SharedTier shared;
    private final FenceOutbox fences;
    private final CachedFacet<K, V> facet;
    private final CachePolicy policy;
    private final EntryCodec<V> codec;
    private final Counters counters;
    private final NearTier<K, V> near;
    private final TrackedReads<K, V> reads;
    private final SourceReads<K, V> source;
    private final ClaimWaits<K, V> claimWaits;
    private final RefreshAhead ahead;
    private final WakeUps<K> wakeUps = new WakeUps<>();
    private final Absences<K> absences;

    ReadThrough(Engine engine, CachedFacet<K, V> facet, UserSource<K, V> source, NearTier<K, V> near) {
        this.engine = engine;
        this.shared = engine.shared();
        this.fences = engine.fences();
        this.facet = facet;
        this.policy = facet.policy();
        this.codec = facet.codec();
        this.counters = facet.counters();
        this.near = near;
        this.reads = new TrackedReads<>(shared, engine::sessionOfReads, near, codec, fences, counters);
        this.source = new SourceReads<>(facet, source, near, reads);
        this.claimWaits = new ClaimWaits<>(policy.claimWait(), this.source);
        this.ahead = new RefreshAhead(policy, engine.executor());
        this.absences = new Absences<>(policy.absentTtl(), Ticker.systemTicker());
    }

    /** Its reads of Redis. */
    TrackedReads<K, V> reads() {
        return reads;
    }

    /** Its reads of the source. */
    SourceReads<K, V> source() {
        return source;
    }

    /** When an entry in memory is loaded again. */
    RefreshAhead ahead() {
        return ahead;
    }

    /** Wakes the loads that wait for another process: all of them, or those of a user. */
    WakeUps<K> wakeUps() {
        return wakeUps;
    }

    /** Loads, and lands or fails each of these flights for itself. */
    void load(List<Flight<K, V>> mine, Bulkhead.Call call) throws InterruptedException {
        if (codec.isUnfit()) {
            loadUnstored(mine, call);
            return;
        }
        List<Miss<K, V>> misses = new ArrayList<>(mine.size());
        List<Miss<K, V>> withoutRedis = new ArrayList<>(0);
        for (Flight<K, V> flight : mine) {
            Miss<K, V> miss = new Miss<>(facet.keyOf(flight.key()), flight);
            (fences.isPending(miss.key) ? withoutRedis : misses).add(miss);
        }
        try {
            // First those that Redis may know: the source may fail the others, or let them wait.
            if (!misses.isEmpty()) {
                withoutRedis.addAll(loadShared(misses, call));
            }
            if (!withoutRedis.isEmpty()) {
                loadWithoutRedis(withoutRedis, call);
            }
        } finally {
            // Another load of the same user, begun after a change, may wait for the same; it will see for itself.
            misses.forEach(miss -> wakeUps.wake(miss.id));
        }
    }

    /** Values that cannot be cached are in no tier, and no caller waits for one to be stored. */
    void loadUnstored(List<Flight<K, V>> mine, Bulkhead.Call call) {
        List<Miss<K, V>> misses = mine.stream()
                .map(flight -> new Miss<>(facet.keyOf(flight.key()), flight))
                .toList();
        source.load(misses, call);
        misses.forEach(miss -> {
            if (miss.failure() == null && miss.loadedBytes() == null) {
                counters.fillsNotEncoded.increment();
            }
            miss.completeLoaded();
        });
    }

    /** Lands or fails what Redis can be asked of; returns the rest, when it fails. */
    private List<Miss<K, V>> loadShared(List<Miss<K, V>> misses, Bulkhead.Call call) throws InterruptedException {
        try {
            askShared(misses, call);
            return List.of();
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            List<Miss<K, V>> left = misses.stream().filter(Miss::isOpen).toList();
            // Claims may have been granted although the answer did not come.
            release(left);
            return left;
        }
    }

    /** The shared tier; then claims, and the source; or whatever other processes, which hold the claims, have stored. */
    private void askShared(List<Miss<K, V>> misses, Bulkhead.Call call)
            throws SharedTierException, InterruptedException {
        ClaimWaits<K, V>.Wait wait = claimWaits.begin();
        List<CompletableFuture<Void>> awaited = List.of();
        List<Miss<K, V>> left = misses;
        while (true) {
            left = readShared(left);
            if (left.isEmpty()) {
                return;
            }
            if (source.isRefused(call)) {
                // Before the claim: Redis is not to do work for a load that will not be made.
                refuse(left, call);
                return;
            }
            Duration held = claim(left, call);
            left = left.stream().filter(Miss::isOpen).toList();
            List<Miss<K, V>> inVain =
                    left.stream().filter(claimWaits::isAwaitedInVain).toList();
            if (!inVain.isEmpty()) {
                loadPastClaims(inVain, call);
                left = left.stream().filter(Miss::isOpen).toList();
            }
            if (left.isEmpty()) {
                return;
            }
            if (wait.isInVain()) {
                left.forEach(claimWaits::noteAwaitedInVain);
            }
            long patience = wait.patience(call);
            if (patience > 0 && held.isZero()) {
                continue; // something unreadable has been stored meanwhile, and the read will meet it
            }
            if (patience <= 0 || !call.takePlace()) {
                loadPastClaims(left, call);
                return;
            }
            if (awaited.isEmpty()) {
                counters.claimWaits.add(left.size());
            } else {
                // The push of a fill ends the wait; where nothing is pushed, reading again now and then does.
                boolean isPushed = left.stream().allMatch(miss -> shared.session(miss.key) != null);
                long longest = isPushed ? held.toNanos() : wait.nextPause();
                engine.requireOpen();
                wait.await(awaited, Math.min(patience, longest));
                engine.requireOpen();
            }
            // Before the next read: what is stored after that read is pushed.
            awaited = wakeUps.of(left.stream().map(miss -> miss.id).toList());
        }
    }

    /** Asks the source for what other processes hold the claims of, or cannot be claimed. It is not stored. */
    private void loadPastClaims(List<Miss<K, V>> misses, Bulkhead.Call call) {
        source.load(misses, call);
        misses.forEach(miss -> miss.completeLoaded());
    }

    /** Lands what Redis holds, and returns the rest. */
    private List<Miss<K, V>> readShared(List<Miss<K, V>> misses) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
        }
        List<@Nullable Entry<V>> entries = reads.readAndCache(misses, ahead.afterRead());
        List<Miss<K, V>> left = new ArrayList<>(0);
        for (int i = 0; i < misses.size(); i++) {
            Entry<V> entry = entries.get(i);
            if (entry == null) {
                left.add(misses.get(i));
            } else {
                misses.get(i).completeShared(entry);
            }
        }
        return left;
    }

    /**
     * Claims what is missing, lands what has been stored meanwhile, and loads what is granted.
     *
     * @return how long others hold their claims on the rest, at least; zero when none does
     */
    Duration claim(List<Miss<K, V>> misses, Bulkhead.Call call) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
            miss.heldUnder = null;
            if (miss.token == null) {
                miss.token = engine.nextToken();
            }
        }
        List<Claim> claims = shared.awaitAll(
                keysOf(misses),
                misses.stream()
                        .map(miss -> shared.guards(miss.key).claim(miss.key, miss.token(), miss.replaced))
                        .toList());
        List<Miss<K, V>> granted = new ArrayList<>();
        Duration held = Duration.ZERO;
        for (int i = 0; i < misses.size(); i++) {
            Miss<K, V> miss = misses.get(i);
            Claim claim = claims.get(i);
            if (claim instanceof Claim.Granted mine) {
                if (mine.overAnotherType()) {
                    reads.noteUnreadable(miss.key, "another type");
                }
                miss.isClaimedOverNothing = mine.overNothing();
                granted.add(miss);
            } else if (claim instanceof Claim.Held others) {
                miss.heldUnder = others.token();
                held = held.isZero() || others.left().compareTo(held) < 0 ? others.left() : held;
            } else if (claim instanceof Claim.Stored stored) {
                try {
                    miss.completeShared(codec.decode(stored.value()));
                } catch (UnreadableEntryException e) {
                    log.debug("{} has been stored meanwhile, and cannot be read", miss.key);
                }
            }
        }
        if (!granted.isEmpty()) {
            loadUnderClaim(granted, call);
        }
        return held;
    }

    /** Loads, stores and keeps. The claims of those that could not be loaded are given up. */
    void loadUnderClaim(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        loadRenewing(claimed, call);
        List<Miss<K, V>> loaded = new ArrayList<>(claimed.size());
        for (Miss<K, V> miss : claimed) {
            if (miss.failure() == null) {
                loaded.add(miss);
            } else {
                release(miss);
            }
        }
        List<Miss<K, V>> filled = loaded.isEmpty() ? List.of() : fill(loaded);
        try {
            // Never kept as it was loaded, but as Redis says it, so that Redis will say when it changes.
            if (!filled.isEmpty()) {
                var unused = reads.readAndCache(filled, ahead.afterFill());
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        claimed.forEach(miss -> miss.completeLoaded());
    }

    /** Stores the loaded values, except absences that are not worth a key, and returns the users that were stored. */
    private List<Miss<K, V>> fill(List<Miss<K, V>> claimed) {
        List<Miss<K, V>> sent = new ArrayList<>(claimed.size());
        List<CompletableFuture<Fill>> fills = new ArrayList<>(claimed.size());
        for (Miss<K, V> miss : claimed) {
            byte[] value = encodedToFill(miss);
            if (value != null) {
                miss.nextStep();
                sent.add(miss);
                GuardProtocol guards = shared.guards(miss.key);
                fills.add(
                        isWorthAKey(miss)
                                ? guards.fill(miss.key, miss.token(), value, lifeOf(miss.loaded()), miss.replaced)
                                : guards.absent(miss.key, miss.token(), value, miss.isClaimedOverNothing));
            }
        }
        List<Miss<K, V>> filled = new ArrayList<>(sent.size());
        try {
            List<Fill> answers = shared.awaitAll(keysOf(sent), fills);
            for (int i = 0; i < answers.size(); i++) {
                Miss<K, V> miss = sent.get(i);
                // What was read before may stand in memory, and the push that drives it out may still be on its way.
                near.forget(miss.id);
                if (answers.get(i) == Fill.REFUSED) {
                    counters.fillsRefused.increment();
                    miss.isRefused = true;
                    // The claim may stand all the same, and others would wait for it.
                    release(miss);
                } else {
                    // Nothing has changed between the claim and the fill, so what was loaded was still true then.
                    miss.confirmLoaded();
                    miss.isSettled = true;
                    if (answers.get(i) == Fill.STORED) {
                        filled.add(miss);
                    }
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        return filled;
    }

    /** An absence that replaces something says that a user is gone, and the others are counted. */
    private boolean isWorthAKey(Miss<K, V> miss) {
        return miss.loaded().value() != null || miss.replaced != null || absences.isWorthAKey(miss.id);
    }

    /** What to store, or {@code null}, with the claim given up, for a value that cannot be stored. */
    private byte @Nullable [] encodedToFill(Miss<K, V> miss) {
        byte[] value = miss.loadedBytes();
        if (value == null) {
            counters.fillsNotEncoded.increment();
            release(miss);
        }
        return value;
    }

    /**
     * A caller that cannot ask Redis cannot be told of a change, and may be answered with what was read before it came, from memory
     * too, for as long as the policy allows.
     */
    private void loadWithoutRedis(List<Miss<K, V>> misses, Bulkhead.Call call) {
        long readFrom = System.nanoTime();
        source.load(misses, shared::sessionWithoutRedis, call);
        boolean isWithinBound =
                System.nanoTime() - readFrom < policy.unheardBound().toNanos();
        misses.forEach(miss -> miss.completeLoaded(isWithinBound));
    }

    private void loadRenewing(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        long giveUpAt = System.nanoTime() + ClaimWaits.LONGEST_CLAIM.toNanos();
        ScheduledFuture<?> renewal = engine.scheduler()
                .scheduleAtFixedRate(
                        () -> {
                            if (System.nanoTime() - giveUpAt < 0) {
                                claimed.forEach(this::renew);
                            }
                        },
                        RENEWAL.toNanos(),
                        RENEWAL.toNanos(),
                        TimeUnit.NANOSECONDS);
        try {
            source.load(claimed, call);
        } catch (RuntimeException | Error e) {
            release(claimed);
            throw e;
        } finally {
            renewal.cancel(false);
        }
    }

    void refuse(List<Miss<K, V>> misses, Bulkhead.Call call) {
        source.refuse(misses, call);
        misses.forEach(miss -> miss.completeLoaded());
    }

    private static List<String> keysOf(List<? extends Miss<?, ?>> misses) {
        return misses.stream().map(miss -> miss.key).toList();
    }

    /** Gives up the claims that have been asked for. */
    private void release(List<Miss<K, V>> misses) {
        misses.forEach(this::release);
    }

    void release(Miss<K, V> miss) {
        String token = miss.token;
        if (token != null) {
            shared.guards(miss.key).release(miss.key, token, miss.isClaimedOverNothing);
        }
    }

    private void renew(Miss<K, V> miss) {
        String token = miss.token;
        // The last renewal may still be under way when the claim is no longer needed.
        if (token != null) {
            shared.guards(miss.key).renew(miss.key, token);
        }
    }

    private Duration lifeOf(Entry<V> entry) {
        return policy.jittered(entry.value() == null ? policy.absentTtl() : policy.ttl());
    }
}
