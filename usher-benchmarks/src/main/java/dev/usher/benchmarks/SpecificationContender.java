package dev.usher.benchmarks;

import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The specification's own class, line by line, over one connection of Lettuce with its default settings.
 *
 * <p>A miss is {@code GET}, {@code GET}, query, {@code SETEX}; absent users are not cached, and there is no call for many. As
 * in the specification, the method that saves a profile returns nothing when it finds one in Redis: a caller that is overtaken
 * between the two {@code GET}s is told that there is no such user. The specification has no line for a change; here the key is
 * deleted, as teams add by hand.
 */
final class SpecificationContender implements Contender {

    private static final long TTL_SECONDS = Duration.ofMinutes(30).toSeconds();
    private static final long STATUS_TTL_SECONDS = Duration.ofMinutes(60).toSeconds();
    private static final byte[] ENABLED = {'1'};

    private final FacetCodec<UserProfile> codec = UserProfile.FACET.codec();
    private final ProfileLoader loader;
    private final RedisClient client;
    private final StatefulRedisConnection<String, byte[]> connection;

    SpecificationContender(Site site) {
        loader = new ProfileLoader(site.source());
        client = RedisClient.create(site.redisUri());
        connection = client.connect(RedisCodec.of(StringCodec.ASCII, ByteArrayCodec.INSTANCE));
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        byte[] stored = read(id);
        return stored != null ? codec.decode(stored) : save(id, null);
    }

    @Override
    public void fill(Long id, UserProfile row) {
        save(id, row);
    }

    /** As {@link #fill}, of a login: the specification's saves the status as well. */
    void fillBothFacets(Long id, UserProfile row) {
        save(id, row);
        connection.sync().setex("user:" + id + ":status", STATUS_TTL_SECONDS, ENABLED);
    }

    private @Nullable UserProfile save(Long id, @Nullable UserProfile row) {
        boolean exists = read(id) != null;
        if (exists) {
            return null;
        }
        UserProfile user = row != null ? row : loader.load(id);
        if (user == null) {
            return null;
        }
        byte[] encoded = codec.encode(user);
        try {
            connection.sync().setex(key(id), TTL_SECONDS, encoded);
        } catch (RedisException e) {
            // The specification logs this. Here the log would be measured.
        }
        return user;
    }

    private byte @Nullable [] read(Long id) {
        try {
            return connection.sync().get(key(id));
        } catch (RedisException e) {
            // The specification logs this, and treats the entry as missing.
            return null;
        }
    }

    @Override
    public void changed(Long id) {
        connection.sync().del(key(id));
    }

    private static String key(Long id) {
        return "user:" + id + ":profile";
    }

    @Override
    public void close() {
        connection.close();
        client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    }
}
