package dev.usher;

import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The specification's cache of statuses, by its own name and with its own calls, made free of races.
 *
 * <pre>{@code
 * var statuses = new UserStatusCache<>(caches.cache(UserStatus.FACET, source));
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
     * @param cache what it is a view of
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

    /** The user's status as the source says it now, past all tiers. See {@link UserCache#findFresh}. */
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
     * @return what was true within the staleness bound, or, when nobody can say, within {@link CachePolicy#serveStaleFor} (by
     *     default not at all): {@code true} for an enabled user, {@code false} for a disabled one and for one that does not exist
     * @throws UserUnavailableException when it cannot be said; nobody is let in on a guess
     */
    public boolean isEnabled(K id) {
        return cache.find(id).orElse(UserStatus.DISABLED) == UserStatus.ENABLED;
    }

    /**
     * Makes sure that the user's status is cached, with what a row that the caller has read said, and without a query.
     * See {@link UserCache#save}.
     *
     * @param id whose status
     * @param status what the row said
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

    /**
     * Bans a user: commits it, and waits until no node lets the user in any more.
     *
     * <pre>{@code
     * RevocationReceipt receipt = statuses.disable(42L, () -> repository.setStatus(42L, UserStatus.DISABLED));
     * }</pre>
     *
     * @param id whom
     * @param commit writes the row and commits; not to be called inside a transaction that is committed later
     * @return which nodes have provably stopped honouring the user, see {@link UserCache#revoke}
     * @throws IllegalArgumentException when there can be no such id; nothing is committed then
     * @throws IllegalStateException when the caches are closed; nothing is committed then
     * @throws RuntimeException what {@code commit} throws; the status is {@linkplain #invalidate invalidated} all the same, for
     *     nobody knows what was committed
     */
    public RevocationReceipt disable(K id, Runnable commit) {
        return change(id, commit);
    }

    /**
     * Lets a user in again: commits it, and waits until every node does.
     *
     * @param id whom
     * @param commit writes the row and commits; see {@link #disable}
     * @return which nodes have provably forgotten that the user was disabled, see {@link UserCache#revoke}
     * @throws RuntimeException what {@code commit} throws
     */
    public RevocationReceipt enable(K id, Runnable commit) {
        return change(id, commit);
    }

    private RevocationReceipt change(K id, Runnable commit) {
        // Before the commit: afterwards nobody would announce it.
        var unused = cache.keyOf(id);
        try {
            commit.run();
        } catch (Throwable e) {
            invalidateAfter(e, id);
            throw e;
        }
        return cache.revoke(id);
    }

    private void invalidateAfter(Throwable failure, K id) {
        try {
            var unused = cache.invalidate(id);
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
    }

    /** What each tier and the source hold of the user, and whether they agree. See {@link UserCache#explain}. */
    public Explanation<UserStatus> explain(K id) {
        return cache.explain(id);
    }

    /** What this cache has done. See {@link UserCache#stats}. */
    public CacheStats stats() {
        return cache.stats();
    }
}
