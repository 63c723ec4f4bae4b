package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;

/** Row 8: the memory that a user takes, in Redis and on the heap. */
final class Memory implements Measurement {

    private static final Duration BETWEEN_LOOKS = Duration.ofMillis(100);

    @Override
    public Section measure(Plan plan) throws IOException {
        int users = plan.memoryUsers();
        List<List<String>> rows = new ArrayList<>();
        List<Point> bars = new ArrayList<>();
        for (Peer peer : plan.peers(peer -> peer != Peer.USHER_SHARED && !peer.isAlike())) {
            try (RedisServer redis = RedisServer.start()) {
                long before = RedisFigures.of(redis.uri()).usedMemory();
                try (JavaProcess node = JavaProcess.start(
                        List.of("-Xms512m", "-Xmx512m"),
                        MemoryNode.class,
                        List.of(peer.name(), redis.uri(), String.valueOf(users)))) {
                    double onHeap = Double.parseDouble(node.receive());
                    double inRedis = (RedisFigures.of(redis.uri()).usedMemory() - before) / (double) users;
                    double later = peer.isUsher() ? (withoutFences(redis, plan) - before) / (double) users : inRedis;
                    rows.add(List.of(
                            peer.title(),
                            peer.isShared() ? Figures.figure(inRedis) : "-",
                            peer.isShared() ? Figures.figure(later) : "-",
                            peer.isNear() ? Figures.figure(onHeap) : "-"));
                    bars.add(new Point(peer.title(), (peer.isShared() ? later : 0) + (peer.isNear() ? onHeap : 0)));
                }
            }
        }
        return new Section(Row.ROOM, "Room")
                .text(String.format(
                        Locale.ROOT,
                        "%,d users, in every tier that a contender has: the bytes of a user in `used_memory` of Redis, indexes included,"
                                + " right after all are stored and again when usher's fences have ended, which takes seconds; and"
                                + " the bytes of a user on the heap after a garbage collection. The JSON of a user has about %d bytes.",
                        users,
                        UserProfile.FACET.codec().encode(Users.profile(users)).length))
                .table(List.of("", "in Redis, bytes at once", "bytes later", "on the heap, bytes"), rows)
                .picture(new Bars("Bytes for each user, in Redis and on the heap together", "bytes", bars));
    }

    /** The memory in use once each user has only one key left. */
    private static long withoutFences(RedisServer redis, Plan plan) {
        long begun = System.nanoTime();
        RedisFigures figures = RedisFigures.of(redis.uri());
        // The register of nodes is a key too.
        while (figures.keys() > plan.memoryUsers() + 10
                && System.nanoTime() - begun < plan.patience().toNanos()) {
            LockSupport.parkNanos(BETWEEN_LOOKS.toNanos());
            figures = RedisFigures.of(redis.uri());
        }
        return figures.usedMemory();
    }
}
