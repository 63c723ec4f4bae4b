package dev.usher;

import dev.usher.Change.Announcement;
import dev.usher.CoherenceRun.Group;
import dev.usher.redis.TestRedis;
import io.lettuce.core.RedisException;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.StringCodec;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/**
 * A program without usher that shares the database and Redis: it commits, and then stores the new value
 * with {@code SETEX}, or deletes the old one with {@code DEL}. It repeats that until Redis has confirmed it.
 */
final class ForeignWriter implements AutoCloseable {

    private static final long MEAN_PAUSE = Duration.ofMillis(20).toNanos();
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final long TTL_SECONDS = 1800;

    private final VersionTable table;
    private final RedisClusterCommands<String, String> redis;
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private final Future<?> writing;
    private volatile boolean quiet;

    ForeignWriter(TestRedis server, VersionTable table, Path log) {
        this.table = table;
        this.redis = server.commands(StringCodec.UTF8, TIMEOUT);
        this.writing = thread.submit(() -> write(Change.Log.create(log)));
    }

    void quiet() throws ExecutionException, InterruptedException {
        quiet = true;
        writing.get();
    }

    private void write(Change.Log log) {
        SplittableRandom random = new SplittableRandom();
        while (!quiet) {
            LockSupport.parkNanos((long) (2 * MEAN_PAUSE * random.nextDouble()));
            if (random.nextBoolean()) {
                change(log, Group.SET_BY_FOREIGNER.pick(random.nextDouble()), Announcement.SETEX);
            } else {
                change(log, Group.MIXED.pick(random.nextDouble()), Announcement.DEL);
            }
        }
    }

    private void change(Change.Log log, int id, Announcement by) {
        long commitStarted = System.nanoTime();
        int version = table.change(id);
        long commitDone = System.nanoTime();
        while (!announce(id, version, by)) {
            LockSupport.parkNanos(MEAN_PAUSE);
        }
        log.add(new Change(id, version, Change.FOREIGN, commitStarted, commitDone, System.nanoTime(), by));
    }

    private boolean announce(int id, int version, Announcement by) {
        String key = CoherenceRun.keyOf(id);
        try {
            if (by == Announcement.SETEX) {
                redis.setex(key, TTL_SECONDS, VersionTable.json(id, version));
            } else {
                redis.del(key);
            }
            return true;
        } catch (RedisException e) {
            return false;
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
