package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Asks a source in the ways in which peers ask. Its exceptions become unchecked, and nothing else happens to them. */
record ProfileLoader(UserSource<Long, UserProfile> source) {

    /** The user's row, or {@code null} for a user who does not exist. */
    @Nullable UserProfile load(Long id) {
        return loadAll(Set.of(id)).get(id);
    }

    /** The rows of those of the users who exist. */
    Map<Long, UserProfile> loadAll(Set<? extends Long> ids) {
        try {
            return source.load(Set.copyOf(ids));
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("the source cannot say", e);
        }
    }
}
