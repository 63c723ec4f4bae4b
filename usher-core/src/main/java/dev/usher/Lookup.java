package dev.usher;

import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What was found of a user, and whether it is as recent as an answer should be. In the answer for a list it may also be that the
 * user is unavailable: then there is no value, and {@link #value} throws.
 *
 * @param <V> the type of the facet's value
 */
public final class Lookup<V> {

    private final Optional<V> value;
    private final Duration staleFor;
    private final @Nullable UserUnavailableException failure;

    /**
     * What was found.
     *
     * @param value the user's value, or empty for a user that does not exist
     * @param staleFor zero for an answer within the staleness bound
     */
    public Lookup(Optional<V> value, Duration staleFor) {
        this(value, staleFor, null);
    }

    private Lookup(Optional<V> value, Duration staleFor, @Nullable UserUnavailableException failure) {
        this.value = value;
        this.staleFor = staleFor;
        this.failure = failure;
    }

    /**
     * A user of a list that is unavailable, while others may not be.
     *
     * @param failure what {@link #value} throws
     * @param <V> the type of the facet's value
     * @return without a value
     */
    public static <V> Lookup<V> unavailable(UserUnavailableException failure) {
        return new Lookup<>(Optional.empty(), Duration.ZERO, failure);
    }

    /**
     * The user's value.
     *
     * @return the value, or empty for a user that does not exist
     * @throws UserUnavailableException when the user is {@linkplain #isUnavailable unavailable}
     */
    public Optional<V> value() {
        if (failure != null) {
            throw failure;
        }
        return value;
    }

    /**
     * How old the last known answer is.
     *
     * @return zero for an answer within the staleness bound, and when the user is unavailable. Otherwise no tier could say, this is
     *     the last known answer, and it was last known to be true so long ago, which {@link CachePolicy#serveStaleFor} allows
     */
    public Duration staleFor() {
        return staleFor;
    }

    /** Whether this is the last known answer, in place of none. */
    public boolean isStale() {
        return !staleFor.isZero();
    }

    /** Whether neither a tier nor the source could say anything of this user. Only a user of a list can be. */
    public boolean isUnavailable() {
        return failure != null;
    }

    /** Why the user is unavailable, or {@code null} when it is not. */
    public @Nullable UserUnavailableException failure() {
        return failure;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Lookup<?> found
                && value.equals(found.value)
                && staleFor.equals(found.staleFor)
                && Objects.equals(failure, found.failure);
    }

    @Override
    public int hashCode() {
        return Objects.hash(value, staleFor, failure);
    }

    /** As a record's was: without a failure, nothing of it. */
    @Override
    public String toString() {
        return failure == null
                ? "Lookup[value=" + value + ", staleFor=" + staleFor + "]"
                : "Lookup[unavailable: " + failure.getMessage() + "]";
    }
}
