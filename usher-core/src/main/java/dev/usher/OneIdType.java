package dev.usher;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** The type of all ids of a cache, which is that of the first one unless it is known before. Thread-safe. */
final class OneIdType {

    private final AtomicReference<@Nullable IdType> type;

    /** The first id will tell. */
    OneIdType() {
        this(null);
    }

    private OneIdType(@Nullable IdType type) {
        this.type = new AtomicReference<>(type);
    }

    /**
     * A type that is known.
     *
     * @throws IllegalArgumentException when ids are not of that type
     */
    static OneIdType of(Class<?> type) {
        return new OneIdType(IdType.of(type));
    }

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

    /**
     * The id that has a text.
     *
     * @throws IllegalArgumentException when no id of this cache has it; it is not quoted, for it may hold anything
     * @throws IllegalStateException when the type is not known yet
     */
    Object parse(String text) {
        IdType known = type.get();
        if (known == null) {
            throw new IllegalStateException(
                    "the type of the ids is not known before the first of them has been asked for");
        }
        Object id = known.parseOrNull(text);
        if (id == null) {
            throw new IllegalArgumentException("this is not the text of " + known.text());
        }
        return id;
    }

    /** The id, or {@code null} when no id of this cache has that text. */
    @Nullable Object parseOrNull(String text) {
        IdType known = type.get();
        return known == null ? null : known.parseOrNull(text);
    }
}
