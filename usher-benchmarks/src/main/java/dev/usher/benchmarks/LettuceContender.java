package dev.usher.benchmarks;

import dev.usher.FacetCodec;
import dev.usher.UserProfile;
import dev.usher.redis.RedisUris;
import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
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

/** {@code GET}, {@code MGET} and {@code SETEX} over one connection of Lettuce, as its manual recommends; of a Cluster, over one that routes them. */
final class LettuceContender implements Contender {

    private static final long TTL_SECONDS = Duration.ofMinutes(30).toSeconds();

    private final FacetCodec<UserProfile> codec = UserProfile.FACET.codec();
    private final ProfileLoader loader;
    private final AbstractRedisClient client;
    private final StatefulConnection<String, byte[]> connection;
    private final RedisClusterCommands<String, byte[]> sync;
    private final RedisClusterAsyncCommands<String, byte[]> async;

    private LettuceContender(Site site, boolean isTracked) {
        loader = new ProfileLoader(site.source());
        RedisCodec<String, byte[]> codec = RedisCodec.of(StringCodec.ASCII, ByteArrayCodec.INSTANCE);
        if (RedisUris.isCluster(site.redisUri())) {
            RedisClusterClient ofAll = RedisClusterClient.create(RedisUris.cluster(site.redisUri()));
            StatefulRedisClusterConnection<String, byte[]> toAll = ofAll.connect(codec);
            if (isTracked) {
                // Those that commands are routed to.
                ofAll.getPartitions()
                        .forEach(node -> track(toAll.getConnection(
                                node.getUri().getHost(), node.getUri().getPort())));
            }
            client = ofAll;
            connection = toAll;
            sync = toAll.sync();
            async = toAll.async();
        } else {
            RedisClient ofOne = RedisClient.create(site.redisUri());
            StatefulRedisConnection<String, byte[]> toOne = ofOne.connect(codec);
            if (isTracked) {
                track(toOne);
            }
            client = ofOne;
            connection = toOne;
            sync = toOne.sync();
            async = toOne.async();
        }
    }

    private static void track(StatefulRedisConnection<String, byte[]> connection) {
        connection.sync().clientTracking(TrackingArgs.Builder.enabled());
    }

    static LettuceContender plain(Site site) {
        return new LettuceContender(site, false);
    }

    /** Redis tracks what is read over the connection and pushes its changes, which are dropped here. */
    static LettuceContender tracked(Site site) {
        return new LettuceContender(site, true);
    }

    @Override
    public @Nullable UserProfile find(Long id) {
        byte[] stored = sync.get(key(id));
        if (stored != null) {
            return codec.decode(stored);
        }
        UserProfile row = loader.load(id);
        if (row != null) {
            sync.setex(key(id), TTL_SECONDS, codec.encode(row));
        }
        return row;
    }

    @Override
    public Map<Long, UserProfile> findAll(List<Long> ids) {
        String[] keys = ids.stream().map(LettuceContender::key).toArray(String[]::new);
        Map<Long, UserProfile> found = new HashMap<>();
        Set<Long> missing = new HashSet<>();
        List<KeyValue<String, byte[]>> stored = sync.mget(keys);
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
        rows.forEach((id, row) -> stored.add(async.setex(key(id), TTL_SECONDS, codec.encode(row))));
        LettuceFutures.awaitAll(connection.getTimeout(), stored.toArray(RedisFuture[]::new));
    }

    @Override
    public void fill(Long id, UserProfile row) {
        sync.setex(key(id), TTL_SECONDS, codec.encode(row));
    }

    @Override
    public void changed(Long id) {
        sync.del(key(id));
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
