package dev.usher;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What each tier and the source hold of one user in one facet: for an operator who wonders why an answer is what it is.
 *
 * <p>The tiers are looked at one after the other while the cache is in use: a change that comes in between shows as a
 * disagreement that is gone when one looks again. It holds the user's values, and so does its text.
 *
 * @param key the entry's key in Redis
 * @param near what this process would answer from memory
 * @param shared what Redis holds
 * @param sharedTtl the life that Redis' entry has left, or {@code null} when there is none, or it has no end
 * @param guard what stands beside the entry in Redis
 * @param guardTtl the life that the guard has left, or {@code null} when there is none
 * @param invalidationPending whether this process has a change of the user that Redis has not confirmed, and therefore asks
 *     the source instead of Redis
 * @param source what the source says
 * @param <V> the type of the facet's value
 */
public record Explanation<V>(
        String key,
        Holding<V> near,
        Holding<V> shared,
        @Nullable Duration sharedTtl,
        Guard guard,
        @Nullable Duration guardTtl,
        boolean invalidationPending,
        Holding<V> source) {

    /** What is held somewhere of a user. */
    public sealed interface Holding<V> {

        /** The user's value. */
        record Value<V>(V value) implements Holding<V> {}

        /** The knowledge that there is no such user. */
        record Absent<V>() implements Holding<V> {}

        /** Nothing: whoever asks here has to ask further. */
        record Nothing<V>() implements Holding<V> {}

        /**
         * It cannot be said.
         *
         * @param reason why, without the user's data
         */
        record Unknown<V>(String reason) implements Holding<V> {}
    }

    /** What keeps old values out of Redis. */
    public enum Guard {
        /** Nobody has loaded or changed the user lately. */
        NONE,
        /** The user has just been stored or changed: rows that were read before are refused. */
        FENCE,
        /** Somebody is loading the user. */
        CLAIM,
        /** Redis did not say. */
        UNKNOWN
    }

    static <V> Holding<V> holdingOf(Optional<V> answer) {
        return answer.<Holding<V>>map(Holding.Value::new).orElseGet(Holding.Absent::new);
    }

    /**
     * This explanation with other values: without what is personal, for whoever shows it.
     *
     * @param view makes a value of each value
     * @param <W> what it makes
     * @return the same findings; whether they {@linkplain #agree} is to be asked of this one, for views may be alike
     */
    public <W> Explanation<W> map(Function<? super V, ? extends W> view) {
        return new Explanation<>(
                key,
                view(near, view),
                view(shared, view),
                sharedTtl,
                guard,
                guardTtl,
                invalidationPending,
                view(source, view));
    }

    private static <V, W> Holding<W> view(Holding<V> holding, Function<? super V, ? extends W> view) {
        if (holding instanceof Holding.Value<V> value) {
            return new Holding.Value<>(view.apply(value.value()));
        } else if (holding instanceof Holding.Unknown<V> unknown) {
            return new Holding.Unknown<>(unknown.reason());
        }
        return holding instanceof Holding.Absent ? new Holding.Absent<>() : new Holding.Nothing<>();
    }

    /** Whether the source answers, and Redis and this process hold either nothing or the same. */
    public boolean agree() {
        return isAnswer(source) && isNothingBut(source, shared) && isNothingBut(source, near);
    }

    private static boolean isAnswer(Holding<?> holding) {
        return holding instanceof Holding.Value || holding instanceof Holding.Absent;
    }

    private static boolean isNothingBut(Holding<?> expected, Holding<?> holding) {
        return holding instanceof Holding.Nothing || holding.equals(expected);
    }
}
