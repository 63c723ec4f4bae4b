package dev.usher;

import java.util.Map;
import java.util.Set;

/**
 * Where the truth about users is: typically one query of the SQL database.
 *
 * <p>It must read the <em>primary</em>: a replica may lag behind a change that has already been announced, and its old
 * row would then be cached as if it were new. And it must read <em>committed</em> rows, in a transaction or snapshot that
 * begins inside {@link #load}: one that joins its caller's transaction reads what may yet be rolled back, or what was true
 * when a snapshot was taken, and it would be cached for everybody.
 *
 * <pre>{@code
 * UserSource<Long, UserProfile> source = ids -> repository.profilesByIds(ids);
 * }</pre>
 *
 * <p>Implementations are called by many threads at once, on the thread of one of the callers or of the {@linkplain
 * UserCaches.Builder#executor executor}, and for the users of other callers too: when many come at once, one asks for all. So
 * they may not depend on what is bound to a thread: a tenant, a transaction, a security context. Give the queries a timeout:
 * one that hangs holds one of {@link CachePolicy#maxLoads} places, and after 30 s others may load the same users.
 *
 * <p>They may not ask the very cache that they fill, nor wait for somebody who does.
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
     * @return a value for each of them that exists: an id that is missing from the answer is a user that does not
     *     exist, and is remembered as such. A {@code null} value is taken for an error, of this user; an id that was not asked
     *     for, for one of the source
     * @throws UnreadableUsersException when the rows of some users cannot be read; only these are unavailable
     * @throws Exception when the source cannot say; the callers get a {@link UserUnavailableException}, and nothing is
     *     stored. Where a single row may be the reason, the source is asked again in parts, so that only users whose rows
     *     cannot be read are unavailable; not when a connection was lost, a query took too long or its SQL is wrong
     */
    Map<K, V> load(Set<K> ids) throws Exception;

    /**
     * Whether the calling thread may load for others now. It may not inside a transaction, whose reads are not to be stored, and not
     * while it holds a connection of the pool from which this source takes one: many such threads, each waiting for a second
     * connection, exhaust the pool.
     *
     * <p>On a thread that may not, {@link #load} is called for this thread alone, in every call of the cache: it waits for no other
     * caller's load and for no place among the queries under way, and the cache stores nothing of what is read. Another thread then
     * loads the same users for those who come later.
     *
     * @return {@code true} unless overridden
     */
    default boolean canLoadForOthers() {
        return true;
    }
}
