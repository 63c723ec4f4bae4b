package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelaySite.Node;
import dev.usher.testkit.MariaDbServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Five thousand rows a second are changed by SQL, while three nodes read: how far the relay is behind, what the source is asked, and how long known users take.
 *
 * <p>It goes on for ten seconds, by {@code ./usher dev relay} for a minute. Times are judged by the long run alone.
 */
@Tag("thorough")
class RelayLoadIT {

    private static final int SECONDS = Integer.getInteger("usher.relay.seconds", 10);
    private static final boolean IS_JUDGED = SECONDS >= 60;

    /** Users whose rows no statement changes: once read, they are known. */
    private static final int KNOWN = 1000;

    private static final int ROWS = 20_000;
    private static final int BATCH = 500;
    private static final Duration BETWEEN_BATCHES = Duration.ofMillis(100);
    private static final Duration BETWEEN_READS = Duration.ofMillis(1);
    private static final int NODES = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final AtomicBoolean going = new AtomicBoolean(true);

    /** How long the reads of a node took, in nanoseconds. */
    private record Times(List<Long> known, List<Long> changing) {}

    @ParameterizedTest
    @EnumSource(RelayKind.class)
    void fiveThousandRowsASecond(RelayKind kind) throws Exception {
        Assumptions.assumeTrue(kind.isPostgres() || MariaDbServer.isThere(), MariaDbServer.ABSENT);
        ExecutorService readers = Executors.newFixedThreadPool(NODES);
        try (RelaySite site = new RelaySite(kind)) {
            site.insertUsers(1, KNOWN + ROWS, "old");
            List<Node> nodes = new ArrayList<>();
            for (int i = 0; i < NODES; i++) {
                nodes.add(site.node());
            }
            ChangeRelay relay = site.relay(nodes.get(0));
            await().atMost(PATIENCE).until(() -> site.isSettled(relay, nodes.get(0)));
            for (Node node : nodes) {
                node.profiles().findAll(LongStream.rangeClosed(1, KNOWN).boxed().toList());
            }
            long fences = relay.health().fences();
            long queries = site.source.queries();
            List<Future<Times>> reading = new ArrayList<>();
            for (Node node : nodes) {
                reading.add(readers.submit(reader(node, nodes.indexOf(node))));
            }

            long begun = System.nanoTime();
            Duration most = Duration.ZERO;
            int written = 0;
            while (written < SECONDS * 5000) {
                int from = KNOWN + 1 + written % ROWS;
                site.sql("UPDATE users SET name = 'n" + written + "' WHERE id BETWEEN " + from + " AND "
                        + (from + BATCH - 1));
                written += BATCH;
                Duration lag = relay.health().lag();
                most = lag.compareTo(most) > 0 ? lag : most;
                LockSupport.parkNanos(begun + written / BATCH * BETWEEN_BATCHES.toNanos() - System.nanoTime());
            }
            long wrote = System.nanoTime() - begun;
            int all = written;
            await().atMost(PATIENCE).until(() -> relay.health().fences() - fences >= all);
            long fenced = System.nanoTime() - begun;
            going.set(false);
            List<Long> known = new ArrayList<>();
            List<Long> changing = new ArrayList<>();
            for (Future<Times> reads : reading) {
                known.addAll(reads.get().known());
                changing.addAll(reads.get().changing());
            }
            System.out.printf(
                    Locale.ROOT,
                    "%s: %d rows changed in %.1f s are fenced after %.1f s, the greatest lag %d ms; %d reads of known users, p99"
                            + " %.2f ms, and %d of changing ones, p99 %.2f ms; %.0f queries a second, %d at once%n",
                    kind,
                    all,
                    wrote / 1e9,
                    fenced / 1e9,
                    most.toMillis(),
                    known.size(),
                    p99(known),
                    changing.size(),
                    p99(changing),
                    (site.source.queries() - queries) / (fenced / 1e9),
                    site.source.most());
            // One flight for each node and facet at a time, and as many as a pool of connections has.
            assertThat(site.source.most()).isLessThanOrEqualTo(2 * NODES);
            if (IS_JUDGED) {
                assertThat(p99(known)).isLessThan(50);
                assertThat(fenced - wrote).isLessThan(TimeUnit.SECONDS.toNanos(2));
            }
            Map<Long, String> table = site.rows();
            for (Node node : nodes) {
                node.profiles()
                        .findAll(LongStream.rangeClosed(1, KNOWN + ROWS).boxed().toList())
                        .forEach((id, profile) ->
                                assertThat(profile.name() + " true").isEqualTo(table.get(id)));
            }
        } finally {
            going.set(false);
            readers.shutdownNow();
        }
    }

    /** Reads known users and changing ones in turn. */
    private Callable<Times> reader(Node node, int number) {
        return () -> {
            Random random = new Random(number);
            Times times = new Times(new ArrayList<>(), new ArrayList<>());
            while (going.get()) {
                times.known().add(read(node, 1 + random.nextInt(KNOWN)));
                times.changing().add(read(node, KNOWN + 1 + random.nextInt(ROWS)));
                LockSupport.parkNanos(BETWEEN_READS.toNanos());
            }
            return times;
        };
    }

    private static long read(Node node, long id) {
        long asked = System.nanoTime();
        node.name(id);
        return System.nanoTime() - asked;
    }

    /** In milliseconds. */
    private static double p99(List<Long> times) {
        long[] sorted = times.stream().mapToLong(Long::longValue).toArray();
        Arrays.sort(sorted);
        return sorted[sorted.length * 99 / 100] / 1e6;
    }
}
