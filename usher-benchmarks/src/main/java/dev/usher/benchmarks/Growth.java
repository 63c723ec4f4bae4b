package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Line;
import dev.usher.benchmarks.Section.Lines;
import dev.usher.testkit.RedisServer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;

/** Row 10: the cost of a call as the number of users grows. */
final class Growth implements Measurement {

    /** The near hits that are timed together: a single one takes less time than reading the clock. */
    private static final int AT_ONCE = 200;

    /** The first of the users that have not been asked for yet. */
    private static final long COLD = 1L << 32;

    /** A kind of call, and the two contenders that are compared on it. */
    private enum Way {
        NEAR_HIT("near hit", Peer.USHER, Peer.CAFFEINE),
        SHARED_HIT("shared hit", Peer.USHER_SHARED, Peer.LETTUCE),
        MISS("miss", Peer.USHER, Peer.SPECIFICATION);

        private final String title;
        private final Peer usher;
        private final Peer other;

        Way(String title, Peer usher, Peer other) {
            this.title = title;
            this.usher = usher;
            this.other = other;
        }
    }

    private final AtomicLong nextCold = new AtomicLong(COLD);

    @Override
    public Section measure(Plan plan) {
        List<List<String>> rows = new ArrayList<>();
        Map<String, Line> lines = new LinkedHashMap<>();
        for (int users : plan.growth()) {
            List<String> row = new ArrayList<>(List.of(String.format(Locale.ROOT, "%,d", users)));
            Map<Way, Map<Peer, Samples>> taken = take(users, plan);
            taken.forEach((way, samples) -> {
                Samples usher = Objects.requireNonNull(samples.get(way.usher));
                Samples other = Objects.requireNonNull(samples.get(way.other));
                double unit = way == Way.NEAR_HIT ? 1_000.0 / AT_ONCE : 1;
                row.add(Figures.figure(other.micros(50) * unit));
                row.add(Figures.figure(usher.micros(50) * unit));
                row.add(usher.timeOver(other).asRatio());
                for (Peer peer : List.of(way.other, way.usher)) {
                    Line line = lines.computeIfAbsent(
                            way.title + ", " + peer.title(),
                            title -> new Line(title, new ArrayList<>(), new ArrayList<>()));
                    line.x().add((double) users);
                    line.y()
                            .add(Objects.requireNonNull(samples.get(peer)).micros(50)
                                    / (way == Way.NEAR_HIT ? AT_ONCE : 1));
                }
            });
            rows.add(row);
        }
        return new Section(Row.GROWTH, "Growth")
                .text(
                        "One caller; so many users are in Redis, and for near hits in memory as well, and are asked for at random. A miss is a"
                                + " user that has not been asked for before; the source answers at once. In one JVM, so that near hits are dearer than in"
                                + " row 1, where each contender has its own.")
                .table(
                        List.of(
                                "users",
                                "near hit, ns: raw Caffeine",
                                "usher",
                                "ratio",
                                "shared hit, µs: raw Lettuce",
                                "usher",
                                "ratio",
                                "miss, µs: the specification",
                                "usher",
                                "ratio"),
                        rows)
                .picture(new Lines("Cost by number of users", "users", "µs", List.copyOf(lines.values())));
    }

    private Map<Way, Map<Peer, Samples>> take(int users, Plan plan) {
        Map<Way, Map<Peer, Samples>> taken = new EnumMap<>(Way.class);
        Long[] ids = LongStream.rangeClosed(1, users).boxed().toArray(Long[]::new);
        Turns turns = new Turns(plan);
        try (RedisServer redis = RedisServer.start();
                Contenders contenders = Contenders.open(
                        List.of(Peer.USHER, Peer.USHER_SHARED, Peer.CAFFEINE, Peer.LETTUCE, Peer.SPECIFICATION),
                        new Site(redis.uri(), new CountedSource(Long.MAX_VALUE), users))) {
            // The other contenders read the entries that usher has stored in Redis.
            Contenders.rememberInMemory(contenders.get(Peer.USHER), ids, redis.uri());
            Contenders.remember(contenders.get(Peer.CAFFEINE), ids);
            System.gc();
            for (Way way : Way.values()) {
                Map<Peer, Call> calls = new LinkedHashMap<>();
                for (Peer peer : List.of(way.usher, way.other)) {
                    calls.put(peer, call(way, contenders.get(peer), ids));
                }
                taken.put(way, turns.take(calls, 1));
            }
        }
        return taken;
    }

    private Call call(Way way, Contender contender, Long[] ids) {
        return switch (way) {
            case NEAR_HIT ->
                random -> {
                    int lengths = 0;
                    for (int i = 0; i < AT_ONCE; i++) {
                        lengths += Objects.requireNonNull(contender.find(ids[random.nextInt(ids.length)]))
                                .name()
                                .length();
                    }
                    if (lengths == 0) {
                        throw new IllegalStateException("users without names");
                    }
                };
            case SHARED_HIT -> random -> Objects.requireNonNull(contender.find(ids[random.nextInt(ids.length)]));
            case MISS -> random -> Objects.requireNonNull(contender.find(nextCold.getAndIncrement()));
        };
    }
}
