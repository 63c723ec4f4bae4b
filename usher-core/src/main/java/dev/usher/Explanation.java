package dev.usher;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What each tier and the source hold of one user in one facet: for an operator who asks why an answer is what it is.
 *
 * <p>The tiers are read one after the other while the cache is in use: a change that comes in between shows as a
 * disagreement that is gone in the next explanation. It holds the user's values, and so does its text.
 *
 * <p>{@link UserCache#explain} makes it; the builder is for tests of what shows it. Later versions may explain more. Immutable.
 *
 * @param <V> the type of the facet's value
 */
@JsonAutoDetect(fieldVisibility = JsonAutoDetect.Visibility.ANY)
@JsonPropertyOrder({
    "key",
    "slot",
    "primary",
    "near",
    "shared",
    "sharedTtl",
    "guard",
    "guardTtl",
    "invalidationPending",
    "source"
})
public final class Explanation<V> {

    private final String key;
    private final @Nullable Integer slot;
    private final @Nullable String primary;
    private final Holding<V> near;
    private final Holding<V> shared;
    private final @Nullable Duration sharedTtl;
    private final Guard guard;
    private final @Nullable Duration guardTtl;
    private final boolean invalidationPending;
    private final Holding<V> source;

    /** What is held somewhere of a user. */
    public sealed interface Holding<V> {

        /** The user's value. */
        record Value<V>(V value) implements Holding<V> {}

        /** The knowledge that there is no such user. */
        record Absent<V>() implements Holding<V> {}

        /** Nothing: a read has to go on to the next tier. */
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
        /** The user has not been loaded or changed lately. */
        NONE,
        /** The user has just been stored or changed: rows that were read before are refused. */
        FENCE,
        /** A caller is loading the user. */
        CLAIM,
        /** Redis did not say. */
        UNKNOWN
    }

    private Explanation(Builder<V> builder) {
        this.key = builder.key;
        this.slot = builder.slot;
        this.primary = builder.primary;
        this.near = builder.near;
        this.shared = builder.shared;
        this.sharedTtl = builder.sharedTtl;
        this.guard = builder.guard;
        this.guardTtl = builder.guardTtl;
        this.invalidationPending = builder.invalidationPending;
        this.source = builder.source;
    }

    /**
     * A builder of the explanation of an entry of which nothing is held anywhere.
     *
     * @param key see {@link #key()}
     * @param <V> the type of the facet's value
     * @return the builder
     */
    public static <V> Builder<V> builder(String key) {
        return new Builder<>(key);
    }

    static <V> Holding<V> holdingOf(Optional<V> answer) {
        return answer.<Holding<V>>map(Holding.Value::new).orElseGet(Holding.Absent::new);
    }

    /** The entry's key in Redis. */
    public String key() {
        return key;
    }

    /** In a Redis Cluster, the slot of the key, else {@code null}. */
    public @Nullable Integer slot() {
        return slot;
    }

    /** In a Redis Cluster, the server that has the slot as far as this process knows, as {@code host:port}, else {@code null}. */
    public @Nullable String primary() {
        return primary;
    }

    /** What this process would answer from memory. */
    public Holding<V> near() {
        return near;
    }

    /** What Redis holds. */
    public Holding<V> shared() {
        return shared;
    }

    /** The remaining time to live of the entry in Redis, or {@code null} if there is no entry or it does not expire. */
    public @Nullable Duration sharedTtl() {
        return sharedTtl;
    }

    /** The guard beside the entry in Redis. */
    public Guard guard() {
        return guard;
    }

    /** The remaining time to live of the guard, or {@code null} if there is none. */
    public @Nullable Duration guardTtl() {
        return guardTtl;
    }

    /**
     * Whether this process has a change of the user that Redis has not confirmed, and therefore asks the source instead of Redis.
     */
    public boolean invalidationPending() {
        return invalidationPending;
    }

    /** What the source says. */
    public Holding<V> source() {
        return source;
    }

    /**
     * This explanation with other values: without personal data, to be shown.
     *
     * @param view makes a value of each value
     * @param <W> what it makes
     * @return the same findings; whether they {@linkplain #agree} is to be asked of this one, for views may be alike
     */
    public <W> Explanation<W> map(Function<? super V, ? extends W> view) {
        return Explanation.<W>builder(key)
                .slot(slot)
                .primary(primary)
                .near(view(near, view))
                .shared(view(shared, view))
                .sharedTtl(sharedTtl)
                .guard(guard)
                .guardTtl(guardTtl)
                .invalidationPending(invalidationPending)
                .source(view(source, view))
                .build();
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

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Explanation<?> explanation
                && key.equals(explanation.key)
                && Objects.equals(slot, explanation.slot)
                && Objects.equals(primary, explanation.primary)
                && near.equals(explanation.near)
                && shared.equals(explanation.shared)
                && Objects.equals(sharedTtl, explanation.sharedTtl)
                && guard == explanation.guard
                && Objects.equals(guardTtl, explanation.guardTtl)
                && invalidationPending == explanation.invalidationPending
                && source.equals(explanation.source);
    }

    @Override
    public int hashCode() {
        return Objects.hash(key, slot, primary, near, shared, sharedTtl, guard, guardTtl, invalidationPending, source);
    }

    @Override
    public String toString() {
        return "Explanation[key=" + key + ", slot=" + slot + ", primary=" + primary + ", near=" + near + ", shared="
                + shared + ", sharedTtl=" + sharedTtl
                + ", guard=" + guard + ", guardTtl=" + guardTtl + ", invalidationPending=" + invalidationPending
                + ", source=" + source + "]";
    }

    /** Collects what an {@link Explanation} says; each method is named like the accessor it sets. Not thread-safe. */
    public static final class Builder<V> {

        private final String key;
        private @Nullable Integer slot;
        private @Nullable String primary;
        private Holding<V> near = new Holding.Nothing<>();
        private Holding<V> shared = new Holding.Nothing<>();
        private @Nullable Duration sharedTtl;
        private Guard guard = Guard.NONE;
        private @Nullable Duration guardTtl;
        private boolean invalidationPending;
        private Holding<V> source = new Holding.Nothing<>();

        private Builder(String key) {
            this.key = key;
        }

        /** Sets {@link Explanation#slot}. */
        public Builder<V> slot(@Nullable Integer slot) {
            this.slot = slot;
            return this;
        }

        /** Sets {@link Explanation#primary}. */
        public Builder<V> primary(@Nullable String primary) {
            this.primary = primary;
            return this;
        }

        /** Sets {@link Explanation#near}. */
        public Builder<V> near(Holding<V> near) {
            this.near = near;
            return this;
        }

        /** Sets {@link Explanation#shared}. */
        public Builder<V> shared(Holding<V> shared) {
            this.shared = shared;
            return this;
        }

        /** Sets {@link Explanation#sharedTtl}. */
        public Builder<V> sharedTtl(@Nullable Duration sharedTtl) {
            this.sharedTtl = sharedTtl;
            return this;
        }

        /** Sets {@link Explanation#guard}. */
        public Builder<V> guard(Guard guard) {
            this.guard = guard;
            return this;
        }

        /** Sets {@link Explanation#guardTtl}. */
        public Builder<V> guardTtl(@Nullable Duration guardTtl) {
            this.guardTtl = guardTtl;
            return this;
        }

        /** Sets {@link Explanation#invalidationPending}. */
        public Builder<V> invalidationPending(boolean invalidationPending) {
            this.invalidationPending = invalidationPending;
            return this;
        }

        /** Sets {@link Explanation#source}. */
        public Builder<V> source(Holding<V> source) {
            this.source = source;
            return this;
        }

        /** The explanation. The builder can be used again. */
        public Explanation<V> build() {
            return new Explanation<>(this);
        }
    }
}
