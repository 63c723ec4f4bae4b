package dev.usher.spring;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.usher.Explanation;
import dev.usher.Explanation.Guard;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * An {@link Explanation} as an administrator may see it: mobile numbers are masked, and of an application's own facets it
 * says that there is a value, but not which.
 *
 * <p>The components are named for a JSON mapper, whose naming strategy decides on {@code sharedTtl} or {@code shared_ttl}.
 *
 * @param key the entry's key in Redis
 * @param near what this process would answer from memory
 * @param shared what Redis holds
 * @param sharedTtl the life that Redis' entry has left, or {@code null} when there is none, or it has no end
 * @param guard what stands beside the entry in Redis
 * @param guardTtl the life that the guard has left, or {@code null} when there is none
 * @param invalidationPending whether this process has a change of the user that Redis has not confirmed
 * @param source what the source says
 * @param agree whether the source answers, and Redis and this process hold either nothing or the same
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record CacheView(
        String key,
        Holding near,
        Holding shared,
        @Nullable Duration sharedTtl,
        Guard guard,
        @Nullable Duration guardTtl,
        boolean invalidationPending,
        Holding source,
        boolean agree) {

    /** The view of an explanation. */
    public static CacheView of(Explanation<?> explanation) {
        return new CacheView(
                explanation.key(),
                Holding.of(explanation.near()),
                Holding.of(explanation.shared()),
                explanation.sharedTtl(),
                explanation.guard(),
                explanation.guardTtl(),
                explanation.invalidationPending(),
                Holding.of(explanation.source()),
                // Of the values themselves: what is shown of two may be equal where they are not.
                explanation.agree());
    }

    /**
     * What is held somewhere of a user.
     *
     * @param held of what kind it is
     * @param value the value, where it may be shown: a masked {@link UserProfile} or a {@link UserStatus}; otherwise
     *     {@code null}
     * @param reason why it cannot be said, where it cannot
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Holding(
            Held held, @Nullable Object value, @Nullable String reason) {

        private static Holding of(Explanation.Holding<?> holding) {
            if (holding instanceof Explanation.Holding.Value<?> value) {
                return new Holding(Held.VALUE, shown(value.value()), null);
            }
            if (holding instanceof Explanation.Holding.Unknown<?> unknown) {
                return new Holding(Held.UNKNOWN, null, unknown.reason());
            }
            return new Holding(
                    holding instanceof Explanation.Holding.Absent<?> ? Held.ABSENT : Held.NOTHING, null, null);
        }

        /** Nothing of an application's own facet, which may hold anything. */
        private static @Nullable Object shown(Object value) {
            if (value instanceof UserProfile profile) {
                return profile.masked();
            }
            return value instanceof UserStatus ? value : null;
        }
    }

    /** The kinds of what can be held. */
    public enum Held {
        /** The user's value. */
        VALUE,
        /** The knowledge that there is no such user. */
        ABSENT,
        /** Nothing: whoever asks here has to ask further. */
        NOTHING,
        /** It cannot be said. */
        UNKNOWN
    }
}
