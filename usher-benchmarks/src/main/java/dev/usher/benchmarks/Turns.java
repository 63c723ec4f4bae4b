package dev.usher.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * Measures contenders by turns: in each round each of them is called for a moment, in one JVM and by the same number of
 * callers. A slow moment of the machine then slows down all of them, and the ratio of two within a round stays the same.
 *
 * <p>Before the first round each of them is called for longer, to warm up the compiler; that is not counted.
 */
final class Turns {

    private static final int DIGITS = 3;

    private final Duration warmUp;
    private final int rounds;
    private final Duration turn;

    Turns(Plan plan) {
        this.warmUp = plan.warmUp();
        this.rounds = plan.rounds();
        this.turn = plan.turn();
    }

    /**
     * Calls each contender in each round.
     *
     * @param calls what is called, by contender
     * @param callers how many threads call at once; each calls again as soon as it is answered
     * @param <K> the key that identifies a contender
     * @return the measurements of each contender, in the same order
     * @throws IllegalStateException if a call fails
     */
    <K> Map<K, Samples> take(Map<K, Call> calls, int callers) {
        List<Place<K>> places = new ArrayList<>();
        calls.forEach((contender, call) ->
                places.add(new Place<>(contender, call, new Samples(new ArrayList<>(), new Histogram(DIGITS)))));
        List<Place<K>> order = new ArrayList<>(places);
        ExecutorService threads = Executors.newFixedThreadPool(callers);
        try {
            for (int round = -1; round < rounds; round++) {
                for (Place<K> place : order) {
                    Turn taken = turn(place.contender(), place.call(), callers, threads, round < 0 ? warmUp : turn);
                    if (round >= 0) {
                        place.samples().perSecond().add(taken.perSecond());
                        place.samples().nanos().add(taken.nanos());
                    }
                }
                // The order rotates: no contender always follows the same one.
                order.add(order.remove(0));
            }
        } finally {
            threads.shutdownNow();
        }
        Map<K, Samples> samples = new LinkedHashMap<>();
        places.forEach(place -> samples.put(place.contender(), place.samples()));
        return samples;
    }

    /** A contender in the order of turns. */
    private record Place<K>(K contender, Call call, Samples samples) {}

    private static Turn turn(Object contender, Call call, int callers, ExecutorService threads, Duration length) {
        CountDownLatch start = new CountDownLatch(1);
        List<Future<Histogram>> answers = new ArrayList<>();
        for (int caller = 0; caller < callers; caller++) {
            answers.add(threads.submit(() -> {
                start.await();
                return callOverAndOver(call, length);
            }));
        }
        long begun = System.nanoTime();
        start.countDown();
        Histogram nanos = new Histogram(DIGITS);
        try {
            for (Future<Histogram> answer : answers) {
                nanos.add(answer.get());
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException(contender + " fails", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + contender + " was measured", e);
        }
        double seconds = (System.nanoTime() - begun) / (double) TimeUnit.SECONDS.toNanos(1);
        return new Turn(nanos.getTotalCount() / seconds, nanos);
    }

    private static Histogram callOverAndOver(Call call, Duration length) throws Exception {
        SplittableRandom random = new SplittableRandom();
        Histogram nanos = new Histogram(DIGITS);
        long begun = System.nanoTime();
        long now = begun;
        do {
            long before = now;
            call.make(random);
            now = System.nanoTime();
            nanos.recordValue(now - before);
        } while (now - begun < length.toNanos());
        return nanos;
    }

    /** The calls of one turn. */
    private record Turn(double perSecond, Histogram nanos) {}
}
