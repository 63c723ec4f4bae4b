package dev.usher;

import dev.usher.NearTier.CachedAnswer;
import dev.usher.SingleFlight.LoadResult;
import java.time.Duration;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;

/**
 * What is known of users without the source: what memory answers, what Redis holds, and the last known answers for when there is nothing
 * better. Every answer is counted here. Thread-safe.
 */
final class KnownAnswers<K, V> {

    /** How many users are looked up at a time: no more than Redis can answer well within the time that one call may take. */
    private static final int MAX_TOGETHER = 500;

    private final Engine engine;
    private final CachedFacet<K, V> facet;
    private final EntryCodec<V> codec;
    private final Counters counters;
    private final NearTier<K, V> near;
    private final TrackedReads<K, V> reads;
    private final RefreshAhead ahead;
    private final Belief belief;

    /** Beside the codec, for a hit in memory is as quick as this is read. */
    private final boolean isCopied;

    KnownAnswers(
            Engine engine,
            CachedFacet<K, V> facet,
            NearTier<K, V> near,
            TrackedReads<K, V> reads,
            RefreshAhead ahead,
            Belief belief) {
        this.engine = engine;
        this.facet = facet;
        this.codec = facet.codec();
        this.counters = facet.counters();
        this.near = near;
        this.reads = reads;
        this.ahead = ahead;
        this.belief = belief;
        this.isCopied = facet.facet().copiedOnRead();
    }

    /** The answer to hand out. */
    Optional<V> answerOf(CachedAnswer<V> cachedAnswer) {
        Optional<V> answer = cachedAnswer.answer();
        counters.remembered(answer.isPresent(), cachedAnswer.isStale());
        return isCopied ? answer.map(codec::copyOf) : answer;
    }

    /** As {@link #answerOf}, with how good it is. */
    Lookup<V> foundIn(CachedAnswer<V> cachedAnswer) {
        return new Lookup<>(answerOf(cachedAnswer), cachedAnswer.staleFor());
    }

    /** What a load has brought. */
    Lookup<V> foundIn(LoadResult<V> loadResult) {
        return foundIn(loadResult.tier(), loadResult.entry());
    }

    /** What has just been read in a tier. */
    Lookup<V> foundIn(Tier tier, Entry<V> entry) {
        counters.answered(tier, entry);
        return new Lookup<>(codec.handOut(entry), Duration.ZERO);
    }

    /** What a thread has read in the source for itself alone: there is nothing to copy. */
    Lookup<V> foundAlone(Entry<V> entry) {
        counters.answered(Tier.SOURCE, entry);
        return new Lookup<>(entry.toOptional(), Duration.ZERO);
    }

    /** The last known answer, or that there is none that the policy allows. */
    Lookup<V> lastKnownOr(K id, UserUnavailableException failure) {
        CachedAnswer<V> last = near.lastKnown(id);
        if (last == null) {
            counters.unavailable.increment();
            return Lookup.unavailable(failure);
        }
        return foundIn(last);
    }

    /**
     * Hands on what memory answers, and returns the rest: each id once, and none that can be no id.
     *
     * @throws IllegalStateException when the caches are closed
     */
    Set<K> inMemory(Collection<? extends K> ids, BiConsumer<K, CachedAnswer<V>> found) {
        engine.requireOpen();
        Set<K> missing = new LinkedHashSet<>(ids);
        for (Iterator<K> each = missing.iterator(); each.hasNext(); ) {
            K id = each.next();
            CachedAnswer<V> cachedAnswer = near.find(id);
            if (cachedAnswer != null) {
                found.accept(id, cachedAnswer);
                each.remove();
            } else {
                engine.requireOpen();
                facet.requireId(id);
            }
        }
        return missing;
    }

    /** What Redis holds, of however many users; those of which it holds nothing, or does not answer, are missing. It never fails. */
    CompletableFuture<Map<K, Lookup<V>>> inRedis(Set<K> ids, Steps steps) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>(capacityFor(ids.size()));
        return inRedis(ids, steps, found).thenApply(done -> found);
    }

    private CompletableFuture<Void> inRedis(Set<K> ids, Steps steps, Map<K, Lookup<V>> found) {
        Set<K> together = firstOf(ids);
        CompletableFuture<Void> read = readTogether(together, steps, found);
        return together.size() == ids.size()
                ? read
                : read.thenCompose(done -> inRedis(without(ids, together), steps, found));
    }

    private CompletableFuture<Void> readTogether(Set<K> ids, Steps steps, Map<K, Lookup<V>> found) {
        List<Miss<K, V>> misses = ids.stream()
                .filter(id -> belief.in(facet.keyOf(id)))
                .map(id -> new Miss<>(facet.keyOf(id), SingleFlight.<K, V>alone(id)))
                .toList();
        if (misses.isEmpty()) {
            return CompletableFuture.completedFuture(null);
        }
        return Futures.then(
                reads.readAndCache(misses, ahead.afterRead(), steps),
                (entries, failure) -> steps.run(() -> {
                    if (failure != null || entries == null) {
                        counters.sharedErrors.increment();
                        return null;
                    }
                    for (int i = 0; i < misses.size(); i++) {
                        Entry<V> entry = entries.get(i);
                        if (entry != null && belief.stillIn(misses.get(i).key)) {
                            found.put(misses.get(i).id, foundIn(Tier.SHARED, entry));
                        }
                    }
                    return null;
                }));
    }

    /** What memory and Redis hold; of the rest, the last known answers, or that the source has failed like that. */
    CompletableFuture<Map<K, Lookup<V>>> knownOr(Set<K> ids, UserUnavailableException failure, Steps steps) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>(capacityFor(ids.size()));
        return inRedis(inMemory(ids, (id, cachedAnswer) -> found.put(id, foundIn(cachedAnswer))), steps)
                .thenApply(shared -> {
                    found.putAll(shared);
                    Set<K> left = without(ids, found.keySet());
                    if (!left.isEmpty()) {
                        UserUnavailableException why = failure.of(facet.keys(), left);
                        left.forEach(id -> found.put(id, lastKnownOr(id, why)));
                    }
                    return found;
                });
    }

    /** As many of the ids as are looked up at a time. */
    static <K> Set<K> firstOf(Set<K> ids) {
        return ids.size() <= MAX_TOGETHER
                ? ids
                : ids.stream().limit(MAX_TOGETHER).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    /**
     * The ids that are not among some of them.
     *
     * @param others some of the ids, and no other ones
     */
    static <K> Set<K> without(Set<K> ids, Set<K> others) {
        if (others.isEmpty()) {
            return ids;
        }
        if (others.size() == ids.size()) {
            return Set.of();
        }
        Set<K> left = new LinkedHashSet<>(ids);
        left.removeAll(others);
        return left;
    }

    /** Of a map that is not to grow while it is filled. */
    static int capacityFor(int entries) {
        return entries * 4 / 3 + 1;
    }
}
