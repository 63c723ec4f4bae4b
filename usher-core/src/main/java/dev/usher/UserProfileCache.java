package dev.usher;

import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The specification's cache of profiles, by its own name and with its own calls, made free of races.
 *
 * <pre>{@code
 * var profiles = new UserProfileCache<>(caches.cache(UserProfile.FACET, Long.class, source));
 * ReadMark mark = profiles.beforeRead();
 * profiles.save(42L, rowReadAtLogin, mark);
 * }</pre>
 *
 * <p>Thread-safe. A failing Redis is logged and fails no call. See {@link UserCache} for what all calls throw.
 *
 * @param <K> the type of a user's id
 */
public final class UserProfileCache<K> {

    private final UserCache<K, UserProfile> cache;

    /**
     * The specification's view of a cache.
     *
     * @param cache the cache to view
     */
    public UserProfileCache(UserCache<K, UserProfile> cache) {
        this.cache = cache;
    }

    /** The cache that this is a view of, with all its calls. */
    public UserCache<K, UserProfile> cache() {
        return cache;
    }

    /** The user's profile, or empty when there is no such user. See {@link UserCache#find}. */
    public Optional<UserProfile> find(K id) {
        return cache.find(id);
    }

    /** As {@link #find}, and whether it is only the last known profile. See {@link UserCache#lookUp}. */
    public Lookup<UserProfile> lookUp(K id) {
        return cache.lookUp(id);
    }

    /** The user's profile from the source, past all tiers. See {@link UserCache#findFresh}. */
    public Optional<UserProfile> findFresh(K id) {
        return cache.findFresh(id);
    }

    /** The profiles of those users that exist. See {@link UserCache#findAll}. */
    public Map<K, UserProfile> findAll(Collection<? extends K> ids) {
        return cache.findAll(ids);
    }

    /** As {@link #findAll}, and whether they are only the last known profiles. See {@link UserCache#lookUpAll}. */
    public Map<K, Lookup<UserProfile>> lookUpAll(Collection<? extends K> ids) {
        return cache.lookUpAll(ids);
    }

    /** As {@link #find}, for a caller that may not be blocked. See {@link UserCache#findAsync}. */
    public CompletableFuture<Optional<UserProfile>> findAsync(K id) {
        return cache.findAsync(id);
    }

    /**
     * Makes sure that the user's profile is cached: reads the source if it is not.
     *
     * @return the profile, or empty when there is no such user
     * @throws UserUnavailableException when the profile is not cached and the source does not answer
     */
    public Optional<UserProfile> save(K id) {
        return cache.find(id);
    }

    /** Marks the moment before a query whose row is to be offered. See {@link UserCache#beforeRead}. */
    public ReadMark beforeRead() {
        return cache.beforeRead();
    }

    /**
     * Offers the profile of a row that the caller has read, so that it is cached without another query. See {@link
     * UserCache#save(Object, Object, ReadMark)}.
     *
     * @param id of the user
     * @param user the profile of the row
     * @param mark taken before the query that read the row
     * @return whether the profile was stored
     */
    public boolean save(K id, UserProfile user, ReadMark mark) {
        return cache.save(id, user, mark);
    }

    /** As {@link #save(Object, UserProfile, ReadMark)}, for a caller that does not wait. See {@link UserCache#saveAsync}. */
    public CompletableFuture<Boolean> saveAsync(K id, UserProfile user, ReadMark mark) {
        return cache.saveAsync(id, user, mark);
    }

    /**
     * As {@link #save(Object, UserProfile, ReadMark)}, for a caller that knows only by its own clock when the row was read. See {@link
     * UserCache#save(Object, Object, Instant)}.
     *
     * @param id of the user
     * @param user the profile of the row
     * @param readAt a moment not later than the query that read the row
     * @return whether the profile was stored
     */
    public boolean save(K id, UserProfile user, Instant readAt) {
        return cache.save(id, user, readAt);
    }

    /** Makes every node forget the profile, after its change has been committed. See {@link UserCache#invalidate}. */
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
     * As {@link #invalidate}, and waits until every known node has forgotten the profile, so that later calls on all nodes see the
     * change. See {@link UserCache#revoke}: as long as profiles may be {@linkplain CachePolicy#serveStaleFor stale}, the receipt is not
     * confirmed.
     */
    public RevocationReceipt revoke(K id) {
        return cache.revoke(id);
    }

    /** As {@link #revoke}, of several users, with one wait. See {@link UserCache#revokeAll}. */
    public RevocationReceipt revokeAll(Collection<? extends K> ids) {
        return cache.revokeAll(ids);
    }

    /** The values of the user in each tier and in the source, and whether they agree. See {@link UserCache#explain}. */
    public Explanation<UserProfile> explain(K id) {
        return cache.explain(id);
    }

    /** The statistics of this cache. See {@link UserCache#stats}. */
    public CacheStats stats() {
        return cache.stats();
    }
}
