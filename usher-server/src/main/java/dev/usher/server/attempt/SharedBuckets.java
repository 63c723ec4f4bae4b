package dev.usher.server.attempt;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.RateLimitedLog;
import dev.usher.spring.RedisEndpoint;
import io.github.bucket4j.ConsumptionProbe;
import io.github.bucket4j.TimeMeter;
import io.github.bucket4j.distributed.AsyncBucketProxy;
import io.github.bucket4j.distributed.ExpirationAfterWriteStrategy;
import io.github.bucket4j.distributed.proxy.AsyncProxyManager;
import io.github.bucket4j.distributed.proxy.optimization.Optimizations;
import io.github.bucket4j.redis.lettuce.Bucket4jLettuce;
import io.github.bucket4j.redis.lettuce.Bucket4jLettuce.LettuceBasedProxyManagerBuilder;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.api.async.BaseRedisAsyncCommands;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Buckets in Redis, which all nodes take tokens from. They expire by themselves when they are full again. Thread-safe.
 *
 * <p>The requests of this node for one bucket are batched while another request is under way. So nodes compete for a bucket by
 * compare-and-swap, and the callers of one node do not.
 *
 * <p>An attempt waits for the command timeout at most, and not at all for a Redis that is known not to answer: a circuit breaker opens when half
 * of the last ten calls have failed. The {@linkplain #PULSE pulse} keeps an idle connection open, notices a dead one, and makes a new one, at
 * most once a second.
 */
final class SharedBuckets implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(SharedBuckets.class);

    /** The period of the pulse, a {@code PING}. */
    static final Duration PULSE = Duration.ofMillis(250);

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    /** How often a Cluster is asked where its slots are. */
    private static final Duration TOPOLOGY_LOOK = Duration.ofSeconds(5);

    /** For how long after a late answer Redis may only be slow. */
    private static final Duration SUSPECT_FOR = Duration.ofSeconds(1);

    /** For how long a full bucket stays: to find one is cheaper than to make one. */
    private static final Duration TTL_WHEN_FULL = Duration.ofSeconds(5);

    private static final int MAX_REQUESTED = 10_000;
    private static final String NOT_CONNECTED = "is not connected";

    private final TimeMeter time;
    private final Duration commandTimeout;
    private final NamedBucket probe;
    private final AbstractRedisClient client;
    private final RedisURI uri;

    /** Only a new connection that answers closes it, never the time, since the clock of the machine may be set back. */
    private final CircuitBreaker breaker = CircuitBreaker.of(
            "attempts",
            CircuitBreakerConfig.custom()
                    .slidingWindow(10, 5, SlidingWindowType.COUNT_BASED)
                    .failureRateThreshold(50)
                    .build());

    private final RateLimitedLog errorLog = new RateLimitedLog(log);
    private final AtomicBoolean connecting = new AtomicBoolean();
    private final AtomicBoolean pulsing = new AtomicBoolean();
    private final AtomicBoolean missed = new AtomicBoolean();
    private volatile String lastError = NOT_CONNECTED;
    private volatile long triedAt;
    private volatile long lateAt = System.nanoTime() - SUSPECT_FOR.toNanos();
    private volatile @Nullable Connected connected;
    private volatile boolean closed;

    /** A connection to one server or to a Cluster. */
    private record Link(
            StatefulConnection<String, byte[]> connection,
            BaseRedisAsyncCommands<String, byte[]> commands,
            LettuceBasedProxyManagerBuilder<String> buckets) {}

    /** A connection, the buckets over it, and those with requests under way. */
    private record Connected(Link link, AsyncProxyManager<String> buckets, Cache<String, AsyncBucketProxy> requested) {

        AsyncBucketProxy bucket(NamedBucket named) {
            return requested.get(
                    named.key(),
                    key -> buckets.builder()
                            .withOptimization(Optimizations.batching())
                            .build(key, () -> CompletableFuture.completedFuture(named.size())));
        }
    }

    /**
     * Connects, and waits for two seconds at most until the connection is made or the attempt has failed.
     *
     * @param probe a bucket to take a token from, as a test whether Redis counts
     */
    SharedBuckets(RedisEndpoint endpoint, Duration commandTimeout, TimeMeter time, NamedBucket probe) {
        this.time = time;
        this.probe = probe;
        this.commandTimeout = commandTimeout;
        this.uri = endpoint.uri();
        uri.setTimeout(CONNECT_TIMEOUT);
        // Counts need no majority: one that goes to a primary that has been replaced is lost with it.
        uri.getSentinels().forEach(sentinel -> sentinel.setTimeout(CONNECT_TIMEOUT));
        ClientOptions options = endpoint.options()
                .mutate()
                .autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(endpoint.options()
                        .getSocketOptions()
                        .mutate()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build())
                .build();
        List<RedisURI> nodes = endpoint.clusterNodes();
        if (nodes.isEmpty()) {
            RedisClient one = RedisClient.create(uri);
            one.setOptions(options);
            this.client = one;
        } else {
            nodes.forEach(node -> node.setTimeout(CONNECT_TIMEOUT));
            RedisClusterClient cluster = RedisClusterClient.create(nodes);
            cluster.setOptions(ClusterClientOptions.builder(options)
                    .autoReconnect(true) // to the node: the connection of all stays
                    .topologyRefreshOptions(ClusterTopologyRefreshOptions.builder()
                            .enablePeriodicRefresh(TOPOLOGY_LOOK)
                            .adaptiveRefreshTriggersTimeout(PAUSE)
                            .build())
                    .build());
            this.client = cluster;
        }
        this.triedAt = System.nanoTime() - PAUSE.toNanos();
        try {
            tryToConnect().get(CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            // The pulse tries again.
        }
        var unused = client.getResources()
                .eventExecutorGroup()
                .scheduleWithFixedDelay(this::pulse, PULSE.toMillis(), PULSE.toMillis(), TimeUnit.MILLISECONDS);
    }

    /**
     * Begins to take a token from each of some buckets, in their order, or from none of them.
     *
     * @return {@code null} when Redis is not asked, because it is known not to answer
     */
    @Nullable Taking take(List<NamedBucket> wanted) {
        Connected redis = usable();
        return redis == null ? null : new Taking(redis, wanted);
    }

    /** Whether an answer was late within the last second: Redis may only be slow. */
    boolean isSuspect() {
        return System.nanoTime() - lateAt < SUSPECT_FOR.toNanos();
    }

    @Override
    public void close() {
        closed = true;
        client.shutdown(0, 2, TimeUnit.SECONDS);
    }

    /** The tokens that one attempt takes in Redis, at once or later. Not thread-safe. */
    final class Taking {

        private final Connected redis;
        private final List<NamedBucket> wanted;
        private final CompletableFuture<Duration> answer;
        private long remaining = commandTimeout.toNanos();
        private boolean isLate;

        private Taking(Connected redis, List<NamedBucket> wanted) {
            this.redis = redis;
            this.wanted = wanted;
            this.answer = take(redis, wanted, 0);
        }

        /**
         * Waits for the answer.
         *
         * @return zero when the tokens are taken; how long it will take to fill, when a bucket is empty; or {@code null} when Redis
         *     has not answered in time, or with an error
         */
        @Nullable Duration await() {
            return await(answer);
        }

        /** Whether the answer was not there in time, and may still come. */
        boolean isLate() {
            return isLate;
        }

        /** Puts back the tokens that have been taken, or that a late answer says were taken. Waits only for the rest of the timeout. */
        void giveBack() {
            if (answer.isCompletedExceptionally()) {
                return;
            }
            var unused = await(answer.thenCompose(wait -> wait.isZero()
                    ? SharedBuckets.giveBack(redis, wanted)
                    : CompletableFuture.<@Nullable Void>completedFuture(null)));
        }

        private <T> @Nullable T await(CompletableFuture<T> result) {
            long from = System.nanoTime();
            boolean isWholeTimeout = remaining == commandTimeout.toNanos();
            try {
                T value = result.get(remaining, TimeUnit.NANOSECONDS);
                breaker.onSuccess(System.nanoTime() - from, TimeUnit.NANOSECONDS);
                if (missed.compareAndSet(true, false)) {
                    log.info("Attempts are counted in Redis again, for all nodes");
                }
                return value;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return null;
            } catch (ExecutionException e) {
                failed(reasonOf(e), System.nanoTime() - from, e);
                return null;
            } catch (TimeoutException e) {
                isLate = true;
                // A shorter wait says nothing about Redis.
                if (isWholeTimeout) {
                    late(System.nanoTime() - from, e);
                }
                return null;
            } finally {
                remaining = Math.max(0, remaining - (System.nanoTime() - from));
            }
        }
    }

    private CompletableFuture<Duration> take(Connected redis, List<NamedBucket> wanted, int from) {
        if (from == wanted.size()) {
            return CompletableFuture.completedFuture(Duration.ZERO);
        }
        CompletableFuture<ConsumptionProbe> probe =
                redis.bucket(wanted.get(from)).tryConsumeAndReturnRemaining(1);
        return probe.thenCompose(taken -> taken.isConsumed()
                ? take(redis, wanted, from + 1)
                : giveBack(redis, wanted.subList(0, from))
                        .thenApply(done -> Duration.ofNanos(taken.getNanosToWaitForRefill())));
    }

    private static CompletableFuture<Void> giveBack(Connected redis, List<NamedBucket> taken) {
        return CompletableFuture.allOf(
                taken.stream().map(named -> redis.bucket(named).addTokens(1)).toArray(CompletableFuture<?>[]::new));
    }

    /** The connection if Redis is worth asking, or {@code null}. */
    private @Nullable Connected usable() {
        Connected current = connected;
        if (current != null && isUsable(current)) {
            return current;
        }
        if (missed.compareAndSet(false, true)) {
            errorLog.warn("Redis {}. Attempts are counted by each node for itself", lastError);
        }
        return null;
    }

    private boolean isUsable(Connected redis) {
        return breaker.getState() == CircuitBreaker.State.CLOSED && redis.link.connection.isOpen();
    }

    private void late(long nanos, Throwable failure) {
        lateAt = System.nanoTime();
        failed("does not answer in time", nanos, failure);
    }

    private void failed(String what, long nanos, Throwable failure) {
        lastError = what;
        breaker.onError(nanos, TimeUnit.NANOSECONDS, failure);
    }

    /** Only the code of an error of Redis: the rest quotes the command. */
    private static String reasonOf(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null && !(cause instanceof RedisCommandExecutionException)) {
            cause = cause.getCause();
        }
        return cause instanceof RedisCommandExecutionException
                ? "refuses to count: " + String.valueOf(cause.getMessage()).split(" ", 2)[0]
                : "cannot be reached: " + cause.getClass().getSimpleName();
    }

    /** Never throws, since that would end the schedule. */
    private void pulse() {
        try {
            ping();
        } catch (RuntimeException e) {
            pulsing.set(false);
            lastError = reasonOf(e);
        }
    }

    private void ping() {
        Connected current = connected;
        if (current == null || !isUsable(current)) {
            if (System.nanoTime() - triedAt >= PAUSE.toNanos()) {
                var unused = tryToConnect();
            }
            return;
        }
        if (pulsing.compareAndSet(false, true)) {
            long from = System.nanoTime();
            var unused = current.link
                    .commands
                    .ping()
                    .toCompletableFuture()
                    .orTimeout(commandTimeout.toNanos(), TimeUnit.NANOSECONDS)
                    .whenComplete((pong, failure) -> {
                        pulsing.set(false);
                        // An answer does not say whether Redis counts.
                        if (failure instanceof TimeoutException) {
                            late(System.nanoTime() - from, failure);
                        }
                    });
        }
    }

    /** One attempt at a time. It closes the former connection, whose other end may be gone without having closed it. */
    private CompletableFuture<?> tryToConnect() {
        if (closed || !connecting.compareAndSet(false, true)) {
            return CompletableFuture.completedFuture(null);
        }
        triedAt = System.nanoTime();
        Connected former = connected;
        if (former != null) {
            connected = null;
            var unused = former.link.connection.closeAsync();
        }
        return connect().thenCompose(this::use).whenComplete((done, failure) -> {
            if (failure != null) {
                lastError = reasonOf(failure);
            }
            connecting.set(false);
        });
    }

    private CompletableFuture<Link> connect() {
        RedisCodec<String, byte[]> codec = RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE);
        try {
            return client instanceof RedisClusterClient cluster
                    ? cluster.refreshPartitionsAsync()
                            .thenCompose(asked -> cluster.connectAsync(codec))
                            .thenApply(made -> new Link(made, made.async(), Bucket4jLettuce.casBasedBuilder(made)))
                            .toCompletableFuture()
                    : ((RedisClient) client)
                            .connectAsync(codec, uri)
                            .thenApply(made -> new Link(made, made.async(), Bucket4jLettuce.casBasedBuilder(made)))
                            .toCompletableFuture();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Tests the connection before it is used: Redis may be silent or refuse, and the first call of a JVM is slow. */
    private CompletableFuture<?> use(Link link) {
        Connected made = new Connected(
                link,
                buckets(link),
                Caffeine.newBuilder()
                        .maximumSize(MAX_REQUESTED)
                        .expireAfterAccess(TTL_WHEN_FULL)
                        .build());
        return take(made, List.of(probe), 0).whenComplete((taken, failure) -> {
            if (failure == null) {
                lastError = NOT_CONNECTED;
                connected = made;
                breaker.reset();
            } else {
                var unused = link.connection.closeAsync();
            }
        });
    }

    /** Their timeout is longer than a caller waits: tokens of late answers are given back. */
    private AsyncProxyManager<String> buckets(Link link) {
        return link.buckets
                .clientClock(time)
                .requestTimeout(CONNECT_TIMEOUT)
                .expirationAfterWrite(ExpirationAfterWriteStrategy.basedOnTimeForRefillingBucketUpToMax(TTL_WHEN_FULL))
                .build()
                .asAsync();
    }
}
