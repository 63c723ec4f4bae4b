package dev.usher.server;

import dev.usher.spring.RedisEndpoint;
import io.github.bucket4j.ConsumptionProbe;
import io.github.bucket4j.TimeMeter;
import io.github.bucket4j.distributed.AsyncBucketProxy;
import io.github.bucket4j.distributed.ExpirationAfterWriteStrategy;
import io.github.bucket4j.distributed.proxy.AsyncProxyManager;
import io.github.bucket4j.redis.lettuce.Bucket4jLettuce;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
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
 * Buckets in Redis, which all nodes take from. They expire by themselves, when they are full again.
 *
 * <p>Nobody waits for longer than the command timeout, and nobody at all for a Redis that is known not to answer: a circuit
 * breaker opens when half of the last ten calls have failed. Then, as when the connection is lost, a new connection is tried at
 * most once a second, without anybody waiting for it.
 */
final class SharedBuckets implements Buckets, AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(SharedBuckets.class);

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);
    private static final Duration PAUSE = Duration.ofSeconds(1);

    /** For how long a full bucket is kept, as it is cheaper to find one than to make one. */
    private static final Duration KEPT_WHEN_FULL = Duration.ofSeconds(5);

    private final TimeMeter time;
    private final Duration commandTimeout;
    private final Named probe;
    private final RedisClient client;
    private final RedisURI uri;

    /** It ends with a connection that answers, never with time: that of the machine may be set back. */
    private final CircuitBreaker breaker = CircuitBreaker.of(
            "attempts",
            CircuitBreakerConfig.custom()
                    .slidingWindow(10, 5, SlidingWindowType.COUNT_BASED)
                    .failureRateThreshold(50)
                    .build());

    private final AtomicBoolean connecting = new AtomicBoolean();
    private final AtomicBoolean missed = new AtomicBoolean();
    private volatile long triedAt;
    private volatile @Nullable Connected connected;
    private volatile boolean closed;

    /** A connection, and the buckets over it. */
    private record Connected(StatefulRedisConnection<String, byte[]> connection, AsyncProxyManager<String> buckets) {}

    /**
     * Connects, and waits until the connection stands or the attempt has failed, for two seconds at most.
     *
     * @param probe a bucket from which something is taken to see whether Redis answers
     */
    SharedBuckets(RedisEndpoint endpoint, Duration commandTimeout, TimeMeter time, Named probe) {
        this.time = time;
        this.probe = probe;
        this.commandTimeout = commandTimeout;
        this.uri = RedisURI.builder(endpoint.uri()).withTimeout(CONNECT_TIMEOUT).build();
        this.client = RedisClient.create(uri);
        client.setOptions(endpoint.options()
                .mutate()
                .autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(endpoint.options()
                        .getSocketOptions()
                        .mutate()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build())
                .build());
        this.triedAt = System.nanoTime() - PAUSE.toNanos();
        try {
            tryToConnect().get(CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            // Who takes first will try again.
        }
    }

    @Override
    public @Nullable Duration take(List<Named> wanted) {
        Connected redis = usable();
        return redis == null ? null : await(take(redis, wanted, 0));
    }

    @Override
    public void giveBack(List<Named> taken) {
        Connected redis = usable();
        if (redis != null) {
            var unused = await(giveBack(redis, taken));
        }
    }

    @Override
    public void close() {
        closed = true;
        client.shutdown(0, 2, TimeUnit.SECONDS);
    }

    private CompletableFuture<Duration> take(Connected redis, List<Named> wanted, int from) {
        if (from == wanted.size()) {
            return CompletableFuture.completedFuture(Duration.ZERO);
        }
        CompletableFuture<ConsumptionProbe> probe =
                bucket(redis, wanted.get(from)).tryConsumeAndReturnRemaining(1);
        return probe.thenCompose(taken -> taken.isConsumed()
                ? take(redis, wanted, from + 1)
                : giveBack(redis, wanted.subList(0, from))
                        .thenApply(done -> Duration.ofNanos(taken.getNanosToWaitForRefill())));
    }

    private CompletableFuture<Void> giveBack(Connected redis, List<Named> taken) {
        return CompletableFuture.allOf(
                taken.stream().map(named -> bucket(redis, named).addTokens(1)).toArray(CompletableFuture<?>[]::new));
    }

    private static AsyncBucketProxy bucket(Connected redis, Named named) {
        return redis.buckets.builder().build(named.key(), () -> CompletableFuture.completedFuture(named.size()));
    }

    /** What it is worth to ask, or {@code null}. */
    private @Nullable Connected usable() {
        Connected current = connected;
        if (breaker.getState() == CircuitBreaker.State.CLOSED && current != null && current.connection.isOpen()) {
            return current;
        }
        if (missed.compareAndSet(false, true)) {
            log.warn("Redis does not answer. Attempts are counted by each node for itself");
        }
        if (System.nanoTime() - triedAt >= PAUSE.toNanos()) {
            var unused = tryToConnect();
        }
        return null;
    }

    private <T> @Nullable T await(CompletableFuture<T> answer) {
        long from = System.nanoTime();
        try {
            T result = answer.get(commandTimeout.toNanos(), TimeUnit.NANOSECONDS);
            breaker.onSuccess(System.nanoTime() - from, TimeUnit.NANOSECONDS);
            if (missed.compareAndSet(true, false)) {
                log.info("Attempts are counted in Redis again, for all nodes");
            }
            return result;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } catch (ExecutionException | TimeoutException e) {
            breaker.onError(System.nanoTime() - from, TimeUnit.NANOSECONDS, e);
            return null;
        }
    }

    /** One attempt at a time. The former connection ends, for it may be one whose other end has gone without a word. */
    private CompletableFuture<?> tryToConnect() {
        if (closed || !connecting.compareAndSet(false, true)) {
            return CompletableFuture.completedFuture(null);
        }
        triedAt = System.nanoTime();
        Connected former = connected;
        if (former != null) {
            connected = null;
            var unused = former.connection.closeAsync();
        }
        return client.connectAsync(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE), uri)
                .toCompletableFuture()
                .thenCompose(this::use)
                .whenComplete((done, failure) -> connecting.set(false));
    }

    /** A Redis that is connected may still be silent, or refuse; and the first call of a JVM takes its time. */
    private CompletableFuture<?> use(StatefulRedisConnection<String, byte[]> connection) {
        return take(new Connected(connection, buckets(connection, CONNECT_TIMEOUT)), List.of(probe), 0)
                .whenComplete((taken, failure) -> {
                    if (failure == null) {
                        connected = new Connected(connection, buckets(connection, commandTimeout));
                        breaker.reset();
                    } else {
                        var unused = connection.closeAsync();
                    }
                });
    }

    private AsyncProxyManager<String> buckets(StatefulRedisConnection<String, byte[]> connection, Duration timeout) {
        return Bucket4jLettuce.casBasedBuilder(connection)
                .clientClock(time)
                .requestTimeout(timeout)
                .expirationAfterWrite(ExpirationAfterWriteStrategy.basedOnTimeForRefillingBucketUpToMax(KEPT_WHEN_FULL))
                .build()
                .asAsync();
    }
}
