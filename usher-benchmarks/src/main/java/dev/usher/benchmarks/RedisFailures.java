package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/** Row 7: Redis hangs, and Redis is down. */
final class RedisFailures implements Measurement {

    private static final int CALLS = 1_000;
    private static final int CALLERS = 32;
    private static final Duration BETWEEN = Duration.ofMillis(2);
    private static final Duration QUERY = Duration.ofMillis(2);

    @Override
    public Section measure(Plan plan) throws InterruptedException {
        Duration patience = plan.patience().dividedBy(4);
        List<List<String>> frozen = new ArrayList<>();
        List<List<String>> away = new ArrayList<>();
        List<Point> waits = new ArrayList<>();
        List<Point> queries = new ArrayList<>();
        for (Peer peer : peers(plan)) {
            frozen.add(frozen(peer, patience, waits));
            away.add(away(peer, plan.sharedUsers(), patience.dividedBy(2), queries));
        }
        return new Section(Row.REDIS_FAILURES, "A Redis that fails")
                .text("**Redis is frozen**: it keeps its connections and answers nothing. " + CALLS
                        + " callers come, one every "
                        + BETWEEN.toMillis()
                        + " ms; every other one asks for a user that was asked for on this node before, the rest for"
                        + " users in Redis only. A query takes " + QUERY.toMillis()
                        + " ms. The measurement ends "
                        + patience.toSeconds()
                        + " s after the last call has begun. Each contender has its default timeouts.")
                .table(
                        List.of(
                                "",
                                "asked for before: p50 ms",
                                "p99 ms",
                                "failed",
                                "waiting still",
                                "in Redis only: p50 ms",
                                "p99 ms",
                                "failed",
                                "waiting still"),
                        frozen)
                .picture(new Bars("Redis frozen: p99 of the wait for a user in Redis only", "ms", waits))
                .text("**Redis is away**: connections to it are refused. " + CALLERS
                        + " callers ask for " + String.format(Locale.ROOT, "%,d", plan.sharedUsers())
                        + " users at random, all of them asked for before, over a source with "
                        + PooledSource.CONNECTIONS
                        + " connections. A contender with more than " + (CALLERS * 1_000L / QUERY.toMillis())
                        + " answers a second answers from memory; only usher checks whether that is still true.")
                .table(List.of("", "answers/s", "failures/s", "queries/s", "p99 ms"), away)
                .picture(new Bars("Redis away: queries that reach the database", "queries/s", queries));
    }

    /** The callers that ask for users of one kind, and what they got. */
    private static final class Crowd {

        private final Histogram nanos = new ConcurrentHistogram(3);
        private final LongAdder failed = new LongAdder();
        private final CountDownLatch waiting;

        private Crowd(int callers) {
            waiting = new CountDownLatch(callers);
        }

        void ask(Contender contender, Long id) {
            long begun = System.nanoTime();
            try {
                UserProfile answer = contender.find(id);
                if (answer == null) {
                    failed.increment();
                }
            } catch (RuntimeException e) {
                failed.increment();
            }
            nanos.recordValue(System.nanoTime() - begun);
            waiting.countDown();
        }

        /** The time within which a share of all callers got an answer or a failure, or a note that some of them still wait. */
        String millis(double percentile, Duration patience) {
            long all = nanos.getTotalCount() + waiting.getCount();
            double percentileOfDone = percentile * all / nanos.getTotalCount();
            return nanos.getTotalCount() == 0 || percentileOfDone > 100
                    ? "more than " + patience.toMillis()
                    : Figures.figure(millis(percentileOfDone));
        }

        double millis(double percentile) {
            return nanos.getValueAtPercentile(percentile) / (double) TimeUnit.MILLISECONDS.toNanos(1);
        }
    }

    private static List<String> frozen(Peer peer, Duration patience, List<Point> waits) throws InterruptedException {
        CountedSource rows = new CountedSource(CALLS);
        rows.setDelay(QUERY);
        ExecutorService threads = daemons();
        try (RedisServer redis = RedisServer.start()) {
            Site site = new Site(redis.uri(), new PooledSource(rows), CALLS);
            try (Contender other = peer.open(site)) {
                Contenders.remember(other, CALLS);
            }
            Crowd known = new Crowd(CALLS / 2);
            Crowd others = new Crowd(CALLS / 2);
            try (Contender contender = peer.open(site)) {
                // The odd ones.
                for (int round = 0; round < 2; round++) {
                    for (long id = 1; id <= CALLS; id += 2) {
                        contender.find(id);
                    }
                }
                redis.freeze();
                for (long id = 1; id <= CALLS; id++) {
                    Long asked = id;
                    Crowd crowd = id % 2 == 1 ? known : others;
                    threads.execute(() -> crowd.ask(contender, asked));
                    LockSupport.parkNanos(BETWEEN.toNanos());
                }
                long end = System.nanoTime() + patience.toNanos();
                known.waiting.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                others.waiting.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                List<String> row = new ArrayList<>(List.of(peer.title()));
                for (Crowd crowd : List.of(known, others)) {
                    row.add(crowd.millis(50, patience));
                    row.add(crowd.millis(99, patience));
                    row.add(String.valueOf(crowd.failed.sum()));
                    row.add(String.valueOf(crowd.waiting.getCount()));
                }
                waits.add(new Point(
                        peer.title(), others.waiting.getCount() > 0 ? patience.toMillis() : others.millis(99)));
                redis.thaw();
                return row;
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static List<String> away(Peer peer, int users, Duration length, List<Point> queries)
            throws InterruptedException {
        CountedSource rows = new CountedSource(users);
        ExecutorService threads = daemons();
        LongAdder answered = new LongAdder();
        LongAdder failed = new LongAdder();
        Histogram nanos = new ConcurrentHistogram(3);
        try (RedisServer redis = RedisServer.start();
                FaultProxy network = FaultProxy.inFrontOf(redis.host(), redis.port())) {
            Site site = new Site("redis://" + network.host() + ":" + network.port(), new PooledSource(rows), users);
            try (Contender contender = peer.open(site)) {
                Contenders.remember(contender, users);
                rows.setDelay(QUERY);
                network.refuse();
                long before = rows.queries();
                long begun = System.nanoTime();
                for (int caller = 0; caller < CALLERS; caller++) {
                    threads.execute(() -> {
                        SplittableRandom random = new SplittableRandom();
                        while (System.nanoTime() - begun < length.toNanos()) {
                            long asked = System.nanoTime();
                            try {
                                contender.find(1 + random.nextLong(users));
                                answered.increment();
                            } catch (RuntimeException e) {
                                failed.increment();
                            }
                            nanos.recordValue(System.nanoTime() - asked);
                        }
                    });
                }
                threads.shutdown();
                boolean ended = threads.awaitTermination(length.toMillis() + 100, TimeUnit.MILLISECONDS);
                double seconds = length.toMillis() / (double) TimeUnit.SECONDS.toMillis(1);
                double queriesASecond = (rows.queries() - before) / seconds;
                queries.add(new Point(peer.title(), queriesASecond));
                return List.of(
                        peer.title(),
                        Figures.figure(answered.sum() / seconds),
                        Figures.figure(failed.sum() / seconds),
                        Figures.figure(queriesASecond),
                        ended
                                ? Figures.figure(
                                        nanos.getValueAtPercentile(99) / (double) TimeUnit.MILLISECONDS.toNanos(1))
                                : "more than " + length.toMillis());
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** Threads that hang do not keep the JVM from ending. */
    private static ExecutorService daemons() {
        return Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "caller");
            thread.setDaemon(true);
            return thread;
        });
    }

    private static List<Peer> peers(Plan plan) {
        return plan.peers(
                peer -> peer.isShared() && peer != Peer.USHER_SHARED && peer != Peer.LETTUCE && !peer.isAlike());
    }
}
