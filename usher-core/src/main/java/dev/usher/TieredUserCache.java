package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.Bulkhead.CrowdedException;
import dev.usher.Bulkhead.OverdueException;
import dev.usher.Explanation.Guard;
import dev.usher.Explanation.Holding;
import dev.usher.FenceOutbox.Sent;
import dev.usher.GuardProtocol.Offer;
import dev.usher.NearTier.Resident;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.SharedTier.Inspection;
import dev.usher.SingleFlight.Landing;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One facet's cache: the near tier answers, or else what one {@linkplain ReadThrough read-through} for all who miss brings; and
 * whoever changes a user fences, and forgets.
 *
 * <p>The caller's own thread does the work, for one user as for many. A caller who misses while another of this process is
 * loading the same entry waits for that one.
 */
final class TieredUserCache<K, V> implements UserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** How many users are looked up at a time: no more than Redis can answer well within the time that one call may take. */
    private static final int MOST_TOGETHER = 500;

    /** Of no server. */
    private static final ReadMark NEVER = new ReadMark(new Object(), ReadMark.UNKNOWN);

    private final UserCaches caches;
    private final SharedTier shared;
    private final Facet<V> facet;
    private final CachePolicy policy;
    private final KeySpace keys;
    private final EntryCodec<V> codec;

    /** Beside the codec, for a hit in memory is as quick as this is read. */
    private final boolean isCopied;

    private final NearTier<K, V> near;
    private final SingleFlight<K, V> flights = new SingleFlight<>();
    private final Bulkhead bulkhead;
    private final WakeUps<K> wakeUps = new WakeUps<>();

    /** What threads that may not load for others have missed, and is being loaded, or soon will be. */
    private final Set<K> loadedLater = ConcurrentHashMap.newKeySet();

    private final TrackedReads<K, V> reads;
    private final ReadThrough<K, V> readThrough;
    private final RefreshAhead ahead;
    private final Counters counters;
    private final SourceTroubles sourceTroubles;
    private final IdType idType;

    TieredUserCache(UserCaches caches, KeySpace keys, Facet<V> facet, IdType idType, UserSource<K, V> source) {
        this.caches = caches;
        this.facet = facet;
        this.idType = idType;
        this.shared = caches.shared();
        this.keys = keys;
        this.policy = facet.policy();
        this.isCopied = facet.copiedOnRead();
        this.codec = new EntryCodec<>(facet);
        this.ahead = new RefreshAhead(policy, caches.executor());
        this.near = new NearTier<>(policy, this::refreshAhead);
        this.counters = caches.meters().countersOf(facet.name());
        this.reads = new TrackedReads<>(shared, near, codec, caches.fences(), counters);
        this.sourceTroubles = new SourceTroubles(keys, System::nanoTime);
        this.bulkhead = new Bulkhead(policy);
        this.readThrough = new ReadThrough<>(
                caches, source, policy, keys, codec, near, reads, ahead, counters, sourceTroubles, wakeUps, bulkhead);
    }

    private void refreshAhead(K id, Resident<V> resident) {
        ahead.submit(resident, () -> readThrough.refresh(id, resident));
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
    public Lookup<V> lookUp(K id) {
        caches.requireOpen();
        Resident<V> resident = near.find(id);
        return resident != null ? foundIn(resident) : findMissing(id);
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        Map<K, V> found = new LinkedHashMap<>(capacityFor(ids.size()));
        Set<K> missing = findNear(ids, (id, resident) -> answerOf(resident).ifPresent(value -> found.put(id, value)));
        Map<K, Lookup<V>> missed = findMissing(missing);
        requireAvailable(missed);
        missed.forEach((id, answer) -> answer.value().ifPresent(value -> found.put(id, value)));
        return found;
    }

    /** Throws when any of them is unavailable, and names all that are. */
    private void requireAvailable(Map<K, Lookup<V>> missed) {
        Map<K, UserUnavailableException> failures = new LinkedHashMap<>(0);
        missed.forEach((id, answer) -> {
            if (answer.failure() != null) {
                failures.put(id, answer.failure());
            }
        });
        if (!failures.isEmpty()) {
            UserUnavailableException first = failures.values().iterator().next();
            throw first.ids().equals(failures.keySet()) ? first : first.of(keys, failures.keySet());
        }
    }

    @Override
    public Map<K, Lookup<V>> lookUpAll(Collection<? extends K> ids) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>();
        found.putAll(findMissing(findNear(ids, (id, resident) -> found.put(id, foundIn(resident)))));
        return found;
    }

    @Override
    public Map<K, Optional<V>> findCached(Collection<? extends K> ids) {
        Map<K, Optional<V>> found = new LinkedHashMap<>();
        Set<K> missing = findNear(ids, (id, resident) -> found.put(id, answerOf(resident)));
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
                .filter(id -> !caches.fences().isPending(keys.keyOf(id)))
                .map(id -> new Miss<>(keys.keyOf(id), SingleFlight.<K, V>alone(id)))
                .toList();
        if (misses.isEmpty()) {
            return;
        }
        try {
            List<@Nullable Entry<V>> entries = reads.readAndKeep(misses, ahead.afterRead());
            for (int i = 0; i < misses.size(); i++) {
                Entry<V> entry = entries.get(i);
                if (entry != null) {
                    counters.answered(Tier.SHARED, entry);
                    found.put(misses.get(i).id, codec.handOut(entry));
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
        requireId(id);
        if (!readThrough.canLoadForOthers()) {
            // A thread of the executor would need a second connection, and could not see what this one has written.
            return completed(() -> find(id));
        }
        try {
            return CompletableFuture.supplyAsync(() -> find(id), caches.executor());
        } catch (RejectedExecutionException e) {
            Resident<V> last = near.lastKnown(id);
            if (last != null) {
                return CompletableFuture.completedFuture(answerOf(last));
            }
            counters.unavailable.increment();
            return CompletableFuture.failedFuture(
                    UserUnavailableException.ofRefusal(keys, Set.of(id), "too many callers are waiting already"));
        }
    }

    private static <T> CompletableFuture<T> completed(Supplier<T> call) {
        try {
            return CompletableFuture.completedFuture(call.get());
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private Optional<V> answerOf(Resident<V> resident) {
        Optional<V> answer = resident.answer();
        counters.remembered(answer.isPresent(), resident.isStale());
        return isCopied ? answer.map(codec::copyOf) : answer;
    }

    private Lookup<V> foundIn(Resident<V> resident) {
        return new Lookup<>(answerOf(resident), resident.staleFor());
    }

    /** As for many, but next to all of what it costs is what Redis costs. */
    private Lookup<V> findMissing(K id) {
        requireId(id);
        if (!readThrough.canLoadForOthers()) {
            return orThrow(requireNonNull(findAlone(Set.of(id)).get(id)));
        }
        try (Bulkhead.Call call = bulkhead.begin()) {
            Landing<V> landing = null;
            while (landing == null) {
                landing = findOne(id, call);
            }
            return foundIn(landing);
        } catch (CrowdedException e) {
            return orThrow(requireNonNull(findWithoutWaiting(Set.of(id)).get(id)));
        } catch (UserUnavailableException e) {
            return orThrow(lastKnownOr(id, e));
        }
    }

    private static <V> Lookup<V> orThrow(Lookup<V> found) {
        if (found.failure() != null) {
            throw found.failure();
        }
        return found;
    }

    /** The last known answer, or that there is none. */
    private Lookup<V> lastKnownOr(K id, UserUnavailableException failure) {
        Resident<V> last = near.lastKnown(id);
        if (last == null) {
            counters.unavailable.increment();
            return Lookup.unavailable(failure);
        }
        return foundIn(last);
    }

    /** What memory could not answer, by id; each for itself, be it that it is unavailable. */
    private Map<K, Lookup<V>> findMissing(Set<K> ids) {
        if (!ids.isEmpty() && !readThrough.canLoadForOthers()) {
            return findAlone(ids);
        }
        try (Bulkhead.Call call = bulkhead.begin()) {
            return findMissing(ids, call);
        }
    }

    private Map<K, Lookup<V>> findMissing(Set<K> ids, Bulkhead.Call call) {
        Map<K, Lookup<V>> found = new HashMap<>(capacityFor(ids.size()));
        Set<K> missing = ids;
        while (!missing.isEmpty()) {
            Set<K> together = firstOf(missing);
            Map<K, Landing<V>> landings = new HashMap<>(capacityFor(together.size()));
            Map<K, UserUnavailableException> failures = new HashMap<>(0);
            Set<K> crowded = new HashSet<>(0);
            findTogether(together, call, landings, failures, crowded);
            landings.forEach((id, landing) -> found.put(id, foundIn(landing)));
            failures.forEach((id, failure) -> found.put(id, lastKnownOr(id, failure)));
            if (!crowded.isEmpty()) {
                found.putAll(findWithoutWaiting(crowded));
            }
            missing = without(ids, found.keySet());
            if (failures.size() == together.size() && isOfTheWhole(failures) && !missing.isEmpty()) {
                // A long list is not to wait for each of its parts: Redis may know them all the same.
                findAllShared(missing, found, failures.values().iterator().next());
                return found;
            }
        }
        return found;
    }

    /** Whether one failure is that of all: users whose rows cannot be read have one each. */
    private static boolean isOfTheWhole(Map<?, UserUnavailableException> failures) {
        return failures.values().stream().distinct().count() == 1;
    }

    private static <K> Set<K> without(Set<K> ids, Set<K> others) {
        if (others.size() == ids.size()) {
            return Set.of();
        }
        Set<K> left = new LinkedHashSet<>(ids);
        left.removeAll(others);
        return left;
    }

    /** What Redis knows; the rest is as unavailable as those before. */
    private void findAllShared(Set<K> ids, Map<K, Lookup<V>> found, UserUnavailableException failure) {
        findCached(ids).forEach((id, value) -> found.put(id, new Lookup<>(value, Duration.ZERO)));
        Set<K> left = new LinkedHashSet<>(ids);
        left.removeAll(found.keySet());
        if (!left.isEmpty()) {
            UserUnavailableException why = failure.of(keys, left);
            left.forEach(id -> found.put(id, lastKnownOr(id, why)));
        }
    }

    /**
     * Users that another caller is loading, for a call that may not wait for it: what Redis holds of them. The load under way may be no more
     * than a read of Redis, and then to refuse its users would be wrong.
     */
    private Map<K, Lookup<V>> findWithoutWaiting(Set<K> ids) {
        Map<K, Optional<V>> shared = new HashMap<>(capacityFor(ids.size()));
        findShared(ids, shared);
        Map<K, Lookup<V>> found = new HashMap<>(capacityFor(ids.size()));
        shared.forEach((id, value) -> found.put(id, new Lookup<>(value, Duration.ZERO)));
        Set<K> left = without(ids, shared.keySet());
        if (!left.isEmpty()) {
            UserUnavailableException refusal = readThrough.refusal(left);
            left.forEach(id -> found.put(id, lastKnownOr(id, refusal)));
        }
        return found;
    }

    // The read on a thread that may not load for others.

    /** What memory could not answer, by id: from Redis, or else from the source, for the calling thread alone. */
    private Map<K, Lookup<V>> findAlone(Set<K> ids) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>(capacityFor(ids.size()));
        Set<K> left = new LinkedHashSet<>(ids);
        while (!left.isEmpty()) {
            Set<K> together = new LinkedHashSet<>(firstOf(left));
            left.removeAll(together);
            Map<K, Optional<V>> shared = new HashMap<>(capacityFor(together.size()));
            findShared(together, shared);
            shared.forEach((id, value) -> found.put(id, new Lookup<>(value, Duration.ZERO)));
            together.removeAll(shared.keySet());
            if (!together.isEmpty()) {
                UserUnavailableException failure = askAlone(together, found);
                if (failure != null && !left.isEmpty()) {
                    findAllShared(left, found, failure);
                    return found;
                }
            }
        }
        return found;
    }

    /**
     * Asks the source, and has others find what it has said.
     *
     * @return why the source has said nothing of anybody, or {@code null}
     */
    private @Nullable UserUnavailableException askAlone(Set<K> ids, Map<K, Lookup<V>> found) {
        try {
            Map<K, Loaded<V>> answer = loadAlone(ids);
            ids.forEach(id -> found.put(id, foundAlone(id, answer.get(id))));
            loadLater(ids.stream()
                    .filter(id -> {
                        Loaded<V> loaded = answer.get(id);
                        return loaded == null || loaded.failure() == null;
                    })
                    .collect(Collectors.toSet()));
            return null;
        } catch (UserUnavailableException e) {
            ids.forEach(id -> found.put(id, lastKnownOr(id, e)));
            return e;
        }
    }

    private Lookup<V> foundAlone(K id, @Nullable Loaded<V> loaded) {
        Exception failure = loaded == null ? null : loaded.failure();
        if (failure != null) {
            return lastKnownOr(id, readThrough.unavailable(Set.of(id), failure));
        }
        Entry<V> entry = new Entry<>(loaded == null ? null : loaded.value());
        counters.answered(Tier.SOURCE, entry);
        return new Lookup<>(entry.toOptional(), Duration.ZERO);
    }

    private Map<K, Loaded<V>> loadAlone(Set<K> ids) {
        flights.requireNotFlying();
        try {
            return flights.runAlone(() -> readThrough.loadAlone(Set.copyOf(ids)));
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            throw readThrough.unavailable(ids, e);
        }
    }

    /**
     * Has others find what one thread has read for itself. An application that only reads so would otherwise never find anything
     * cached. The caller does not wait for it.
     */
    private void loadLater(Set<K> ids) {
        Set<K> mine = ids.stream().filter(loadedLater::add).collect(Collectors.toSet());
        if (mine.isEmpty()) {
            return;
        }
        try {
            caches.executor().execute(() -> {
                try {
                    // The executor may run this on the thread that hands it in.
                    if (readThrough.canLoadForOthers()) {
                        Map<K, UserUnavailableException> failures = new HashMap<>(0);
                        try (Bulkhead.Call call = bulkhead.begin()) {
                            findTogether(mine, call, new HashMap<>(), failures, new HashSet<>(0));
                        }
                        if (!failures.isEmpty()) {
                            log.debug(
                                    "{} could not be loaded; the next caller tries again",
                                    keys.nameOf(failures.keySet()),
                                    failures.values().iterator().next());
                        }
                    }
                } catch (RuntimeException e) {
                    log.debug("{} could not be loaded; the next caller tries again", keys.nameOf(mine), e);
                } finally {
                    loadedLater.removeAll(mine);
                }
            });
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            loadedLater.removeAll(mine);
        }
    }

    private Lookup<V> foundIn(Landing<V> landing) {
        counters.answered(landing.tier(), landing.entry());
        return new Lookup<>(codec.handOut(landing.entry()), Duration.ZERO);
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
    private @Nullable Landing<V> findOne(K id, Bulkhead.Call call) throws CrowdedException {
        try {
            return flights.fly(id, call, this::isWithoutRedis, readThrough::load);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw notLanded(Set.of(id), e);
        }
    }

    /**
     * Loads, or joins the loads under way. An id whose load had read too early for this caller is missing.
     *
     * @param landings takes what was found
     * @param failures takes the rest, each for itself
     * @param crowded takes those for whose loads this call may not wait
     */
    private void findTogether(
            Set<K> ids,
            Bulkhead.Call call,
            Map<K, Landing<V>> landings,
            Map<K, UserUnavailableException> failures,
            Set<K> crowded) {
        Map<K, Exception> thrown = new HashMap<>(0);
        try {
            flights.fly(ids, call, this::isWithoutRedis, readThrough::load, landings, thrown);
        } catch (InterruptedException e) {
            UserUnavailableException interrupted = notLanded(without(ids, landings.keySet()), e);
            ids.stream().filter(id -> !landings.containsKey(id)).forEach(id -> failures.put(id, interrupted));
        }
        thrown.forEach((id, e) -> {
            if (e instanceof CrowdedException) {
                crowded.add(id);
            } else {
                failures.put(
                        id, e instanceof UserUnavailableException unavailable ? unavailable : notLanded(Set.of(id), e));
            }
        });
    }

    private UserUnavailableException notLanded(Set<K> ids, Exception why) {
        if (why instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return UserUnavailableException.of(
                    keys, ids, "the caller was interrupted while it waited for another load", why);
        }
        return why instanceof TimeoutException
                ? readThrough.tooLong(ids)
                : UserUnavailableException.of(keys, ids, "another caller's load failed", why.getCause());
    }

    /** Whether Redis could not say of a user, or this node would not believe it. */
    private boolean isWithoutRedis(K id) {
        return shared.isFailing()
                || (caches.fences().size() > 0 && caches.fences().isPending(keys.keyOf(id)));
    }

    // The read past all tiers.

    @Override
    public Optional<V> findFresh(K id) {
        requireId(id);
        if (!readThrough.canLoadForOthers()) {
            return findFreshAlone(id);
        }
        try (Bulkhead.Call call = bulkhead.begin()) {
            Landing<V> landing = flights.flyAlone(id, call, (alone, loading) -> {
                if (!readThrough.loadFresh(alone.get(0), loading)) {
                    invalidate(id);
                }
            });
            // What is under way may have read before.
            flights.forget(id);
            return foundIn(landing).value();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        } catch (InterruptedException e) {
            throw new IllegalStateException("a load that no caller can join does not wait", e);
        } finally {
            wakeUps.wake(id);
        }
    }

    /** What the tiers hold may be older, and what only this thread may see is not stored: they drop what they hold. */
    private Optional<V> findFreshAlone(K id) {
        try {
            Entry<V> entry = new Entry<>(valueAlone(id));
            invalidate(id);
            loadLater(Set.of(id));
            counters.answered(Tier.SOURCE, entry);
            return entry.toOptional();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        }
    }

    private @Nullable V valueAlone(K id) {
        try {
            return Loaded.valueOf(loadAlone(Set.of(id)).get(id));
        } catch (UserUnavailableException e) {
            throw e;
        } catch (Exception e) {
            throw readThrough.unavailable(Set.of(id), e);
        }
    }

    // The write path.

    @Override
    public ReadMark beforeRead() {
        caches.requireOpen();
        return shared.beforeRead();
    }

    @Override
    public boolean save(K id, V value, Instant readAt) {
        return save(id, value, markAt(readAt));
    }

    @Override
    public boolean save(K id, V value, ReadMark mark) {
        String key = keyOf(id);
        requireNonNull(value, "a user that does not exist cannot be saved");
        byte[] encoded = codec.encode(key, value);
        Offer offer = encoded == null ? Offer.REFUSED : offer(key, encoded, mark);
        if (offer == Offer.SUSPECT) {
            var unused = invalidate(id);
        }
        boolean stored = offer == Offer.STORED;
        if (stored) {
            // Newer than what is remembered, of which a push may not tell.
            near.forget(id);
        }
        (stored ? counters.offersStored : counters.offersRefused).increment();
        return stored;
    }

    /** A moment of this machine's clock, or one long ago if that cannot be: such a row is refused. */
    private ReadMark markAt(Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, caches.clock().instant());
        boolean canBe = !age.isNegative() && age.compareTo(GuardProtocol.FENCE) < 0;
        return canBe ? shared.guards().markAt(now - age.toNanos()) : NEVER;
    }

    private Offer offer(String key, byte[] value, ReadMark mark) {
        if (caches.fences().isPending(key)) {
            return Offer.REFUSED;
        }
        try {
            return shared.guards().offer(key, value, policy.jittered(policy.ttl()), mark);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            return Offer.REFUSED;
        }
    }

    @Override
    public boolean invalidate(K id) {
        return invalidateAll(List.of(id));
    }

    @Override
    public boolean invalidateAll(Collection<? extends K> ids) {
        return announcementOf(ids).send().pending().isEmpty();
    }

    @Override
    public boolean forget(K id) {
        return forgetAll(List.of(id));
    }

    @Override
    public boolean forgetAll(Collection<? extends K> ids) {
        caches.requireOpen();
        ids.forEach(this::requireId);
        return caches.announcementOf(ids).send().pending().isEmpty();
    }

    @Override
    public RevocationReceipt revoke(K id) {
        return revokeAll(List.of(id));
    }

    @Override
    public RevocationReceipt revokeAll(Collection<? extends K> ids) {
        long askedAt = System.nanoTime();
        long losses = caches.fences().losses();
        Announcement announcement = announcementOf(ids);
        if (ids.isEmpty()) {
            return RevocationReceipt.sent(null, Set.of(), Set.of(), Set.of(), Duration.ZERO);
        }
        Sent sent = announcement.send();
        if (!sent.pending().isEmpty()) {
            return unsent(sent, Duration.ofNanos(System.nanoTime() - askedAt));
        }
        return new Revocation(shared.register(), keys.facet(), policy, () -> brokenOff(losses)).await(askedAt);
    }

    private RevocationReceipt unsent(Sent sent, Duration took) {
        String code = sent.failure() == null ? null : sent.failure().errorCode();
        if (caches.isClosed()) {
            return RevocationReceipt.unsent(Reason.CLOSED, null, sent.pending(), took);
        }
        return RevocationReceipt.unsent(
                code == null ? Reason.NO_REDIS : Reason.REDIS_REFUSED, code, sent.pending(), took);
    }

    /** Why a fence that was confirmed is not waited for any more, or {@code null}. */
    private @Nullable Reason brokenOff(long lossesBefore) {
        if (caches.isClosed()) {
            return Reason.CLOSED;
        }
        return caches.fences().losses() == lossesBefore ? null : Reason.CONNECTION_LOST;
    }

    /** Refuses all where one of them can be no id. */
    private Announcement announcementOf(Collection<? extends K> ids) {
        caches.requireOpen();
        Announcement announcement = new Announcement(caches.fences());
        ids.forEach(id -> announcement.add(keyOf(id), changeOf(id)));
        return announcement;
    }

    /** Adds the change of the user whose id has a text, of whatever type the ids of this cache are. */
    void announce(String idText, Announcement announcement) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.parseOrNull(idText);
        announcement.add(keys.keyOf(idText), changeOf(id));
    }

    /**
     * The change of a user, for this process's memory.
     *
     * @param id whose, or {@code null} when no id of this cache has that text
     */
    private Announcement.Change changeOf(@Nullable K id) {
        return new Announcement.Change() {
            @Override
            public void forget() {
                if (id != null) {
                    flights.forget(id);
                    near.forget(id);
                }
            }

            @Override
            public void forgetAnswer() {
                if (id != null) {
                    near.forget(id);
                }
            }
        };
    }

    /** Somebody has changed what Redis holds for an id. Called on an event loop. */
    void changed(String idText) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.parseOrNull(idText);
        if (id != null) {
            counters.nearInvalidations.increment();
            near.forget(id);
            wakeUps.wake(id);
        }
    }

    // What it looks like from outside.

    @Override
    public Explanation<V> explain(K id) {
        String key = keyOf(id);
        Resident<V> resident = near.peek(id);
        Holding<V> inMemory = resident == null
                ? new Holding.Nothing<>()
                : Explanation.holdingOf(
                        codec.handOut(new Entry<>(resident.answer().orElse(null))));
        Holding<V> inSource;
        try {
            V said = readThrough.askSource(id);
            inSource =
                    Explanation.holdingOf(codec.handOut(codec.prepare(key, said).entry()));
        } catch (CrowdedException e) {
            counters.loadsRejected.increment();
            inSource = new Holding.Unknown<>("too many callers wait already");
        } catch (OverdueException e) {
            inSource = new Holding.Unknown<>(
                    "nothing was loaded within " + bulkhead.maxWait().toMillis() + " ms");
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            inSource = new Holding.Unknown<>(SourceFailure.describe(ReadThrough.reasonOf(e)));
        }
        Explanation.Builder<V> explanation = Explanation.<V>builder(key)
                .near(inMemory)
                .source(inSource)
                .invalidationPending(caches.fences().isPending(key));
        try {
            Inspection found = shared.inspect(key);
            explanation
                    .shared(found.isOfAnotherType() ? new Holding.Unknown<>("another type") : holdingOf(found.value()))
                    .sharedTtl(found.left())
                    .guard(found.guard())
                    .guardTtl(found.guardLeft());
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            explanation
                    .shared(new Holding.Unknown<>(String.valueOf(e.getMessage())))
                    .guard(Guard.UNKNOWN);
        }
        return explanation.build();
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

    /** How the last call of the source has failed, or {@code null}. */
    @Nullable String sourceTrouble() {
        return sourceTroubles.latest();
    }

    @Override
    public CacheStats stats() {
        return caches.statsOf(counters);
    }

    /** Why values are not cached, or {@code null} when they are. */
    @Nullable String misfit() {
        return codec.misfit();
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
        return readThrough.waitingForTheSource();
    }

    /** Answers nothing from memory any more, and lets the callers that wait see that the caches are closed. */
    void close() {
        near.close();
        wakeUps.wakeAll();
    }

    @Override
    public Facet<V> facet() {
        return facet;
    }

    @Override
    public K idOf(String text) {
        @SuppressWarnings("unchecked")
        K id = (K) idType.idOf(text);
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
}
