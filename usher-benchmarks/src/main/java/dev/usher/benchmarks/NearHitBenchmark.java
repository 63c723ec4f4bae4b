package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A lookup, by key, of a user that is in the memory of the process. The keys are boxed beforehand and are the very objects in
 * the caches.
 *
 * <p>{@link #inTurn} uses each answer before it asks the next question, as a request does. {@link #overlapped} does not, and so
 * measures something else too: a processor then overlaps several reads of Caffeine, but not several near hits of usher, because
 * reading the clock waits for all instructions before it.
 */
// JMH sets the fields.
@NullUnmarked
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class NearHitBenchmark {

    @Benchmark
    public UserProfile inTurn(Remembered remembered, Asked asked) {
        UserProfile profile = remembered.contender.find(asked.next());
        asked.use(profile);
        return profile;
    }

    @Benchmark
    public UserProfile overlapped(Remembered remembered, Asked asked) {
        return remembered.contender.find(asked.next());
    }

    /** A contender with every user in its memory. */
    @State(Scope.Benchmark)
    public static class Remembered {

        /** A {@link Peer}. */
        @Param("CAFFEINE")
        public String peer;

        @Param("100000")
        public int users;

        /** The URI of a Redis that has all users, or empty to start an empty Redis here. */
        @Param("")
        public String stored;

        /** The {@link Topology} of the Redis that is started here. */
        @Param("SERVER")
        public String redis;

        private Topology.Started own;
        private CountedSource source;
        private Contender contender;
        private Long[] ids;
        private long queries;

        @Setup(Level.Trial)
        public void remember() {
            own = stored.isEmpty() ? Topology.valueOf(redis).start() : null;
            String uri = own == null ? stored : own.uri();
            source = new CountedSource(users);
            ids = LongStream.rangeClosed(1, users).boxed().toArray(Long[]::new);
            contender = Peer.valueOf(peer).open(new Site(uri, source, users));
            Contenders.rememberInMemory(contender, ids, uri);
            // A collection moves live objects close together, as they lie in a process with this cache alone.
            System.gc();
            queries = source.queries();
        }

        @TearDown(Level.Trial)
        public void forget() {
            long after = source.queries();
            contender.close();
            if (own != null) {
                own.close();
            }
            if (after != queries) {
                throw new IllegalStateException("the source was asked for users that are in memory");
            }
        }
    }

    /** The users that a thread asks for, one after the other. */
    @State(Scope.Thread)
    public static class Asked {

        private static final int QUESTIONS = 1 << 18;

        /** Longer than any name. The compiler does not know that, so it must look at the answer. */
        private static final int LONGER_THAN_ANY_NAME = 1 << 20;

        @Param({"zipf", "uniform"})
        public String spread;

        private Long[] asked;
        private int next;

        @Setup
        public void draw(Remembered remembered) {
            int users = remembered.users;
            Random random = new Random(42);
            double[] shares = IntStream.rangeClosed(1, users)
                    .mapToDouble(rank -> spread.equals("zipf") ? 1.0 / rank : 1.0)
                    .toArray();
            Arrays.parallelPrefix(shares, Double::sum);
            // Ranks are shuffled over the ids, so that frequently asked users are not neighbours.
            int[] shuffled = IntStream.range(0, users).toArray();
            for (int i = users - 1; i > 0; i--) {
                int j = random.nextInt(i + 1);
                int swapped = shuffled[i];
                shuffled[i] = shuffled[j];
                shuffled[j] = swapped;
            }
            asked = new Long[QUESTIONS];
            for (int i = 0; i < QUESTIONS; i++) {
                int rank = Arrays.binarySearch(shares, random.nextDouble() * shares[users - 1]);
                asked[i] = remembered.ids[shuffled[Math.min(rank < 0 ? -rank - 1 : rank, users - 1)]];
            }
            next = ThreadLocalRandom.current().nextInt(QUESTIONS);
        }

        Long next() {
            next = (next + 1) & (QUESTIONS - 1);
            return asked[next];
        }

        /** Makes the next question wait for this answer. */
        void use(UserProfile profile) {
            next += profile.name().length() / LONGER_THAN_ANY_NAME;
        }
    }
}
