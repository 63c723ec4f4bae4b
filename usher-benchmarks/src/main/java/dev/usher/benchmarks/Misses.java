package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import dev.usher.testkit.RedisServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;

/** Row 11: users that are cached nowhere, one after the other. */
final class Misses implements Measurement {

    /** So many that few of the misses evict an entry. */
    private static final int NEAR_SIZE = 100_000;

    /** The first of the users that have not been asked for yet. */
    private static final long COLD = 1L << 32;

    @Override
    public Section measure(Plan plan) {
        AtomicLong nextCold = new AtomicLong(COLD);
        Map<Peer, Samples> samples;
        try (RedisServer redis = RedisServer.start();
                Contenders contenders = Contenders.open(
                        plan.peers(peer -> peer.isShared() && !peer.isAlike()),
                        new Site(redis.uri(), new CountedSource(Long.MAX_VALUE), NEAR_SIZE))) {
            samples = Turns.manyRounds(plan)
                    .take(
                            contenders.calls(contender ->
                                    random -> Objects.requireNonNull(contender.find(nextCold.getAndIncrement()))),
                            1);
        }
        Samples specification = Objects.requireNonNull(samples.get(Peer.SPECIFICATION));
        Samples raw = Objects.requireNonNull(samples.get(Peer.LETTUCE));
        List<List<String>> rows = new ArrayList<>();
        List<Point> bars = new ArrayList<>();
        samples.forEach((peer, taken) -> {
            rows.add(List.of(
                    peer.title(),
                    Figures.count(taken.nanos().getTotalCount()),
                    Figures.figure(taken.micros(50)),
                    Figures.figure(taken.micros(99)),
                    taken.timeOver(specification).asRatio(),
                    taken.timeOver(raw).asRatio()));
            bars.add(new Point(peer.title(), taken.timeOver(specification).median()));
        });
        return new Section(Row.MISSES, "A cold miss")
                .text(
                        "One caller asks for one user after the other, each for the first time and cached nowhere. The specification asks Redis"
                                + " twice, queries and stores (`GET`, `GET`, query, `SETEX`), raw Lettuce asks once. The source is in the process and"
                                + " answers at once, which is the hardest comparison: a query takes the same time for all contenders, and brings"
                                + " them closer to each other.")
                .table(
                        List.of("", "misses", "p50 µs", "p99 µs", "time, of the specification", "time, of raw Lettuce"),
                        rows)
                .picture(new Bars("A cold miss: time, of the specification", "times", bars));
    }
}
