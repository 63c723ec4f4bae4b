package dev.usher;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** The type of all ids of a cache, which is that of the first one. Thread-safe. */
final class OneIdType {

    private final AtomicReference<@Nullable IdType> type = new AtomicReference<>();

    /**
     * Takes an id for one of this cache.
     *
     * @throws IllegalArgumentException when it is of another type than those before it, or of none that ids have
     */
    void require(Object id) {
        IdType mine = IdType.of(id);
        IdType known = type.get();
        if (known == null) {
            known = type.compareAndExchange(null, mine); // another caller may be the first
        }
        if (known != null && known != mine) {
            throw new IllegalArgumentException("the ids of one cache are of one type");
        }
    }

    /** The id, or {@code null} when no id of this cache has that text. */
    @Nullable Object parseOrNull(String text) {
        IdType known = type.get();
        return known == null ? null : known.parseOrNull(text);
    }
}
