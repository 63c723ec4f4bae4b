package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import dev.usher.Bulkhead.CrowdedException;
import dev.usher.Bulkhead.OverdueException;
import dev.usher.GuardProtocol.Claim;
import dev.usher.GuardProtocol.Fill;
import dev.usher.GuardProtocol.Refresh;
import dev.usher.NearTier.Reservation;
import dev.usher.NearTier.Resident;
import dev.usher.SingleFlight.Flight;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is done for who misses (a read-through), top to bottom: the shared tier, then the source under a claim, or whatever other
 * processes, which hold the claims, have stored.
 *
 * <p>The caller's own thread does the work, for one user as for many. Thread-safe.
 */
final class ReadThrough<K, V> {

    private static final Logger log = LoggerFactory.getLogger(ReadThrough.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = GuardProtocol.LEASE.dividedBy(3);

    /** A source that hangs does not keep the entries from other processes for longer. */
    private static final Duration LONGEST_CLAIM = Duration.ofSeconds(30);

    /** How long a load waits for another process while all places are taken: well within the grace of those that wait for it. */
    private static final Duration CROWD_WAIT = Bulkhead.GRACE.dividedBy(2);

    private static final int MAX_IN_VAIN = 10_000;

    private static final Duration FIRST_PAUSE = Duration.ofMillis(2);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    private final UserCaches caches;
    private final SharedTier shared;
    private final GuardProtocol guards;
    private final FenceOutbox fences;
    private final UserSource<K, V> source;
    private final CachePolicy policy;
    private final KeySpace keys;
    private final EntryCodec<V> codec;
    private final NearTier<K, V> near;
    private final TrackedReads<K, V> reads;
    private final SourceCalls<K, V> calls;
    private final BatchedLoads<K, Loaded<V>> loads;
    private final Bulkhead bulkhead;
    private final RefreshAhead ahead;
    private final Counters counters;
    private final WakeUps<K> wakeUps;
    private final RateLimitedLog refreshLog = new RateLimitedLog(log);
    private final Absences<K> absences;

    /** The claims that callers have waited for in vain, by id. No claim is renewed for longer than they are remembered. */
    private final Cache<K, String> awaitedInVain = Caffeine.newBuilder()
            .executor(Runnable::run)
            .maximumSize(MAX_IN_VAIN)
            .expireAfterWrite(LONGEST_CLAIM)
            .build();

    ReadThrough(
            UserCaches caches,
            UserSource<K, V> source,
            CachePolicy policy,
            KeySpace keys,
            EntryCodec<V> codec,
            NearTier<K, V> near,
            TrackedReads<K, V> reads,
            RefreshAhead ahead,
            Counters counters,
            SourceTroubles troubles,
            WakeUps<K> wakeUps,
            Bulkhead bulkhead) {
        this.caches = caches;
        this.shared = caches.shared();
        this.guards = shared.guards();
        this.fences = caches.fences();
        this.source = source;
        this.policy = policy;
        this.keys = keys;
        this.codec = codec;
        this.near = near;
        this.reads = reads;
        this.calls = new SourceCalls<>(source, counters, troubles, System::nanoTime);
        this.loads = new BatchedLoads<>(calls::load, policy.maxLoads());
        this.bulkhead = bulkhead;
        this.ahead = ahead;
        this.counters = counters;
        this.wakeUps = wakeUps;
        this.absences = new Absences<>(policy.absentTtl(), Ticker.systemTicker());
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
            Miss<K, V> miss = new Miss<>(keys.keyOf(flight.key()), flight);
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
    private void loadUnstored(List<Flight<K, V>> mine, Bulkhead.Call call) {
        List<Miss<K, V>> misses = mine.stream()
                .map(flight -> new Miss<>(keys.keyOf(flight.key()), flight))
                .toList();
        loadFromSource(misses, null, call);
        misses.forEach(miss -> {
            if (miss.failure() == null && miss.loadedBytes() == null) {
                counters.fillsNotEncoded.increment();
            }
            miss.landLoaded();
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
        long begin = System.nanoTime();
        long givesUpAt = begin + policy.claimWait().toNanos();
        long crowdGivesUpAt = begin + CROWD_WAIT.toNanos();
        Duration pause = Duration.ZERO;
        List<CompletableFuture<Void>> awaited = List.of();
        List<Miss<K, V>> left = misses;
        while (true) {
            left = readShared(left);
            if (left.isEmpty()) {
                return;
            }
            if (isRefused(call)) {
                // Before the claim: Redis is not to do work for a load that will not be made.
                refuse(left, call);
                return;
            }
            Duration held = claim(left, call);
            left = left.stream().filter(Miss::isOpen).toList();
            List<Miss<K, V>> inVain =
                    left.stream().filter(this::isAwaitedInVain).toList();
            if (!inVain.isEmpty()) {
                loadPastClaims(inVain, call);
                left = left.stream().filter(Miss::isOpen).toList();
            }
            if (left.isEmpty()) {
                return;
            }
            long patience = givesUpAt - System.nanoTime();
            if (patience <= 0) {
                left.forEach(this::noteAwaitedInVain);
            }
            patience = Math.min(patience, call.nanosLeft());
            if (bulkhead.isFull()) {
                // Callers without a place wait for this load, and not for long.
                patience = Math.min(patience, crowdGivesUpAt - System.nanoTime());
            }
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
                // The push of a fill wakes us; where nothing is pushed, looking again now and then does.
                pause = nextPause(pause);
                long longest = shared.session() == null ? pause.toNanos() : held.toNanos();
                caches.requireOpen();
                awaitFill(awaited, Math.min(patience, longest), crowdGivesUpAt);
                caches.requireOpen();
            }
            // Before the next read: what is stored after that read is pushed.
            awaited = wakeUps.of(left.stream().map(miss -> miss.id).toList());
        }
    }

    /** Waits until something may have been stored; no longer than is given, and not so long while all places are taken. */
    private void awaitFill(List<CompletableFuture<Void>> awaited, long nanos, long crowdGivesUpAt)
            throws InterruptedException {
        long until = System.nanoTime() + nanos;
        long left = nanos;
        while (left > 0 && awaited.stream().noneMatch(CompletableFuture::isDone)) {
            WakeUps.awaitAny(awaited, Math.min(left, CROWD_WAIT.toNanos()));
            if (bulkhead.isFull() && System.nanoTime() - crowdGivesUpAt >= 0) {
                return;
            }
            left = until - System.nanoTime();
        }
    }

    /** Asks the source for what other processes hold the claims of, or cannot be claimed. It is not stored. */
    private void loadPastClaims(List<Miss<K, V>> misses, Bulkhead.Call call) {
        loadFromSource(misses, null, call);
        misses.forEach(miss -> miss.landLoaded());
    }

    /** The claim has outlasted a caller's patience: the next callers do not wait for the same one. */
    private void noteAwaitedInVain(Miss<K, V> miss) {
        if (miss.heldUnder != null) {
            awaitedInVain.put(miss.id, miss.heldUnder);
        }
    }

    private boolean isAwaitedInVain(Miss<K, V> miss) {
        return miss.heldUnder != null && miss.heldUnder.equals(awaitedInVain.getIfPresent(miss.id));
    }

    /** Lands what Redis holds, and returns the rest. */
    private List<Miss<K, V>> readShared(List<Miss<K, V>> misses) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
        }
        List<@Nullable Entry<V>> entries = reads.readAndKeep(misses, ahead.afterRead());
        List<Miss<K, V>> left = new ArrayList<>(0);
        for (int i = 0; i < misses.size(); i++) {
            Entry<V> entry = entries.get(i);
            if (entry == null) {
                left.add(misses.get(i));
            } else {
                misses.get(i).landShared(entry);
            }
        }
        return left;
    }

    /**
     * Claims what is missing, lands what has been stored meanwhile, and loads what is granted.
     *
     * @return how long others hold their claims on the rest, at least; zero when nobody does
     */
    private Duration claim(List<Miss<K, V>> misses, Bulkhead.Call call) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
            miss.heldUnder = null;
            if (miss.token == null) {
                miss.token = caches.nextToken();
            }
        }
        List<Claim> claims = guards.awaitAll(misses.stream()
                .map(miss -> guards.claim(miss.key, miss.token(), miss.replaced))
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
                    miss.landShared(codec.decode(stored.value()));
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
    private void loadUnderClaim(List<Miss<K, V>> claimed, Bulkhead.Call call) {
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
                var unused = reads.readAndKeep(filled, ahead.afterFill());
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        claimed.forEach(miss -> miss.landLoaded());
    }

    /** Stores what was loaded, unless it is worth no key, and returns those of whom it was stored. */
    private List<Miss<K, V>> fill(List<Miss<K, V>> claimed) {
        List<Miss<K, V>> sent = new ArrayList<>(claimed.size());
        List<CompletableFuture<Fill>> fills = new ArrayList<>(claimed.size());
        for (Miss<K, V> miss : claimed) {
            byte[] value = encodedToFill(miss);
            if (value != null) {
                miss.nextStep();
                sent.add(miss);
                fills.add(
                        isWorthAKey(miss)
                                ? guards.fill(miss.key, miss.token(), value, lifeOf(miss.loaded()), miss.replaced)
                                : guards.absent(miss.key, miss.token(), value, miss.isClaimedOverNothing));
            }
        }
        List<Miss<K, V>> filled = new ArrayList<>(sent.size());
        try {
            List<Fill> answers = guards.awaitAll(fills);
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
     * Who cannot ask Redis cannot be told of a change, and may be answered with what was read before it came, from memory
     * too, for as long as the policy allows.
     */
    private void loadWithoutRedis(List<Miss<K, V>> misses, Bulkhead.Call call) {
        long readFrom = System.nanoTime();
        loadFromSource(misses, shared.sessionWithoutRedis(), call);
        boolean isWithinBound =
                System.nanoTime() - readFrom < policy.unheardBound().toNanos();
        misses.forEach(miss -> miss.landLoaded(isWithinBound));
    }

    private void loadRenewing(List<Miss<K, V>> claimed, Bulkhead.Call call) {
        long giveUpAt = System.nanoTime() + LONGEST_CLAIM.toNanos();
        ScheduledFuture<?> renewal = caches.scheduler()
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
            loadFromSource(claimed, null, call);
        } catch (RuntimeException | Error e) {
            release(claimed);
            throw e;
        } finally {
            renewal.cancel(false);
        }
    }

    /**
     * Asks the source. What it says is the last known answer, until Redis says more.
     *
     * @param session in which it may be answered again, or {@code null} when it may not
     */
    private void loadFromSource(List<Miss<K, V>> misses, @Nullable Session session, Bulkhead.Call call) {
        Set<K> ids = new LinkedHashSet<>();
        for (Miss<K, V> miss : misses) {
            ids.add(miss.id);
            miss.beginLoad();
        }
        List<@Nullable Reservation> reservations = reads.reserve(misses, session, NearTier.NEVER);
        try {
            Map<K, Loaded<V>> answer = loads.load(ids, call);
            misses.forEach(miss -> endLoad(miss, answer.get(miss.id)));
        } catch (CrowdedException e) {
            refuseLoad(misses, refusal(ids));
        } catch (OverdueException e) {
            refuseLoad(misses, tooLong(ids));
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            failAll(misses, unavailable(ids, reasonOf(e)));
        } finally {
            for (int i = 0; i < misses.size(); i++) {
                Miss<K, V> miss = misses.get(i);
                miss.isKept = near.publish(miss.id, reservations.get(i), miss.loadedToKeep());
            }
            near.keepUp();
        }
    }

    private void endLoad(Miss<K, V> miss, @Nullable Loaded<V> loaded) {
        Exception failure = loaded == null ? null : loaded.failure();
        if (failure == null) {
            miss.endLoad(codec.prepare(miss.key, loaded == null ? null : loaded.value()));
        } else {
            miss.failLoad(unavailable(Set.of(miss.id), failure));
        }
    }

    /** Whether a call would have to wait for the source, and may not. */
    private boolean isRefused(Bulkhead.Call call) {
        return call.isRefused() && loads.isBusy();
    }

    private void refuse(List<Miss<K, V>> misses, Bulkhead.Call call) {
        Set<K> ids = misses.stream().map(miss -> miss.id).collect(Collectors.toSet());
        refuseLoad(misses, call.nanosLeft() > 0 ? refusal(ids) : tooLong(ids));
        misses.forEach(miss -> miss.landLoaded());
    }

    private static <K, V> void refuseLoad(List<Miss<K, V>> misses, UserUnavailableException why) {
        misses.forEach(miss -> miss.refuseLoad(why));
    }

    /** Notes that a call is refused, and says so. */
    UserUnavailableException refusal(Set<K> ids) {
        counters.loadsRejected.increment();
        return UserUnavailableException.ofRefusal(keys, ids, "too many callers wait already (maxWaitingLoads)");
    }

    /** That a call may wait no longer. */
    UserUnavailableException tooLong(Set<K> ids) {
        return UserUnavailableException.ofRefusal(
                keys, ids, "nothing was loaded within " + bulkhead.maxWait().toMillis() + " ms (maxWait)");
    }

    private static <K, V> void failAll(List<Miss<K, V>> misses, UserUnavailableException why) {
        misses.forEach(miss -> miss.failLoad(why));
    }

    /** Of users of whom the source could not say anything. */
    UserUnavailableException unavailable(Set<K> ids, Throwable failure) {
        return UserUnavailableException.of(
                keys, ids, "the source failed (" + SourceFailure.describe(failure) + ")", failure);
    }

    /** What the source says of one user, or {@code null}. It is not stored. */
    @Nullable V askSource(K id) throws Exception {
        Set<K> ids = Set.of(id);
        if (!canLoadForOthers()) {
            return Loaded.valueOf(calls.load(ids).get(id));
        }
        try (Bulkhead.Call call = bulkhead.begin()) {
            return Loaded.valueOf(loads.load(ids, call).get(id));
        }
    }

    /** Whether the calling thread may load what is stored, and answers others. */
    boolean canLoadForOthers() {
        return source.canLoadForOthers();
    }

    /** What the source says, read on the calling thread and for it alone: without a claim, a place or another caller. */
    Map<K, Loaded<V>> loadAlone(Set<K> ids) throws Exception {
        return calls.load(ids);
    }

    /** Gives up the claims that have been asked for. */
    private void release(List<Miss<K, V>> misses) {
        misses.forEach(this::release);
    }

    private void release(Miss<K, V> miss) {
        String token = miss.token;
        if (token != null) {
            guards.release(miss.key, token, miss.isClaimedOverNothing);
        }
    }

    private void renew(Miss<K, V> miss) {
        String token = miss.token;
        // The last renewal may still be under way when the claim is no longer needed.
        if (token != null) {
            guards.renew(miss.key, token);
        }
    }

    // Refresh ahead: what is found in memory, and will soon be missing in Redis, is loaded before anybody misses it.

    void refresh(K id, Resident<V> resident) {
        // The executor may run this on the thread of a caller, inside its transaction.
        if (caches.isClosed() || !canLoadForOthers()) {
            return;
        }
        Miss<K, V> miss = new Miss<>(keys.keyOf(id), SingleFlight.alone(id));
        try (Bulkhead.Call call = bulkhead.begin()) {
            if (isRefused(call)) {
                return; // it is due again in a moment
            }
            Refresh answer = askToReplace(miss, ahead.window());
            if (answer instanceof Refresh.Later later) {
                resident.dueIn(later.left());
            } else if (answer instanceof Refresh.Granted granted) {
                counters.refreshes.increment();
                miss.replaced = granted.value();
                loadUnderClaim(List.of(miss), call);
                if (miss.failure() != null) {
                    log.debug(
                            "{} could not be refreshed; its entry is used until it expires", miss.key, miss.failure());
                } else if (miss.isRefused) {
                    // What was to be replaced is there no more, and who has missed it since waits for a value.
                    miss.replaced = null;
                    miss.token = null;
                    claim(List.of(miss), call);
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            release(miss);
        } catch (RuntimeException | Error e) {
            // An executor may run this on the thread of the caller, who has its answer.
            refreshLog.warn(
                    "The refresh of {} failed ({})", miss.key, e.getClass().getName());
        } finally {
            wakeUps.wake(id);
        }
    }

    /** Asks for a claim on an entry that is there, if it will be missing so soon. */
    private Refresh askToReplace(Miss<K, V> miss, Duration ahead) throws SharedTierException {
        String token = caches.nextToken();
        miss.token = token;
        return guards.refresh(miss.key, token, ahead);
    }

    // The read past all tiers.

    /**
     * Loads what was read after this call, whatever the tiers hold.
     *
     * @return whether the tiers hold it, too, or at least nothing older; else the caller is to invalidate
     */
    boolean loadFresh(Flight<K, V> flight, Bulkhead.Call call) {
        if (codec.isUnfit()) {
            loadUnstored(List.of(flight), call);
            return false;
        }
        Miss<K, V> miss = new Miss<>(keys.keyOf(flight.key()), flight);
        if (isRefused(call)) {
            refuse(List.of(miss), call);
            return true;
        }
        if (fences.isPending(miss.key)) {
            loadFreshWithoutRedis(miss, call);
            return true;
        }
        boolean claimed;
        try {
            claimed = claimFresh(miss);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            release(miss);
            loadFreshWithoutRedis(miss, call);
            return true;
        }
        if (claimed) {
            loadUnderClaim(List.of(miss), call);
            // A source that cannot say changes nothing.
            return miss.isSettled || miss.failure() != null;
        }
        // What is there, or is about to be stored by another, may have been read before this call.
        loadFromSource(List.of(miss), null, call);
        miss.landLoaded();
        return miss.failure() != null;
    }

    /** Asks for the right to store, whether there is a value or not. */
    private boolean claimFresh(Miss<K, V> miss) throws SharedTierException {
        Refresh answer = askToReplace(miss, NearTier.NEVER);
        if (answer instanceof Refresh.Granted granted) {
            miss.replaced = granted.value();
            return true;
        }
        if (answer instanceof Refresh.Unneeded
                && guards.awaitAll(List.of(guards.claim(miss.key, miss.token(), null)))
                                .get(0)
                        instanceof Claim.Granted mine) {
            miss.isClaimedOverNothing = mine.overNothing();
            return true;
        }
        return false;
    }

    private void loadFreshWithoutRedis(Miss<K, V> miss, Bulkhead.Call call) {
        loadFromSource(List.of(miss), shared.sessionWithoutRedis(), call);
        if (miss.failure() == null && !miss.isKept) {
            near.forget(miss.id);
        }
        miss.landLoaded();
    }

    private Duration lifeOf(Entry<V> entry) {
        return policy.jittered(entry.value() == null ? policy.absentTtl() : policy.ttl());
    }

    private static Duration nextPause(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return pause.isZero() ? FIRST_PAUSE : doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
    }

    /** What a query threw, on whichever thread. */
    static Throwable reasonOf(Exception failure) {
        Throwable cause = failure.getCause();
        return failure instanceof ExecutionException && cause != null ? cause : failure;
    }

    /** How many loads wait for a query that may take them along, about. */
    int waitingForTheSource() {
        return loads.waiting();
    }
}
