package dev.usher.benchmarks;

import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import org.redisson.Redisson;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.BaseCodec;
import org.redisson.client.codec.Codec;
import org.redisson.client.codec.LongCodec;
import org.redisson.client.protocol.Decoder;
import org.redisson.client.protocol.Encoder;
import org.redisson.codec.CompositeCodec;
import org.redisson.config.Config;

/** How Redisson reaches Redis and writes profiles here, whichever map they are in: the bytes that all contenders write. */
final class RedissonProfiles extends BaseCodec {

    private static final FacetCodec<UserProfile> PROFILES = UserProfile.FACET.codec();

    private final Encoder encoder = profile -> Unpooled.wrappedBuffer(PROFILES.encode((UserProfile) profile));
    private final Decoder<Object> decoder = (buffer, state) -> PROFILES.decode(ByteBufUtil.getBytes(buffer));

    private RedissonProfiles() {}

    /** A map's codec, with ids in decimal digits as its keys. */
    static Codec codec() {
        return new CompositeCodec(LongCodec.INSTANCE, new RedissonProfiles());
    }

    /** A client of one server, with the defaults of its manual. */
    static RedissonClient client(Site site) {
        Config config = new Config();
        config.useSingleServer().setAddress(site.redisUri());
        return Redisson.create(config);
    }

    @Override
    public Encoder getValueEncoder() {
        return encoder;
    }

    @Override
    public Decoder<Object> getValueDecoder() {
        return decoder;
    }
}
