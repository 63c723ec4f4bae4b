package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A process that is stopped for longer than the bound, while a user changes, and then goes on as if nothing had happened. */
@EnabledOnOs(OS.LINUX)
class FrozenNodeIT {

    private static final int USER = 42;
    private static final int ROUNDS = 4;
    private static final Duration BOUND = Duration.ofSeconds(1);
    private static final Duration PAUSE = Duration.ofNanos(300_000);

    @TempDir
    private Path directory;

    @Tag("thorough")
    @Test
    void aProcessThatWakesDoesNotAnswerFromItsOldMemory() throws Exception {
        try (RedisServer redis = RedisServer.start();
                PostgresServer postgres = PostgresServer.start();
                VersionTable table = new VersionTable(url(postgres));
                UserCaches caches = UserCaches.builder().redis(redis.uri()).build()) {
            table.create(USER + 1);
            UserCache<Long, UserProfile> writer = caches.cache(UserProfile.FACET, Long.class, table);
            Path reads = directory.resolve("reads");
            try (JavaProcess process = JavaProcess.start(
                    WatchingNode.class,
                    directory.resolve("log"),
                    List.of(
                            redis.uri(),
                            url(postgres),
                            reads.toString(),
                            Integer.toString(USER),
                            BOUND.toString(),
                            PAUSE.toString()))) {
                assertThat(process.answer()).isEqualTo("watching");
                ReadLog log = ReadLog.open(reads);
                int caughtInARead = 0;
                for (int round = 0; round < ROUNDS + caughtInARead; round++) {
                    int from = log.size();
                    await().until(() -> log.size() > from + 100);
                    process.signal("STOP");
                    await().until(() -> isStopped(process));
                    long stoppedAt = System.nanoTime();
                    int atTheStop = log.size();
                    int changed = table.change(USER);
                    assertThat(writer.invalidate((long) USER)).isTrue();
                    letPass(BOUND.plusMillis(300));
                    assertThat(log.size()).as("the process is stopped").isEqualTo(atTheStop);
                    long wokenAt = System.nanoTime();
                    process.signal("CONT");
                    await().until(() -> log.size() > atTheStop + 100);
                    // The end of the pause counts, not its beginning.
                    assertThat(log.answered(atTheStop)).isGreaterThan(wokenAt);
                    boolean straddles = log.asked(atTheStop) < stoppedAt;
                    int first = log.version(atTheStop);
                    System.out.printf(
                            Locale.ROOT,
                            "woken after %d ms: the first answer, asked for %s the stop, is version %d of %d%n",
                            Duration.ofNanos(wokenAt - stoppedAt).toMillis(),
                            straddles ? "before" : "after",
                            first,
                            changed);
                    if (straddles && first != changed && caughtInARead == 0) {
                        // The freeze may have hit the thread between its last reading of the clock and its return; that
                        // cannot happen twice.
                        caughtInARead++;
                    } else {
                        assertThat(first).as("the first answer").isEqualTo(changed);
                    }
                    for (int row = atTheStop + 1; row < log.size(); row++) {
                        assertThat(log.version(row)).isEqualTo(changed);
                    }
                }
            }
        }
    }

    /** Whether every thread of the process has been stopped: the kernel says so thread by thread. */
    private static boolean isStopped(JavaProcess process) throws IOException {
        try (var threads = Files.newDirectoryStream(Path.of("/proc", Long.toString(process.pid()), "task"))) {
            for (Path thread : threads) {
                String stat = Files.readString(thread.resolve("stat"));
                if (stat.charAt(stat.lastIndexOf(')') + 2) != 'T') {
                    return false;
                }
            }
            return true;
        }
    }

    private static void letPass(Duration duration) throws InterruptedException {
        assertThat(new CountDownLatch(1).await(duration.toMillis(), TimeUnit.MILLISECONDS))
                .isFalse();
    }

    private static String url(PostgresServer postgres) {
        return postgres.jdbcUrl() + "?user=" + postgres.username() + "&password=" + postgres.password();
    }
}
