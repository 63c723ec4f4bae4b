package dev.usher.spring;

import dev.usher.Both;
import dev.usher.CacheStats;
import dev.usher.Explanation;
import dev.usher.Facet;
import dev.usher.Found;
import dev.usher.ReadMark;
import dev.usher.RevocationReceipt;
import dev.usher.UserCache;
import dev.usher.UserSource;
import dev.usher.UserUnavailableException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A cache that knows of Spring's transactions.
 *
 * <p>A change that is announced inside a transaction is announced to everybody after its commit, and not at all after a rollback.
 * From then on, whatever the transaction reads comes from the source, on the transaction's own connection, so that it sees what it
 * has written; before, what memory and Redis hold is good enough, and only what they do not know is read so. Nothing that is read
 * inside a transaction is stored, for it may be rolled back, or be of a snapshot from long ago.
 *
 * <p>Outside of transactions it is the cache that it stands for.
 */
final class TransactionAwareUserCache<K, V> implements UserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TransactionAwareUserCache.class);

    /** As many as a source may be asked for at a time. */
    private static final int MOST_TOGETHER = 500;

    private final UserCache<K, V> cache;
    private final UserSource<K, V> source;

    /**
     * Stands for a cache.
     *
     * @param source that of the cache, which reads over the connection of its thread's transaction, if there is one
     */
    TransactionAwareUserCache(UserCache<K, V> cache, UserSource<K, V> source) {
        this.cache = cache;
        this.source = source;
    }

    /** Whether what is read on this thread may be what only this thread sees. */
    private static boolean isInside() {
        return TransactionSynchronizationManager.isSynchronizationActive();
    }

    @Override
    public Optional<V> find(K id) {
        return isInside() ? read(id) : cache.find(id);
    }

    @Override
    public <W> Both<V, W> findWith(K id, UserCache<K, W> other) {
        if (isInside()) {
            return new Both<>(read(id), other.find(id));
        }
        return cache.findWith(id, other instanceof TransactionAwareUserCache<K, W> aware ? aware.cache : other);
    }

    @Override
    public Found<V> lookUp(K id) {
        return isInside() ? new Found<>(read(id), Duration.ZERO) : cache.lookUp(id);
    }

    @Override
    public Optional<V> findFresh(K id) {
        return isInside() ? Optional.ofNullable(ask(Set.of(id)).get(id)) : cache.findFresh(id);
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        if (!isInside()) {
            return cache.findAll(ids);
        }
        Map<K, V> values = new LinkedHashMap<>();
        read(ids).forEach((id, found) -> found.ifPresent(value -> values.put(id, value)));
        return values;
    }

    @Override
    public Map<K, Found<V>> lookUpAll(Collection<? extends K> ids) {
        if (!isInside()) {
            return cache.lookUpAll(ids);
        }
        Map<K, Found<V>> found = new LinkedHashMap<>();
        read(ids).forEach((id, value) -> found.put(id, new Found<>(value, Duration.ZERO)));
        return found;
    }

    @Override
    public Map<K, Optional<V>> findCached(Collection<? extends K> ids) {
        if (!EndOfTransaction.hasChanges()) {
            return cache.findCached(ids);
        }
        ids.forEach(cache::keyOf);
        return Map.of();
    }

    @Override
    public CompletableFuture<Optional<V>> findAsync(K id) {
        if (!EndOfTransaction.hasChanges()) {
            return cache.findAsync(id);
        }
        cache.keyOf(id);
        try {
            // No other thread could see what this transaction has written.
            return CompletableFuture.completedFuture(read(id));
        } catch (UserUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private Optional<V> read(K id) {
        return read(List.of(id)).getOrDefault(id, Optional.empty());
    }

    /** Reads inside a transaction: each user's value, or that there is no such user. */
    private Map<K, Optional<V>> read(Collection<? extends K> ids) {
        Map<K, Optional<V>> found = new LinkedHashMap<>(findCached(ids));
        Set<K> missing = new LinkedHashSet<>(ids);
        missing.removeAll(found.keySet());
        if (!missing.isEmpty()) {
            Map<K, V> answer = ask(missing);
            missing.forEach(id -> found.put(id, Optional.ofNullable(answer.get(id))));
            if (!EndOfTransaction.hasChanges()) {
                // Nobody waits for it. Who only reads inside transactions would otherwise never find anything in the
                // cache.
                missing.forEach(id -> {
                    var unused = cache.findAsync(id);
                });
            }
        }
        return found;
    }

    /** Asks the source on this very thread, and so inside its transaction. */
    private Map<K, V> ask(Set<K> ids) {
        Map<K, V> values = new LinkedHashMap<>();
        List<K> left = new ArrayList<>(ids);
        left.forEach(cache::keyOf);
        while (!left.isEmpty()) {
            List<K> together = left.subList(0, Math.min(MOST_TOGETHER, left.size()));
            values.putAll(load(Set.copyOf(together)));
            together.clear();
        }
        return values;
    }

    private Map<K, V> load(Set<K> ids) {
        try {
            return source.load(ids);
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            String key = cache.keyOf(ids.iterator().next());
            throw new UserUnavailableException(key + " is unavailable: the source failed inside a transaction", e);
        }
    }

    @Override
    public ReadMark beforeRead() {
        return cache.beforeRead();
    }

    @Override
    public boolean save(K id, V value, ReadMark mark) {
        return save(id, () -> cache.save(id, value, mark));
    }

    @Override
    public boolean save(K id, V value, Instant readAt) {
        return save(id, () -> cache.save(id, value, readAt));
    }

    private boolean save(K id, BooleanSupplier offer) {
        if (!isInside()) {
            return offer.getAsBoolean();
        }
        cache.keyOf(id);
        if (EndOfTransaction.isAhead() && !EndOfTransaction.hasChanges()) {
            EndOfTransaction.ofThisThread().offer(() -> {
                var unused = offer.getAsBoolean();
            });
        }
        return false;
    }

    @Override
    public boolean invalidate(K id) {
        return invalidateAll(List.of(id));
    }

    @Override
    public boolean invalidateAll(Collection<? extends K> ids) {
        if (ids.isEmpty() || !EndOfTransaction.isAhead()) {
            return cache.invalidateAll(ids);
        }
        ids.forEach(cache::keyOf);
        ids.forEach(announcement().invalidated::add);
        return false;
    }

    @Override
    public boolean forget(K id) {
        return forgetAll(List.of(id));
    }

    @Override
    public boolean forgetAll(Collection<? extends K> ids) {
        if (ids.isEmpty() || !EndOfTransaction.isAhead()) {
            return cache.forgetAll(ids);
        }
        ids.forEach(cache::keyOf);
        ids.forEach(announcement().forgotten::add);
        return false;
    }

    @Override
    public RevocationReceipt revoke(K id) {
        return revokeAll(List.of(id));
    }

    @Override
    public RevocationReceipt revokeAll(Collection<? extends K> ids) {
        if (ids.isEmpty() || !EndOfTransaction.isAhead()) {
            return cache.revokeAll(ids);
        }
        ids.forEach(cache::keyOf);
        ids.forEach(announcement().revoked::add);
        return RevocationReceipt.awaitingCommit();
    }

    /** That of the transaction of this thread, which nothing but this cache has begun. */
    @SuppressWarnings("unchecked")
    private Announcement announcement() {
        return (Announcement) EndOfTransaction.ofThisThread().announcementOf(this, Announcement::new);
    }

    /** What is to be announced after the commit, all of one kind together, so that the connection is not held for each by itself. */
    private final class Announcement implements Runnable {

        private final Set<K> forgotten = new LinkedHashSet<>();
        private final Set<K> invalidated = new LinkedHashSet<>();
        private final Set<K> revoked = new LinkedHashSet<>();

        @Override
        public void run() {
            if (!forgotten.isEmpty()) {
                cache.forgetAll(forgotten);
            }
            invalidated.removeAll(forgotten);
            invalidated.removeAll(revoked);
            if (!invalidated.isEmpty()) {
                cache.invalidateAll(invalidated);
            }
            if (!revoked.isEmpty()) {
                revoke();
            }
        }

        /** The caller has only been told that the receipt is to come. */
        private void revoke() {
            RevocationReceipt receipt = cache.revokeAll(revoked);
            String key = cache.keyOf(revoked.iterator().next());
            String names = revoked.size() == 1 ? key : key + " and " + (revoked.size() - 1) + " others";
            if (receipt.confirmed()) {
                log.debug("The change of {} is confirmed by every node, after {}", names, receipt.took());
            } else {
                log.warn(
                        "The change of {} has been committed, and is not confirmed by every node yet: {}{}",
                        names,
                        receipt.reason(),
                        receipt.redisError() == null ? "" : " " + receipt.redisError());
            }
        }
    }

    @Override
    public Explanation<V> explain(K id) {
        return cache.explain(id);
    }

    @Override
    public String keyOf(K id) {
        return cache.keyOf(id);
    }

    @Override
    public K idOf(String text) {
        return cache.idOf(text);
    }

    @Override
    public Facet<V> facet() {
        return cache.facet();
    }

    @Override
    public CacheStats stats() {
        return cache.stats();
    }
}
