package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.CachePolicy;
import dev.usher.Explanation.Holding;
import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import java.lang.Thread.State;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.support.TransactionTemplate;

/** No reading call stores an uncommitted row, whichever executor the caches have, and whichever other caller loads. */
class UncommittedRowsIT {

    private static final AtomicLong IDS = new AtomicLong(1000);
    private static final Duration SOON = Duration.ofSeconds(10);

    /** One query at a time, so that loads share a batch. */
    private static final CachePolicy ONE_AT_A_TIME =
            CachePolicy.builder().ttl(Duration.ofMinutes(10)).maxLoads(1).build();

    private static final String OWN = "usher's own threads";
    private static final String CALLERS = "the caller's thread";
    private static final String CALLERS_WHEN_BUSY = "the caller's thread, when all others are busy";

    private static final String ANOTHER_NODE = "another node";

    private static final Map<String, Node> NODES = new HashMap<>();
    private static final CountDownLatch OVER = new CountDownLatch(1);

    private static ThreadPoolExecutor busy;
    private static RedisServer redisServer;
    private static PostgresServer postgres;
    private static RedisClient client;
    private static RedisCommands<String, String> redis;
    private static HikariDataSource database;
    private static JdbcTemplate jdbc;
    private static TransactionTemplate transaction;

    /** The id whose load blocks the only query slot. */
    private static volatile long blockingId;

    private static volatile CountDownLatch blocking = new CountDownLatch(1);
    private static volatile CountDownLatch blocked = new CountDownLatch(0);

    @BeforeAll
    static void start() {
        redisServer = RedisServer.start();
        postgres = SharedPostgres.POSTGRES;
        client = RedisClient.create(redisServer.uri());
        redis = client.connect().sync();
        database = new HikariDataSource();
        database.setJdbcUrl(postgres.createDatabase("uncommitted"));
        database.setUsername(postgres.username());
        database.setPassword(postgres.password());
        jdbc = new JdbcTemplate(database);
        jdbc.execute("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
        transaction = new TransactionTemplate(new JdbcTransactionManager(database));

        busy = new ThreadPoolExecutor(
                1, 1, 1, TimeUnit.MINUTES, new SynchronousQueue<>(), new ThreadPoolExecutor.CallerRunsPolicy());
        busy.execute(() -> {
            try {
                OVER.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        NODES.put(OWN, Node.of(caches(null)));
        NODES.put(CALLERS, Node.of(caches(Runnable::run)));
        NODES.put(CALLERS_WHEN_BUSY, Node.of(caches(busy)));
        NODES.put(ANOTHER_NODE, Node.of(caches(null)));
    }

    @AfterAll
    static void stop() {
        OVER.countDown();
        busy.shutdown();
        NODES.values().forEach(node -> node.caches().close());
        client.shutdown();
        database.close();
        redisServer.close();
    }

    /** Each call that reads a user. */
    enum Call {
        FIND("find") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return names.find(id);
            }
        },
        LOOK_UP("lookUp") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return names.lookUp(id).value();
            }
        },
        FIND_FRESH("findFresh") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return names.findFresh(id);
            }
        },
        FIND_ALL("findAll") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return Optional.ofNullable(names.findAll(List.of(id)).get(id));
            }
        },
        LOOK_UP_ALL("lookUpAll") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return requireNonNull(names.lookUpAll(List.of(id)).get(id)).value();
            }
        },
        FIND_CACHED("findCached") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                assertThat(names.findCached(List.of(id))).isEmpty();
                return names.find(id);
            }
        },
        FIND_ASYNC("findAsync") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return names.findAsync(id).join();
            }
        },
        EXPLAIN("explain") {
            @Override
            Optional<String> read(UserCache<Long, String> names, long id) {
                return Optional.of(((Holding.Value<String>) names.explain(id).source()).value());
            }
        };

        private final String method;

        Call(String method) {
            this.method = method;
        }

        abstract Optional<String> read(UserCache<Long, String> names, long id);
    }

    @Test
    void eachCallOfACacheIsTriedHereOrReadsNothing() {
        Set<String> readNothing = Set.of(
                "beforeRead",
                "save",
                "saveAsync",
                "invalidate",
                "invalidateAll",
                "forget",
                "forgetAll",
                "revoke",
                "revokeAll",
                "keyOf",
                "idOf",
                "facet",
                "stats");
        Set<String> known = new HashSet<>(readNothing);
        known.addAll(Arrays.stream(Call.values()).map(call -> call.method).toList());

        assertThat(Arrays.stream(UserCache.class.getMethods())
                        .filter(method -> !Modifier.isStatic(method.getModifiers()))
                        .map(Method::getName)
                        .collect(Collectors.toSet()))
                .isEqualTo(known);
    }

    static Stream<Arguments> callsAndExecutors() {
        return Arrays.stream(Call.values())
                .flatMap(call ->
                        Stream.of(OWN, CALLERS, CALLERS_WHEN_BUSY).map(executor -> Arguments.of(call, executor)));
    }

    @ParameterizedTest(name = "{0}, on {1}")
    @MethodSource("callsAndExecutors")
    void isNotStored(Call call, String executor) throws Exception {
        long id = user();
        blockingId = -id;
        blocking = new CountDownLatch(1);
        blocked = new CountDownLatch(1);
        CountDownLatch othersAnswered = new CountDownLatch(1);
        UserCache<Long, String> names = node(executor).names();
        try {
            Task<?> blocker = Task.start(() -> names.find(blockingId));
            assertThat(blocking.await(10, TimeUnit.SECONDS)).isTrue();

            Task<Optional<String>> inside = Task.start(() -> transaction.execute(status -> {
                jdbc.update("UPDATE users SET name = 'Uncommitted' WHERE id = ?", id);
                Optional<String> read = call.read(names, id);
                status.setRollbackOnly();
                awaitQuietly(othersAnswered);
                return read;
            }));
            inside.awaitWaiting();
            Task<Optional<String>> outside = Task.start(() -> names.find(id));
            outside.awaitWaiting();
            blocked.countDown();

            assertThat(outside.answer()).as("of another caller").contains("Ann");
            othersAnswered.countDown();
            assertThat(inside.answer()).as("inside").contains("Uncommitted");
            blocker.answer();
            assertThat(names.find(id)).as("afterwards").contains("Ann");
            assertThat(node(ANOTHER_NODE).names().find(id)).contains("Ann");
            assertThat(redis.get("user:" + id + ":name")).isEqualTo("\"Ann\"");
        } finally {
            blocked.countDown();
            othersAnswered.countDown();
        }
    }

    @Test
    void aRefreshAheadOnTheCallersThreadStoresNoUncommittedRow() {
        long id = user();
        try (UserCaches node = caches(Runnable::run)) {
            CachePolicy soonDue = CachePolicy.builder()
                    .ttl(Duration.ofSeconds(3))
                    .refreshAhead(0.97)
                    .build();
            UserCache<Long, String> names = cache(node, "due", soonDue);
            names.find(id);

            transaction.executeWithoutResult(status -> {
                jdbc.update("UPDATE users SET name = 'Uncommitted' WHERE id = ?", id);
                await().pollInSameThread() // the thread of the transaction
                        .during(Duration.ofMillis(400))
                        .atMost(SOON)
                        .until(() -> names.find(id).equals(Optional.of("Ann")));
                status.setRollbackOnly();
            });

            assertThat(names.stats().refreshes()).isZero();
            assertThat(redis.get("user:" + id + ":due")).isEqualTo("\"Ann\"");
            // Outside the transaction the entry is due and is refreshed.
            await().until(() -> names.find(id).isPresent() && names.stats().refreshes() > 0);
        }
    }

    private static long user() {
        long id = IDS.incrementAndGet();
        jdbc.update("INSERT INTO users VALUES (?, 'Ann')", id);
        return id;
    }

    private static Node node(String name) {
        return requireNonNull(NODES.get(name));
    }

    private static UserCaches caches(@Nullable Executor executor) {
        UserCaches.Builder builder =
                UserCaches.builder().redis(redisServer.uri()).commandTimeout(Duration.ofSeconds(5));
        return (executor == null ? builder : builder.executor(executor)).build();
    }

    private static UserCache<Long, String> cache(UserCaches node, String facet, CachePolicy policy) {
        UserSource<Long, String> source = UncommittedRowsIT::load;
        return new FacetCaches(node, new DefaultListableBeanFactory())
                .cache(Facet.of(facet, String.class).with(policy), Long.class, source);
    }

    private static Map<Long, String> load(Set<Long> ids) throws InterruptedException {
        if (ids.contains(blockingId)) {
            blocking.countDown();
            blocked.await();
        }
        Map<Long, String> found = new HashMap<>();
        for (long id : ids) {
            jdbc.query(
                    "SELECT name FROM users WHERE id = ?",
                    row -> {
                        found.put(id, row.getString(1));
                    },
                    id);
        }
        return found;
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private record Node(UserCaches caches, UserCache<Long, String> names) {

        static Node of(UserCaches caches) {
            return new Node(caches, cache(caches, "name", ONE_AT_A_TIME));
        }
    }

    /** A call on its own thread. */
    private record Task<T>(FutureTask<T> call, Thread thread) {

        static <T> Task<T> start(Callable<T> call) {
            FutureTask<T> task = new FutureTask<>(call);
            Thread thread = new Thread(task);
            thread.start();
            return new Task<>(task, thread);
        }

        /** Waits until the call waits for another thread, or has ended. */
        void awaitWaiting() {
            await().pollInterval(Duration.ofMillis(5))
                    .during(Duration.ofMillis(20))
                    .atMost(SOON)
                    .until(() -> Set.of(State.WAITING, State.TIMED_WAITING, State.TERMINATED)
                            .contains(thread.getState()));
        }

        T answer() throws Exception {
            return call.get(SOON.toSeconds(), TimeUnit.SECONDS);
        }
    }
}
