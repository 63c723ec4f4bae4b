package dev.usher.spring;

import static java.util.Objects.requireNonNull;

import dev.usher.Lookup;
import dev.usher.RateLimitedLog;
import dev.usher.ReadMark;
import dev.usher.RevocationReceipt;
import dev.usher.UnreadableUsersException;
import dev.usher.UserCache;
import dev.usher.UserSource;
import dev.usher.UserUnavailableException;
import dev.usher.spring.EndOfTransaction.Begin;
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
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A cache that is aware of Spring's transactions.
 *
 * <p>A change that a transaction announces is sent after its commit, and not at all after a rollback. After such a change, all
 * reads of the transaction go to the source, on the transaction's own connection, so that it sees its own writes. Before the
 * first change, memory and Redis may answer; a missing entry is loaded for this thread alone, see {@link
 * DetachedUserSource#canLoadForOthers}.
 *
 * <p>Outside of transactions it behaves as the wrapped cache.
 */
final class TransactionAwareUserCache<K, V> extends WrappedUserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TransactionAwareUserCache.class);

    /** The maximum number of users in one call of a source. */
    private static final int MAX_TOGETHER = 500;

    private final UserSource<K, V> source;
    private final RateLimitedLog unconfirmedLog = new RateLimitedLog(log);

    /**
     * Wraps a cache.
     *
     * @param source the source of the cache; it reads over the connection of its thread's transaction, if there is one
     */
    TransactionAwareUserCache(UserCache<K, V> cache, UserSource<K, V> source) {
        super(cache);
        this.source = source;
    }

    @Override
    public Optional<V> find(K id) {
        return EndOfTransaction.hasChanges() ? read(id) : cache.find(id);
    }

    @Override
    public Lookup<V> lookUp(K id) {
        return EndOfTransaction.hasChanges() ? new Lookup<>(read(id), Duration.ZERO) : cache.lookUp(id);
    }

    @Override
    public Optional<V> findFresh(K id) {
        return EndOfTransaction.hasChanges() ? read(id) : cache.findFresh(id);
    }

    @Override
    public Map<K, V> findAll(Collection<? extends K> ids) {
        if (!EndOfTransaction.hasChanges()) {
            return cache.findAll(ids);
        }
        Map<K, V> values = new LinkedHashMap<>();
        Map<K, UserUnavailableException> failures = new LinkedHashMap<>(0);
        read(new LinkedHashSet<>(ids)).forEach((id, found) -> {
            if (found.failure() != null) {
                failures.put(id, found.failure());
            } else {
                found.value().ifPresent(value -> values.put(id, value));
            }
        });
        if (!failures.isEmpty()) {
            Throwable cause = failures.values().iterator().next().getCause();
            throw unavailable(failures.keySet(), cause);
        }
        return values;
    }

    @Override
    public Map<K, Lookup<V>> lookUpAll(Collection<? extends K> ids) {
        return EndOfTransaction.hasChanges() ? read(new LinkedHashSet<>(ids)) : cache.lookUpAll(ids);
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
            // Another thread could not see the writes of this transaction.
            return CompletableFuture.completedFuture(read(id));
        } catch (UserUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private Optional<V> read(K id) {
        return requireNonNull(read(Set.of(id)).get(id)).value();
    }

    /**
     * Asks the source on the calling thread, and so inside its transaction. Each user fails separately if the source reports
     * failures by user.
     */
    private Map<K, Lookup<V>> read(Set<K> ids) {
        ids.forEach(cache::keyOf);
        Map<K, Lookup<V>> found = new LinkedHashMap<>();
        List<K> left = new ArrayList<>(ids);
        while (!left.isEmpty()) {
            List<K> together = left.subList(0, Math.min(MAX_TOGETHER, left.size()));
            load(Set.copyOf(together), found);
            together.clear();
        }
        return found;
    }

    private void load(Set<K> ids, Map<K, Lookup<V>> found) {
        try {
            Map<K, V> values = source.load(ids);
            ids.forEach(id -> found.put(id, foundIn(values, id)));
        } catch (UnreadableUsersException e) {
            Map<Object, Exception> failures = e.failures();
            ids.forEach(id -> {
                Exception failure = failures.get(id);
                found.put(
                        id,
                        failure == null
                                ? foundIn(e.found(), id)
                                : Lookup.unavailable(unavailable(Set.of(id), failure)));
            });
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            UserUnavailableException why = unavailable(ids, e);
            ids.forEach(id -> found.put(id, Lookup.unavailable(why)));
        }
    }

    @SuppressWarnings("unchecked") // The source returns values of this type.
    private Lookup<V> foundIn(Map<?, ?> values, K id) {
        Object value = values.get(id);
        if (value == null && values.containsKey(id)) {
            return Lookup.unavailable(
                    unavailable(Set.of(id), new IllegalStateException("the source returned a null value")));
        }
        return new Lookup<>(Optional.ofNullable((V) value), Duration.ZERO);
    }

    private UserUnavailableException unavailable(Set<K> ids, @Nullable Throwable cause) {
        String key = cache.keyOf(ids.iterator().next());
        return new UserUnavailableException(
                key + " is unavailable: the source failed inside a transaction", ids, cause);
    }

    @Override
    public ReadMark beforeRead() {
        return cache.beforeRead();
    }

    /**
     * Offers a row after the commit, as if read when the transaction began, because its snapshot may be that old. If that
     * moment is not known, the row is dropped.
     */
    @Override
    public boolean save(K id, V value, ReadMark mark) {
        if (isOutside()) {
            return cache.save(id, value, mark);
        }
        Begin begin = beginOfRead(id, value);
        if (begin == null) {
            return false;
        }
        ReadMark oldest = mark.earlierBy(begin.age());
        return offer(() -> cache.save(id, value, oldest), false);
    }

    /** As {@link #save}; after the commit, too, no thread waits for it. */
    @Override
    public CompletableFuture<Boolean> saveAsync(K id, V value, ReadMark mark) {
        if (isOutside()) {
            return cache.saveAsync(id, value, mark);
        }
        Begin begin = beginOfRead(id, value);
        if (begin == null) {
            return CompletableFuture.completedFuture(false);
        }
        ReadMark oldest = mark.earlierBy(begin.age());
        return offer(() -> cache.saveAsync(id, value, oldest), CompletableFuture.completedFuture(false));
    }

    @Override
    public boolean save(K id, V value, Instant readAt) {
        if (isOutside()) {
            return cache.save(id, value, readAt);
        }
        Begin begin = beginOfRead(id, value);
        if (begin == null) {
            return false;
        }
        Instant oldest = begin.at().isBefore(readAt) ? begin.at() : readAt;
        return offer(() -> cache.save(id, value, oldest), false);
    }

    private static boolean isOutside() {
        return !TransactionSynchronizationManager.isSynchronizationActive()
                && !TransactionSynchronizationManager.isActualTransactionActive();
    }

    /** The beginning of the transaction in which a row was read, or {@code null} if the row must not be offered. */
    private @Nullable Begin beginOfRead(K id, V value) {
        cache.keyOf(id);
        requireNonNull(value, "a user that does not exist cannot be saved");
        return EndOfTransaction.hasChanges() ? null : EndOfTransaction.begin();
    }

    /** Makes an offer, and returns its answer; before the end of a transaction, it is made after the commit, and {@code later} returned. */
    private static <T> T offer(Supplier<T> offer, T later) {
        if (!EndOfTransaction.isAhead()) {
            return offer.get();
        }
        EndOfTransaction.ofThisThread().offer(() -> {
            T unused = offer.get();
        });
        return later;
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

    @SuppressWarnings("unchecked") // The announcement stored for this cache is of this class.
    private Announcement announcement() {
        return (Announcement) EndOfTransaction.ofThisThread().announcementOf(this, Announcement::new);
    }

    /**
     * The changes to announce after the commit, grouped by kind: each group is one call, so that the connection is held for few
     * calls.
     */
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

        /** Logs the receipts: the caller has only got a receipt without confirmation. */
        private void revoke() {
            RevocationReceipt receipt = cache.revokeAll(revoked);
            String key = cache.keyOf(revoked.iterator().next());
            String names = revoked.size() == 1 ? key : key + " and " + (revoked.size() - 1) + " others";
            if (receipt.confirmed()) {
                log.debug("The change of {} is confirmed by every node, after {}", names, receipt.took());
            } else {
                unconfirmedLog.warn(
                        "The change of {} has been committed, and is not confirmed by every node yet: {}{}{}",
                        names,
                        receipt.reason(),
                        receipt.redisError() == null ? "" : " " + receipt.redisError(),
                        receipt.missing() == null ? "" : " (" + receipt.missing() + ")");
            }
        }
    }
}
