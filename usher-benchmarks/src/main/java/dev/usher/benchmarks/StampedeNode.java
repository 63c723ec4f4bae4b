package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * A process whose callers all call at once. It reads lines of the form {@code FIRST STEP MILLIS}: at that time, in milliseconds
 * since 1970, its callers ask for the users FIRST, FIRST + STEP, FIRST + 2 STEP and so on, one each. It answers each line with
 * {@code QUERIES MICROS WRONG}: how often the source was asked, how long it took until the last caller was answered, and how
 * many callers were told that there is no such user.
 */
final class StampedeNode {

    private static final int CALLERS = 200;

    private static final Duration QUERY = Duration.ofMillis(50);

    private StampedeNode() {}

    /** Runs the process until its standard input ends. Its arguments are the name of a {@link Peer} and the URI of a Redis. */
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        CountedSource rows = new CountedSource(Long.MAX_VALUE);
        rows.setDelay(QUERY);
        UserSource<Long, UserProfile> source = new PooledSource(rows);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        ExecutorService threads = Executors.newFixedThreadPool(CALLERS);
        try (Contender contender =
                Peer.valueOf(arguments[0]).open(new Site(arguments[1], source, Stampede.NEAR_SIZE))) {
            answers.println("ready");
            String command = commands.readLine();
            while (command != null) {
                answers.println(answer(command.split(" "), contender, rows, threads));
                command = commands.readLine();
            }
        } finally {
            threads.shutdownNow();
        }
        System.exit(0);
    }

    private static String answer(String[] command, Contender contender, CountedSource rows, ExecutorService threads)
            throws InterruptedException, ExecutionException {
        long first = Long.parseLong(command[0]);
        long step = Long.parseLong(command[1]);
        long start = System.nanoTime()
                + TimeUnit.MILLISECONDS.toNanos(Long.parseLong(command[2]) - System.currentTimeMillis());
        long before = rows.queries();
        LongAdder wrong = new LongAdder();
        CountDownLatch all = new CountDownLatch(CALLERS);
        List<Future<Long>> callers = new ArrayList<>();
        for (int caller = 0; caller < CALLERS; caller++) {
            Long id = first + step * caller;
            callers.add(threads.submit(() -> {
                all.countDown();
                all.await();
                while (System.nanoTime() < start) {
                    LockSupport.parkNanos(start - System.nanoTime());
                }
                if (contender.find(id) == null) {
                    wrong.increment();
                }
                return System.nanoTime() - start;
            }));
        }
        long slowest = 0;
        for (Future<Long> caller : callers) {
            slowest = Math.max(slowest, caller.get());
        }
        return rows.queries() - before + " " + TimeUnit.NANOSECONDS.toMicros(slowest) + " " + wrong.sum();
    }
}
