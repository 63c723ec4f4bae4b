package dev.usher;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The specification's cache of statuses, by its own name and with its own calls, made free of races.
 *
 * <pre>{@code
 * var statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, source));
 * if (!statuses.isEnabled(42L)) { ... }
 * }</pre>
 *
 * <p>Thread-safe. A failing Redis is logged and fails no call. See {@link UserCache} for what all calls throw.
 *
 * @param <K> the type of a user's id
 */
public final class UserStatusCache<K> {

    private final UserCache<K, UserStatus> cache;

    /**
     * The specification's view of a cache.
     *
     * @param cache the cache to view
     */
    public UserStatusCache(UserCache<K, UserStatus> cache) {
        this.cache = cache;
    }

    /** The cache that this is a view of, with all its calls. */
    public UserCache<K, UserStatus> cache() {
        return cache;
    }

    /** The user's status, or empty when there is no such user. See {@link UserCache#find}. */
    public Optional<UserStatus> find(K id) {
        return cache.find(id);
    }

    /** The user's status from the source, past all tiers. See {@link UserCache#findFresh}. */
    public Optional<UserStatus> findFresh(K id) {
        return cache.findFresh(id);
    }

    /** The statuses of those users that exist. See {@link UserCache#findAll}. */
    public Map<K, UserStatus> findAll(Collection<? extends K> ids) {
        return cache.findAll(ids);
    }

    /** As {@link #find}, for a caller that may not be blocked. See {@link UserCache#findAsync}. */
    public CompletableFuture<Optional<UserStatus>> findAsync(K id) {
        return cache.findAsync(id);
    }

    /**
     * Whether the user may act.
     *
     * @return {@code true} for an enabled user, {@code false} for a disabled one and for one that does not exist. The answer was true
     *     within the staleness bound or, when neither Redis nor the source answers, within {@link CachePolicy#serveStaleFor}, which is
     *     zero by default
     * @throws UserUnavailableException when the status is unavailable; the cache does not guess
     */
    public boolean isEnabled(K id) {
        return cache.find(id).orElse(UserStatus.DISABLED) == UserStatus.ENABLED;
    }

    /** Marks the moment before a query whose row is to be offered. See {@link UserCache#beforeRead}. */
    public ReadMark beforeRead() {
        return cache.beforeRead();
    }

    /**
     * Offers the status of a row that the caller has read, so that it is cached without another query. See {@link
     * UserCache#save(Object, Object, ReadMark)}.
     *
     * @param id of the user
     * @param status of the row
     * @param mark taken before the query that read the row
     * @return whether the status was stored
     */
    public boolean save(K id, UserStatus status, ReadMark mark) {
        return cache.save(id, status, mark);
    }

    /** As {@link #save(Object, UserStatus, ReadMark)}, for a caller that does not wait. See {@link UserCache#saveAsync}. */
    public CompletableFuture<Boolean> saveAsync(K id, UserStatus status, ReadMark mark) {
        return cache.saveAsync(id, status, mark);
    }

    /**
     * As {@link #save(Object, UserStatus, ReadMark)}, for a caller that knows only by its own clock when the row was read. See {@link
     * UserCache#save(Object, Object, Instant)}.
     *
     * @param id of the user
     * @param status of the row
     * @param readAt a moment not later than the query that read the row
     * @return whether the status was stored
     */
    public boolean save(K id, UserStatus status, Instant readAt) {
        return cache.save(id, status, readAt);
    }

    /** Makes every node forget the status, after its change has been committed. See {@link UserCache#invalidate}. */
    public boolean invalidate(K id) {
        return cache.invalidate(id);
    }

    /** As {@link #invalidate}, of several users, with one wait. See {@link UserCache#invalidateAll}. */
    public boolean invalidateAll(Collection<? extends K> ids) {
        return cache.invalidateAll(ids);
    }

    /** Makes every node forget the user in every facet, with one wait. See {@link UserCache#forget}. */
    public boolean forget(K id) {
        return cache.forget(id);
    }

    /** As {@link #forget}, of several users, with one wait. See {@link UserCache#forgetAll}. */
    public boolean forgetAll(Collection<? extends K> ids) {
        return cache.forgetAll(ids);
    }

    /**
     * Bans a user: commits it, and waits until no node lets the user in any more.
     *
     * <pre>{@code
     * RevocationReceipt receipt = statuses.disable(42L, () -> repository.setStatus(42L, UserStatus.DISABLED));
     * }</pre>
     *
     * @param id of the user
     * @param commit writes the row and commits; not to be called inside a transaction that is committed later
     * @return a receipt that names the nodes which have provably stopped honouring the user, see {@link UserCache#revoke}
     * @throws IllegalArgumentException when the id is not valid; nothing is committed then
     * @throws IllegalStateException when the caches are closed; nothing is committed then
     * @throws RuntimeException the exception of {@code commit}; the status is {@linkplain #invalidate invalidated} all the same, since
     *     the change may have been committed
     */
    public RevocationReceipt disable(K id, Runnable commit) {
        return change(List.of(id), commit);
    }

    /**
     * As {@link #disable}, of several users that are banned in one commit, with one wait for all of them.
     *
     * @param ids of the users
     * @param commit writes the rows and commits; see {@link #disable}
     * @return a receipt that names the nodes which have provably stopped honouring all of them, see {@link UserCache#revokeAll}
     * @throws IllegalArgumentException when one of the ids is not valid; nothing is committed then
     * @throws RuntimeException the exception of {@code commit}
     */
    public RevocationReceipt disableAll(Collection<? extends K> ids, Runnable commit) {
        return change(List.copyOf(ids), commit);
    }

    /**
     * Lets a user in again: commits it, and waits until every node does.
     *
     * @param id of the user
     * @param commit writes the row and commits; see {@link #disable}
     * @return a receipt that names the nodes which have provably forgotten that the user was disabled, see {@link UserCache#revoke}
     * @throws RuntimeException the exception of {@code commit}
     */
    public RevocationReceipt enable(K id, Runnable commit) {
        return change(List.of(id), commit);
    }

    /**
     * As {@link #enable}, of several users in one commit, with one wait for all of them.
     *
     * @param ids of the users
     * @param commit writes the rows and commits; see {@link #disable}
     * @return a receipt that names the nodes which have provably forgotten that the users were disabled, see {@link UserCache#revokeAll}
     * @throws RuntimeException the exception of {@code commit}
     */
    public RevocationReceipt enableAll(Collection<? extends K> ids, Runnable commit) {
        return change(List.copyOf(ids), commit);
    }

    private RevocationReceipt change(List<? extends K> ids, Runnable commit) {
        // Checked before the commit: a change that cannot be announced must not be committed.
        ids.forEach(cache::keyOf);
        try {
            commit.run();
        } catch (Throwable e) {
            invalidateAfter(e, ids);
            throw e;
        }
        return cache.revokeAll(ids);
    }

    private void invalidateAfter(Throwable failure, List<? extends K> ids) {
        try {
            var unused = cache.invalidateAll(ids);
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /** The values of the user in each tier and in the source, and whether they agree. See {@link UserCache#explain}. */
    public Explanation<UserStatus> explain(K id) {
        return cache.explain(id);
    }

    /** The statistics of this cache. See {@link UserCache#stats}. */
    public CacheStats stats() {
        return cache.stats();
    }
}
