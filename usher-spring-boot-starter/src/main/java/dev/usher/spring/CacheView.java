package dev.usher.spring;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.usher.Explanation;
import dev.usher.Explanation.Guard;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * An {@link Explanation} as an administrator may see it: mobile numbers are masked, and values of an application's own facets
 * are not shown, only that they exist.
 *
 * <p>The naming strategy of the JSON mapper decides between {@code sharedTtl} and {@code shared_ttl}.
 *
 * @param key the entry's key in Redis
 * @param slot in a Redis Cluster, the slot of the key, else {@code null}
 * @param primary in a Redis Cluster, the server that has the slot as far as this process knows, as {@code host:port}, else {@code null}
 * @param near what this process would answer from memory
 * @param shared what Redis holds
 * @param sharedTtl the remaining time to live of the entry in Redis, or {@code null} if there is no entry or it does not expire
 * @param guard the guard beside the entry in Redis
 * @param guardTtl the remaining time to live of the guard, or {@code null} if there is none
 * @param invalidationPending whether this process has announced a change of the user that Redis has not confirmed
 * @param source what the source holds
 * @param agree whether the source answers, and Redis and this process each hold either the same or nothing
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record CacheView(
        String key,
        @Nullable Integer slot,
        @Nullable String primary,
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
                explanation.slot(),
                explanation.primary(),
                Holding.of(explanation.near()),
                Holding.of(explanation.shared()),
                explanation.sharedTtl(),
                explanation.guard(),
                explanation.guardTtl(),
                explanation.invalidationPending(),
                Holding.of(explanation.source()),
                // Compares the values themselves: two different values may look the same once masked.
                explanation.agree());
    }

    /**
     * What one place holds of a user.
     *
     * @param held the kind of what is held
     * @param value the value, where it may be shown: a masked {@link UserProfile} or a {@link UserStatus}; otherwise
     *     {@code null}
     * @param reason why it is unknown, for {@link Held#UNKNOWN}; otherwise {@code null}
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

        /** Hides the values of an application's own facet: they may contain anything. */
        private static @Nullable Object shown(Object value) {
            if (value instanceof UserProfile profile) {
                return profile.masked();
            }
            return value instanceof UserStatus ? value : null;
        }
    }

    /** What a place can hold of a user. */
    public enum Held {
        /** The user's value. */
        VALUE,
        /** The knowledge that there is no such user. */
        ABSENT,
        /** Nothing: a read has to go on to the next tier. */
        NOTHING,
        /** The place could not be read. */
        UNKNOWN
    }
}
