package dev.usher.benchmarks;

import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Row 4: 200 callers ask at once for one user that is not cached, and for 200 such users. */
final class Stampede implements Measurement {

    /** Room for all users of this row. */
    static final int NEAR_SIZE = 10_000;

    private static final int CALLERS = 200;
    private static final Duration LEAD = Duration.ofMillis(60);

    /** A contender slower than this repeats the stampede less often. */
    private static final Duration LONG = Duration.ofSeconds(2);

    /** The first of the users that have not been asked for yet. */
    private long next = 1;

    /** How often the source was asked, how long it took until the last caller was answered, and how many answers were wrong. */
    private record Outcome(double queries, double millis, long wrong) {}

    @Override
    public Section measure(Plan plan) throws IOException {
        List<List<String>> same = new ArrayList<>();
        List<List<String>> distinct = new ArrayList<>();
        List<Point> bars = new ArrayList<>();
        for (Peer peer : plan.peers(peer -> peer != Peer.USHER_SHARED && peer != Peer.LETTUCE && !peer.isAlike())) {
            try (Topology.Started redis = plan.redis().start();
                    JavaProcess first = node(peer, redis);
                    JavaProcess second = node(peer, redis)) {
                first.receive();
                second.receive();
                List<JavaProcess> one = List.of(first);
                List<JavaProcess> two = List.of(first, second);
                // Warms up the compiler.
                stampede(two, 0);
                List<Outcome> sameInTwo = repeat(plan, two, 0);
                same.add(row(peer, repeat(plan, one, 0), sameInTwo));
                distinct.add(row(peer, repeat(plan, one, 1), repeat(plan, two, 1)));
                bars.add(new Point(peer.title(), queries(sameInTwo).median()));
            }
        }
        List<String> columns = List.of(
                "",
                "one JVM: queries",
                "last answer, ms",
                "slowest of all, ms",
                "wrong",
                "two JVMs: queries",
                "last answer, ms",
                "slowest of all, ms",
                "wrong");
        return new Section(Row.STAMPEDES, "Stampedes")
                .text(
                        CALLERS
                                + " callers in each JVM come at the same moment. A query takes 50 ms, and each JVM has 10 connections to"
                                + " its database, as HikariCP has by default. Each figure is the median of "
                                + (plan.repetitions() == 1 ? "one stampede" : plan.repetitions() + " stampedes")
                                + "; the slowest answer, and the callers told that there is no such user (*wrong*), count over all of them.")
                .text("**All for one user**")
                .table(columns, same)
                .picture(new Bars(
                        "Queries for one user, which 200 callers in each of two JVMs ask for at once", "queries", bars))
                .text("**Each for another user**: no caller should have to wait for all the others.")
                .table(columns, distinct);
    }

    private static JavaProcess node(Peer peer, Topology.Started redis) throws IOException {
        return JavaProcess.start(
                // The first compiler (C1) is enough where a query takes 50 ms; the second (C2) would occupy a
                // processor.
                List.of("-Xms256m", "-Xmx256m", "-XX:TieredStopAtLevel=1"),
                StampedeNode.class,
                List.of(peer.name(), redis.uri()));
    }

    private List<Outcome> repeat(Plan plan, List<JavaProcess> nodes, int step) throws IOException {
        List<Outcome> outcomes = new ArrayList<>();
        do {
            outcomes.add(stampede(nodes, step));
        } while (outcomes.size() < plan.repetitions()
                && outcomes.get(outcomes.size() - 1).millis() < LONG.toMillis());
        return outcomes;
    }

    private Outcome stampede(List<JavaProcess> nodes, int step) throws IOException {
        long first = next;
        next += CALLERS;
        long start = System.currentTimeMillis() + LEAD.toMillis();
        nodes.forEach(node -> node.send(first + " " + step + " " + start));
        long queries = 0;
        long micros = 0;
        long wrong = 0;
        for (JavaProcess node : nodes) {
            String[] answer = node.receive().split(" ");
            queries += Long.parseLong(answer[0]);
            micros = Math.max(micros, Long.parseLong(answer[1]));
            wrong += Long.parseLong(answer[2]);
        }
        return new Outcome(queries, micros / (double) TimeUnit.MILLISECONDS.toMicros(1), wrong);
    }

    private static List<String> row(Peer peer, List<Outcome> inOne, List<Outcome> inTwo) {
        List<String> cells = new ArrayList<>(List.of(peer.title()));
        for (List<Outcome> outcomes : List.of(inOne, inTwo)) {
            Spread millis = Spread.of(outcomes.stream().map(Outcome::millis).toList());
            cells.add(String.format(Locale.ROOT, "%,.0f", queries(outcomes).median()));
            cells.add(Figures.figure(millis.median()));
            cells.add(Figures.figure(
                    outcomes.stream().mapToDouble(Outcome::millis).max().orElseThrow()));
            cells.add(String.valueOf(outcomes.stream().mapToLong(Outcome::wrong).sum()));
        }
        return cells;
    }

    private static Spread queries(List<Outcome> outcomes) {
        return Spread.of(outcomes.stream().map(Outcome::queries).toList());
    }
}
