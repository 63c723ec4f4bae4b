package dev.usher;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/** Entries as they stand in Redis: what the facet's codec writes, or JSON's {@code null} for a known-absent user. */
final class EntryCodec<V> {

    private static final byte[] ABSENT = "null".getBytes(StandardCharsets.US_ASCII);

    private final FacetCodec<V> codec;

    EntryCodec(FacetCodec<V> codec) {
        this.codec = codec;
    }

    byte[] encode(Entry<V> entry) {
        V value = entry.value();
        if (value == null) {
            return ABSENT.clone();
        }
        byte[] bytes = codec.encode(value);
        if (Arrays.equals(bytes, ABSENT)) {
            throw new IllegalArgumentException("a value may not be encoded as null, which means an absent user");
        }
        return bytes;
    }

    Entry<V> decode(byte[] bytes) throws UnreadableEntryException {
        if (Arrays.equals(bytes, ABSENT)) {
            return new Entry<>(null);
        }
        try {
            return new Entry<>(Objects.requireNonNull(codec.decode(bytes)));
        } catch (RuntimeException e) {
            // Neither kept as the cause nor quoted: a parser's message shows the text around what it stumbled over.
            throw new UnreadableEntryException(e.getClass().getSimpleName(), bytes);
        }
    }
}
