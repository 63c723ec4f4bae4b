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
import dev.usher.redis.RevokedKeys;
import dev.usher.redis.ServerMoment;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import dev.usher.redis.StoredKeys.Inspection;
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
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One facet's cache. A read: the near tier answers, or else what one {@linkplain ReadThrough read-through} for all callers that miss the
 * same user brings. A change: a fence in Redis, after which memory drops the user.
 *
 * <p>A read that memory cannot answer is the same for all callers; what differs is where its {@linkplain Steps steps} run: on the thread of a
 * caller that waits, else on the executor. A caller that misses while another of this process is loading the same entry waits for that load.
 */
final class TieredUserCache<K, V> implements UserCache<K, V>, Engine.FacetCache {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** Of no server. */
    private static final ReadMark NEVER = new ReadMark(ServerMoment.unknown());

    /** How many changes may come between the fence of a user and the name of its revocation, about. */
    private static final int MAX_PUSHED = 1_000;

    private static final CompletableFuture<Void> DONE = CompletableFuture.completedFuture(null);

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

    /** Of a facet that fails closed: the keys whose changes Redis has pushed of late. */
    private final RecentKeys pushed = new RecentKeys(MAX_PUSHED);

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
        this.known =
                new KnownAnswers<>(engine, facet, near, readThrough.reads(), readThrough.ahead(), readThrough.belief());
        this.alone = new ReadAlone<>(engine, this.source, known, this::loadForOthers);
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
        CallerSteps steps = engine.callerSteps();
        steps.await(known.inRedis(missing, steps), () -> {}).forEach((id, answer) -> found.put(id, answer.value()));
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
            return Futures.of(() -> CompletableFuture.completedFuture(find(id)));
        }
        Steps steps = ContextSteps.captured(engine.steps());
        // A caller without a thread has no place in the bulkhead, but takes memory.
        Semaphore places = engine.asyncReads();
        if (!places.tryAcquire()) {
            return refuseAsync(id);
        }
        CompletableFuture<Optional<V>> answer = new CompletableFuture<>();
        // What the caller does with it must hold up neither an event loop nor the rest of the load.
        var unused = Futures.of(() -> findMissing(id, source.begin(steps)))
                .whenComplete((found, failure) -> places.release())
                .whenComplete((found, failure) -> steps.run(() -> failure == null
                                ? answer.complete(found.get().value())
                                : answer.completeExceptionally(Futures.causeOf(failure)))
                        .exceptionally(why -> answer.completeExceptionally(
                                why instanceof RejectedExecutionException ? Engine.closedException() : why)));
        return answer;
    }

    /** At once: the executor may be what the others wait for. */
    private CompletableFuture<Optional<V>> refuseAsync(K id) {
        counters.loadsRejected.increment();
        UserUnavailableException refusal =
                UserUnavailableException.ofRefusal(facet.keys(), Set.of(id), "too many callers are waiting already");
        return Futures.of(() -> CompletableFuture.completedFuture(
                orThrow(known.lastKnownOr(id, refusal)).value()));
    }

    private Lookup<V> findMissing(K id) {
        requireId(id);
        if (!source.canLoadForOthers()) {
            return orThrow(requireNonNull(alone.find(Set.of(id)).get(id)));
        }
        return await(call -> findMissing(id, call)).get();
    }

    /** Waits on the calling thread, which runs the steps. */
    private <T> T await(Function<Bulkhead.Call, CompletableFuture<T>> read) {
        CallerSteps steps = engine.callerSteps();
        try (Bulkhead.Call call = source.begin(steps)) {
            return steps.await(read.apply(call), call::interrupt);
        } catch (CompletionException e) {
            throw Futures.thrown(e);
        }
    }

    /**
     * As for many, but next to all of what it costs is what Redis costs.
     *
     * @return makes the answer of what was found, or throws; to be called in a step of the call
     */
    private CompletableFuture<Supplier<Lookup<V>>> findMissing(K id, Bulkhead.Call call) {
        CompletableFuture<Supplier<Lookup<V>>> answer = new CompletableFuture<>();
        ask(id, call, answer);
        return answer;
    }

    /**
     * Asks, and asks anew as often as the load under way had read before. That is for the same answer each time: of an answer for each attempt, the last would
     * complete all of those before it by calls within calls, for which the stack of a thread has no room after some hundred attempts.
     */
    private void ask(K id, Bulkhead.Call call, CompletableFuture<Supplier<Lookup<V>>> answer) {
        var unused = flights.run(id, call, this::isWithoutRedis, readThrough::load)
                .whenComplete((loadResult, failure) -> {
                    try {
                        if (failure != null) {
                            Futures.relay(findOtherwise(id, Futures.causeOf(failure), call), answer);
                        } else if (loadResult == null) {
                            ask(id, call, answer);
                        } else {
                            answer.complete(() -> known.foundIn(loadResult));
                        }
                    } catch (Throwable e) {
                        answer.completeExceptionally(e);
                    }
                });
    }

    /** The answer for a caller whose load, or wait, has failed. */
    private CompletableFuture<Supplier<Lookup<V>>> findOtherwise(K id, Throwable failure, Bulkhead.Call call) {
        if (failure instanceof CrowdedException) {
            return findWithoutWaiting(Set.of(id), call.steps())
                    .thenApply(found -> () -> orThrow(requireNonNull(found.get(id))));
        }
        return failure instanceof Error
                ? CompletableFuture.failedFuture(failure)
                : CompletableFuture.completedFuture(
                        () -> orThrow(known.lastKnownOr(id, failureOf(Set.of(id), failure))));
    }

    private static <V> Lookup<V> orThrow(Lookup<V> found) {
        if (found.failure() != null) {
            throw found.failure();
        }
        return found;
    }

    /** What memory could not answer, by id; each for itself, be it that it is unavailable. */
    private Map<K, Lookup<V>> findMissing(Set<K> ids) {
        if (ids.isEmpty()) {
            return Map.of();
        }
        if (!source.canLoadForOthers()) {
            return alone.find(ids);
        }
        Map<K, Lookup<V>> found = new HashMap<>(KnownAnswers.capacityFor(ids.size()));
        return await(call -> findMissing(ids, call, found).thenApply(done -> found));
    }

    private CompletableFuture<Void> findMissing(Set<K> ids, Bulkhead.Call call, Map<K, Lookup<V>> found) {
        Set<K> missing = KnownAnswers.without(ids, found.keySet());
        if (missing.isEmpty()) {
            return DONE;
        }
        Set<K> together = KnownAnswers.firstOf(missing);
        return flights.run(together, call, this::isWithoutRedis, readThrough::load)
                .thenCompose(outcomes -> call.steps().compose(() -> take(outcomes, call.steps(), found)))
                .thenCompose(failures -> {
                    Set<K> left = KnownAnswers.without(ids, found.keySet());
                    if (failures.size() == together.size() && isOfTheWhole(failures) && !left.isEmpty()) {
                        // A long list is not to wait for each of its parts: Redis may know them all the same.
                        return known.knownOr(left, failures.values().iterator().next(), call.steps())
                                .thenAccept(found::putAll);
                    }
                    return findMissing(ids, call, found);
                });
    }

    /**
     * Takes what was found, and what else there is to say of the rest.
     *
     * @return the failures, each for itself
     */
    private CompletableFuture<Map<K, UserUnavailableException>> take(
            SingleFlight.Outcomes<K, V> outcomes, Steps steps, Map<K, Lookup<V>> found) {
        Map<K, UserUnavailableException> failures = new HashMap<>(0);
        Set<K> crowded = new HashSet<>(0);
        Set<K> interrupted = new HashSet<>(0);
        outcomes.forEach((id, loadResult) -> found.put(id, known.foundIn(loadResult)), (id, failure) -> {
            if (failure instanceof Error error) {
                throw error;
            }
            if (failure instanceof CrowdedException) {
                crowded.add(id);
            } else if (failure instanceof InterruptedException) {
                interrupted.add(id);
            } else {
                failures.put(id, failureOf(Set.of(id), failure));
            }
        });
        if (!interrupted.isEmpty()) {
            UserUnavailableException why = failureOf(interrupted, new InterruptedException());
            interrupted.forEach(id -> failures.put(id, why));
        }
        failures.forEach((id, why) -> found.put(id, known.lastKnownOr(id, why)));
        return crowded.isEmpty()
                ? CompletableFuture.completedFuture(failures)
                : findWithoutWaiting(crowded, steps).thenApply(known -> {
                    found.putAll(known);
                    return failures;
                });
    }

    /** Whether the queries have failed as a whole, of which there is one for each primary: users whose rows cannot be read have a failure each. */
    private boolean isOfTheWhole(Map<?, UserUnavailableException> failures) {
        return failures.values().stream().distinct().count()
                <= (shared.isCluster() ? shared.primaries().size() : 1);
    }

    /**
     * Users that another caller is loading, for a call that may not wait for it: what Redis holds of them. The load under way may be no more
     * than a read of Redis, and then to refuse its users would be wrong.
     */
    private CompletableFuture<Map<K, Lookup<V>>> findWithoutWaiting(Set<K> ids, Steps steps) {
        return known.inRedis(ids, steps).thenApply(found -> {
            Set<K> left = KnownAnswers.without(ids, found.keySet());
            if (!left.isEmpty()) {
                UserUnavailableException refusal = source.refusal(left);
                left.forEach(id -> found.put(id, known.lastKnownOr(id, refusal)));
            }
            return found;
        });
    }

    /** Loads what a thread has read for itself alone. It never fails. */
    private CompletableFuture<?> loadForOthers(Set<K> ids) {
        CompletableFuture<Void> loaded = Futures.of(() -> source.canLoadForOthers()
                ? flights.run(ids, source.begin(engine.steps()), this::isWithoutRedis, readThrough::load)
                        .thenAccept(outcomes -> outcomes.forEach(
                                (id, loadResult) -> {}, (id, failure) -> notLoadedForOthers(Set.of(id), failure)))
                // The executor may run this on the thread that hands it in.
                : DONE);
        return loaded.exceptionally(failure -> {
            notLoadedForOthers(ids, failure);
            return null;
        });
    }

    private void notLoadedForOthers(Set<K> ids, Throwable failure) {
        log.debug(
                "{} could not be loaded; the next caller tries again",
                facet.keys().nameOf(ids),
                failure);
    }

    private UserUnavailableException failureOf(Set<K> ids, Throwable why) {
        if (why instanceof UserUnavailableException known) {
            return known;
        }
        if (why instanceof InterruptedException) {
            return UserUnavailableException.of(
                    facet.keys(), ids, "the caller was interrupted while it waited for another load", why);
        }
        return why instanceof TimeoutException
                ? source.tooLong(ids)
                : UserUnavailableException.of(
                        facet.keys(), ids, "another caller's load failed", SourceReads.reasonOf(why));
    }

    /** Whether Redis could not say of a user, or this node would not believe it. */
    private boolean isWithoutRedis(K id) {
        String key = facet.keyOf(id);
        return shared.isFailing(key) || !readThrough.belief().in(key);
    }

    // The read past all tiers.

    @Override
    public Optional<V> findFresh(K id) {
        requireId(id);
        if (!source.canLoadForOthers()) {
            return findFreshAlone(id);
        }
        try {
            LoadResult<V> loadResult = await(call -> SingleFlight.leadAlone(
                    id,
                    call,
                    (flights, loading) -> reloads.loadFresh(flights.get(0), loading)
                            .thenCompose(settled -> settled ? DONE : invalidate(id, loading.steps()))));
            // What is under way may have read before.
            flights.forget(id);
            return known.foundIn(loadResult).value();
        } catch (UserUnavailableException e) {
            counters.unavailable.increment();
            throw e;
        } finally {
            readThrough.wakeUps().wake(id);
        }
    }

    private CompletableFuture<Void> invalidate(K id, Steps steps) {
        return steps.run(() -> {
            var unused = invalidate(id);
            return null;
        });
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
        return save(id, value, markAt(readAt));
    }

    @Override
    public boolean save(K id, V value, ReadMark mark) {
        return saveAsync(id, value, mark).join();
    }

    @Override
    public CompletableFuture<Boolean> saveAsync(K id, V value, ReadMark mark) {
        String key = keyOf(id);
        requireNonNull(value, "a user that does not exist cannot be saved");
        byte[] encoded = codec.encode(key, value);
        // On the event loop, where the answer has come.
        return offer(key, encoded, mark).thenCompose(offer -> {
            boolean stored = offer == Offer.STORED;
            if (stored) {
                // Newer than what is remembered, of which a push may not tell.
                near.forget(id);
            }
            (stored ? counters.offersStored : counters.offersRefused).increment();
            return offer == Offer.SUSPECT
                    ? invalidateAsync(id, key).thenApply(any -> false)
                    : CompletableFuture.completedFuture(stored);
        });
    }

    /** A moment of this machine's clock, or one long ago if that cannot be: such a row is refused. */
    private ReadMark markAt(Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, engine.clock().instant());
        boolean canBe = !age.isNegative() && age.compareTo(GuardProtocol.FENCE) < 0;
        return canBe ? new ReadMark(shared.momentAt(now - age.toNanos())) : NEVER;
    }

    private CompletableFuture<Offer> offer(String key, byte @Nullable [] value, ReadMark mark) {
        if (value == null || fences.isPending(key)) {
            return CompletableFuture.completedFuture(Offer.REFUSED);
        }
        CachePolicy policy = facet.policy();
        return shared.offer(key, value, policy.jittered(policy.ttl()), mark.moment())
                .exceptionally(failure -> {
                    counters.sharedErrors.increment();
                    return Offer.REFUSED;
                });
    }

    /** As {@link #invalidate}, on an event loop: completed when Redis has confirmed it, or has not within the command timeout. */
    private CompletableFuture<?> invalidateAsync(K id, String key) {
        Object mark = fences.announce(key);
        Announcement.Change change = changeOf(id);
        change.forget();
        return fences.sendUnawaited(key, mark).thenRun(change::forgetAnswer);
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
            return RevocationReceipt.sent(null, Set.of(), Set.of(), Set.of(), Map.of(), Duration.ZERO);
        }
        Sent sent = announcement.send();
        if (!sent.pending().isEmpty()) {
            return unsent(sent, Duration.ofNanos(System.nanoTime() - askedAt));
        }
        List<String> keys = ids.stream().map(facet::keyOf).distinct().toList();
        return new Revocation(
                        shared.register(),
                        keys,
                        facet.keys().facet(),
                        facet.policy(),
                        engine::isAlone,
                        atMost -> shared.acknowledged(keys, atMost),
                        () -> brokenOff(keys, losses))
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
    private @Nullable Reason brokenOff(List<String> keys, long lossesBefore) {
        if (engine.isClosed()) {
            return Reason.CLOSED;
        }
        return shared.hasLostSince(keys, lossesBefore) ? Reason.CONNECTION_LOST : null;
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
            if (facet.policy().failsClosed()) {
                long now = System.nanoTime();
                pushed.add(facet.keyOf(id), now, now);
            }
            counters.nearInvalidations.increment();
            near.forget(id);
            readThrough.wakeUps().wake(id);
        }
    }

    @Override
    public void revoked(RevokedKeys users) {
        if (!facet.policy().failsClosed()) {
            return;
        }
        Predicate<K> isOne = id -> users.contains(facet.keyOf(id));
        flights.forgetIf(isOne);
        near.forgetIf(isOne);
        if (!users.isEveryone()) {
            // The pushes of the fences came before, and say the keys, of which the register has hashes only.
            long now = System.nanoTime();
            pushed.takeAll(now, users::contains).forEach(fences::remember);
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
        if (shared.isCluster()) {
            explanation.slot(SharedTier.slotOf(key)).primary(shared.addressOf(key));
        }
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

    @Override
    public int underWay() {
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
        source.close();
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
