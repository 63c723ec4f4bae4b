package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** Row 2: users in Redis and not in the memory of the process. */
final class SharedHits implements Measurement {

    /** Descending: by the time one caller is measured, the compiler has finished with every contender. */
    private static final List<Integer> CALLERS = List.of(64, 16, 4, 1);

    /** So few that a near tier answers almost no call. */
    static final int NEAR_SIZE = 10;

    @Override
    public Section measure(Plan plan) {
        Section section = new Section(Row.SHARED_HITS, "Users in Redis")
                .text(String.format(
                        Locale.ROOT,
                        "%,d users, asked for at random, one at a time by each caller. A near tier has room for %d users,"
                                + " so that Redis answers. *Tracked*: Redis records which keys the connection has read"
                                + " (`CLIENT TRACKING`), as it does for usher, which hears of every change by that.",
                        plan.sharedUsers(),
                        NEAR_SIZE));
        List<Peer> peers = plan.peers(Peer::isShared);
        CountedSource source = new CountedSource(plan.sharedUsers());
        List<Point> bars = new ArrayList<>();
        try (Topology.Started redis = plan.redis().start();
                Contenders contenders = Contenders.open(peers, new Site(redis.uri(), source, NEAR_SIZE))) {
            contenders.remember(plan.sharedUsers());
            long before = source.queries();
            long answers = 0;
            Map<Peer, Call> calls = contenders.calls(contender ->
                    random -> Objects.requireNonNull(contender.find(1 + random.nextLong(plan.sharedUsers()))));
            for (int callers : CALLERS) {
                Map<Peer, Samples> samples = new Turns(plan).take(calls, callers);
                for (Samples taken : samples.values()) {
                    answers += taken.nanos().getTotalCount();
                }
                Samples raw = Objects.requireNonNull(samples.get(Peer.LETTUCE));
                Samples tracked = Objects.requireNonNull(samples.get(Peer.LETTUCE_TRACKED));
                List<List<String>> rows = new ArrayList<>();
                samples.forEach((peer, taken) -> rows.add(List.of(
                        peer.title(),
                        Figures.figure(taken.rate().median()),
                        taken.rateOver(raw).asRatio(),
                        taken.rateOver(tracked).asRatio(),
                        Figures.figure(taken.micros(50)),
                        Figures.figure(taken.micros(99)))));
                section.text("**" + callers + (callers == 1 ? " caller**" : " callers**"))
                        .table(
                                List.of("", "calls/s", "of raw Lettuce", "of raw Lettuce, tracked", "p50 µs", "p99 µs"),
                                rows);
                if (callers == CALLERS.get(0)) {
                    samples.forEach((peer, taken) ->
                            bars.add(new Point(peer.title(), taken.rateOver(raw).median())));
                }
            }
            // After a pause of the machine, some calls may have stopped waiting for Redis.
            if (source.queries() - before > answers / 1_000) {
                throw new IllegalStateException("the source was asked for users that are in Redis");
            }
        }
        return section.picture(new Bars("64 callers: throughput, of raw Lettuce", "times", bars));
    }
}
