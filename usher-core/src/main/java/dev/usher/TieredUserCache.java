package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.Explanation.Guard;
import dev.usher.Explanation.Holding;
import dev.usher.NearTier.Reservation;
import dev.usher.NearTier.Resident;
import dev.usher.SharedTier.Claim;
import dev.usher.SharedTier.Inspection;
import dev.usher.SharedTier.Refresh;
import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.Landing;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The read path and the write path, top to bottom: the near tier, the shared tier, then the source under a claim.
 *
 * <p>The caller's own thread does the work, for one user as for many. A caller who misses while another of this process is
 * loading the same entry waits for that one.
 */
final class TieredUserCache<K, V> implements UserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = SharedTier.LEASE.dividedBy(3);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(2);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    /** How many users are looked up at a time: no more than Redis can answer well within the time that one call may take. */
    private static final int MOST_TOGETHER = 500;

    private final UserCaches caches;
    private final SharedTier shared;
    private final Facet<V> facet;
    private final UserSource<K, V> source;
    private final CachePolicy policy;
    private final KeySpace keys;
    private final EntryCodec<V> codec;
    private final NearTier<K, V> near;
    private final SingleFlight<K, V> flights = new SingleFlight<>();
    private final BatchedLoads<K, V> loads;
    private final ConcurrentMap<K, CompletableFuture<Void>> wakeUps = new ConcurrentHashMap<>();
    private final Counters counters;
    private final RefreshAhead ahead;
    private final OneIdType idType;

    TieredUserCache(UserCaches caches, KeySpace keys, Facet<V> facet, OneIdType idType, UserSource<K, V> source) {
        this.caches = caches;
        this.facet = facet;
        this.idType = idType;
        this.shared = caches.shared();
        this.keys = keys;
        this.source = source;
        this.policy = facet.policy();
        this.codec = new EntryCodec<>(facet.codec());
        this.ahead = new RefreshAhead(policy, caches.executor());
        this.near = new NearTier<>(policy, (id, resident) -> ahead.submit(resident, () -> refresh(id, resident)));
        this.loads = new BatchedLoads<>(this::callSource, policy);
        this.counters = caches.meters().countersOf(facet.name());
    }

    // The read path.

    @Override
    public Optional<V> find(K id) {
        caches.requireOpen();
        Resident<V> resident = near.find(id);
        if (resident != null) {
            return answerOf(resident);
        }
        return findMissing(id).value();
    }

    @Override
    public Found<V> lookUp(K id) {
        caches.requireOpen();
        Resident<V> resident = near.find(id);
        return resident != null ? foundIn(resident) : findMissing(id);
    }

    @Override
    public <W> Both<V, W> findWith(K id, UserCache<K, W> other) {
        caches.requireOpen();
        Resident<V> resident = near.find(id);
        if (resident == null && other instanceof TieredUserCache<K, W> theirs && theirs.caches == caches) {
            return findMissingWith(id, theirs);
        }
        return new Both<>(
                resident != null ? answerOf(resident) : findMissing(id).value(), other.find(id));
    }

    /** What memory could not answer in this facet, and may not be able to answer in the other. */
    private <W> Both<V, W> findMissingWith(K id, TieredUserCache<K, W> other) {
        Resident<W> theirs = other.near.find(id);
        if (theirs != null) {
            return new Both<>(findMissing(id).value(), other.answerOf(theirs));
        }
        if (caches.fences().isPending(keyOf(id)) || caches.fences().isPending(other.keyOf(id))) {
            return new Both<>(findMissing(id).value(), other.find(id));
        }
        Read mine = new Read(id);
        TieredUserCache<K, W>.Read others = other.new Read(id);
        try {
            List<byte @Nullable []> read = shared.getAll(List.of(mine.miss.key, others.miss.key));
            mine.decode(read.get(0));
            others.decode(read.get(1));
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        } finally {
            mine.end();
            others.end();
            near.keepUp();
            other.near.keepUp();
        }
        return new Both<>(mine.answer(), others.answer());
    }

    /** A read of Redis that rides with one of another facet. */
    private final class Read {

        private final Miss<K, V> miss;
        private final @Nullable Reservation reservation;
        private @Nullable Entry<V> entry;

        private Read(K id) {
            this.miss = new Miss<>(keys.keyOf(id), SingleFlight.alone(id));
            this.reservation = near.reserve(id, shared.sessionOfReads(), ahead.afterRead());
        }

        private void decode(byte @Nullable [] bytes) {
            entry = decodedOrReplaceable(miss, bytes);
        }

        private void end() {
            keep(miss, reservation, entry);
        }

        /** What Redis held, or else what {@link #find} finds. */
        private Optional<V> answer() {
            Entry<V> read = entry;
            if (read == null) {
                return findMissing(miss.id).value();
            }
            counters.answered(Tier.SHARED, read);
            return read.toOptional();
        }
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        Map<K, V> found = new LinkedHashMap<>(capacityFor(ids.size()));
        Set<K> missing = findNear(ids, (id, resident) -> answerOf(resident).ifPresent(value -> found.put(id, value)));
        findMissing(missing).forEach((id, missed) -> missed.value().ifPresent(value -> found.put(id, value)));
        return found;
    }

    @Override
    public Map<K, Found<V>> lookUpAll(Collection<? extends K> ids) {
        Map<K, Found<V>> found = new LinkedHashMap<>();
        found.putAll(findMissing(findNear(ids, (id, resident) -> found.put(id, foundIn(resident)))));
        return found;
    }

    @Override
    public Map<K, Optional<V>> findCached(Collection<? extends K> ids) {
        Map<K, Optional<V>> found = new LinkedHashMap<>();
        Set<K> missing = findNear(ids, (id, resident) -> found.put(id, answerOf(resident)));
        missing.removeIf(id -> caches.fences().isPending(keys.keyOf(id)));
        while (!missing.isEmpty()) {
            Set<K> together = Set.copyOf(firstOf(missing));
            missing.removeAll(together);
            findShared(together, found);
        }
        return found;
    }

    /** Hands on what memory answers, and returns the rest. */
    private Set<K> findNear(Collection<? extends K> ids, BiConsumer<K, Resident<V>> found) {
        caches.requireOpen();
        Set<K> missing = new LinkedHashSet<>(capacityFor(ids.size()));
        for (K id : new LinkedHashSet<>(ids)) {
            Resident<V> resident = near.find(id);
            if (resident != null) {
                found.accept(id, resident);
            } else {
                requireId(id);
                missing.add(id);
            }
        }
        return missing;
    }

    private void findShared(Set<K> ids, Map<K, Optional<V>> found) {
        List<Miss<K, V>> misses = ids.stream()
                .map(id -> new Miss<>(keys.keyOf(id), SingleFlight.<K, V>alone(id)))
                .toList();
        try {
            List<@Nullable Entry<V>> entries = readAndKeep(misses, ahead.afterRead());
            for (int i = 0; i < misses.size(); i++) {
                Entry<V> entry = entries.get(i);
                if (entry != null) {
                    counters.answered(Tier.SHARED, entry);
                    found.put(misses.get(i).id, entry.toOptional());
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
    }

    @Override
    public CompletableFuture<Optional<V>> findAsync(K id) {
        caches.requireOpen();
        Resident<V> resident = near.find(id);
        if (resident != null) {
            return CompletableFuture.completedFuture(answerOf(resident));
        }
        String key = keyOf(id);
        try {
            return CompletableFuture.supplyAsync(() -> find(id), caches.executor());
        } catch (RejectedExecutionException e) {
            Resident<V> last = near.lastKnown(id);
            if (last != null) {
                return CompletableFuture.completedFuture(answerOf(last));
            }
            counters.unavailable.increment();
            return CompletableFuture.failedFuture(unavailable(key, "too many callers are waiting already", null));
        }
    }

    private Optional<V> answerOf(Resident<V> resident) {
        counters.remembered(resident.answer().isPresent(), resident.isStale());
        return resident.answer();
    }

    private Found<V> foundIn(Resident<V> resident) {
        return new Found<>(answerOf(resident), resident.staleFor());
    }

    /** As for many, but next to all of what it costs is what Redis costs. */
    private Found<V> findMissing(K id) {
        requireId(id);
        try {
            Landing<V> landing = null;
            while (landing == null) {
                landing = findOne(id);
            }
            return foundIn(landing);
        } catch (UserUnavailableException e) {
            Resident<V> last = near.lastKnown(id);
            if (last == null) {
                counters.unavailable.increment();
                throw e;
            }
            return foundIn(last);
        }
    }

    /** What memory could not answer, by id. */
    private Map<K, Found<V>> findMissing(Set<K> ids) {
        Map<K, Found<V>> found = new HashMap<>(capacityFor(ids.size()));
        while (found.size() < ids.size()) {
            Set<K> missing = ids;
            if (!found.isEmpty()) {
                missing = new LinkedHashSet<>(ids);
                missing.removeAll(found.keySet());
            }
            Set<K> together = firstOf(missing);
            Map<K, Landing<V>> landings = new HashMap<>(capacityFor(together.size()));
            Map<K, Resident<V>> lastKnown = new HashMap<>(0);
            try {
                findTogether(together, landings);
            } catch (UserUnavailableException e) {
                together.stream().filter(id -> !landings.containsKey(id)).forEach(id -> {
                    Resident<V> last = near.lastKnown(id);
                    if (last != null) {
                        lastKnown.put(id, last);
                    }
                });
                if (landings.size() + lastKnown.size() < together.size()) {
                    counters.unavailable.add(missing.size());
                    throw e;
                }
            }
            landings.forEach((id, landing) -> found.put(id, foundIn(landing)));
            lastKnown.forEach((id, resident) -> found.put(id, foundIn(resident)));
        }
        return found;
    }

    private Found<V> foundIn(Landing<V> landing) {
        counters.answered(landing.tier(), landing.entry());
        return new Found<>(landing.entry().toOptional(), Duration.ZERO);
    }

    /** Of a map that is not to grow while it is filled. */
    private static int capacityFor(int entries) {
        return entries * 4 / 3 + 1;
    }

    private static <K> Set<K> firstOf(Set<K> ids) {
        return ids.size() <= MOST_TOGETHER
                ? ids
                : ids.stream().limit(MOST_TOGETHER).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /** Loads, or joins the load under way; {@code null} when that had read too early for this caller. */
    private @Nullable Landing<V> findOne(K id) {
        try {
            return flights.fly(id, this::isWithoutRedis, this::load);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw notLanded(Set.of(id), e);
        }
    }

    /**
     * Loads, or joins the loads under way. An id whose load had read too early for this caller is missing.
     *
     * @param landings takes what was found, also when the rest is unavailable
     */
    private void findTogether(Set<K> ids, Map<K, Landing<V>> landings) {
        try {
            flights.fly(ids, this::isWithoutRedis, this::load, landings);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw notLanded(ids, e);
        }
    }

    private UserUnavailableException notLanded(Set<K> ids, Exception why) {
        if (why instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return unavailable(name(ids), "interrupted while it was loaded elsewhere", why);
        }
        return why instanceof TimeoutException
                ? unavailable(name(ids), "another caller's load takes too long", null)
                : unavailable(name(ids), "another caller's load failed", why.getCause());
    }

    /** Whether Redis could not say of a user, or this node would not believe it. */
    private boolean isWithoutRedis(K id) {
        return shared.isFailing()
                || (caches.fences().size() > 0 && caches.fences().isPending(keys.keyOf(id)));
    }

    /** The load of one user, as it goes on. */
    private static final class Miss<K, V> {

        private final K id;
        private final String key;
        private final Flight<K, V> flight;

        /** The step in which the next read takes place. */
        private int step;

        /** What stands in Redis and may be overwritten: it cannot be read, or will soon be gone. */
        private byte @Nullable [] replaced;

        /** Under which a claim has been asked for, and may have been granted; {@code null} before. */
        private @Nullable String token;

        private boolean isRefused;
        private @Nullable Entry<V> loaded;

        /** What is loaded stands in memory, as an answer or as the last known one. */
        private boolean isKept;

        /** The step in which what is loaded was still true. */
        private int loadedIn;

        private Miss(String key, Flight<K, V> flight) {
            this.id = flight.key();
            this.key = key;
            this.flight = flight;
        }

        private boolean isOpen() {
            return !flight.hasLanded();
        }

        private void nextStep() {
            step = flight.nextStep();
        }

        private String token() {
            return requireNonNull(token);
        }

        private Entry<V> loaded() {
            return requireNonNull(loaded);
        }

        private void landShared(Entry<V> entry) {
            flight.land(new Landing<>(entry, Tier.SHARED, step, false));
        }

        private void landLoaded() {
            landLoaded(false);
        }

        private void landLoaded(boolean isWithinBound) {
            flight.land(new Landing<>(loaded(), Tier.SOURCE, loadedIn, isWithinBound));
        }
    }

    private void load(List<Flight<K, V>> mine) throws InterruptedException {
        List<Miss<K, V>> misses = new ArrayList<>(mine.size());
        List<Miss<K, V>> unconfirmed = new ArrayList<>(0);
        for (Flight<K, V> flight : mine) {
            Miss<K, V> miss = new Miss<>(keys.keyOf(flight.key()), flight);
            (caches.fences().isPending(miss.key) ? unconfirmed : misses).add(miss);
        }
        if (!unconfirmed.isEmpty()) {
            loadWithoutRedis(unconfirmed);
        }
        if (misses.isEmpty()) {
            return;
        }
        try {
            loadShared(misses);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            List<Miss<K, V>> left = misses.stream().filter(Miss::isOpen).toList();
            // Claims may have been granted although the answer did not come.
            release(left);
            loadWithoutRedis(left);
        } finally {
            // Another load of the same user, begun after a change, may wait for the same; it will see for itself.
            misses.forEach(miss -> wakeUp(miss.id));
        }
    }

    /** The shared tier; then claims, and the source; or whatever other processes, which hold the claims, have stored. */
    private void loadShared(List<Miss<K, V>> misses) throws SharedTierException, InterruptedException {
        long givesUpAt = System.nanoTime() + policy.claimWait().toNanos();
        Duration pause = Duration.ZERO;
        List<CompletableFuture<Void>> awaited = List.of();
        List<Miss<K, V>> left = misses;
        while (true) {
            left = readShared(left);
            if (left.isEmpty()) {
                return;
            }
            Duration held = claim(left);
            left = left.stream().filter(Miss::isOpen).toList();
            if (left.isEmpty()) {
                return;
            }
            if (held.isZero()) {
                continue; // something unreadable has been stored meanwhile, and the read will meet it
            }
            long patience = givesUpAt - System.nanoTime();
            if (patience <= 0) {
                loadFromSource(left, null);
                left.forEach(miss -> miss.landLoaded());
                return;
            }
            if (awaited.isEmpty()) {
                counters.claimWaits.add(left.size());
            } else {
                // The push of a fill wakes us; where nothing is pushed, looking again now and then does.
                pause = nextPause(pause);
                long longest = shared.session() == null ? pause.toNanos() : held.toNanos();
                awaitAny(awaited, Math.min(patience, longest));
            }
            // Before the next read: what is stored after that read is pushed.
            awaited = left.stream()
                    .map(miss -> wakeUps.computeIfAbsent(miss.id, any -> new CompletableFuture<>()))
                    .toList();
        }
    }

    /** Lands what Redis holds, and returns the rest. */
    private List<Miss<K, V>> readShared(List<Miss<K, V>> misses) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
        }
        List<@Nullable Entry<V>> entries = readAndKeep(misses, ahead.afterRead());
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
     * Reads over the tracked connection, and keeps what is found where a push can find it.
     *
     * @param dueIn after which the life that is left in Redis is to be looked at, if anybody still asks
     * @return an entry for each, or {@code null} where there is none
     */
    private List<@Nullable Entry<V>> readAndKeep(List<Miss<K, V>> misses, Duration dueIn) throws SharedTierException {
        List<@Nullable Reservation> reservations = reserve(misses, shared.sessionOfReads(), dueIn);
        List<@Nullable Entry<V>> entries = new ArrayList<>(misses.size());
        try {
            List<byte @Nullable []> read = readAll(misses);
            for (int i = 0; i < misses.size(); i++) {
                entries.add(decodedOrReplaceable(misses.get(i), read.get(i)));
            }
            return entries;
        } finally {
            for (int i = 0; i < misses.size(); i++) {
                keep(misses.get(i), reservations.get(i), i < entries.size() ? entries.get(i) : null);
            }
            near.keepUp();
        }
    }

    private List<byte @Nullable []> readAll(List<Miss<K, V>> misses) throws SharedTierException {
        return misses.size() == 1
                ? Collections.singletonList(shared.get(misses.get(0).key))
                : shared.getAll(misses.stream().map(miss -> miss.key).toList());
    }

    private void keep(Miss<K, V> miss, @Nullable Reservation reservation, @Nullable Entry<V> entry) {
        near.publish(miss.id, reservation, entry);
        if (caches.fences().isPending(miss.key)) {
            // Of this node's own change Redis does not know yet, and would not say that this is old.
            near.forget(miss.id);
        }
    }

    private List<@Nullable Reservation> reserve(List<Miss<K, V>> misses, @Nullable Session session, Duration dueIn) {
        List<@Nullable Reservation> reservations = new ArrayList<>(misses.size());
        for (Miss<K, V> miss : misses) {
            reservations.add(near.reserve(miss.id, session, dueIn));
        }
        return reservations;
    }

    private @Nullable Entry<V> decodedOrReplaceable(Miss<K, V> miss, byte @Nullable [] bytes) {
        miss.replaced = null;
        try {
            return bytes == null ? null : codec.decode(bytes);
        } catch (UnreadableEntryException e) {
            noteUnreadable(miss.key, e.getMessage());
            miss.replaced = bytes;
            return null;
        }
    }

    /**
     * Claims what is missing, lands what has been stored meanwhile, and loads what is granted.
     *
     * @return how long others hold their claims on the rest, at least; zero when nobody does
     */
    private Duration claim(List<Miss<K, V>> misses) throws SharedTierException {
        for (Miss<K, V> miss : misses) {
            miss.nextStep();
            if (miss.token == null) {
                miss.token = caches.nextToken();
            }
        }
        List<Claim> claims = shared.awaitAll(misses.stream()
                .map(miss -> shared.claim(miss.key, miss.token(), miss.replaced))
                .toList());
        List<Miss<K, V>> granted = new ArrayList<>();
        Duration held = Duration.ZERO;
        for (int i = 0; i < misses.size(); i++) {
            Miss<K, V> miss = misses.get(i);
            Claim claim = claims.get(i);
            if (claim instanceof Claim.Granted mine) {
                if (mine.overAnotherType()) {
                    noteUnreadable(miss.key, "another type");
                }
                granted.add(miss);
            } else if (claim instanceof Claim.Held others) {
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
            loadUnderClaim(granted);
        }
        return held;
    }

    /** Loads, stores and keeps; returns those that were stored. */
    private List<Miss<K, V>> loadUnderClaim(List<Miss<K, V>> claimed) {
        loadRenewing(claimed);
        List<Miss<K, V>> filled = fill(claimed);
        try {
            // Never kept as it was loaded, but as Redis says it, so that Redis will say when it changes.
            if (!filled.isEmpty()) {
                var unused = readAndKeep(filled, ahead.afterFill());
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        claimed.forEach(miss -> miss.landLoaded());
        return filled;
    }

    /** Stores what was loaded, and returns those of whom it was taken. */
    private List<Miss<K, V>> fill(List<Miss<K, V>> claimed) {
        List<Miss<K, V>> sent = new ArrayList<>(claimed.size());
        List<CompletableFuture<Boolean>> fills = new ArrayList<>(claimed.size());
        for (Miss<K, V> miss : claimed) {
            byte[] value = encodedToFill(miss);
            if (value != null) {
                miss.nextStep();
                sent.add(miss);
                fills.add(shared.fill(miss.key, miss.token(), value, ttlOf(miss.loaded()), miss.replaced));
            }
        }
        List<Miss<K, V>> filled = new ArrayList<>(sent.size());
        try {
            List<Boolean> taken = shared.awaitAll(fills);
            for (int i = 0; i < taken.size(); i++) {
                // What was read before may stand in memory, and the push that drives it out may still be on its way.
                near.forget(sent.get(i).id);
                if (taken.get(i)) {
                    // Nothing has changed between the claim and the fill, so what was loaded was still true then.
                    sent.get(i).loadedIn = sent.get(i).step;
                    filled.add(sent.get(i));
                } else {
                    counters.fillsRefused.increment();
                    sent.get(i).isRefused = true;
                    // The claim may stand all the same, and others would wait for it.
                    release(sent.get(i));
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        return filled;
    }

    /** What to store, or {@code null}, with the claim given up, for a value that cannot be stored. */
    private byte @Nullable [] encodedToFill(Miss<K, V> miss) {
        byte[] value = encoded(miss.key, miss.loaded());
        if (value == null) {
            counters.fillsNotEncoded.increment();
            release(miss);
        }
        return value;
    }

    private byte @Nullable [] encoded(String key, Entry<V> entry) {
        try {
            return codec.encode(entry);
        } catch (RuntimeException e) {
            // Not quoted: an encoder's message may show the value.
            log.error(
                    "The value of {} cannot be encoded ({}), and is not cached",
                    key,
                    e.getClass().getName());
            return null;
        }
    }

    /**
     * Who cannot ask Redis cannot be told of a change, and may be answered with what was read before it came, from memory
     * too, for as long as the policy allows.
     */
    private void loadWithoutRedis(List<Miss<K, V>> misses) {
        long readFrom = System.nanoTime();
        loadFromSource(misses, shared.sessionWithoutRedis());
        boolean isWithinBound =
                System.nanoTime() - readFrom < policy.unheardBound().toNanos();
        misses.forEach(miss -> miss.landLoaded(isWithinBound));
    }

    private void loadRenewing(List<Miss<K, V>> claimed) {
        long giveUpAt = System.nanoTime() + SingleFlight.LONGEST_WAIT.toNanos();
        ScheduledFuture<?> renewal = caches.scheduler()
                .scheduleAtFixedRate(
                        () -> {
                            // A source that hangs must not keep the entries from everybody else for ever.
                            if (System.nanoTime() - giveUpAt < 0) {
                                claimed.forEach(this::renew);
                            }
                        },
                        RENEWAL.toNanos(),
                        RENEWAL.toNanos(),
                        TimeUnit.NANOSECONDS);
        try {
            loadFromSource(claimed, null);
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
    private void loadFromSource(List<Miss<K, V>> misses, @Nullable Session session) {
        Set<K> ids = new LinkedHashSet<>();
        for (Miss<K, V> miss : misses) {
            ids.add(miss.id);
            miss.nextStep();
            miss.loadedIn = miss.step;
            miss.loaded = null;
        }
        List<@Nullable Reservation> reservations = reserve(misses, session, NearTier.NEVER);
        try {
            Map<K, V> answer = loads.load(ids);
            misses.forEach(miss -> miss.loaded = new Entry<>(answer.get(miss.id)));
        } catch (BatchedLoads.CrowdedException e) {
            counters.loadsRejected.increment();
            throw unavailable(name(ids), "too many callers wait for the source already", null);
        } catch (TimeoutException e) {
            throw unavailable(name(ids), "the source took too long", e);
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            throw unavailable(name(ids), "the source failed", reasonOf(e));
        } finally {
            for (int i = 0; i < misses.size(); i++) {
                Miss<K, V> miss = misses.get(i);
                miss.isKept = near.publish(miss.id, reservations.get(i), miss.loaded);
            }
            near.keepUp();
        }
    }

    /** One query of the source, for however many callers. */
    private Map<K, V> callSource(Set<K> ids) throws Exception {
        counters.loadBegins(ids.size());
        long from = System.nanoTime();
        try {
            Map<K, V> answer = source.load(ids);
            for (Map.Entry<K, V> user : answer.entrySet()) {
                if (user.getValue() == null || !ids.contains(user.getKey())) {
                    throw new IllegalStateException(
                            "the source answered a null value, or an id that was not asked for");
                }
            }
            counters.loadAnswered(System.nanoTime() - from);
            return answer;
        } catch (Throwable e) {
            counters.loadFailed(System.nanoTime() - from);
            throw e;
        }
    }

    /** Gives up the claims that have been asked for. */
    private void release(List<Miss<K, V>> misses) {
        misses.forEach(this::release);
    }

    private void release(Miss<K, V> miss) {
        String token = miss.token;
        if (token != null) {
            shared.release(miss.key, token);
        }
    }

    private void renew(Miss<K, V> miss) {
        String token = miss.token;
        // The last renewal may still be under way when the claim is no longer needed.
        if (token != null) {
            shared.renew(miss.key, token);
        }
    }

    // Refresh ahead: what is found in memory, and will soon be missing in Redis, is loaded before anybody misses it.

    private void refresh(K id, Resident<V> resident) {
        if (caches.isClosed()) {
            return;
        }
        Miss<K, V> miss = new Miss<>(keys.keyOf(id), SingleFlight.alone(id));
        try {
            Refresh answer = askToReplace(miss, ahead.window());
            if (answer instanceof Refresh.Later later) {
                resident.dueIn(later.left());
            } else if (answer instanceof Refresh.Granted granted) {
                counters.refreshes.increment();
                miss.replaced = granted.value();
                loadUnderClaim(List.of(miss));
                if (miss.isRefused) {
                    // What was to be replaced is there no more, and who has missed it since waits for a value.
                    miss.replaced = null;
                    miss.token = null;
                    claim(List.of(miss));
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            release(miss);
        } catch (UserUnavailableException e) {
            log.debug("{} could not be refreshed; it stands until its end", miss.key, e);
        } catch (RuntimeException | Error e) {
            // An executor may run this on the thread of the caller, who has its answer.
            log.warn("The refresh of {} broke off ({})", miss.key, e.getClass().getName());
        } finally {
            wakeUp(id);
        }
    }

    /** Asks for a claim on an entry that is there, if it will be missing so soon. */
    private Refresh askToReplace(Miss<K, V> miss, Duration ahead) throws SharedTierException {
        String token = caches.nextToken();
        miss.token = token;
        return shared.refresh(miss.key, token, ahead);
    }

    // The read past all tiers.

    @Override
    public Optional<V> findFresh(K id) {
        String key = keyOf(id);
        try {
            Landing<V> landing = flights.flyAlone(id, alone -> loadFresh(new Miss<>(key, alone.get(0))));
            // What is under way may have read before.
            flights.forget(id);
            return foundIn(landing).value();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        } catch (InterruptedException e) {
            throw new IllegalStateException("a load by itself waits for nobody", e);
        } finally {
            wakeUp(id);
        }
    }

    private void loadFresh(Miss<K, V> miss) {
        if (caches.fences().isPending(miss.key)) {
            loadFreshWithoutRedis(miss);
            return;
        }
        boolean claimed;
        try {
            claimed = claimFresh(miss);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            release(miss);
            loadFreshWithoutRedis(miss);
            return;
        }
        boolean filled;
        if (claimed) {
            filled = !loadUnderClaim(List.of(miss)).isEmpty();
        } else {
            loadFromSource(List.of(miss), null);
            miss.landLoaded();
            filled = false;
        }
        if (!filled) {
            // What is there, or is about to be stored by another, may have been read before this call.
            invalidate(miss.id);
        }
    }

    /** Asks for the right to store, whether there is a value or not. */
    private boolean claimFresh(Miss<K, V> miss) throws SharedTierException {
        Refresh answer = askToReplace(miss, NearTier.NEVER);
        if (answer instanceof Refresh.Granted granted) {
            miss.replaced = granted.value();
            return true;
        }
        return answer instanceof Refresh.Unneeded
                && shared.awaitAll(List.of(shared.claim(miss.key, miss.token(), null)))
                                .get(0)
                        instanceof Claim.Granted;
    }

    private void loadFreshWithoutRedis(Miss<K, V> miss) {
        loadFromSource(List.of(miss), shared.sessionWithoutRedis());
        if (!miss.isKept) {
            near.forget(miss.id);
        }
        miss.landLoaded();
    }

    // The write path.

    @Override
    public boolean save(K id, V value, Instant readAt) {
        String key = keyOf(id);
        requireNonNull(value, "a user that does not exist cannot be saved");
        byte[] encoded = encoded(key, new Entry<>(value));
        boolean stored = encoded != null && offer(key, encoded, readAt);
        if (stored) {
            // Newer than what is remembered, of which a push may not tell.
            near.forget(id);
        }
        (stored ? counters.offersStored : counters.offersRefused).increment();
        return stored;
    }

    private boolean offer(String key, byte[] value, Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, caches.clock().instant());
        if (age.isNegative()
                || age.compareTo(SharedTier.FENCE) >= 0
                || caches.fences().isPending(key)) {
            return false;
        }
        try {
            return shared.offer(key, value, jittered(policy.ttl()), now - age.toNanos());
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            return false;
        }
    }

    @Override
    public boolean invalidate(K id) {
        String key = keyOf(id);
        Object mark = caches.fences().announce(key);
        flights.forget(id);
        near.forget(id);
        boolean confirmed = caches.fences().send(key, mark);
        // Again: what was read before the fence may have been kept since, and its push may still be on its way.
        near.forget(id);
        return confirmed;
    }

    @Override
    public RevocationReceipt revoke(K id) {
        long askedAt = System.nanoTime();
        long losses = caches.fences().losses();
        if (!invalidate(id)) {
            return new RevocationReceipt(
                    false, Set.of(), Set.of(), Set.of(), Duration.ofNanos(System.nanoTime() - askedAt));
        }
        return new Revocation(
                        shared.register(),
                        keys.facet(),
                        policy,
                        () -> caches.fences().losses() != losses)
                .await(askedAt);
    }

    /** Somebody has changed what Redis holds for an id. Called on an event loop. */
    void changed(String idText) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.parseOrNull(idText);
        if (id != null) {
            counters.nearInvalidations.increment();
            near.forget(id);
            wakeUp(id);
        }
    }

    // What it looks like from outside.

    @Override
    public Explanation<V> explain(K id) {
        String key = keyOf(id);
        Resident<V> resident = near.peek(id);
        Holding<V> inMemory = resident == null ? new Holding.Nothing<>() : Explanation.holdingOf(resident.answer());
        Holding<V> inSource;
        try {
            inSource = Explanation.holdingOf(
                    Optional.ofNullable(loads.load(Set.of(id)).get(id)));
        } catch (BatchedLoads.CrowdedException e) {
            counters.loadsRejected.increment();
            inSource = new Holding.Unknown<>("too many callers wait for it already");
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            inSource = new Holding.Unknown<>(reasonOf(e).getClass().getSimpleName());
        }
        try {
            Inspection found = shared.inspect(key);
            Holding<V> inRedis =
                    found.isOfAnotherType() ? new Holding.Unknown<>("another type") : holdingOf(found.value());
            return new Explanation<>(
                    key,
                    inMemory,
                    inRedis,
                    found.left(),
                    found.guard(),
                    found.guardLeft(),
                    caches.fences().isPending(key),
                    inSource);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            Holding<V> inRedis = new Holding.Unknown<>(String.valueOf(e.getMessage()));
            return new Explanation<>(
                    key,
                    inMemory,
                    inRedis,
                    null,
                    Guard.UNKNOWN,
                    null,
                    caches.fences().isPending(key),
                    inSource);
        }
    }

    private Holding<V> holdingOf(byte @Nullable [] bytes) {
        try {
            return bytes == null
                    ? new Holding.Nothing<>()
                    : Explanation.holdingOf(codec.decode(bytes).toOptional());
        } catch (UnreadableEntryException e) {
            return new Holding.Unknown<>(String.valueOf(e.getMessage()));
        }
    }

    @Override
    public CacheStats stats() {
        return caches.statsOf(counters);
    }

    // How busy it is, for tests that wait for it.

    /** How many callers of this process wait for another one's load of this user, about. */
    int waitingFor(K id) {
        return flights.passengersOf(id);
    }

    /** How many users are being loaded, about. */
    int underWay() {
        return flights.size();
    }

    /** How many loads wait for a query that may take them along, about. */
    int waitingForTheSource() {
        return loads.waiting();
    }

    /** Lets everybody see that the caches are closed. */
    void wakeAll() {
        wakeUps.keySet().forEach(this::wakeUp);
    }

    private void wakeUp(K id) {
        CompletableFuture<Void> waiting = wakeUps.remove(id);
        if (waiting != null) {
            waiting.complete(null);
        }
    }

    /** Waits for a wake-up, at most for a time, unless the caches are closed meanwhile. */
    private void awaitAny(List<CompletableFuture<Void>> awaited, long nanos) throws InterruptedException {
        caches.requireOpen();
        try {
            CompletableFuture.anyOf(awaited.toArray(CompletableFuture[]::new)).get(nanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            return;
        } catch (ExecutionException e) {
            throw new IllegalStateException("none of them ever fails", e);
        }
        caches.requireOpen();
    }

    @Override
    public Facet<V> facet() {
        return facet;
    }

    @Override
    public K idOf(String text) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.parse(text);
        var unused = keyOf(id); // refuses what no id may be
        return id;
    }

    @Override
    public String keyOf(K id) {
        requireId(id);
        return keys.keyOf(id);
    }

    private void requireId(K id) {
        caches.requireOpen();
        idType.require(id);
        KeySpace.requireId(id);
    }

    /** One user's key, for a message. */
    private String name(Set<K> ids) {
        String first = keys.keyOf(ids.iterator().next());
        return ids.size() == 1 ? first : first + " (and " + (ids.size() - 1) + " others)";
    }

    private Duration ttlOf(Entry<V> entry) {
        return jittered(entry.value() == null ? policy.absentTtl() : policy.ttl());
    }

    private Duration jittered(Duration life) {
        return policy.jittered(life, ThreadLocalRandom.current().nextDouble());
    }

    private static Duration nextPause(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return pause.isZero() ? FIRST_PAUSE : doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
    }

    private void noteUnreadable(String key, @Nullable String reason) {
        counters.unreadable.increment();
        log.warn("{} cannot be read ({}); it is loaded again and overwritten", key, reason);
    }

    /** What a query threw, on whichever thread. */
    private static Throwable reasonOf(Exception failure) {
        Throwable cause = failure.getCause();
        return failure instanceof ExecutionException && cause != null ? cause : failure;
    }

    private static UserUnavailableException unavailable(String whose, String why, @Nullable Throwable cause) {
        return new UserUnavailableException(whose + " is unavailable: " + why, cause);
    }
}
