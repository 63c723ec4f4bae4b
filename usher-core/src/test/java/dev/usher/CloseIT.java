package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import dev.usher.redis.Closing;
import dev.usher.redis.RedisWay;
import dev.usher.redis.Session;
import dev.usher.redis.TestRedis;
import dev.usher.testkit.FaultProxy.Direction;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.AbstractList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import org.slf4j.Marker;

/** The shutdown of a node: its order, and its completeness when a step of it, or of the start, throws. */
class CloseIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final UserProfile ANNA = new UserProfile("13800000000", "Anna", "", false, "", "");
    private static final Facet<UserProfile> LASTING = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .serveStaleFor(Duration.ofMinutes(5))
            .build());

    private final Table table = new Table();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final MeterRegistry registry = new SimpleMeterRegistry();

    @AfterEach
    void stopThreads() {
        table.gate.countDown();
        threads.shutdownNow();
    }

    /** The caller has begun before the shutdown, and reaches the near tier when the node has left the register and is still connected. */
    @Test
    void noCallerIsAnsweredFromMemoryOnceTheNodeHasLeftTheRegister() throws Exception {
        try (RedisWay proxy = way()) {
            UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(Duration.ofSeconds(5)));
            UserCache<Long, UserProfile> cache = node.cache(LASTING, Long.class, table);
            table.put(42L, ANN);
            warm(cache);
            Paused ids = new Paused(42L);
            CompletableFuture<Object> caller =
                    CompletableFuture.supplyAsync(() -> outcome(() -> cache.findAll(ids)), threads);
            ids.reached.await();

            proxy.freeze(Direction.TO_CLIENT);
            CompletableFuture<Void> close = CompletableFuture.runAsync(node::close, threads);
            await().until(() -> members("user").isEmpty());
            table.put(42L, ANNA);
            assertThat(close).as("its connections stand").isNotDone();
            ids.goOn.countDown();

            assertThat(caller.get(10, TimeUnit.SECONDS)).isNotEqualTo(Map.of(42L, ANN));
            proxy.thaw(Direction.TO_CLIENT);
            close.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void norWithTheLastKnownAnswer() throws Exception {
        UserCaches node = open(patient(uri()));
        UserCache<Long, UserProfile> cache = node.cache(LASTING, Long.class, table);
        table.put(42L, ANN);
        warm(cache);
        Session before = node.engine().shared().session("user:42:profile");
        redis.flushall(); // ends the session: its answers become last known answers
        await().until(() -> node.engine().shared().session("user:42:profile") != before);
        int queries = table.queries.get();
        table.failure = new IllegalStateException("the database is down");
        table.holdBackAfterReading();
        CompletableFuture<Object> caller = CompletableFuture.supplyAsync(() -> outcome(() -> cache.find(42L)), threads);
        await().until(() -> table.queries.get() > queries);

        node.close();
        table.gate.countDown();

        assertThat(caller.get(10, TimeUnit.SECONDS)).isInstanceOf(UserUnavailableException.class);
    }

    @Test
    void theRestOfALongListIsRefusedOnceTheNodeIsClosed() {
        UserCaches node = open(patient(uri()));
        UserCache<Long, UserProfile> cache = node.cache(UserProfile.FACET, Long.class, ids -> {
            node.close();
            throw new IllegalStateException("the database is down");
        });
        List<Long> ids = LongStream.range(0, 1000).boxed().toList();

        assertThatIllegalStateException().isThrownBy(() -> cache.lookUpAll(ids)).withMessage("the caches are closed");
    }

    @Test
    void everythingIsClosedWhateverThrows() {
        UserCaches node = patient(uri()).meterRegistry(registry).build();
        node.cache(UserProfile.FACET, Long.class, table);
        await().until(() -> connections() == connectionsOfANode());
        AtomicInteger removed = new AtomicInteger();
        registry.config().onMeterRemoved(meter -> {
            throw new IllegalStateException("meter " + removed.incrementAndGet());
        });
        int meters = registry.getMeters().size();

        assertThatIllegalStateException()
                .isThrownBy(node::close)
                .withMessage("meter 1")
                .satisfies(first -> assertThat(first.getSuppressed()).hasSize(meters - 1));

        assertThat(registry.getMeters()).isEmpty();
        assertThat(members("user")).isEmpty();
        await().until(() -> connections() == 0);
        assertThat(threads("usher-")).isEmpty();
        node.close(); // and nothing more
    }

    @Test
    void aTaskThatThrowsHasNoOtherLeftUndone() {
        Closing closing = new Closing();
        AtomicInteger steps = new AtomicInteger();
        closing.step(() -> {
                    steps.incrementAndGet();
                    throw new StackOverflowError("first");
                })
                .step(() -> {
                    steps.incrementAndGet();
                    throw new IllegalStateException("second");
                })
                .step(steps::incrementAndGet);

        assertThatExceptionOfType(StackOverflowError.class)
                .isThrownBy(closing::end)
                .satisfies(first -> assertThat(first.getSuppressed()).hasSize(1));
        assertThat(steps).hasValue(3);
    }

    @Test
    void whatIsInterruptedIsClosedAllTheSame() {
        UserCaches node = patient(uri()).build();
        await().until(() -> connections() == connectionsOfANode());
        Thread.currentThread().interrupt();
        node.close();
        assertThat(Thread.interrupted()).isTrue();
        await().until(() -> connections() == 0 && threads("usher-").isEmpty());
    }

    @Test
    void aRegistryThatRefusesAMeterLeavesNoOtherMeterAndNoThread() {
        registry.config().meterFilter(new MeterFilter() {
            @Override
            public Meter.Id map(Meter.Id id) {
                if (id.getName().equals("usher.fences.oldest.age")) {
                    throw new IllegalStateException("no such meter");
                }
                return id;
            }
        });
        assertNothingIsLeftOf(patient(uri()).meterRegistry(registry), IllegalStateException.class);
    }

    /** Lettuce refuses it when it connects: there is no native transport. */
    @Test
    void anAddressThatCannotBeConnectedToLeavesNothing() {
        assertNothingIsLeftOf(patient("redis-socket:///nowhere").meterRegistry(registry), RuntimeException.class);
    }

    @Test
    @SuppressWarnings("NullAway") // as a caller without NullAway may do
    void missingOptionsLeaveNothing() {
        assertNothingIsLeftOf(patient(uri()).meterRegistry(registry).clientOptions(null), NullPointerException.class);
    }

    /** The first connection is open when the second is refused, and the logger throws. */
    @Test
    void aStartThatFailsWithAConnectionLeavesNone() {
        String maxClients = redis.configGet("maxclients").get("maxclients");
        LoggerContext logs = (LoggerContext) LoggerFactory.getILoggerFactory();
        TurboFilter full = new TurboFilter() {
            @Override
            public FilterReply decide(
                    Marker marker,
                    ch.qos.logback.classic.Logger logger,
                    ch.qos.logback.classic.Level level,
                    @Nullable String format,
                    Object @Nullable [] parameters,
                    @Nullable Throwable thrown) {
                if (logger.getName().equals("dev.usher.redis.RedisErrorLog")) {
                    throw new IllegalStateException("the log is full");
                }
                return FilterReply.NEUTRAL;
            }
        };
        redis.configSet("maxclients", "2");
        logs.addTurboFilter(full);
        try {
            assertNothingIsLeftOf(patient(uri()).meterRegistry(registry), IllegalStateException.class);
        } finally {
            logs.getTurboFilterList().remove(full);
            redis.configSet("maxclients", maxClients);
        }
    }

    private void assertNothingIsLeftOf(UserCaches.Builder builder, Class<? extends Throwable> failure) {
        Set<String> before = threads("lettuce-");
        assertThatExceptionOfType(failure).isThrownBy(builder::build);
        assertThat(registry.getMeters()).isEmpty();
        assertThat(threads("usher-")).isEmpty();
        // Redis, and a thread, may notice a moment later.
        await().until(() -> connections() == 0 && before.containsAll(threads("lettuce-")));
    }

    private void warm(UserCache<Long, UserProfile> cache) {
        await().until(() -> {
            cache.find(42L);
            return cache.stats().nearPresent() > 0;
        });
    }

    private static Object outcome(java.util.function.Supplier<Object> call) {
        try {
            return call.get();
        } catch (RuntimeException e) {
            return e;
        }
    }

    /** All connections but those of this test. */
    private static long connections() {
        return redis.clientList()
                .lines()
                .filter(line -> line.startsWith("id=") && !line.contains(" name=" + TestRedis.CLIENT + " "))
                .count();
    }

    /** Those of a node: two to each server, and two to the one that has the register in a Cluster. */
    private static long connectionsOfANode() {
        return TestRedis.isCluster() ? 2L * (testRedis.servers().size() + 1) : 2;
    }

    private static Set<String> threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith(prefix))
                .collect(Collectors.toSet());
    }

    /** A list whose iterator returns its only element when the test allows it. */
    private static final class Paused extends AbstractList<Long> {

        private final CountDownLatch reached = new CountDownLatch(1);
        private final CountDownLatch goOn = new CountDownLatch(1);
        private final Long id;

        private Paused(Long id) {
            this.id = id;
        }

        @Override
        public Long get(int index) {
            reached.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return id;
        }

        @Override
        public int size() {
            return 1;
        }
    }
}
