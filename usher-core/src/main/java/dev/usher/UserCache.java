package dev.usher;

import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A read-through cache of one {@linkplain Facet facet} of the users of an application.
 *
 * <p>An answer has three values: present, known absent (an empty {@link Optional}), and unavailable (a {@link
 * UserUnavailableException}). An error is never stored, and never turned into an absent user.
 *
 * <pre>{@code
 * UserCache<Long, UserProfile> profiles = caches.cache(UserProfile.FACET, Long.class, source);
 * Optional<UserProfile> profile = profiles.find(42L);
 * }</pre>
 *
 * <p>Applications do not implement this interface: methods may be added in any release. (It is not sealed because usher's own integrations, in
 * other modules, implement it.)
 *
 * <p>Instances are made by {@link UserCaches#cache} and are safe for use by many threads. Every method that takes an id
 * throws {@link IllegalArgumentException} when the id is of another type than {@code K} may be or than the ids before it, or
 * when its text is blank, longer than 128 characters, or contains braces, white space, control characters or half a surrogate
 * pair, and {@link IllegalStateException} once the {@link
 * UserCaches} is closed.
 *
 * @param <K> the type of a user's id: {@link Long}, {@link Integer}, {@link java.util.UUID} or {@link String}
 * @param <V> the type of the facet's value
 */
public interface UserCache<K, V> {

    /**
     * The user's value, from the nearest tier that has it.
     *
     * <p>What is missing in every tier is loaded from the source once, however many callers and processes ask for it at
     * that moment, and the rest of them wait for that one load. A process that has waited for another one as long as the
     * policy's {@link CachePolicy#claimWait} asks the source by itself.
     *
     * <p>The load runs on the calling thread, or on that of another caller whose query asks for this user too; unless the source says that this
     * thread {@linkplain UserSource#canLoadForOthers may not load for others}, as it does inside a transaction in Spring Boot.
     * Where the source does not say so, do not call this inside a transaction, nor while holding a connection: many threads that
     * wait for a second connection exhaust the pool.
     *
     * <p>When no tier and not the source can answer, it is the last answer that this process knows, for as long as the policy's {@link
     * CachePolicy#serveStaleFor} allows, unless the user is known to have changed since. {@link #lookUp} tells it from other answers.
     *
     * @param id whose value
     * @return the value, or empty for a user that does not exist
     * @throws UserUnavailableException when neither a tier nor the source could answer, another caller's load has taken
     *     too long, the source is so busy that it was not this caller's turn within {@link CachePolicy#maxWait}, so many callers wait that
     *     this one may not, or the calling thread was interrupted while it waited (its interrupt status is then set)
     * @throws IllegalStateException when it is this cache's own source that asks
     */
    Optional<V> find(K id);

    /**
     * As {@link #find}, for a caller that wants to know how good the answer is.
     *
     * @param id whose value
     * @return the value, and whether it is only the last known one
     * @throws UserUnavailableException as {@link #find} throws it
     * @throws IllegalStateException when it is this cache's own source that asks
     */
    Lookup<V> lookUp(K id);

    /**
     * The user's value as the source says it now, past all tiers, for the moments that must be exact: a payment, a change of
     * rights. It was true at some moment between the call and its end, whatever any tier holds, and also when a change was not
     * announced.
     *
     * <p>The tiers are brought up to date: what this call returns is stored, or what they hold is dropped. Not so what Redis
     * holds while it does not answer. When the source cannot say, everything stays as it is.
     *
     * <p>Each call queries the source; one query may ask for the users of several calls.
     *
     * @param id whose value
     * @return the value, or empty for a user that does not exist
     * @throws UserUnavailableException when the source could not answer, or is too busy, or the calling thread was interrupted
     *     while it waited; the last known answer is not given
     * @throws IllegalStateException when it is this cache's own source that asks
     */
    Optional<V> findFresh(K id);

    /**
     * The values of several users, each from the nearest tier that knows it: from memory, from Redis in one round trip, and
     * what is missing in both from the source in one query, as {@link #find} does it for one. Of what is not in memory, 500
     * users are looked up at a time.
     *
     * @param ids whose values; a repeated id counts once
     * @return a value for each of them that exists, in no particular order; the caller's own, to change as it likes
     * @throws UserUnavailableException when any of them is unavailable, as {@link #find} throws it; its {@link
     *     UserUnavailableException#ids ids} are those that are. The others are not, and can be asked for again without these
     * @throws IllegalStateException when it is this cache's own source that asks
     */
    Map<K, V> findAll(Collection<? extends K> ids);

    /**
     * As {@link #findAll}, for a caller that wants to know how good each answer is, or can do without some. It does not throw for a
     * user that is unavailable.
     *
     * @param ids whose values; a repeated id counts once
     * @return for each of them the value, or that there is no such user, and whether it is only the last known one; or that the user
     *     is {@linkplain Lookup#isUnavailable unavailable}
     * @throws IllegalStateException when it is this cache's own source that asks
     */
    Map<K, Lookup<V>> lookUpAll(Collection<? extends K> ids);

    /**
     * What memory and Redis know of several users. The source is not asked, no load is waited for, and nothing is stored: for a
     * caller that has a better way to read what is missing, such as its own transaction.
     *
     * @param ids whose values; a repeated id counts once
     * @return for each of them that is known the value, or empty for a user that does not exist. A user that is missing from the answer is not
     *     known without the source; while Redis fails, only memory is read
     */
    Map<K, Optional<V>> findCached(Collection<? extends K> ids);

    /**
     * As {@link #find}, for a caller that may not be blocked: what is in memory is answered at once, everything else on the {@linkplain
     * UserCaches.Builder#executor executor}. No thread waits for Redis, for the load of another caller or for another process; only the source
     * is called on a thread of the executor, with the caller's MDC and, where Micrometer's context propagation is on the class path, with what
     * that captures of the calling thread. So is what depends on the answer.
     *
     * @param id whose value
     * @return the answer. It fails with what {@link #find} throws while it loads, and with a {@link UserUnavailableException} when 20,000 such
     *     calls are under way. Cancelling it does not stop the load, for which others may wait
     * @throws IllegalArgumentException at once, when {@link #find} would
     */
    CompletableFuture<Optional<V>> findAsync(K id);

    /**
     * Marks the moment before a query whose row is to be {@linkplain #save(Object, Object, ReadMark) offered}. Redis is not asked.
     *
     * <pre>{@code
     * ReadMark mark = profiles.beforeRead();
     * Account row = accounts.findByMobile(mobile);
     * profiles.save(row.id(), row.profile(), mark);
     * statuses.save(row.id(), row.status(), mark);
     * }</pre>
     *
     * @return the mark, for the rows of one or several queries that begin after it, and for all caches of the same {@link
     *     UserCaches}; those of others refuse it. In a transaction of isolation {@code REPEATABLE READ} or more it is to be taken
     *     before the transaction's first query
     */
    ReadMark beforeRead();

    /**
     * Offers a value that the caller has read from the source's primary by itself, so that the next {@link #find} does
     * not query for it: what a login does with the row it has read.
     *
     * <p>The offer is taken only if it cannot be out of date: nothing is cached for the user, no caller is loading it, and
     * it has not been {@linkplain #invalidate invalidated} since the mark. A refused offer is no error. Nor is a
     * Redis that fails, or a value that the facet's codec cannot write: it is logged, and the offer is dropped.
     *
     * @param id whose value
     * @param value what the row said
     * @param mark taken before the query that read the row; an offer with a mark from about four seconds ago or more is refused,
     *     and so is one with a mark from before Redis was connected, was connected anew, or was flushed
     * @return whether the value was stored
     * @throws NullPointerException when there is no value
     */
    boolean save(K id, V value, ReadMark mark);

    /**
     * As {@link #save(Object, Object, ReadMark)}, for a caller that does not wait: the offer is sent before this call returns, and several
     * offers go in one round trip.
     *
     * <pre>{@code
     * profiles.saveAsync(row.id(), row.profile(), mark);
     * statuses.saveAsync(row.id(), row.status(), mark);
     * }</pre>
     *
     * @param id whose value
     * @param value what the row said
     * @param mark taken before the query that read the row
     * @return whether the value was stored. It is complete within the command timeout, and does not fail. It is completed on an event loop of
     *     Redis' client, so that its dependents must not block; cancelling it does not withdraw the offer
     * @throws NullPointerException at once, when there is no value
     */
    CompletableFuture<Boolean> saveAsync(K id, V value, ReadMark mark);

    /**
     * As {@link #save(Object, Object, ReadMark)}, for a caller that knows only by its own clock when the row was read, such as of
     * one that came in a message. A clock that is set back between the query and this call makes the row younger than it is, and
     * an old one may be stored: where the caller runs the query itself, {@link #beforeRead} excludes that.
     *
     * @param id whose value
     * @param value what the row said
     * @param readAt a moment not later than the query that read the row, by this machine's clock; an offer from the
     *     future, or from about four seconds ago or more, is refused
     * @return whether the value was stored
     * @throws NullPointerException when there is no value
     */
    boolean save(K id, V value, Instant readAt);

    /**
     * Makes every node forget the user's value. To be called after a change of the user has been committed; a user's
     * creation is a change too, for its absence may be cached.
     *
     * <p>Once this has returned {@code true}, whatever was read from the source before cannot be stored any more. From the call
     * on, this process does not answer with the old value; others may, from memory, for some milliseconds, and never for
     * longer than the staleness bound. It waits for Redis no longer than the command timeout. When Redis does not answer, the
     * call still returns normally: the invalidation is kept and sent again, until Redis takes it or the {@link UserCaches} is
     * closed.
     *
     * @param id whose value has changed
     * @return whether Redis has confirmed the invalidation; {@code false} when it is still to be sent
     */
    boolean invalidate(K id);

    /**
     * As {@link #invalidate}, of several users: their invalidations go to Redis together, and are waited for once, for the command
     * timeout at most. Of more than 500 users, 500 go at a time; once Redis has not confirmed some of them, the rest is
     * sent without waiting.
     *
     * @param ids whose values have changed; a repeated id counts once
     * @return whether Redis has confirmed all the invalidations; those that it has not are still to be sent
     * @throws IllegalArgumentException when one of them can be no id; no value is invalidated then
     */
    boolean invalidateAll(Collection<? extends K> ids);

    /**
     * As {@link #invalidate}, of the user in every facet of the same {@link UserCaches}, in one round trip: for a user that is
     * deleted, or whose rows have been changed past the application. What counts is the text of the id: in a facet whose
     * ids are of another type, the id with the same text is meant.
     *
     * @param id the user that has changed
     * @return whether Redis has confirmed all the invalidations; those that it has not are still to be sent
     */
    boolean forget(K id);

    /**
     * As {@link #forget}, of several users, with one wait as in {@link #invalidateAll}.
     *
     * @param ids the users that have changed; a repeated id counts once
     * @return whether Redis has confirmed all the invalidations; those that it has not are still to be sent
     * @throws IllegalArgumentException when one of them can be no id; no value is invalidated then
     */
    boolean forgetAll(Collection<? extends K> ids);

    /**
     * As {@link #invalidate}, and waits until every node has provably forgotten the user's value. To be called after a change
     * has been committed that no node may overlook from now on: a ban.
     *
     * <p>It waits for no node longer than the staleness bound, and not at all when Redis does not take the invalidation.
     * All nodes are to have the same policy for this facet, one that {@linkplain CachePolicy#serveStaleFor fails closed}: where
     * it does not, a node that has lost Redis, which no other node can know of, may answer with what it knows; no receipt is confirmed
     * then, or, if stale answers end within the bound, each one by the bound alone. A thread that is interrupted gets its
     * receipt at once, unconfirmed, and stays interrupted.
     *
     * @param id whose value has changed
     * @return which nodes have forgotten it, or {@linkplain RevocationReceipt#reason why} that is not known
     */
    RevocationReceipt revoke(K id);

    /**
     * As {@link #revoke}, of several users, with one wait for all of them: a hundred bans take no longer than one. When Redis does
     * not take all the invalidations, as with {@link #invalidateAll}, no node is waited for; the receipt names the {@linkplain
     * RevocationReceipt#keysPending keys} that are still to be sent.
     *
     * @param ids whose values have changed; a repeated id counts once
     * @return which nodes have forgotten all of them, or why that is not known
     * @throws IllegalArgumentException when one of them can be no id; no value is invalidated then
     */
    RevocationReceipt revokeAll(Collection<? extends K> ids);

    /**
     * What this process's memory, Redis and the source hold of the user, and whether they agree. For operators: it queries
     * the source each time, which counts as a load, and stores nothing.
     *
     * @param id whose entry
     * @return what was found; of a tier that failed, why
     */
    Explanation<V> explain(K id);

    /**
     * The key under which Redis holds a user's value, such as {@code user:42:profile}. Nothing is asked.
     *
     * @param id whose
     * @return the key
     */
    String keyOf(K id);

    /**
     * The id that has a text, as it stands in a key, in a token or in an address.
     *
     * @param text such as {@code 42}, just as the id would print it
     * @return the id
     * @throws IllegalArgumentException when no id of this cache has that text, which is not quoted
     */
    K idOf(String text);

    /** What this cache holds, and how. */
    Facet<V> facet();

    /**
     * What this cache has done since it was made.
     *
     * @return the counters, read one by one while the cache is in use
     */
    CacheStats stats();
}
