package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Row 1: users in the memory of the process. */
final class NearHits implements Measurement {

    private static final String IN_TURN = "inTurn";
    private static final String OVERLAPPED = "overlapped";
    private static final List<Peer> OVERLAPPING =
            List.of(Peer.USHER, Peer.CAFFEINE, Peer.CAFFEINE_ALIKE, Peer.CAFFEINE_TTL);
    private static final List<String> COLUMNS =
            List.of("", "ns", "time, of raw Caffeine", "of Caffeine set up alike", "and with a TTL", "bytes allocated");

    /** The parameters that forks of one comparison share. */
    private record Way(String benchmark, String spread, int threads) {}

    /** The measurements of the forks of one contender: nanoseconds and bytes for each call. */
    private record Taken(List<Double> nanos, List<Double> bytes) {
        Taken() {
            this(new ArrayList<>(), new ArrayList<>());
        }
    }

    @Override
    public Section measure(Plan plan) throws RunnerException {
        List<Peer> peers = plan.peers(Peer::isNear);
        Map<Way, Map<Peer, Taken>> taken = new HashMap<>();
        int rounds = Math.max(1, plan.forks());
        try (StoredUsers stored = new StoredUsers(plan.nearUsers(), plan.redis())) {
            for (int round = 0; round < rounds; round++) {
                for (Peer peer : peers) {
                    for (int threads = 1; threads <= plan.nearThreads(); threads++) {
                        run(plan, IN_TURN, peer, stored, threads, taken);
                    }
                    if (plan.overlapped() && OVERLAPPING.contains(peer)) {
                        run(plan, OVERLAPPED, peer, stored, 1, taken);
                    }
                }
            }
        }
        Section section = new Section(Row.NEAR_HITS, "Users in memory")
                .text(String.format(
                        Locale.ROOT,
                        "%,d users, all of them in the memory of the process, measured with JMH in JVMs of their own. Each answer is used"
                                + " before the next question is asked, as a request does. *Set up alike*: Caffeine's maintenance (recording reads,"
                                + " evicting entries) runs on the thread that writes, as in usher's near tier; with its defaults a read wakes"
                                + " another thread for it now and then. *And with a TTL*: its entries end, too, as those of every cache must that"
                                + " is not to be wrong for ever; each read then looks at the clock, as usher's does.",
                        plan.nearUsers()));
        List<Point> bars = new ArrayList<>();
        for (String spread : plan.spreads()) {
            for (int threads = 1; threads <= plan.nearThreads(); threads++) {
                Map<Peer, Taken> ofWay = Objects.requireNonNull(taken.get(new Way(IN_TURN, spread, threads)));
                section.text("**" + (spread.equals("zipf") ? "Zipf" : "Uniform") + ", " + threads
                                + (threads == 1 ? " thread**" : " threads**"))
                        .table(COLUMNS, rows(peers, ofWay));
                if (spread.equals("zipf") && threads == 1) {
                    ofWay.forEach((peer, one) -> bars.add(
                            new Point(peer.title(), Spread.of(one.nanos()).median())));
                }
            }
        }
        section.picture(new Bars("Zipf, 1 thread", "ns", bars));
        if (!plan.overlapped()) {
            return section;
        }
        for (String spread : plan.spreads()) {
            section.text(
                            "**Answers that are not used, " + (spread.equals("zipf") ? "Zipf" : "uniform")
                                    + ", 1 thread**: a processor then overlaps several reads of Caffeine, and cannot overlap what reads the clock.")
                    .table(
                            COLUMNS,
                            rows(OVERLAPPING, Objects.requireNonNull(taken.get(new Way(OVERLAPPED, spread, 1)))));
        }
        return section;
    }

    private static List<List<String>> rows(List<Peer> peers, Map<Peer, Taken> taken) {
        List<Double> raw = Objects.requireNonNull(taken.get(Peer.CAFFEINE)).nanos();
        List<Double> alike =
                Objects.requireNonNull(taken.get(Peer.CAFFEINE_ALIKE)).nanos();
        List<Double> withTtl =
                Objects.requireNonNull(taken.get(Peer.CAFFEINE_TTL)).nanos();
        return peers.stream()
                .map(peer -> {
                    Taken one = Objects.requireNonNull(taken.get(peer));
                    return List.of(
                            peer.title(),
                            Figures.figure(Spread.of(one.nanos()).median()),
                            Spread.ofRatios(one.nanos(), raw).asRatio(),
                            Spread.ofRatios(one.nanos(), alike).asRatio(),
                            Spread.ofRatios(one.nanos(), withTtl).asRatio(),
                            Figures.figure(Spread.of(one.bytes()).median()));
                })
                .toList();
    }

    private static void run(
            Plan plan, String benchmark, Peer peer, StoredUsers stored, int threads, Map<Way, Map<Peer, Taken>> taken)
            throws RunnerException {
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include(NearHitBenchmark.class.getName() + "." + benchmark + "$")
                        .param("peer", peer.name())
                        .param("spread", plan.spreads().toArray(String[]::new))
                        .param("stored", stored.uri(peer))
                        .param("redis", plan.redis().name())
                        .param("users", String.valueOf(plan.nearUsers()))
                        .threads(threads)
                        .forks(Math.min(1, plan.forks()))
                        .warmupIterations(plan.iterations())
                        .warmupTime(time(plan))
                        .measurementIterations(plan.iterations())
                        .measurementTime(time(plan))
                        // A small heap of fixed size: a heap that grows makes allocation look expensive.
                        .jvmArgs("-Xms640m", "-Xmx640m", "-XX:+AlwaysPreTouch")
                        .addProfiler(GCProfiler.class)
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();
        for (RunResult result : results) {
            Way way = new Way(benchmark, result.getParams().getParam("spread"), threads);
            Taken one = taken.computeIfAbsent(way, w -> new HashMap<>()).computeIfAbsent(peer, p -> new Taken());
            // Each iteration is a sample of its own, so that a single fork has a spread too.
            scores(result).forEach(one.nanos()::add);
            one.bytes()
                    .add(Objects.requireNonNull(result.getSecondaryResults().get("gc.alloc.rate.norm"))
                            .getScore());
        }
    }

    private static Stream<Double> scores(RunResult result) {
        return result.getBenchmarkResults().stream()
                .flatMap(fork -> fork.getIterationResults().stream())
                .map(iteration -> iteration.getPrimaryResult().getScore());
    }

    private static TimeValue time(Plan plan) {
        return TimeValue.milliseconds(plan.iteration().toMillis());
    }
}
