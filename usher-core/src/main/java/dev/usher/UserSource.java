package dev.usher;

import java.util.Map;
import java.util.Set;

/**
 * The source of truth about users: typically one query of the SQL database.
 *
 * <p>It must read the <em>primary</em>: a replica may lag behind a change that has already been announced, and its old
 * row would then be cached as if it were new. And it must read <em>committed</em> rows, in a transaction or snapshot that
 * begins inside {@link #load}: a source that joins its caller's transaction reads rows that may be rolled back, or rows of an old
 * snapshot, and they would be cached for all callers.
 *
 * <pre>{@code
 * UserSource<Long, UserProfile> source = ids -> repository.profilesByIds(ids);
 * }</pre>
 *
 * <p>Applications implement this interface: every method that a release adds has a default. Implementations are called by many
 * threads at once, on the thread of one of the callers or of the {@linkplain UserCaches.Builder#executor executor}. One call may load
 * the users of many callers. So an implementation must not depend on objects that are bound to a thread: a tenant, a transaction, a
 * security context. Give the queries a timeout: a query that hangs holds one of {@link CachePolicy#maxLoads} places, and after 30 s
 * others may load the same users.
 *
 * <p>A source must not call the cache that it fills, nor wait for a thread that does.
 *
 * @param <K> the type of a user's id
 * @param <V> the type of the value
 */
@FunctionalInterface
public interface UserSource<K, V> {

    /**
     * Reads the values of the given users.
     *
     * @param ids the users asked for, from one to 500; unmodifiable
     * @return a value for each user that exists: an id that is missing from the answer is a user that does not
     *     exist, and is cached as absent. A {@code null} value counts as an error of its user, and an id that was not asked
     *     for as an error of the source
     * @throws UnreadableUsersException when the rows of some users cannot be read; only these are unavailable
     * @throws Exception when the source cannot answer; the callers get a {@link UserUnavailableException}, and nothing is
     *     stored. If a single row may be the reason, the source is called again in parts, so that only users whose rows
     *     cannot be read are unavailable; not when a connection was lost, a query took too long or its SQL is wrong
     */
    Map<K, V> load(Set<K> ids) throws Exception;

    /**
     * Whether the calling thread may load for others now. It may not inside a transaction, whose reads are not to be stored, and not
     * while it holds a connection of the pool from which this source takes one: many such threads, each waiting for a second
     * connection, exhaust the pool.
     *
     * <p>On a thread that may not, {@link #load} is called for this thread alone, in every call of the cache: it waits for no other
     * caller's load and for no place among the queries under way, and the cache stores none of the values. Another thread then
     * loads the same users for later callers.
     *
     * @return {@code true} unless overridden
     */
    default boolean canLoadForOthers() {
        return true;
    }
}
