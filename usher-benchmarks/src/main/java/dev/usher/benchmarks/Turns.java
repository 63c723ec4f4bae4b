package dev.usher.benchmarks;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
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
import java.util.function.Predicate;
import org.HdrHistogram.Histogram;

/**
 * Measures contenders by turns: in each round each of them is called for a moment, in one JVM and by the same number of
 * callers. A slow moment of the machine then slows down all of them, and the ratio of two within a round stays the same.
 *
 * <p>Before the first round each of them is called for longer, again and again until the compiler is next to idle; that is not counted.
 */
final class Turns {

    /** The part of the time that the compiler may still work in when the first round begins. */
    private static final double IDLE = 0.05;

    private final Duration warmUp;
    private final int warmUps;
    private final int rounds;
    private final Duration turn;

    /** As the plan has it. */
    Turns(Plan plan) {
        this(plan.warmUp(), plan.warmUps(), plan.rounds(), plan.turn());
    }

    /** As the plan has it, in three times as many rounds: for a row with a single comparison, whose spread is to be narrow. */
    static Turns manyRounds(Plan plan) {
        return new Turns(plan.warmUp(), plan.warmUps(), 3 * plan.rounds(), plan.turn());
    }

    /**
     * Turns of another length, or in another number of rounds, than the plan's.
     *
     * @param warmUp how long each contender is called before the first round, at a time
     * @param warmUps how often each of them is at most
     * @param rounds how often each of them has its turn
     * @param turn how long a turn lasts
     */
    Turns(Duration warmUp, int warmUps, int rounds, Duration turn) {
        this.warmUp = warmUp;
        this.warmUps = warmUps;
        this.rounds = rounds;
        this.turn = turn;
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
        return take(calls, callers, samples -> false);
    }

    /**
     * Calls each contender in each round, until a round suffices.
     *
     * @param enough whether no further round is needed, by the measurements so far; asked after each round
     */
    <K> Map<K, Samples> take(Map<K, Call> calls, int callers, Predicate<Collection<Samples>> enough) {
        List<Place<K>> places = new ArrayList<>();
        calls.forEach((contender, call) -> places.add(new Place<>(contender, call, new Samples())));
        List<Place<K>> order = new ArrayList<>(places);
        ExecutorService threads = Executors.newFixedThreadPool(callers);
        try {
            warmUp(order, callers, threads);
            boolean goesOn = true;
            for (int round = 0; round < rounds && goesOn; round++) {
                for (Place<K> place : order) {
                    Turn taken = turn(place.contender(), place.call(), callers, threads, turn);
                    place.samples().perSecond().add(taken.perSecond());
                    place.samples().processorMicros().add(taken.processorMicros());
                    place.samples().nanos().add(taken.nanos());
                }
                goesOn = !enough.test(places.stream().map(Place::samples).toList());
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

    /** What is measured before that is the compiler, to which a call of many small methods gives more work than one of few. */
    private <K> void warmUp(List<Place<K>> places, int callers, ExecutorService threads) {
        CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
        boolean isIdle = false;
        for (int i = 0; i < warmUps && !isIdle; i++) {
            long compiled = compiler.getTotalCompilationTime();
            long begun = System.nanoTime();
            for (Place<K> place : places) {
                var unused = turn(place.contender(), place.call(), callers, threads, warmUp);
            }
            long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
            isIdle = compiler.getTotalCompilationTime() - compiled < IDLE * took;
        }
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
        long processor = call.processorNanos();
        long begun = System.nanoTime();
        start.countDown();
        Histogram nanos = new Histogram(Samples.DIGITS);
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
        double processorMicros =
                (call.processorNanos() - processor) / (double) nanos.getTotalCount() / TimeUnit.MICROSECONDS.toNanos(1);
        return new Turn(nanos.getTotalCount() / seconds, processorMicros, nanos);
    }

    private static Histogram callOverAndOver(Call call, Duration length) throws Exception {
        SplittableRandom random = new SplittableRandom();
        Histogram nanos = new Histogram(Samples.DIGITS);
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
    private record Turn(double perSecond, double processorMicros, Histogram nanos) {}
}
