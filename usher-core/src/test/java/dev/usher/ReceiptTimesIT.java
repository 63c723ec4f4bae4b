package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CoherenceChecker.Spread;
import dev.usher.redis.NodeRegister;
import dev.usher.testkit.FaultProxy;
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
import java.util.function.Predicate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * How long it takes until a receipt is confirmed over several nodes (eight in the thorough form), all but one of them processes of their own that ask for the user
 * all the time: when all is well, and with one of them cut off, frozen or killed. A read that begins after a confirmed receipt,
 * on any node, must get the change that the receipt is for.
 *
 * <p>{@code ./usher dev receipts} measures over more receipts.
 */
@Tag("thorough") // measures; FaultsIT judges receipts in mvn verify
@EnabledOnOs(OS.LINUX)
class ReceiptTimesIT {

    private static final int NODES = 8;
    private static final int USER = 42;
    private static final int FEW = 20;
    private static final int RECEIPTS = Integer.getInteger("usher.receipts", FEW);
    private static final boolean IS_LONG = RECEIPTS > FEW;
    private static final Duration BOUND = Duration.ofSeconds(1);
    private static final Duration PAUSE = Duration.ofMillis(2);

    @TempDir
    private Path directory;

    private final List<JavaProcess> processes = new ArrayList<>();
    private final List<Confirmation> confirmations = new ArrayList<>();
    private final SplittableRandom random = new SplittableRandom();

    /** The time from which no node may answer with an older version. */
    private record Confirmation(int version, long at) {}

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES) // for the long run
    void aReceiptIsAMatterOfMillisecondsAndANodeThatIsLostDelaysItByItsBoundAtMost() throws Exception {
        try (RedisServer redis = RedisServer.start();
                PostgresServer postgres = PostgresServer.start();
                FaultProxy proxy = FaultProxy.inFrontOf(redis.host(), redis.port());
                VersionTable table = new VersionTable(url(postgres));
                UserCaches caches = UserCaches.builder().redis(redis.uri()).build()) {
            table.create(USER + 1);
            UserCache<Long, UserProfile> writer = caches.cache(WatchingNode.facet(BOUND), Long.class, table);
            start(redis.uri(), url(postgres));
            start(redis.uri(), url(postgres));
            start("redis://" + proxy.host() + ":" + proxy.port(), url(postgres));
            while (processes.size() < NODES - 1) {
                start(redis.uri(), url(postgres));
            }
            for (JavaProcess process : processes) {
                assertThat(process.answer()).isEqualTo("watching");
            }
            NodeRegister register = caches.engine().shared().register();
            await().ignoreExceptions().until(() -> register.isComplete(BOUND));

            List<RevocationReceipt> healthy = revoke(table, writer, RECEIPTS);
            assertThat(healthy.stream().filter(RevocationReceipt::confirmed))
                    .as("confirmed, though the machine may be busy: %s", healthy)
                    .hasSizeGreaterThanOrEqualTo(RECEIPTS * 9 / 10);
            // The first receipts are the warm-up.
            report("all well", healthy.subList(RECEIPTS / 10, RECEIPTS));
            assertThat(healthy.stream()
                            .filter(receipt -> receipt.nodesConfirmed().size() == NODES))
                    .as("confirmed by all nodes, though the machine may be busy")
                    .hasSizeGreaterThan(RECEIPTS * 8 / 10);

            int few = Math.max(2, RECEIPTS / 20);
            processes.get(0).signal("STOP");
            requireOnlyTheFirstWaits("one frozen", processes.get(0), revoke(table, writer, few));
            processes.get(0).signal("CONT");
            awaitAll(table, writer);

            proxy.freeze();
            requireOnlyTheFirstWaits("one cut off", processes.get(2), revoke(table, writer, few));
            proxy.restore();
            awaitAll(table, writer);

            JavaProcess killed = processes.remove(1);
            killed.kill();
            requireOnlyTheFirstWaits("one killed", killed, revoke(table, writer, few));
            letPass(Duration.ofMillis(200));
        } finally {
            processes.forEach(JavaProcess::close);
        }
        assertNoAnswerFromBeforeAReceipt();
    }

    private void start(String redis, String database) {
        int node = processes.size();
        processes.add(JavaProcess.start(
                WatchingNode.class,
                directory.resolve("log-" + node),
                List.of(
                        redis,
                        database,
                        reads(node).toString(),
                        Integer.toString(USER),
                        BOUND.toString(),
                        PAUSE.toString())));
    }

    private List<RevocationReceipt> revoke(VersionTable table, UserCache<Long, UserProfile> writer, int times)
            throws InterruptedException {
        List<RevocationReceipt> receipts = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            // Long enough for every node to hold the last value in its memory again.
            letPass(Duration.ofMillis(60 + random.nextInt(20)));
            int version = table.change(USER);
            RevocationReceipt receipt = writer.revoke((long) USER);
            if (receipt.confirmed()) {
                confirmations.add(new Confirmation(version, System.nanoTime()));
            }
            receipts.add(receipt);
        }
        return receipts;
    }

    /** Waits until all nodes are in the receipt again. */
    private void awaitAll(VersionTable table, UserCache<Long, UserProfile> writer) {
        await().atMost(Duration.ofSeconds(20))
                .until(() -> revoke(table, writer, 1).get(0).nodesConfirmed().size() == NODES);
    }

    /** The first receipt waits for the lost node, and takes it out of the register; beside other tests, a node that is slow may be waited for as well. */
    private static void requireOnlyTheFirstWaits(String how, JavaProcess lost, List<RevocationReceipt> receipts) {
        report(how, receipts);
        Predicate<String> isLost = node -> node.startsWith(lost.pid() + "@");
        RevocationReceipt first = receipts.get(0);
        assertThat(first.confirmed()).as("%s", first).isTrue();
        assertThat(first.nodesWaitedOut()).anyMatch(isLost);
        assertThat(first.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(receipts.subList(1, receipts.size())).allSatisfy(receipt -> {
            assertThat(receipt.nodesWaitedOut()).noneMatch(isLost);
            assertThat(receipt.nodesUnheard()).noneMatch(isLost);
        });
        if (IS_LONG) {
            assertThat(first.took()).isLessThan(BOUND.plusMillis(500));
            assertThat(receipts).allMatch(RevocationReceipt::confirmed);
            assertThat(receipts.subList(1, receipts.size()))
                    .allSatisfy(receipt -> assertThat(receipt.took()).isLessThan(BOUND));
        }
    }

    private static void report(String how, List<RevocationReceipt> receipts) {
        System.out.printf(
                Locale.ROOT,
                "receipts over %d nodes, %s: %s; confirmed by %d to %d nodes%n",
                NODES,
                how,
                Spread.of(receipts.stream()
                        .mapToLong(receipt -> receipt.took().toNanos())
                        .toArray()),
                receipts.stream()
                        .mapToInt(receipt -> receipt.nodesConfirmed().size())
                        .min()
                        .orElseThrow(),
                receipts.stream()
                        .mapToInt(receipt -> receipt.nodesConfirmed().size())
                        .max()
                        .orElseThrow());
    }

    private void assertNoAnswerFromBeforeAReceipt() {
        long reads = 0;
        for (int node = 0; node < NODES - 1; node++) {
            ReadLog log = ReadLog.open(reads(node));
            int next = 0;
            int least = 0;
            for (int row = 0; row < log.size(); row++) {
                while (next < confirmations.size() && confirmations.get(next).at() <= log.asked(row)) {
                    least = confirmations.get(next++).version();
                }
                assertThat(log.version(row)).as("node %d, read %d", node, row).isGreaterThanOrEqualTo(least);
            }
            reads += log.size();
        }
        System.out.printf(Locale.ROOT, "%,d reads, none of them from before a confirmed receipt%n", reads);
    }

    private Path reads(int node) {
        return directory.resolve("reads-" + node);
    }

    private static void letPass(Duration duration) throws InterruptedException {
        assertThat(new CountDownLatch(1).await(duration.toMillis(), TimeUnit.MILLISECONDS))
                .isFalse();
    }

    private static String url(PostgresServer postgres) {
        return postgres.jdbcUrl() + "?user=" + postgres.username() + "&password=" + postgres.password();
    }
}
