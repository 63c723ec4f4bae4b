package dev.usher;

import static java.util.Objects.requireNonNull;

import org.jspecify.annotations.Nullable;

/**
 * The answer of a source for one existing user, or the reason why there is none.
 *
 * @param value the value, or {@code null} when the user could not be read
 * @param failure why not, or {@code null}
 */
record Loaded<V>(@Nullable V value, @Nullable Exception failure) {

    static <V> Loaded<V> of(V value) {
        return new Loaded<>(value, null);
    }

    static <V> Loaded<V> failed(Exception failure) {
        return new Loaded<>(null, failure);
    }

    /** The value of a user, or {@code null} for one that does not exist; an exception for one that could not be read. */
    static <V> @Nullable V valueOf(@Nullable Loaded<V> loaded) throws Exception {
        if (loaded == null) {
            return null;
        }
        if (loaded.failure != null) {
            throw loaded.failure;
        }
        return requireNonNull(loaded.value);
    }
}
