package dev.usher;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The read on a thread that may not load for others ({@link UserSource#canLoadForOthers}), such as one inside a transaction: Redis, or else
 * the source for this thread alone. What the source says is not stored; a thread of the executor loads the users again, for the others.
 * Thread-safe.
 */
final class ReadAlone<K, V> {

    private final Engine engine;
    private final SourceReads<K, V> source;
    private final KnownAnswers<K, V> known;
    private final Function<Set<K>, CompletableFuture<?>> load;

    /** What is being loaded for the others, or soon will be. */
    private final Set<K> loadedLater = ConcurrentHashMap.newKeySet();

    /**
     * Reads for single threads.
     *
     * @param load begins to load users if the calling thread may, and logs why it cannot; completed when that is over, and never failed
     */
    ReadAlone(
            Engine engine,
            SourceReads<K, V> source,
            KnownAnswers<K, V> known,
            Function<Set<K>, CompletableFuture<?>> load) {
        this.engine = engine;
        this.source = source;
        this.known = known;
        this.load = load;
    }

    /** What memory could not answer, by id. */
    Map<K, Lookup<V>> find(Set<K> ids) {
        Map<K, Lookup<V>> found = new LinkedHashMap<>(KnownAnswers.capacityFor(ids.size()));
        Set<K> left = new LinkedHashSet<>(ids);
        while (!left.isEmpty()) {
            Set<K> together = new LinkedHashSet<>(KnownAnswers.firstOf(left));
            left.removeAll(together);
            Map<K, Lookup<V>> shared = await(steps -> known.inRedis(together, steps));
            found.putAll(shared);
            together.removeAll(shared.keySet());
            if (!together.isEmpty()) {
                UserUnavailableException failure = askSource(together, found);
                if (failure != null && !left.isEmpty()) {
                    found.putAll(await(steps -> known.knownOr(left, failure, steps)));
                    return found;
                }
            }
        }
        return found;
    }

    /** Redis is not waited for long enough for an interrupt. */
    private <T> T await(Function<Steps, CompletableFuture<T>> read) {
        CallerSteps steps = engine.callerSteps();
        return steps.await(read.apply(steps), () -> {});
    }

    /**
     * Asks the source, and has others find what it has said.
     *
     * @return why the source has said nothing of any user, or {@code null}
     */
    private @Nullable UserUnavailableException askSource(Set<K> ids, Map<K, Lookup<V>> found) {
        try {
            Map<K, Loaded<V>> answer = load(ids);
            ids.forEach(id -> found.put(id, foundIn(id, answer.get(id))));
            loadLater(ids.stream()
                    .filter(id -> {
                        Loaded<V> loaded = answer.get(id);
                        return loaded == null || loaded.failure() == null;
                    })
                    .collect(Collectors.toSet()));
            return null;
        } catch (UserUnavailableException e) {
            ids.forEach(id -> found.put(id, known.lastKnownOr(id, e)));
            return e;
        }
    }

    private Lookup<V> foundIn(K id, @Nullable Loaded<V> loaded) {
        Exception failure = loaded == null ? null : loaded.failure();
        return failure == null
                ? known.foundAlone(new Entry<>(loaded == null ? null : loaded.value()))
                : known.lastKnownOr(id, source.unavailable(Set.of(id), failure));
    }

    /**
     * What the source says of one user, past all tiers. They may hold something older, which the caller has to invalidate before {@link
     * #loadLater}.
     */
    Entry<V> findFresh(K id) {
        try {
            return new Entry<>(Loaded.valueOf(load(Set.of(id)).get(id)));
        } catch (UserUnavailableException e) {
            throw e;
        } catch (Exception e) {
            throw source.unavailable(Set.of(id), e);
        }
    }

    private Map<K, Loaded<V>> load(Set<K> ids) {
        source.requireNotQuerying();
        try {
            return source.askAlone(Set.copyOf(ids));
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            throw source.unavailable(ids, e);
        }
    }

    /**
     * Has others find what one thread has read for itself: an application that only reads so would otherwise never find anything cached. The
     * caller does not wait for it.
     */
    void loadLater(Set<K> ids) {
        Set<K> mine = ids.stream().filter(loadedLater::add).collect(Collectors.toSet());
        if (mine.isEmpty()) {
            return;
        }
        try {
            engine.executor().execute(() -> {
                var unused = load.apply(mine).whenComplete((done, failure) -> loadedLater.removeAll(mine));
            });
        } catch (RuntimeException | Error e) {
            // Rejected, or no thread could be started.
            loadedLater.removeAll(mine);
        }
    }
}
