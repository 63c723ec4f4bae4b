package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import dev.usher.benchmarks.VersionedNode.Watch;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Row 6: a user changes on one node while other nodes are asked for the user. */
final class Changes implements Measurement {

    private static final int READERS = 3;
    private static final int NEAR_SIZE = 1_000;

    /** The pause between two questions of a busy reader, which leaves some of the processor to the others. */
    private static final Duration BUSY = Duration.ofNanos(50_000);

    private static final Duration PACED = Duration.ofMillis(2);
    private static final Duration SETTLED = Duration.ofMillis(20);

    /** How long a node stays cut off. */
    private static final Duration CUT = Duration.ofMillis(500);

    /** A change that has not been seen by then counts as not announced. */
    private static final Duration UNANNOUNCED = Duration.ofSeconds(2);

    @Override
    public Section measure(Plan plan) throws Exception {
        Section section = new Section(Row.CHANGES, "Changes");
        List<List<String>> rows = new ArrayList<>();
        List<Point> bars = new ArrayList<>();
        for (Peer peer : peers(plan)) {
            rows.add(announced(peer, plan, bars));
        }
        section.text("**Everything works.** The user changes on one node, and is asked for all the time on " + READERS
                        + " others. *Seen by all*: from the commit until the last of them answers new. *Stale*: answers to questions that"
                        + " were asked after the commit. \"never\" means not within " + UNANNOUNCED.toSeconds()
                        + " s, and then at the end of the entry's life.")
                .table(
                        List.of(
                                "",
                                "changes",
                                "seen by all: p50 ms",
                                "p99 ms",
                                "stale answers, of all three, per change"),
                        rows)
                .picture(new Bars("A change: p99 of the time until it is seen by all (none: never)", "ms", bars));
        section.text("**A node is cut off for " + CUT.toMillis()
                        + " ms**, its connections are broken, and the user changes meanwhile."
                        + " Nothing else is asked of Redis.")
                .table(
                        List.of(
                                "",
                                "stale after the change",
                                "stale after the network is back",
                                "stale answers",
                                "failed"),
                        cutOff(plan, true));
        section.text(
                        "**The node's connections fall silent**: they stay open, and nothing comes over them any more, as when something"
                                + " between has forgotten them; new ones work. Then the user changes.")
                .table(
                        List.of("", "stale after the change", "first new answer after", "stale answers", "failed"),
                        cutOff(plan, false));
        section.text(
                        "**The change comes while a node loads the user**: it has read the old row, and stores it after the change has been"
                                + " announced.")
                .table(List.of("", "what both nodes answer afterwards", "until"), duringLoads(plan));
        return section;
    }

    private List<String> announced(Peer peer, Plan plan, List<Point> bars) throws InterruptedException {
        CountedSource source = new CountedSource(Long.MAX_VALUE);
        Long id = 1L;
        source.put(id, VersionedNode.version(id, 0));
        Site site = new Site("", source, NEAR_SIZE);
        List<VersionedNode> nodes = new ArrayList<>();
        List<Double> seen = new ArrayList<>();
        long stale = 0;
        int changes = 0;
        try (RedisServer redis = RedisServer.start()) {
            try {
                for (int i = 0; i <= READERS; i++) {
                    nodes.add(new VersionedNode(peer, redis, site));
                }
                List<Watch> watches = new ArrayList<>();
                for (VersionedNode reader : nodes.subList(1, nodes.size())) {
                    watches.add(reader.watch(id, BUSY));
                }
                // The first change warms up the compiler.
                for (int version = 1; version <= plan.changes() + 1; version++) {
                    source.put(id, VersionedNode.version(id, version));
                    for (Watch watch : watches) {
                        watch.expect(version);
                    }
                    long committed = System.nanoTime();
                    nodes.get(0).contender().changed(id);
                    boolean all = await(UNANNOUNCED, () -> watches.stream().allMatch(Watch::hasSeenChange));
                    // Time for an old value that was stored late to come back.
                    LockSupport.parkNanos(SETTLED.toNanos());
                    if (version > 1 || !all) {
                        changes++;
                        stale += watches.stream().mapToLong(Watch::stale).sum();
                        if (all) {
                            seen.add(watches.stream()
                                    .mapToDouble(watch -> Math.max(
                                            watch.newMillisAfter(committed), watch.staleMillisAfter(committed)))
                                    .max()
                                    .orElseThrow());
                        }
                    }
                    if (!all) {
                        break;
                    }
                }
                watches.forEach(Watch::end);
            } finally {
                nodes.forEach(VersionedNode::close);
            }
        }
        boolean never = seen.size() < changes;
        double[] sorted =
                seen.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        double p99 = never ? 0 : sorted[(int) Math.ceil(0.99 * sorted.length) - 1];
        bars.add(new Point(peer.title(), p99));
        return List.of(
                peer.title(),
                String.valueOf(changes),
                never ? "never" : Figures.figure(Spread.of(seen).median()),
                never ? "never" : Figures.figure(p99),
                Figures.figure(stale / (double) changes));
    }

    /** A node that is cut off, with a reader on it, and a second node that makes the change. */
    private record Pair(Peer peer, Long id, VersionedNode writer, VersionedNode reader, Watch watch) {

        static Pair open(Peer peer, Long id, RedisServer redis, CountedSource source) throws InterruptedException {
            source.put(id, VersionedNode.version(id, 0));
            Site site = new Site("", source, NEAR_SIZE);
            VersionedNode reader = new VersionedNode(peer, redis, site);
            return new Pair(peer, id, new VersionedNode(peer, redis, site), reader, reader.watch(id, PACED));
        }

        void change(CountedSource source) {
            source.put(id, VersionedNode.version(id, 1));
            watch.expect(1);
            writer.contender().changed(id);
        }

        void close() {
            watch.end();
            // Breaking the connections ends the calls that hang on them.
            reader.network().cut();
            reader.close();
            writer.close();
        }
    }

    /** All pairs at the same time: they mostly wait. */
    private static List<List<String>> cutOff(Plan plan, boolean broken) throws InterruptedException {
        CountedSource source = new CountedSource(Long.MAX_VALUE);
        List<Pair> pairs = new ArrayList<>();
        List<List<String>> rows = new ArrayList<>();
        try (RedisServer redis = RedisServer.start()) {
            try {
                for (Peer peer : peers(plan)) {
                    pairs.add(Pair.open(peer, 1L + pairs.size(), redis, source));
                }
                LockSupport.parkNanos(SETTLED.toNanos());
                for (Pair pair : pairs) {
                    if (broken) {
                        pair.reader().network().refuse();
                    } else {
                        pair.reader().network().swallow();
                    }
                }
                long changed = System.nanoTime();
                pairs.forEach(pair -> pair.change(source));
                long healed = changed;
                if (broken) {
                    LockSupport.parkNanos(CUT.toNanos());
                    healed = System.nanoTime();
                    pairs.forEach(pair -> pair.reader().network().restore());
                }
                await(
                        plan.patience(),
                        () -> pairs.stream().allMatch(pair -> pair.watch().hasSeenChange()));
                LockSupport.parkNanos(SETTLED.toNanos());
                for (Pair pair : pairs) {
                    rows.add(cutOffRow(pair, changed, healed, broken, plan.patience()));
                }
            } finally {
                pairs.forEach(Pair::close);
            }
        }
        return rows;
    }

    private static List<String> cutOffRow(Pair pair, long changed, long healed, boolean broken, Duration patience) {
        Watch watch = pair.watch();
        boolean seen = watch.hasSeenChange();
        String still = "more than " + patience.toSeconds() + " s";
        boolean silent = !seen && watch.stale() == 0;
        String afterChange = silent ? "no answer" : seen ? millis(watch.staleMillisAfter(changed)) : still;
        String afterHeal = silent
                ? "no answer for " + still
                : !seen ? still : millis(broken ? watch.staleMillisAfter(healed) : watch.newMillisAfter(changed));
        return List.of(
                pair.peer().title(),
                afterChange,
                afterHeal,
                String.valueOf(watch.stale()),
                String.valueOf(watch.failed()));
    }

    private static String millis(double millis) {
        return millis == 0 ? "not at all" : Figures.figure(millis) + " ms";
    }

    private List<List<String>> duringLoads(Plan plan) throws Exception {
        List<List<String>> rows = new ArrayList<>();
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            for (Peer peer : peers(plan)) {
                rows.add(duringLoad(peer, plan, threads));
            }
        } finally {
            threads.shutdownNow();
        }
        return rows;
    }

    private static List<String> duringLoad(Peer peer, Plan plan, ExecutorService threads) throws Exception {
        CountedSource rows = new CountedSource(Long.MAX_VALUE);
        Long id = 1L;
        rows.put(id, VersionedNode.version(id, 0));
        AtomicBoolean held = new AtomicBoolean(true);
        CountDownLatch read = new CountDownLatch(1);
        CountDownLatch changed = new CountDownLatch(1);
        Site site = new Site(
                "",
                ids -> {
                    var answer = rows.load(ids);
                    if (held.getAndSet(false)) {
                        read.countDown();
                        changed.await();
                    }
                    return answer;
                },
                NEAR_SIZE);
        try (RedisServer redis = RedisServer.start();
                VersionedNode reader = new VersionedNode(peer, redis, site);
                VersionedNode writer = new VersionedNode(peer, redis, site)) {
            Future<?> load = threads.submit(() -> reader.contender().find(id));
            read.await();
            rows.put(id, VersionedNode.version(id, 1));
            Future<?> change = threads.submit(() -> writer.contender().changed(id));
            // A contender may let the change wait for the load.
            await(Duration.ofMillis(200), change::isDone);
            changed.countDown();
            load.get(30, TimeUnit.SECONDS);
            change.get(30, TimeUnit.SECONDS);
            LockSupport.parkNanos(SETTLED.toNanos());
            long begun = System.nanoTime();
            Duration patience = plan.patience().dividedBy(4);
            BooleanSupplier isNew = () -> isNew(reader, id) && isNew(writer, id);
            boolean ever = await(patience, isNew);
            double millis = (System.nanoTime() - begun) / (double) TimeUnit.MILLISECONDS.toNanos(1);
            return List.of(
                    peer.title(),
                    ever && millis < SETTLED.toMillis() ? "new" : "**old**",
                    ever
                            ? millis < SETTLED.toMillis() ? "-" : Figures.figure(millis) + " ms"
                            : "more than " + patience.toMillis() + " ms: the end of the entry's life");
        }
    }

    private static boolean isNew(VersionedNode node, Long id) {
        var answer = node.contender().find(id);
        return answer != null && answer.name().equals("1");
    }

    private static boolean await(Duration patience, BooleanSupplier condition) {
        long begun = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - begun > patience.toNanos()) {
                return false;
            }
            LockSupport.parkNanos(PACED.toNanos() / 10);
        }
        return true;
    }

    private static List<Peer> peers(Plan plan) {
        return plan.peers(
                peer -> peer != Peer.USHER_SHARED && peer != Peer.CAFFEINE && peer != Peer.LETTUCE && !peer.isAlike());
    }
}
