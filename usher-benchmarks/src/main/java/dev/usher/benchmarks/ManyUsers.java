package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;

/** Row 3: a hundred users at once: all of them in Redis, and none of them. */
final class ManyUsers implements Measurement {

    private static final int AT_ONCE = 100;

    /** The first of the users that have not been asked for yet. */
    private static final long COLD = 1L << 32;

    @Override
    public Section measure(Plan plan) {
        Section section = new Section(Row.MANY_USERS, "A hundred users at once")
                .text("One caller asks for " + AT_ONCE
                        + " users in one call, where a contender has such a call, else one after the other."
                        + " *In Redis*: of " + String.format(Locale.ROOT, "%,d", plan.sharedUsers())
                        + " users there; *tracked*: Redis records which keys the connection has read (`CLIENT TRACKING`), as it does for"
                        + " usher. *Nowhere*: users that have not been asked for before; the source answers at once.");
        List<Peer> peers = plan.peers(Peer::isShared);
        AtomicLong nextCold = new AtomicLong(COLD);
        try (Topology.Started redis = plan.redis().start();
                Contenders contenders = Contenders.open(
                        peers, new Site(redis.uri(), new CountedSource(Long.MAX_VALUE), SharedHits.NEAR_SIZE))) {
            contenders.remember(plan.sharedUsers());
            Turns turns = new Turns(plan);
            Map<Peer, Samples> warm = turns.take(
                    contenders.calls(contender -> random -> require(contender, someOf(plan.sharedUsers(), random))), 1);
            Map<Peer, Samples> cold =
                    turns.take(contenders.calls(contender -> random -> require(contender, next(nextCold))), 1);
            Samples rawWarm = Objects.requireNonNull(warm.get(Peer.LETTUCE));
            Samples trackedWarm = Objects.requireNonNull(warm.get(Peer.LETTUCE_TRACKED));
            Samples rawCold = Objects.requireNonNull(cold.get(Peer.LETTUCE));
            List<List<String>> rows = new ArrayList<>();
            for (Peer peer : peers) {
                Samples inRedis = Objects.requireNonNull(warm.get(peer));
                Samples nowhere = Objects.requireNonNull(cold.get(peer));
                rows.add(List.of(
                        peer.title(),
                        Figures.figure(inRedis.micros(50)),
                        Figures.figure(inRedis.micros(99)),
                        inRedis.timeOver(trackedWarm).asRatio(),
                        inRedis.timeOver(rawWarm).asRatio(),
                        Figures.figure(nowhere.micros(50)),
                        Figures.figure(nowhere.micros(99)),
                        nowhere.timeOver(rawCold).asRatio()));
            }
            return section.table(
                            List.of(
                                    "",
                                    "in Redis: p50 µs",
                                    "p99 µs",
                                    "time, of raw `MGET`, tracked",
                                    "of raw `MGET`",
                                    "nowhere: p50 µs",
                                    "p99 µs",
                                    "time, of raw `MGET`, one query, `SETEX`"),
                            rows)
                    .picture(new Bars(
                            "100 users in Redis: time, of a raw MGET that is tracked",
                            "times",
                            peers.stream()
                                    .map(peer -> new Point(
                                            peer.title(),
                                            Objects.requireNonNull(warm.get(peer))
                                                    .timeOver(trackedWarm)
                                                    .median()))
                                    .toList()));
        }
    }

    private static void require(Contender contender, List<Long> ids) {
        int found = contender.findAll(ids).size();
        if (found != ids.size()) {
            throw new IllegalStateException("of " + ids.size() + " users, " + found + " were found");
        }
    }

    private static List<Long> someOf(int users, SplittableRandom random) {
        int wanted = Math.min(AT_ONCE, users);
        Set<Long> ids = new LinkedHashSet<>();
        while (ids.size() < wanted) {
            ids.add(1 + random.nextLong(users));
        }
        return List.copyOf(ids);
    }

    private static List<Long> next(AtomicLong nextCold) {
        long first = nextCold.getAndAdd(AT_ONCE);
        return LongStream.range(first, first + AT_ONCE).boxed().toList();
    }
}
