package dev.usher;

import com.github.benmanes.caffeine.cache.Ticker;
import dev.usher.NearTier.Reservation;
import dev.usher.SingleFlight.Flight;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Claiming;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.GuardProtocol.Filling;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is done for users that memory does not know (a read-through), top to bottom: the shared tier, then the source under a claim, or
 * whatever other processes, which hold the claims, have stored.
 *
 * <p>Between the steps of a load no thread waits, unless its caller does. Thread-safe.
 */
final class ReadThrough<K, V> {

    private static final Logger log = LoggerFactory.getLogger(ReadThrough.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = GuardProtocol.LEASE.dividedBy(3);

    private static final CompletableFuture<Void> DONE = CompletableFuture.completedFuture(null);

    private final Engine engine;
    private final SharedTier shared;
    private final Belief belief;
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
        this.facet = facet;
        this.policy = facet.policy();
        this.belief = new Belief(engine.fences(), shared, policy);
        this.codec = facet.codec();
        this.counters = facet.counters();
        this.near = near;
        this.reads = new TrackedReads<>(
                shared, key -> engine.sessionOfReads(key, policy.failsClosed()), near, codec, belief, counters);
        this.source = new SourceReads<>(engine, facet, source, near, reads);
        this.claimWaits = new ClaimWaits<>(policy.claimWait(), this.source);
        this.ahead = new RefreshAhead(policy, engine.executor());
        this.absences = new Absences<>(policy.absentTtl(), Ticker.systemTicker());
    }

    /** Whether it believes Redis. */
    Belief belief() {
        return belief;
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

    /**
     * Loads, and answers or fails each of these flights for itself.
     *
     * @return completed when that is done; it fails with an {@link Error} of the source
     */
    CompletableFuture<Void> load(List<Flight<K, V>> mine, Bulkhead.Call call) {
        if (codec.isUnfit()) {
            return loadUnstored(mine, call);
        }
        long losses = engine.fences().losses(); // before it is asked whether Redis is believed
        List<Miss<K, V>> misses = new ArrayList<>(mine.size());
        List<Miss<K, V>> withoutRedis = new ArrayList<>(0);
        for (Flight<K, V> flight : mine) {
            Miss<K, V> miss = new Miss<>(facet.keyOf(flight.key()), flight);
            (belief.in(miss.key) ? misses : withoutRedis).add(miss);
        }
        if (misses.isEmpty()) {
            return loadWithoutRedis(withoutRedis, call);
        }
        // First those that Redis may know: the source may fail the others, or let them wait.
        if (!shared.isCluster()) {
            return Futures.then(Futures.of(() -> new SharedLoad(misses, losses, call).ask()), (done, failure) -> {
                withoutRedis.addAll(unanswered(misses, failure));
                return loadWithoutRedis(withoutRedis, call);
            });
        }
        List<CompletableFuture<List<Miss<K, V>>>> parts = new ArrayList<>(1);
        for (List<Miss<K, V>> part : shared.partsOf(misses, miss -> miss.key)) {
            parts.add(loadFromShared(part, losses, call));
        }
        CompletableFuture<?> all =
                parts.size() == 1 ? parts.get(0) : CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new));
        return all.thenCompose(done -> {
            parts.forEach(part -> withoutRedis.addAll(part.join()));
            return loadWithoutRedis(withoutRedis, call);
        });
    }

    /**
     * Loads what is on one primary.
     *
     * @return those that the primary has not answered; it fails as {@link #load} does
     */
    private CompletableFuture<List<Miss<K, V>>> loadFromShared(
            List<Miss<K, V>> misses, long losses, Bulkhead.Call call) {
        return Futures.of(() -> new SharedLoad(misses, losses, call).ask())
                .handle((done, failure) -> unanswered(misses, failure));
    }

    /**
     * Ends a load from the shared tier.
     *
     * @return those that it has not answered
     * @throws CompletionException with the failure, when that is none of Redis
     */
    private List<Miss<K, V>> unanswered(List<Miss<K, V>> misses, @Nullable Throwable failure) {
        List<Miss<K, V>> left = failure != null
                ? misses.stream().filter(Miss::isOpen).toList()
                : shared.isCluster()
                        ? misses.stream()
                                .filter(miss -> miss.isElsewhere && miss.isOpen())
                                .toList()
                        : List.of();
        // Claims may have been granted although the answer did not come.
        release(left);
        for (Miss<K, V> miss : misses) {
            // Another load of the same user, begun after a change, may wait for the same; it will see for itself.
            wakeUps.wake(miss.id);
        }
        if (failure != null) {
            countSharedError(failure);
        } else if (!left.isEmpty()) {
            counters.sharedErrors.increment();
        }
        return left;
    }

    /** Values that cannot be cached are in no tier, and no caller waits for one to be stored. */
    CompletableFuture<Void> loadUnstored(List<Flight<K, V>> mine, Bulkhead.Call call) {
        List<Miss<K, V>> misses = mine.stream()
                .map(flight -> new Miss<>(facet.keyOf(flight.key()), flight))
                .toList();
        return source.load(misses, call)
                .thenAccept(done -> misses.forEach(miss -> {
                    if (miss.failure() == null && miss.loadedBytes() == null) {
                        counters.fillsNotEncoded.increment();
                    }
                    miss.completeLoaded();
                }));
    }

    /**
     * Counts an error of Redis.
     *
     * @throws CompletionException with the failure, when it is another one
     */
    void countSharedError(Throwable failure) {
        Throwable cause = Futures.causeOf(failure);
        if (!(cause instanceof SharedTierException)) {
            throw new CompletionException(cause);
        }
        counters.sharedErrors.increment();
    }

    /** A load from the shared tier; then under claims, from the source; or from whatever other processes, which hold the claims, have stored. */
    private final class SharedLoad {

        private final Bulkhead.Call call;
        private final ClaimWaits<K, V>.Wait wait = claimWaits.begin();

        /** How often the connection of the fences had been lost when this load began, and Redis was believed. */
        private final long losses;

        private List<CompletableFuture<Void>> awaited = List.of();
        private List<Miss<K, V>> left;

        private SharedLoad(List<Miss<K, V>> misses, long losses, Bulkhead.Call call) {
            this.call = call;
            this.losses = losses;
            this.left = misses;
        }

        /** Completed when each miss is answered or has failed; fails when Redis does. */
        private CompletableFuture<Void> ask() {
            left.forEach(Miss::nextStep);
            return reads.readAndCache(left, ahead.afterRead(), call.steps()).thenCompose(entries -> {
                if (engine.fences().losses() != losses && shared.hasLostSince(keysOf(left), losses)) {
                    // Another server may have answered, which is without a fence of this node that was confirmed before
                    // the load began.
                    requireBelieved(left);
                }
                left = completeFound(left, entries);
                if (left.isEmpty()) {
                    return DONE;
                }
                if (source.isRefused(call)) {
                    // Before the claim: Redis is not to do work for a load that will not be made.
                    refuse(left, call);
                    return DONE;
                }
                return claim(left, call).thenCompose(this::loadOrWait);
            });
        }

        /**
         * Goes on with what could not be claimed.
         *
         * @param held how long others hold their claims, at least; zero when none does
         */
        private CompletableFuture<Void> loadOrWait(Duration held) {
            left = unclaimed();
            List<Miss<K, V>> inVain =
                    left.stream().filter(claimWaits::isAwaitedInVain).toList();
            return inVain.isEmpty()
                    ? waitForOthers(held)
                    : loadPastClaims(inVain, call).thenCompose(done -> {
                        left = unclaimed();
                        return waitForOthers(held);
                    });
        }

        private List<Miss<K, V>> unclaimed() {
            return left.stream()
                    .filter(miss -> miss.isOpen() && !miss.isElsewhere)
                    .toList();
        }

        private CompletableFuture<Void> waitForOthers(Duration held) {
            if (left.isEmpty()) {
                return DONE;
            }
            if (wait.isInVain()) {
                left.forEach(claimWaits::noteAwaitedInVain);
            }
            long patience = wait.patience(call);
            if (patience > 0 && held.isZero()) {
                return ask(); // something unreadable has been stored meanwhile, and the read will meet it
            }
            if (patience <= 0 || !call.takePlace()) {
                return loadPastClaims(left, call);
            }
            CompletableFuture<Void> mayHaveBeenStored;
            if (awaited.isEmpty()) {
                counters.claimWaits.add(left.size());
                mayHaveBeenStored = DONE;
            } else {
                // The push of a fill ends the wait; where nothing is pushed, reading again now and then does.
                boolean isPushed = left.stream().allMatch(miss -> shared.session(miss.key) != null);
                long longest = isPushed ? held.toNanos() : wait.nextPause();
                engine.requireOpen();
                mayHaveBeenStored = wait.await(awaited, Math.min(patience, longest), call);
            }
            return mayHaveBeenStored.thenCompose(done -> {
                engine.requireOpen();
                // Before the next read: what is stored after that read is pushed.
                awaited = wakeUps.of(left.stream().map(miss -> miss.id).toList());
                return ask();
            });
        }
    }

    /** Asks the source for what other processes hold the claims of, or cannot be claimed. It is not stored. */
    private CompletableFuture<Void> loadPastClaims(List<Miss<K, V>> misses, Bulkhead.Call call) {
        return source.load(misses, call).thenAccept(done -> misses.forEach(miss -> miss.completeLoaded()));
    }

    /** Answers with what Redis holds, and returns the rest, but for users that are elsewhere. */
    private List<Miss<K, V>> completeFound(List<Miss<K, V>> misses, List<@Nullable Entry<V>> entries) {
        List<Miss<K, V>> left = new ArrayList<>(0);
        List<Miss<K, V>> unbelieved = new ArrayList<>(0);
        for (int i = 0; i < misses.size(); i++) {
            Entry<V> entry = entries.get(i);
            if (misses.get(i).isElsewhere) {
                continue;
            }
            if (entry == null) {
                left.add(misses.get(i));
            } else if (belief.stillIn(misses.get(i).key)) {
                misses.get(i).completeShared(entry);
            } else {
                unbelieved.add(misses.get(i));
            }
        }
        requireBelieved(unbelieved);
        return left;
    }

    /** What was asked while this node believed Redis, and answered when it did not any more, is asked of the source. */
    private static void requireBelieved(List<? extends Miss<?, ?>> unbelieved) {
        if (!unbelieved.isEmpty()) {
            throw new CompletionException(SharedTierException.ofDisbelief(unbelieved.get(0).key));
        }
    }

    /**
     * Claims what is missing, lands what has been stored meanwhile, and loads what is granted.
     *
     * @return how long others hold their claims on the rest, at least; zero when none does
     */
    CompletableFuture<Duration> claim(List<Miss<K, V>> misses, Bulkhead.Call call) {
        // One for all: claims under one token go together.
        String token = engine.nextToken();
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
            miss.heldUnder = null;
            if (miss.token == null) {
                miss.token = token;
            }
        }
        return shared.claim(
                        misses.stream()
                                .map(miss -> new Claiming(miss.key, miss.token(), miss.replaced))
                                .toList(),
                        call.steps())
                .thenCompose(claims -> claimed(misses, claims, call));
    }

    private CompletableFuture<Duration> claimed(List<Miss<K, V>> misses, List<Claim> claims, Bulkhead.Call call) {
        List<Miss<K, V>> granted = new ArrayList<>();
        List<Runnable> stored = new ArrayList<>(0);
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
            } else if (claim instanceof Claim.Elsewhere) {
                miss.isElsewhere = true;
            } else if (claim instanceof Claim.Stored other) {
                stored.add(() -> completeStored(miss, other.value()));
            }
        }
        Duration atLeast = held;
        CompletableFuture<Void> decoded = stored.isEmpty()
                ? DONE
                : call.steps().run(() -> {
                    stored.forEach(Runnable::run);
                    return null;
                });
        return decoded.thenCompose(done -> granted.isEmpty() ? DONE : loadUnderClaim(granted, call))
                .thenApply(done -> atLeast);
    }

    private void completeStored(Miss<K, V> miss, byte[] value) {
        try {
            Entry<V> entry = codec.decode(value);
            requireBelieved(belief.stillIn(miss.key) ? List.of() : List.of(miss));
            miss.completeShared(entry);
        } catch (UnreadableEntryException e) {
            log.debug("{} has been stored meanwhile, and cannot be read", miss.key);
        }
    }

    /** Loads under claims, and answers as soon as the source has; no caller waits for what was loaded to be stored. */
    private CompletableFuture<Void> loadUnderClaim(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        return loadClaimed(claimed, call).thenAccept(loaded -> {
            loaded.forEach(Miss::answerLoaded);
            var unused = store(loaded);
        });
    }

    /** Loads. The claims of those that could not be loaded are given up, and their flights fail; brings the others. */
    CompletableFuture<List<Miss<K, V>>> loadClaimed(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        return loadRenewing(claimed, call).thenApply(done -> {
            List<Miss<K, V>> loaded = new ArrayList<>(claimed.size());
            for (Miss<K, V> miss : claimed) {
                if (miss.failure() == null) {
                    loaded.add(miss);
                } else {
                    release(miss);
                    miss.completeLoaded();
                }
            }
            return loaded;
        });
    }

    /**
     * Stores what was loaded under claims, reads it back, and completes the flights.
     *
     * @return completed when that is done, or has come to nothing
     */
    CompletableFuture<Void> store(List<Miss<K, V>> loaded) {
        if (loaded.isEmpty()) {
            return DONE;
        }
        // A caller that has its answer is not to send many fills. The executor may be busy for longer than a claim
        // lives.
        CompletableFuture<List<Miss<K, V>>> sent = loaded.size() == 1
                ? Futures.of(() -> fill(loaded))
                : renewing(loaded, () -> engine.stepsOfOwn().compose(() -> fill(loaded)));
        return sent.thenCompose(filled -> filled.isEmpty() || near.isOff() ? DONE : readBack(filled))
                .handle((done, failure) -> {
                    if (failure != null) {
                        noteNotStored(loaded, Futures.causeOf(failure));
                    }
                    for (Miss<K, V> miss : loaded) {
                        miss.completeLoaded();
                        wakeUps.wake(miss.id);
                    }
                    return null;
                });
    }

    private void noteNotStored(List<Miss<K, V>> loaded, Throwable failure) {
        if (failure instanceof SharedTierException) {
            counters.sharedErrors.increment();
        } else {
            // The caches have been closed, most likely.
            log.debug("{} could not be stored, or not be read back", keysOf(loaded), failure);
        }
    }

    /** What is in memory is never what was loaded, but what Redis says, so that Redis will say when it changes. */
    private CompletableFuture<Void> readBack(List<Miss<K, V>> filled) {
        filled.forEach(Miss::nextStep);
        return reads.readBack(filled, ahead.afterFill(), engine.stepsOfOwn()).thenAccept(entries -> {
            for (int i = 0; i < filled.size(); i++) {
                Miss<K, V> miss = filled.get(i);
                Entry<V> entry = entries.get(i);
                if (!belief.stillIn(miss.key)) {
                    continue;
                }
                if (miss.isReadBack) {
                    miss.confirmLoaded();
                } else if (entry != null) {
                    miss.completeShared(entry);
                }
            }
        });
    }

    /** Stores the loaded values, except absences that are not worth a key, and brings the users that were stored. */
    private CompletableFuture<List<Miss<K, V>>> fill(List<Miss<K, V>> claimed) {
        List<Miss<K, V>> present = new ArrayList<>(claimed.size());
        List<Filling> fillings = new ArrayList<>(claimed.size());
        List<Miss<K, V>> absent = new ArrayList<>(0);
        List<CompletableFuture<Fill>> absences = new ArrayList<>(0);
        for (Miss<K, V> miss : claimed) {
            byte[] value = encodedToFill(miss);
            if (value == null) {
                continue;
            }
            miss.nextStep();
            if (isWorthAKey(miss)) {
                present.add(miss);
                fillings.add(new Filling(miss.key, miss.token(), value, lifeOf(miss.loaded()), miss.replaced));
            } else {
                absent.add(miss);
                absences.add(shared.guards(miss.key).absent(miss.key, miss.token(), value, miss.isClaimedOverNothing));
            }
        }
        Steps steps = engine.stepsOfOwn();
        CompletableFuture<List<Miss<K, V>>> filled =
                shared.fill(fillings, steps).thenApply(answers -> filled(present, answers));
        return absent.isEmpty()
                ? filled
                : filled.thenCombine(
                        shared.all(keysOf(absent), absences, steps).thenApply(answers -> filled(absent, answers)),
                        (some, others) ->
                                Stream.concat(some.stream(), others.stream()).toList());
    }

    private List<Miss<K, V>> filled(List<Miss<K, V>> sent, List<Fill> answers) {
        List<Miss<K, V>> filled = new ArrayList<>(sent.size());
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
                if (belief.stillIn(miss.key)) {
                    miss.confirmLoaded();
                }
                miss.isSettled = true;
                if (answers.get(i) == Fill.STORED) {
                    filled.add(miss);
                }
            }
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
    private CompletableFuture<Void> loadWithoutRedis(List<Miss<K, V>> misses, Bulkhead.Call call) {
        if (misses.isEmpty()) {
            return DONE;
        }
        long readFrom = System.nanoTime();
        List<@Nullable Reservation> ofRefusals = reserveForRefusals(misses);
        return source.load(misses, shared::sessionWithoutRedis, call).thenAccept(done -> {
            cacheRefusals(misses, ofRefusals);
            boolean isWithinBound =
                    System.nanoTime() - readFrom < policy.unheardBound().toNanos();
            misses.forEach(miss -> miss.completeLoaded(isWithinBound));
        });
    }

    /**
     * A banned user that goes on asking is not to cost a query each time: where a facet fails closed, an answer that refuses is cached for the bound.
     *
     * @return a reservation for each miss; none where no refusal is cached
     */
    private List<@Nullable Reservation> reserveForRefusals(List<Miss<K, V>> misses) {
        if (!policy.failsClosed() || codec.isUnfit()) {
            return List.of();
        }
        List<@Nullable Reservation> reservations = new ArrayList<>(misses.size());
        misses.forEach(miss -> reservations.add(near.reserveForRefusal(miss.id)));
        return reservations;
    }

    private void cacheRefusals(List<Miss<K, V>> misses, List<@Nullable Reservation> reservations) {
        for (int i = 0; i < reservations.size(); i++) {
            Miss<K, V> miss = misses.get(i);
            Entry<V> loaded = miss.loadedToCache();
            boolean isRefusal = loaded != null && facet.facet().isRefusal(loaded.value());
            near.publish(miss.id, reservations.get(i), isRefusal ? loaded : null);
        }
    }

    private CompletableFuture<Void> loadRenewing(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        return renewing(claimed, () -> source.load(claimed, call)).whenComplete((done, failure) -> {
            if (failure != null) {
                release(claimed);
            }
        });
    }

    /** Renews the claims until this is done. */
    private <T> CompletableFuture<T> renewing(List<Miss<K, V>> claimed, Supplier<CompletableFuture<T>> work) {
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
        return Futures.of(work).whenComplete((done, failure) -> renewal.cancel(false));
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
