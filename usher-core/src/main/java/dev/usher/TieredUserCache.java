package dev.usher;

import static java.util.Objects.requireNonNull;

import dev.usher.Bulkhead.CrowdedException;
import dev.usher.Bulkhead.OverdueException;
import dev.usher.Explanation.Guard;
import dev.usher.Explanation.Holding;
import dev.usher.FenceOutbox.Sent;
import dev.usher.NearTier.CachedAnswer;
import dev.usher.RevocationReceipt.Reason;
import dev.usher.SingleFlight.LoadResult;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Offer;
import dev.usher.redis.GuardState;
import dev.usher.redis.RedisPrimary.Inspection;
import dev.usher.redis.ServerMoment;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One facet's cache. A read: the near tier answers, or else what one {@linkplain ReadThrough read-through} for all callers that miss the
 * same user brings. A change: a fence in Redis, after which memory drops the user.
 *
 * <p>The caller's own thread does the work, for one user as for many. A caller that misses while another of this process is
 * loading the same entry waits for that load.
 */
final class TieredUserCache<K, V> implements UserCache<K, V>, Engine.FacetCache {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** Of no server. */
    private static final ReadMark NEVER = new ReadMark(ServerMoment.unknown());

    private final Engine engine;
    private final SharedTier shared;
    private final FenceOutbox fences;
    private final CachedFacet<K, V> facet;
    private final EntryCodec<V> codec;
    private final Counters counters;
    private final NearTier<K, V> near;
    private final SingleFlight<K, V> flights = new SingleFlight<>();
    private final ReadThrough<K, V> readThrough;
    private final Reloads<K, V> reloads;
    private final SourceReads<K, V> source;
    private final KnownAnswers<K, V> known;
    private final ReadAlone<K, V> alone;

    TieredUserCache(Engine engine, CachedFacet<K, V> facet, UserSource<K, V> source) {
        this.engine = engine;
        this.shared = engine.shared();
        this.fences = engine.fences();
        this.facet = facet;
        this.codec = facet.codec();
        this.counters = facet.counters();
        this.near = new NearTier<>(facet.policy(), this::refreshLater);
        this.readThrough = new ReadThrough<>(engine, facet, source, near);
        this.reloads = new Reloads<>(engine, facet, near, readThrough);
        this.source = readThrough.source();
        this.known = new KnownAnswers<>(engine, facet, near, readThrough.reads(), readThrough.ahead());
        this.alone = new ReadAlone<>(this.source, known, flights, engine.executor(), this::loadForOthers);
    }

    private void refreshLater(K id, CachedAnswer<V> due) {
        reloads.refreshLater(id, due);
    }

    // The read path.

    @Override
    public Optional<V> find(K id) {
        engine.requireOpen();
        CachedAnswer<V> cachedAnswer = near.find(id);
        if (cachedAnswer != null) {
            return known.answerOf(cachedAnswer);
        }
        return findMissing(id).value();
    }

    @Override
    public Lookup<V> lookUp(K id) {
        engine.requireOpen();
        CachedAnswer<V> cachedAnswer = near.find(id);
        return cachedAnswer != null ? known.foundIn(cachedAnswer) : findMissing(id);
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        Map<K, V> found = new LinkedHashMap<>(KnownAnswers.capacityFor(ids.size()));
        Set<K> missing = known.inMemory(
                ids, (id, cachedAnswer) -> known.answerOf(cachedAnswer).ifPresent(value -> found.put(id, value)));
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
            throw first.ids().equals(failures.keySet()) ? first : first.of(facet.keys(), failures.keySet());
        }
    }

    @Override
    public Map<K, Lookup<V>> lookUpAll(Collection<? extends K> ids) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>();
        found.putAll(
                findMissing(known.inMemory(ids, (id, cachedAnswer) -> found.put(id, known.foundIn(cachedAnswer)))));
        return found;
    }

    @Override
    public Map<K, Optional<V>> findCached(Collection<? extends K> ids) {
        Map<K, Optional<V>> found = new LinkedHashMap<>();
        Set<K> missing = known.inMemory(ids, (id, cachedAnswer) -> found.put(id, known.answerOf(cachedAnswer)));
        known.inRedis(missing).forEach((id, answer) -> found.put(id, answer.value()));
        return found;
    }

    @Override
    public CompletableFuture<Optional<V>> findAsync(K id) {
        engine.requireOpen();
        CachedAnswer<V> cachedAnswer = near.find(id);
        if (cachedAnswer != null) {
            return CompletableFuture.completedFuture(known.answerOf(cachedAnswer));
        }
        requireId(id);
        if (!source.canLoadForOthers()) {
            // A thread of the executor would need a second connection, and could not see what this one has written.
            return completed(() -> find(id));
        }
        try {
            return CompletableFuture.supplyAsync(() -> find(id), engine.executor());
        } catch (RejectedExecutionException e) {
            Lookup<V> last = known.lastKnownOr(
                    id,
                    UserUnavailableException.ofRefusal(
                            facet.keys(), Set.of(id), "too many callers are waiting already"));
            return completed(() -> orThrow(last).value());
        }
    }

    private static <T> CompletableFuture<T> completed(Supplier<T> call) {
        try {
            return CompletableFuture.completedFuture(call.get());
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** As for many, but next to all of what it costs is what Redis costs. */
    private Lookup<V> findMissing(K id) {
        requireId(id);
        if (!source.canLoadForOthers()) {
            return orThrow(requireNonNull(alone.find(Set.of(id)).get(id)));
        }
        try (Bulkhead.Call call = source.begin()) {
            LoadResult<V> loadResult = null;
            while (loadResult == null) {
                loadResult = findOne(id, call);
            }
            return known.foundIn(loadResult);
        } catch (CrowdedException e) {
            return orThrow(requireNonNull(findWithoutWaiting(Set.of(id)).get(id)));
        } catch (UserUnavailableException e) {
            return orThrow(known.lastKnownOr(id, e));
        }
    }

    private static <V> Lookup<V> orThrow(Lookup<V> found) {
        if (found.failure() != null) {
            throw found.failure();
        }
        return found;
    }

    /** What memory could not answer, by id; each for itself, be it that it is unavailable. */
    private Map<K, Lookup<V>> findMissing(Set<K> ids) {
        if (!ids.isEmpty() && !source.canLoadForOthers()) {
            return alone.find(ids);
        }
        try (Bulkhead.Call call = source.begin()) {
            return findMissing(ids, call);
        }
    }

    private Map<K, Lookup<V>> findMissing(Set<K> ids, Bulkhead.Call call) {
        Map<K, Lookup<V>> found = new HashMap<>(KnownAnswers.capacityFor(ids.size()));
        Set<K> missing = ids;
        while (!missing.isEmpty()) {
            Set<K> together = KnownAnswers.firstOf(missing);
            Map<K, LoadResult<V>> loadResults = new HashMap<>(KnownAnswers.capacityFor(together.size()));
            Map<K, UserUnavailableException> failures = new HashMap<>(0);
            Set<K> crowded = new HashSet<>(0);
            findTogether(together, call, loadResults, failures, crowded);
            loadResults.forEach((id, loadResult) -> found.put(id, known.foundIn(loadResult)));
            failures.forEach((id, failure) -> found.put(id, known.lastKnownOr(id, failure)));
            if (!crowded.isEmpty()) {
                found.putAll(findWithoutWaiting(crowded));
            }
            missing = KnownAnswers.without(ids, found.keySet());
            if (failures.size() == together.size() && isOfTheWhole(failures) && !missing.isEmpty()) {
                // A long list is not to wait for each of its parts: Redis may know them all the same.
                found.putAll(known.knownOr(missing, failures.values().iterator().next()));
                return found;
            }
        }
        return found;
    }

    /** Whether one failure is that of all: users whose rows cannot be read have one each. */
    private static boolean isOfTheWhole(Map<?, UserUnavailableException> failures) {
        return failures.values().stream().distinct().count() == 1;
    }

    /**
     * Users that another caller is loading, for a call that may not wait for it: what Redis holds of them. The load under way may be no more
     * than a read of Redis, and then to refuse its users would be wrong.
     */
    private Map<K, Lookup<V>> findWithoutWaiting(Set<K> ids) {
        Map<K, Lookup<V>> found = known.inRedis(ids);
        Set<K> left = KnownAnswers.without(ids, found.keySet());
        if (!left.isEmpty()) {
            UserUnavailableException refusal = source.refusal(left);
            left.forEach(id -> found.put(id, known.lastKnownOr(id, refusal)));
        }
        return found;
    }

    /** Loads what a thread has read for itself alone. */
    private void loadForOthers(Set<K> ids) {
        try {
            // The executor may run this on the thread that hands it in.
            if (!source.canLoadForOthers()) {
                return;
            }
            Map<K, UserUnavailableException> failures = new HashMap<>(0);
            try (Bulkhead.Call call = source.begin()) {
                findTogether(ids, call, new HashMap<>(), failures, new HashSet<>(0));
            }
            if (!failures.isEmpty()) {
                log.debug(
                        "{} could not be loaded; the next caller tries again",
                        facet.keys().nameOf(failures.keySet()),
                        failures.values().iterator().next());
            }
        } catch (RuntimeException e) {
            log.debug(
                    "{} could not be loaded; the next caller tries again",
                    facet.keys().nameOf(ids),
                    e);
        }
    }

    /** Loads, or joins the load under way; {@code null} when that had read too early for this caller. */
    private @Nullable LoadResult<V> findOne(K id, Bulkhead.Call call) throws CrowdedException {
        try {
            return flights.run(id, call, this::isWithoutRedis, readThrough::load);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw notLoaded(Set.of(id), e);
        }
    }

    /**
     * Loads, or joins the loads under way. An id whose load had read too early for this caller is missing.
     *
     * @param loadResults takes what was found
     * @param failures takes the rest, each for itself
     * @param crowded takes those for whose loads this call may not wait
     */
    private void findTogether(
            Set<K> ids,
            Bulkhead.Call call,
            Map<K, LoadResult<V>> loadResults,
            Map<K, UserUnavailableException> failures,
            Set<K> crowded) {
        Map<K, Exception> thrown = new HashMap<>(0);
        try {
            flights.run(ids, call, this::isWithoutRedis, readThrough::load, loadResults, thrown);
        } catch (InterruptedException e) {
            UserUnavailableException interrupted = notLoaded(KnownAnswers.without(ids, loadResults.keySet()), e);
            ids.stream().filter(id -> !loadResults.containsKey(id)).forEach(id -> failures.put(id, interrupted));
        }
        thrown.forEach((id, e) -> {
            if (e instanceof CrowdedException) {
                crowded.add(id);
            } else {
                failures.put(
                        id, e instanceof UserUnavailableException unavailable ? unavailable : notLoaded(Set.of(id), e));
            }
        });
    }

    private UserUnavailableException notLoaded(Set<K> ids, Exception why) {
        if (why instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            return UserUnavailableException.of(
                    facet.keys(), ids, "the caller was interrupted while it waited for another load", why);
        }
        return why instanceof TimeoutException
                ? source.tooLong(ids)
                : UserUnavailableException.of(facet.keys(), ids, "another caller's load failed", why.getCause());
    }

    /** Whether Redis could not say of a user, or this node would not believe it. */
    private boolean isWithoutRedis(K id) {
        String key = facet.keyOf(id);
        return shared.isFailing(key) || fences.isPending(key);
    }

    // The read past all tiers.

    @Override
    public Optional<V> findFresh(K id) {
        requireId(id);
        if (!source.canLoadForOthers()) {
            return findFreshAlone(id);
        }
        try (Bulkhead.Call call = source.begin()) {
            LoadResult<V> loadResult = flights.leadAlone(id, call, (alone, loading) -> {
                if (!reloads.loadFresh(alone.get(0), loading)) {
                    invalidate(id);
                }
            });
            // What is under way may have read before.
            flights.forget(id);
            return known.foundIn(loadResult).value();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        } catch (InterruptedException e) {
            throw new IllegalStateException("a load that no caller can join does not wait", e);
        } finally {
            readThrough.wakeUps().wake(id);
        }
    }

    /** What the tiers hold may be older, and what only this thread may see is not stored: they drop what they hold. */
    private Optional<V> findFreshAlone(K id) {
        try {
            Entry<V> entry = alone.findFresh(id);
            invalidate(id);
            alone.loadLater(Set.of(id));
            return known.foundAlone(entry).value();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        }
    }

    // The write path.

    @Override
    public ReadMark beforeRead() {
        engine.requireOpen();
        return new ReadMark(shared.now());
    }

    @Override
    public boolean save(K id, V value, Instant readAt) {
        return save(id, value, markAt(id, readAt));
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
    private ReadMark markAt(K id, Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, engine.clock().instant());
        boolean canBe = !age.isNegative() && age.compareTo(GuardProtocol.FENCE) < 0;
        return canBe ? new ReadMark(shared.momentAt(keyOf(id), now - age.toNanos())) : NEVER;
    }

    private Offer offer(String key, byte[] value, ReadMark mark) {
        if (fences.isPending(key)) {
            return Offer.REFUSED;
        }
        CachePolicy policy = facet.policy();
        try {
            return shared.guards(key).offer(key, value, policy.jittered(policy.ttl()), mark.moment());
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
        engine.requireOpen();
        ids.forEach(this::requireId);
        return engine.announcementOf(ids).send().pending().isEmpty();
    }

    @Override
    public RevocationReceipt revoke(K id) {
        return revokeAll(List.of(id));
    }

    @Override
    public RevocationReceipt revokeAll(Collection<? extends K> ids) {
        long askedAt = System.nanoTime();
        long losses = fences.losses();
        Announcement announcement = announcementOf(ids);
        if (ids.isEmpty()) {
            return RevocationReceipt.sent(null, Set.of(), Set.of(), Set.of(), Duration.ZERO);
        }
        Sent sent = announcement.send();
        if (!sent.pending().isEmpty()) {
            return unsent(sent, Duration.ofNanos(System.nanoTime() - askedAt));
        }
        return new Revocation(
                        shared.register(),
                        facet.keys().facet(),
                        facet.policy(),
                        engine::isAlone,
                        () -> brokenOff(losses))
                .await(askedAt);
    }

    private RevocationReceipt unsent(Sent sent, Duration took) {
        String code = sent.failure() == null ? null : sent.failure().errorCode();
        if (engine.isClosed()) {
            return RevocationReceipt.unsent(Reason.CLOSED, null, sent.pending(), took);
        }
        return RevocationReceipt.unsent(
                code == null ? Reason.NO_REDIS : Reason.REDIS_REFUSED, code, sent.pending(), took);
    }

    /** Why a fence that was confirmed is not waited for any more, or {@code null}. */
    private @Nullable Reason brokenOff(long lossesBefore) {
        if (engine.isClosed()) {
            return Reason.CLOSED;
        }
        return fences.losses() == lossesBefore ? null : Reason.CONNECTION_LOST;
    }

    /** Refuses all where one of them can be no id. */
    private Announcement announcementOf(Collection<? extends K> ids) {
        engine.requireOpen();
        Announcement announcement = new Announcement(fences);
        ids.forEach(id -> announcement.add(keyOf(id), changeOf(id)));
        return announcement;
    }

    @Override
    public void announce(String idText, Announcement announcement) {
        announcement.add(facet.keys().keyOf(idText), changeOf(facet.idOrNull(idText)));
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

    @Override
    public void changed(String idText) {
        K id = facet.idOrNull(idText);
        if (id != null) {
            counters.nearInvalidations.increment();
            near.forget(id);
            readThrough.wakeUps().wake(id);
        }
    }

    // What it looks like from outside.

    @Override
    public Explanation<V> explain(K id) {
        String key = keyOf(id);
        CachedAnswer<V> cachedAnswer = near.peek(id);
        Holding<V> inMemory = cachedAnswer == null
                ? new Holding.Nothing<>()
                : Explanation.holdingOf(
                        codec.handOut(new Entry<>(cachedAnswer.answer().orElse(null))));
        Holding<V> inSource;
        try {
            V said = source.ask(id);
            inSource =
                    Explanation.holdingOf(codec.handOut(codec.prepare(key, said).entry()));
        } catch (CrowdedException e) {
            counters.loadsRejected.increment();
            inSource = new Holding.Unknown<>("too many callers wait already");
        } catch (OverdueException e) {
            inSource = new Holding.Unknown<>("nothing was loaded within " + source.maxWaitMillis() + " ms");
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            inSource = new Holding.Unknown<>(SourceFailure.describe(SourceReads.reasonOf(e)));
        }
        Explanation.Builder<V> explanation =
                Explanation.<V>builder(key).near(inMemory).source(inSource).invalidationPending(fences.isPending(key));
        try {
            Inspection found = shared.inspect(key);
            explanation
                    .shared(found.isOfAnotherType() ? new Holding.Unknown<>("another type") : holdingOf(found.value()))
                    .sharedTtl(found.left())
                    .guard(guardIn(found.guard()))
                    .guardTtl(found.guardLeft());
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            explanation
                    .shared(new Holding.Unknown<>(String.valueOf(e.getMessage())))
                    .guard(Guard.UNKNOWN);
        }
        return explanation.build();
    }

    private static Guard guardIn(GuardState state) {
        return switch (state) {
            case NONE -> Guard.NONE;
            case FENCE -> Guard.FENCE;
            case CLAIM -> Guard.CLAIM;
        };
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
    public @Nullable String sourceError() {
        return source.lastFailure();
    }

    @Override
    public CacheStats stats() {
        return engine.statsOf(counters);
    }

    @Override
    public @Nullable String misfit() {
        return codec.misfit();
    }

    // How busy it is, for tests that wait for it.

    /** How many callers of this process wait for another one's load of this user, about. */
    int waitingFor(K id) {
        return flights.waitersOf(id);
    }

    /** How many users are being loaded, about. */
    int underWay() {
        return flights.size();
    }

    /** How many loads wait for a query that may take them along, about. */
    int waitingForTheSource() {
        return source.waiting();
    }

    @Override
    public void close() {
        near.close();
        readThrough.wakeUps().wakeAll();
    }

    @Override
    public Facet<V> facet() {
        return facet.facet();
    }

    @Override
    public K idOf(String text) {
        engine.requireOpen();
        return facet.idOf(text);
    }

    @Override
    public String keyOf(K id) {
        requireId(id);
        return facet.keyOf(id);
    }

    private void requireId(K id) {
        engine.requireOpen();
        facet.requireId(id);
    }
}
