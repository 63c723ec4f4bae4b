package dev.usher.benchmarks;

import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** {@code GET}, {@code MGET} and {@code SETEX} over one connection of Lettuce, as its manual recommends. */
final class LettuceContender implements Contender {

    private static final long TTL_SECONDS = Duration.ofMinutes(30).toSeconds();

    private final FacetCodec<UserProfile> codec = UserProfile.FACET.codec();
    private final ProfileLoader loader;
    private final RedisClient client;
    private final StatefulRedisConnection<String, byte[]> connection;

    private LettuceContender(Site site) {
        loader = new ProfileLoader(site.source());
        client = RedisClient.create(site.redisUri());
        connection = client.connect(RedisCodec.of(StringCodec.ASCII, ByteArrayCodec.INSTANCE));
    }

    static LettuceContender plain(Site site) {
        return new LettuceContender(site);
    }

    /** Redis tracks what is read over the connection and pushes its changes, which are dropped here. */
    static LettuceContender tracked(Site site) {
        LettuceContender contender = new LettuceContender(site);
        contender.connection.sync().clientTracking(TrackingArgs.Builder.enabled());
        return contender;
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        byte[] stored = connection.sync().get(key(id));
        if (stored != null) {
            return codec.decode(stored);
        }
        UserProfile row = loader.load(id);
        if (row != null) {
            connection.sync().setex(key(id), TTL_SECONDS, codec.encode(row));
        }
        return row;
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        String[] keys = ids.stream().map(LettuceContender::key).toArray(String[]::new);
        Map<Long, UserProfile> found = new HashMap<>();
        Set<Long> missing = new HashSet<>();
        List<KeyValue<String, byte[]>> stored = connection.sync().mget(keys);
        for (int i = 0; i < keys.length; i++) {
            Long id = ids.get(i);
            stored.get(i).ifHasValueOrElse(value -> found.put(id, codec.decode(value)), () -> missing.add(id));
        }
        if (!missing.isEmpty()) {
            Map<Long, UserProfile> rows = loader.loadAll(missing);
            storeAll(rows);
            found.putAll(rows);
        }
        return found;
    }

    private void storeAll(Map<Long, UserProfile> rows) {
        List<RedisFuture<String>> stored = new ArrayList<>(rows.size());
        rows.forEach((id, row) -> stored.add(connection.async().setex(key(id), TTL_SECONDS, codec.encode(row))));
        LettuceFutures.awaitAll(connection.getTimeout(), stored.toArray(RedisFuture[]::new));
    }

    @Override
    public void fill(Long id, UserProfile row) {
        connection.sync().setex(key(id), TTL_SECONDS, codec.encode(row));
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
