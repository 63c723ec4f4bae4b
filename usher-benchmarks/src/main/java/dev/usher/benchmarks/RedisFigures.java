package dev.usher.benchmarks;

import dev.usher.redis.RedisUris;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import java.time.Duration;
import java.util.NoSuchElementException;

/**
 * Figures of a Redis server, from {@code INFO}, or of all primaries of a Cluster together.
 *
 * @param version its version
 * @param usedMemory the bytes that it has allocated
 * @param commands the commands that it has processed
 * @param keys the keys that it has
 * @param trackedKeys the keys of which it tells a connection when they change
 */
record RedisFigures(String version, long usedMemory, long commands, long keys, long trackedKeys) {

    static RedisFigures of(String uri) {
        return RedisUris.isCluster(uri)
                ? RedisUris.cluster(uri).stream()
                        .map(RedisFigures::of)
                        .reduce(RedisFigures::and)
                        .orElseThrow()
                : of(RedisURI.create(uri));
    }

    private RedisFigures and(RedisFigures other) {
        return new RedisFigures(
                version,
                usedMemory + other.usedMemory,
                commands + other.commands,
                keys + other.keys,
                trackedKeys + other.trackedKeys);
    }

    private static RedisFigures of(RedisURI uri) {
        RedisClient client = RedisClient.create(uri);
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            String info = connection.sync().info();
            return new RedisFigures(
                    figure(info, "redis_version"),
                    Long.parseLong(figure(info, "used_memory")),
                    Long.parseLong(figure(info, "total_commands_processed")),
                    connection.sync().dbsize(),
                    Long.parseLong(figure(info, "tracking_total_keys")));
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private static String figure(String info, String name) {
        return info.lines()
                .filter(line -> line.startsWith(name + ":"))
                .map(line -> line.substring(name.length() + 1))
                .findFirst()
                .orElseThrow(() -> new NoSuchElementException(name));
    }
}
