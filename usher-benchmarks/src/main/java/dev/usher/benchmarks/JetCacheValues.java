package dev.usher.benchmarks;

import com.alicp.jetcache.CacheValueHolder;
import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import java.nio.ByteBuffer;

/**
 * How JetCache writes profiles here: the two times that it keeps with each value, then the bytes that all contenders write. A
 * {@code null} value has no bytes.
 */
final class JetCacheValues {

    private static final int TIMES = 2 * Long.BYTES;
    private static final FacetCodec<UserProfile> CODEC = UserProfile.FACET.codec();

    private JetCacheValues() {}

    static byte[] encode(Object holder) {
        CacheValueHolder<?> held = (CacheValueHolder<?>) holder;
        Object value = held.getValue();
        byte[] encoded = value == null ? new byte[0] : CODEC.encode((UserProfile) value);
        return ByteBuffer.allocate(TIMES + encoded.length)
                .putLong(held.getExpireTime())
                .putLong(held.getAccessTime())
                .put(encoded)
                .array();
    }

    static Object decode(byte[] stored) {
        ByteBuffer buffer = ByteBuffer.wrap(stored);
        CacheValueHolder<UserProfile> holder = new CacheValueHolder<>();
        holder.setExpireTime(buffer.getLong());
        holder.setAccessTime(buffer.getLong());
        if (buffer.hasRemaining()) {
            byte[] encoded = new byte[buffer.remaining()];
            buffer.get(encoded);
            holder.setValue(CODEC.decode(encoded));
        }
        return holder;
    }
}
