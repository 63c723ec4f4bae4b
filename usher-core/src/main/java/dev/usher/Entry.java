package dev.usher;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one user in one facet: a value, or that there is no such user.
 *
 * @param value the value, or {@code null} for a user that is known to be absent
 */
record Entry<V>(@Nullable V value) {

    Optional<V> toOptional() {
        return Optional.ofNullable(value);
    }
}
