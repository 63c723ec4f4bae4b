package dev.usher;

import tools.jackson.databind.json.JsonMapper;

/**
 * How a facet's values are written in Redis: plain, without envelope or version, so that other programs can read them.
 *
 * <p>Applications may implement this interface: every method that a release adds has a default. Implementations are immutable and used by many threads at once. The four bytes {@code null} stand for a user that
 * does not exist, so no value may be encoded as them.
 *
 * @param <V> the type of the values
 */
public interface FacetCodec<V> {

    /**
     * A codec that writes compact JSON in UTF-8 with Jackson, and that ignores unknown fields when it reads. Collections are read as
     * unmodifiable ones. If the caches have a {@linkplain UserCaches.Builder#jsonMapper mapper of the application's}, the codec uses it.
     *
     * @param type the class of the values: a record, an enum or another class that Jackson can bind
     * @param <V> the type of the values
     * @return the codec
     */
    static <V> FacetCodec<V> json(Class<V> type) {
        return new JsonFacetCodec<>(type);
    }

    /**
     * As {@link #json(Class)}, with a mapper of the application's and its modules.
     *
     * @param type the class of the values
     * @param mapper it is copied; a later change of the original is not noticed
     * @param <V> the type of the values
     * @return the codec
     */
    static <V> FacetCodec<V> json(Class<V> type, JsonMapper mapper) {
        return new JsonFacetCodec<>(type, mapper);
    }

    /**
     * Encodes a value.
     *
     * @param value the value to write
     * @return its bytes
     */
    byte[] encode(V value);

    /**
     * Decodes a value.
     *
     * @param bytes the content of the key in Redis, which any program may have written
     * @return the value
     * @throws RuntimeException when the bytes are not a value; the entry is then loaded again and overwritten. The
     *     exception is not logged, since it may quote the value
     */
    V decode(byte[] bytes);
}
