package dev.usher.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/** Makes many calls at once, and records how long each took and which tier answered it. */
final class CallMeter {

    private final Supplier<Tally> tally;
    private final Progress progress;
    private final List<CallRow> rows = new ArrayList<>();

    CallMeter(Supplier<Tally> tally, Progress progress) {
        this.tally = tally;
        this.progress = progress;
    }

    /** The rows measured so far, in order. */
    List<CallRow> rows() {
        return List.copyOf(rows);
    }

    /**
     * Makes calls.
     *
     * @param what the purpose of the calls
     * @param callName method and path
     * @param calls how many
     * @param callers how many at once
     * @param call makes the call with that number, from 0 on; an exception ends the measurement
     */
    CallRow measure(String what, String callName, int calls, int callers, IntConsumer call) {
        progress.begin(what);
        long[] latencies = new long[calls];
        AtomicInteger next = new AtomicInteger();
        CountDownLatch go = new CountDownLatch(1);
        ExecutorService threads = Executors.newFixedThreadPool(callers);
        try {
            List<Future<Integer>> shares = new ArrayList<>();
            for (int i = 0; i < callers; i++) {
                shares.add(threads.submit(() -> {
                    go.await();
                    int share = 0;
                    for (int number = next.getAndIncrement(); number < calls; number = next.getAndIncrement()) {
                        long start = System.nanoTime();
                        call.accept(number);
                        latencies[number] = System.nanoTime() - start;
                        progress.step();
                        share++;
                    }
                    return share;
                }));
            }
            Tally before = tally.get();
            long start = System.nanoTime();
            go.countDown();
            for (Future<Integer> share : shares) {
                share.get();
            }
            Duration elapsed = Duration.ofNanos(System.nanoTime() - start);
            Tally during = tally.get().since(before);
            Arrays.sort(latencies);
            CallRow row =
                    new CallRow(what, callName, Arrays.stream(latencies).boxed().toList(), elapsed, during);
            rows.add(row);
            return row;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof CommandException failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        } finally {
            threads.shutdownNow();
        }
    }
}
