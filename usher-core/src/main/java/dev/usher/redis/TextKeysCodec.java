package dev.usher.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.codec.RedisCodec;
import java.nio.ByteBuffer;

/**
 * Keys as text in UTF-8, values as they are. Lettuce's codec of strings encodes each key into a buffer that it allocates for the longest text that could
 * have so many bytes; a list of users has many keys.
 */
enum TextKeysCodec implements RedisCodec<String, byte[]> {
    INSTANCE;

    @Override
    public String decodeKey(ByteBuffer bytes) {
        return new String(decodeValue(bytes), UTF_8);
    }

    @Override
    public byte[] decodeValue(ByteBuffer bytes) {
        byte[] value = new byte[bytes.remaining()];
        bytes.get(value);
        return value;
    }

    @Override
    public ByteBuffer encodeKey(String key) {
        return ByteBuffer.wrap(key.getBytes(UTF_8));
    }

    @Override
    public ByteBuffer encodeValue(byte[] value) {
        return ByteBuffer.wrap(value);
    }
}
