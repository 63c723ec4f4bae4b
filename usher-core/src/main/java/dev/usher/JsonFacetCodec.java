package dev.usher;

import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.json.JsonMapper;

/** Compact JSON in UTF-8. Scalars are read as what they are: a number in quotes is not a number. */
final class JsonFacetCodec<V> implements FacetCodec<V> {

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .build();

    private final ObjectReader reader;
    private final ObjectWriter writer;

    JsonFacetCodec(Class<V> type) {
        this.reader = MAPPER.readerFor(type);
        this.writer = MAPPER.writerFor(type);
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
