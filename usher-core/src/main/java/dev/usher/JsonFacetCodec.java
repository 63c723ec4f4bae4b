package dev.usher;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON in UTF-8, whose collections are read as unmodifiable ones. Without a mapper of the application's own, it is compact, and a scalar of
 * another type is an error: a number in quotes is not a number.
 *
 * <p>Each codec has a mapper of its own: a mapper holds the classes that it has written and read, and with them their class loader.
 */
final class JsonFacetCodec<V> implements FacetCodec<V> {

    private final Class<V> type;
    private final @Nullable JsonMapper own;
    private final ObjectReader reader;
    private final ObjectWriter writer;

    /** A codec with usher's own mapper. */
    JsonFacetCodec(Class<V> type) {
        this(type, null);
    }

    /**
     * A codec with a mapper of the application's.
     *
     * @param own with its modules, or {@code null} for usher's
     */
    JsonFacetCodec(Class<V> type, @Nullable JsonMapper own) {
        this.type = type;
        this.own = own;
        JsonMapper mapper = (own == null ? strict() : own.rebuild())
                .addModule(new UnmodifiableCollections())
                .build();
        // Unknown fields are ignored: nodes of two versions of an application read each other's entries.
        this.reader = mapper.readerFor(type)
                .without(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
        // An error here: a class without properties would be written as {}, and read back empty.
        this.writer = mapper.writerFor(type).with(SerializationFeature.FAIL_ON_EMPTY_BEANS);
    }

    private static JsonMapper.Builder strict() {
        return JsonMapper.builder()
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);
    }

    Class<V> type() {
        return type;
    }

    /** This codec with the application's mapper, unless it has one already, or its JSON is the specification's. */
    JsonFacetCodec<V> writtenBy(JsonMapper mapper) {
        return own != null || type == UserProfile.class ? this : new JsonFacetCodec<>(type, mapper);
    }

    @Override
    public byte[] encode(V value) {
        return writer.writeValueAsBytes(value);
    }

    /** The parser would take zeros between the characters for UTF-16 or UTF-32; no such text is a value here. */
    private static boolean looksLikeUtf8(byte[] bytes) {
        return bytes.length < 2 || (bytes[0] > 0 && bytes[1] != 0);
    }

    @Override
    public V decode(byte[] bytes) throws JacksonException {
        if (!looksLikeUtf8(bytes)) {
            throw new StreamReadException("the text is not in UTF-8");
        }
        return reader.readValue(bytes);
    }
}
