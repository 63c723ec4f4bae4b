package dev.usher;

import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.FaultProxy.Direction;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Causes a fault every few seconds, one at a time, until it is stopped. */
final class FaultSchedule {

    private static final Duration SHORT = Duration.ofMillis(400);

    private final List<RedisServer> servers;
    private final RedisClusterCommands<String, String> redis;
    private final List<RedisWay> ways;
    private final Duration bound;
    private final SplittableRandom random = new SplittableRandom();
    private final CountDownLatch stopped = new CountDownLatch(1);
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private final List<String> done = new ArrayList<>();
    private final Future<?> going;

    /**
     * Starts the schedule.
     *
     * @param ways between Redis and each of the nodes that are to be disturbed
     */
    FaultSchedule(TestRedis server, RedisClusterCommands<String, String> redis, List<RedisWay> ways, Duration bound) {
        this.servers = server.servers();
        this.redis = redis;
        this.ways = ways;
        this.bound = bound;
        this.going = thread.submit(this::go);
    }

    /** The kinds of faults. */
    private enum Fault {
        CUT,
        SHORT_SILENCE,
        LONG_SILENCE,
        LONG_SILENCE_OF_REPLIES,
        LONG_SILENCE_OF_COMMANDS,
        REFUSAL,
        DELAY,
        CUT_WITHIN_A_REPLY,
        FLUSH,
        SERVER_FREEZE,
        LONG_SERVER_FREEZE,
        SERVER_RESTART
    }

    /** Ends with everything repaired. Returns the faults that have happened. */
    List<String> stop() throws ExecutionException, InterruptedException {
        stopped.countDown();
        going.get();
        thread.shutdown();
        return done;
    }

    private Void go() throws InterruptedException {
        Fault[] faults = Fault.values();
        for (int next = 0; !pause(Duration.ofMillis(1000 + random.nextInt(1500))); next++) {
            Fault fault = faults[next % faults.length];
            RedisWay way = ways.get(random.nextInt(ways.size()));
            RedisServer server = servers.get(random.nextInt(servers.size()));
            done.add(fault.name());
            Duration longer = bound.multipliedBy(2).plusMillis(random.nextInt(1000));
            switch (fault) {
                case CUT -> ways.forEach(RedisWay::cut);
                case SHORT_SILENCE -> {
                    way.freeze();
                    pause(SHORT);
                }
                case LONG_SILENCE -> {
                    way.freeze();
                    pause(longer);
                }
                case LONG_SILENCE_OF_REPLIES -> {
                    way.freeze(Direction.TO_CLIENT);
                    pause(longer);
                }
                case LONG_SILENCE_OF_COMMANDS -> {
                    way.freeze(Direction.TO_SERVER);
                    pause(longer);
                }
                case REFUSAL -> {
                    way.refuse();
                    pause(longer);
                }
                case DELAY -> {
                    way.delay(Duration.ofMillis(30));
                    pause(longer);
                }
                case CUT_WITHIN_A_REPLY ->
                    way.proxies().forEach(proxy -> proxy.cutAfter(Direction.TO_CLIENT, 1000 + random.nextInt(1000)));
                case FLUSH -> redis.flushall();
                case SERVER_FREEZE -> {
                    server.freeze();
                    pause(SHORT);
                    server.thaw();
                }
                case LONG_SERVER_FREEZE -> {
                    server.freeze();
                    pause(longer);
                    server.thaw();
                }
                case SERVER_RESTART -> {
                    server.kill();
                    pause(SHORT);
                    server.restart();
                }
            }
            ways.forEach(RedisWay::restore);
        }
        return null;
    }

    /** Whether {@link #stop} has ended the pause early. */
    private boolean pause(Duration duration) throws InterruptedException {
        return stopped.await(duration.toMillis(), TimeUnit.MILLISECONDS);
    }
}
