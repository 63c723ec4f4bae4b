package dev.usher;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.api.StatefulRedisConnection;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * A near hit against a read of a Caffeine cache that holds the same profiles by the same keys, with one thread and with two.
 *
 * <p>{@code raw} and {@code usher} use each answer before they ask the next question, as a request does. The {@code
 * …Overlapped} ones do not, and so measure something else too: a processor then begins several reads of Caffeine at once,
 * but not several near hits, for reading the clock ends with everything before it.
 *
 * <p>To run it, on a machine that does nothing else, for about seven minutes; the figures stand in a table at the end:
 *
 * <pre>{@code
 * mvn verify -Pfast -pl usher-core -am -Dit.test=NearHitBenchmark -Dtest=None \
 *     -Dsurefire.failIfNoSpecifiedTests=false -Dfailsafe.failIfNoSpecifiedTests=false
 * }</pre>
 */
// JMH sets the fields.
@NullUnmarked
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 4, time = 1)
@Fork(
        value = 2,
        jvmArgs = {"-Xms640m", "-Xmx640m", "-XX:+AlwaysPreTouch"})
public class NearHitBenchmark {

    private static final int USERS = 100_000;

    @Test
    @Timeout(value = 30, unit = TimeUnit.MINUTES)
    void measure() throws RunnerException {
        List<RunResult> results = new ArrayList<>();
        for (int threads = 1; threads <= 2; threads++) {
            Options options = new OptionsBuilder()
                    .include(NearHitBenchmark.class.getName())
                    .threads(threads)
                    .addProfiler(GCProfiler.class)
                    .build();
            results.addAll(new Runner(options).run());
        }
        System.out.println(table(results));
    }

    /** In which way the caches were asked. */
    private record Way(String asked, String spread, int threads) {}

    /** Each near hit beside the read of Caffeine that was asked for in the same way. */
    private static String table(List<RunResult> results) {
        Map<Way, RunResult> raws = new HashMap<>();
        Map<Way, RunResult> ushers = new LinkedHashMap<>();
        for (RunResult result : results) {
            String benchmark = result.getPrimaryResult().getLabel();
            Map<Way, RunResult> side = benchmark.startsWith("raw") ? raws : ushers;
            BenchmarkParams params = result.getParams();
            String asked = benchmark.endsWith("Overlapped") ? "overlapped" : "in turn";
            side.put(new Way(asked, params.getParam("spread"), params.getThreads()), result);
        }
        StringBuilder table =
                new StringBuilder("\nA near hit against raw Caffeine; at most 1.5 times its time is the target"
                        + ", and nothing allocated\n\n"
                        + "asked       spread   threads  raw ns/op  usher ns/op  ratio  raw B/op  usher B/op\n");
        ushers.forEach((way, usher) -> {
            RunResult raw = raws.get(way);
            table.append(String.format(
                    Locale.ROOT,
                    "%-10s  %-7s  %7d  %9.1f  %11.1f  %5.2f  %8.2f  %10.2f%n",
                    way.asked(),
                    way.spread(),
                    way.threads(),
                    nanos(raw),
                    nanos(usher),
                    nanos(usher) / nanos(raw),
                    bytes(raw),
                    bytes(usher)));
        });
        return table.toString();
    }

    private static double nanos(RunResult result) {
        return result.getPrimaryResult().getScore();
    }

    private static double bytes(RunResult result) {
        return result.getSecondaryResults().get("gc.alloc.rate.norm").getScore();
    }

    @Benchmark
    public UserProfile raw(Raw raw, Ids ids) {
        UserProfile profile = raw.cache.getIfPresent(ids.next());
        ids.use(profile);
        return profile;
    }

    @Benchmark
    public UserProfile usher(Usher usher, Ids ids) {
        UserProfile profile = usher.cache.find(ids.next()).orElseThrow();
        ids.use(profile);
        return profile;
    }

    @Benchmark
    public Object rawOverlapped(Raw raw, Ids ids) {
        return raw.cache.getIfPresent(ids.next());
    }

    @Benchmark
    public Object usherOverlapped(Usher usher, Ids ids) {
        return usher.cache.find(ids.next());
    }

    /** Whom a thread asks for, one after the other. The keys are boxed beforehand, and are those in the caches. */
    @State(Scope.Thread)
    public static class Ids {

        private static final int ASKED = 1 << 20;

        @Param({"zipf", "uniform"})
        String spread;

        private Long[] asked;
        private int next;

        @Setup
        public void draw() {
            Random random = new Random(42);
            double[] shares = IntStream.rangeClosed(1, USERS)
                    .mapToDouble(rank -> spread.equals("zipf") ? 1.0 / rank : 1.0)
                    .toArray();
            Arrays.parallelPrefix(shares, Double::sum);
            // Who is asked for often is anybody, not the neighbour of the next most asked for.
            int[] users = IntStream.range(0, USERS).toArray();
            for (int i = USERS - 1; i > 0; i--) {
                int j = random.nextInt(i + 1);
                int swapped = users[i];
                users[i] = users[j];
                users[j] = swapped;
            }
            asked = new Long[ASKED];
            for (int i = 0; i < ASKED; i++) {
                int rank = Arrays.binarySearch(shares, random.nextDouble() * shares[USERS - 1]);
                asked[i] = Keys.ALL[users[Math.min(rank < 0 ? -rank - 1 : rank, USERS - 1)]];
            }
            next = ThreadLocalRandom.current().nextInt(ASKED);
        }

        Long next() {
            next = (next + 1) & (ASKED - 1);
            return asked[next];
        }

        /** Makes the next question wait for this answer. Nobody here has an introduction, but only the answer says so. */
        void use(UserProfile profile) {
            next += profile.intro().length();
        }
    }

    /** The users' ids, boxed once. */
    private static final class Keys {

        private static final Long[] ALL = LongStream.range(0, USERS).boxed().toArray(Long[]::new);
    }

    /** Caffeine alone. */
    @State(Scope.Benchmark)
    public static class Raw {

        private final Cache<Long, UserProfile> cache =
                Caffeine.newBuilder().maximumSize(USERS).build();

        @Setup
        public void fill() {
            for (Long id : Keys.ALL) {
                cache.put(id, profile(id));
            }
            System.gc();
        }
    }

    /** usher, with every user in the near tier, and on a Redis that keeps the session alive. */
    @State(Scope.Benchmark)
    public static class Usher {

        private RedisServer redis;
        private UserCaches caches;
        private UserCache<Long, UserProfile> cache;
        private CacheStats before;

        @Setup(Level.Trial)
        public void fill() {
            redis = RedisServer.start();
            storeAll();
            caches = UserCaches.builder()
                    .redis(redis.uri())
                    .commandTimeout(Duration.ofSeconds(5))
                    .build();
            // Every user would be due a second after the reading, all of them at once; no node meets that.
            CachePolicy policy = UserProfile.FACET.policy().withNearSize(USERS).withRefreshAhead(0);
            cache = caches.cache(UserProfile.FACET.with(policy), ids -> Map.of());
            do {
                IntStream.range(0, USERS).parallel().forEach(i -> cache.find(Keys.ALL[i]));
            } while (nearHitsOfOneRound() < USERS);
            // What lives lies close together then, as it does beneath a cache that is alone.
            System.gc();
            before = cache.stats();
        }

        private long nearHitsOfOneRound() {
            long hits = cache.stats().nearHits();
            for (Long id : Keys.ALL) {
                cache.find(id);
            }
            return cache.stats().nearHits() - hits;
        }

        private void storeAll() {
            try (RedisClient client = RedisClient.create(redis.uri());
                    StatefulRedisConnection<String, String> connection = client.connect()) {
                FacetCodec<UserProfile> codec = UserProfile.FACET.codec();
                List<RedisFuture<String>> stored = new ArrayList<>();
                for (Long id : Keys.ALL) {
                    String json = new String(codec.encode(profile(id)), StandardCharsets.UTF_8);
                    stored.add(connection.async().setex("user:" + id + ":profile", 1800, json));
                }
                LettuceFutures.awaitAll(Duration.ofMinutes(1), stored.toArray(RedisFuture[]::new));
            }
        }

        @TearDown(Level.Trial)
        public void close() {
            CacheStats after = cache.stats();
            caches.close();
            redis.close();
            if (after.sharedHits() != before.sharedHits() || after.sourceAnswers() != before.sourceAnswers()) {
                throw new IllegalStateException("not every answer was a near hit");
            }
        }
    }

    private static UserProfile profile(Long id) {
        return new UserProfile("138" + (10_000_000 + id), "user " + id, "photos/" + id + ".png", false, "", "");
    }
}
