package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Change.Announcement;
import dev.usher.CoherenceChecker.Spread;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The time from a change until the last of several nodes (eight in the thorough form), each a process of its own, no longer answers with
 * the old value. Every node reads about two thousand times a second, so each figure is up to half a millisecond too large, and never too
 * small.
 *
 * <p>{@code ./usher dev visibility} measures over more changes.
 */
@Tag("thorough") // measures; FaultsIT judges changes in mvn verify
class VisibilityIT {

    private static final int NODES = 8;
    private static final int WRITER = 100;
    private static final int USER = 42;
    private static final int CHANGES = Integer.getInteger("usher.visibility.changes", 30);
    private static final Duration BOUND = Duration.ofSeconds(1);
    private static final Duration PAUSE = Duration.ofNanos(400_000);

    @TempDir
    private Path directory;

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES) // for the long run
    void aChangeIsSeenByEveryNodeLongBeforeTheBound() throws Exception {
        List<JavaProcess> nodes = new ArrayList<>();
        try (RedisServer redis = RedisServer.start();
                PostgresServer postgres = PostgresServer.start();
                VersionTable table = new VersionTable(url(postgres));
                UserCaches caches = UserCaches.builder().redis(redis.uri()).build()) {
            table.create(USER + 1);
            UserCache<Long, UserProfile> writer = caches.cache(UserProfile.FACET, Long.class, table);
            for (int node = 0; node < NODES; node++) {
                nodes.add(JavaProcess.start(
                        WatchingNode.class,
                        directory.resolve("log-" + node),
                        List.of(
                                redis.uri(),
                                url(postgres),
                                reads(node).toString(),
                                Integer.toString(USER),
                                BOUND.toString(),
                                PAUSE.toString())));
            }
            for (JavaProcess node : nodes) {
                assertThat(node.answer()).isEqualTo("watching");
            }
            List<Change> changes = change(table, writer);
            long nearHits = 0;
            for (JavaProcess node : nodes) {
                node.endInput();
                nearHits += Long.parseLong(node.answer());
            }
            report(changes, nearHits);
        } finally {
            nodes.forEach(JavaProcess::close);
        }
    }

    private List<Change> change(VersionTable table, UserCache<Long, UserProfile> writer) throws InterruptedException {
        SplittableRandom random = new SplittableRandom();
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < CHANGES; i++) {
            letEveryNodeRead(random);
            long commitStarted = System.nanoTime();
            int version = table.change(USER);
            long commitDone = System.nanoTime();
            boolean confirmed = writer.invalidate((long) USER);
            changes.add(new Change(
                    USER,
                    version,
                    WRITER,
                    commitStarted,
                    commitDone,
                    System.nanoTime(),
                    confirmed ? Announcement.FENCE : Announcement.LATE_FENCE));
        }
        // The slowest node must have seen the last change, also on a busy machine.
        for (int i = 0; i < 10; i++) {
            letEveryNodeRead(random);
        }
        return changes;
    }

    /** Waits until every node holds the last value in its memory again. */
    private static void letEveryNodeRead(SplittableRandom random) throws InterruptedException {
        assertThat(new CountDownLatch(1).await(80 + random.nextInt(20), TimeUnit.MILLISECONDS))
                .isFalse();
    }

    private void report(List<Change> changes, long nearHits) {
        CoherenceChecker checker = new CoherenceChecker(BOUND, Duration.ZERO, USER + 1, changes);
        List<ReadLog> logs = new ArrayList<>();
        for (int node = 0; node < NODES; node++) {
            logs.add(ReadLog.open(reads(node)));
            checker.check(node, List.of(logs.get(node)));
        }
        // The first changes are the warm-up.
        List<Change> measured = changes.subList(changes.size() / 10, changes.size());
        Spread refused = Spread.of(measured.stream()
                .mapToLong(change -> lastRefusal(logs, change) - change.commitDone())
                .toArray());
        System.out.printf(
                Locale.ROOT,
                "%,d reads, %,d of them from memory; from a commit to the last of %d nodes refusing the old value: %s%n",
                checker.reads(),
                nearHits,
                NODES,
                refused);
        System.out.printf(
                Locale.ROOT,
                "to the last question that was still answered with it: %s%n",
                checker.visibility(change -> measured.contains(change)));
        System.out.printf(
                Locale.ROOT,
                "from the commit to Redis' confirmation: %s%n",
                Spread.of(measured.stream()
                        .mapToLong(change -> change.announced() - change.commitDone())
                        .toArray()));
        assertThat(checker.violations()).as(checker.toString()).isEmpty();
        assertThat(nearHits).as("answered from memory").isGreaterThan(checker.reads() / 2);
        assertThat(refused.longest()).isLessThan(BOUND.plusMillis(500));
    }

    /** The time at which the last node began its first read that was not answered with an older version. */
    private static long lastRefusal(List<ReadLog> logs, Change change) {
        long last = Long.MIN_VALUE;
        for (ReadLog log : logs) {
            int row = 0;
            int after = log.size();
            // No node goes back to an older version here, so the first newer one is found by halving.
            while (row < after) {
                int middle = (row + after) >>> 1;
                if (log.version(middle) < change.version()) {
                    row = middle + 1;
                } else {
                    after = middle;
                }
            }
            assertThat(row).as("a read of version " + change.version()).isLessThan(log.size());
            last = Math.max(last, log.asked(row));
        }
        return last;
    }

    private Path reads(int node) {
        return directory.resolve("reads-" + node);
    }

    private static String url(PostgresServer postgres) {
        return postgres.jdbcUrl() + "?user=" + postgres.username() + "&password=" + postgres.password();
    }
}
