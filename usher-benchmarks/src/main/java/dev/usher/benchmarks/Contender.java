package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One way to remember users' profiles, set up as its manual says, on one node: it has connections, and perhaps memory, of its own.
 * What it does not know, it loads from its source and remembers. Safe for use by many threads.
 *
 * <p>What a contender throws when it cannot answer is its own affair; it is counted as no answer.
 */
interface Contender extends AutoCloseable {

    /** The user's profile, or {@code null} for a user who does not exist. */
    @Nullable UserProfile find(Long id);

    /**
     * The profiles of those of the users who exist: one after the other, unless a contender has a call for many.
     *
     * @param ids whose profiles, without duplicates
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

    /**
     * Remembers a row that was read anyway, at a login.
     *
     * @param readAt when it was read
     */
    void fill(Long id, UserProfile row, Instant readAt);

    /** Announces that the user has changed, after the commit of the change and on the node that made it. */
    void changed(Long id);

    /** Closes its connections. */
    @Override
    void close();
}
