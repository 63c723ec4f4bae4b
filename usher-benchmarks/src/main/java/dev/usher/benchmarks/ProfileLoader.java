package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Adapts a source to the calls that peers make. It turns checked exceptions into unchecked ones and handles none. */
record ProfileLoader(UserSource<Long, UserProfile> source) {

    /** The user's row, or {@code null} if the user does not exist. */
    @Nullable UserProfile load(Long id) {
        return loadAll(Set.of(id)).get(id);
    }

    /** The rows of the users that exist. */
    Map<Long, UserProfile> loadAll(Set<? extends Long> ids) {
        try {
            return source.load(Set.copyOf(ids));
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("the source has failed", e);
        }
    }
}
