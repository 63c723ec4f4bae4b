package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One way to cache users' profiles, set up as its manual says, on one node: it has its own connections, and some have their own
 * memory. It loads what is missing from its source and caches it. Safe for use by many threads.
 *
 * <p>A contender that cannot answer throws any exception; the call counts as unanswered.
 */
interface Contender extends AutoCloseable {

    /** The user's profile, or {@code null} if the user does not exist. */
    @Nullable UserProfile find(Long id);

    /**
     * The profiles of the users that exist. By default they are looked up one after the other; a contender with a call for many
     * overrides this.
     *
     * @param ids the users, without duplicates
     */
    default Map<Long, UserProfile> findAll(List<Long> ids) {
        Map<Long, UserProfile> found = new HashMap<>();
        for (Long id : ids) {
            UserProfile profile = find(id);
            if (profile != null) {
                found.put(id, profile);
            }
        }
        return found;
    }

    /** Caches a row that has just been read anyway. */
    void fill(Long id, UserProfile row);

    /**
     * Marks the moment before a login reads its row. A contender that does not ask how old a row is has no mark.
     *
     * @return caches the row, as soon as it has been read
     */
    default Filling beforeRead() {
        return this::fill;
    }

    /** How the row of one login is cached. The login does not ask whether it was. */
    @FunctionalInterface
    interface Filling {

        void fill(Long id, UserProfile row);
    }

    /** Announces that the user has changed, after the commit of the change and on the node that made it. */
    void changed(Long id);

    /** Closes its connections. */
    @Override
    void close();
}
