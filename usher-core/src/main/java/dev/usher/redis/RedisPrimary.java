package dev.usher.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.event.connection.ReconnectFailedEvent;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.handler.flush.FlushConsolidationHandler;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;

/**
 * One Redis server that takes writes: its two connections and what is known of them, the session of the reads that it tracks, its clock, and how
 * it makes room.
 *
 * <p>Every call is answered or failed within the command timeout, unless it says that it does not wait. Thread-safe.
 */
public final class RedisPrimary implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(RedisPrimary.class);

    private static final Duration HEARTBEAT = Duration.ofMillis(100);

    /** How often the server's clock is looked at. */
    private static final Duration LOOK = Duration.ofSeconds(10);

    /** How often Redis is asked how it makes room. */
    private static final Duration EVICTION_LOOK = Duration.ofMinutes(1);

    /** How many commands may wait for each other before they are sent. */
    private static final int MAX_UNFLUSHED = 256;

    /** How many keys Redis looks at before it lets others in again. */
    private static final int SCANNED = 1000;

    /** What {@code PTTL} answers where there is no key. */
    private static final long NO_KEY = -2;

    private static final Pattern CLAIM = Pattern.compile("\\S+ \\d+");

    private static final Duration FIRST_RECONNECT = Duration.ofMillis(50);
    private static final Duration SLOWEST_RECONNECT = Duration.ofMillis(500);
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);

    private final ClientResources resources;
    private final RedisClient client;
    private final Disposable failedAttempts;
    private final RedisURI uri;
    private final ScheduledExecutorService scheduler;
    private final Listener listener;
    private final IntConsumer batchSizes;
    private final RedisErrorLog errorLog;
    private final RedisLink readLink;
    private final RedisLink scriptLink;
    private final NodeRegister register;
    private final TenantRegisters tenants;
    private final ServerClock clock = new ServerClock();
    private final InstantSource ownClock;
    private final LongSupplier nanoTime;

    /** By the clock of Redis, and by that of this machine. */
    private final PauseDetector pauses = new PauseDetector();

    private final PauseDetector sleeps = new PauseDetector();
    private final GuardProtocol guards;
    private final CurrentSession session = new CurrentSession();
    private volatile @Nullable Eviction eviction;
    private volatile ServerRole role = ServerRole.PRIMARY;
    private volatile @Nullable TrackedConnection tracked;
    private volatile @Nullable BatchedReads reads;

    /** What is told of a primary. Each call comes on an event loop. */
    public interface Listener {

        /** What stands under this key has changed since it was read. */
        void changed(String key);

        /** A push could not be understood: any key may have changed, and nothing that was read before is answered any more. */
        void notUnderstood(RuntimeException failure);

        /** The connection of the scripts is lost: what this primary had confirmed of late may be lost as well. */
        void disconnected(RedisPrimary primary);
    }

    /**
     * Not yet connected.
     *
     * @param keyPrefix what all keys begin with
     * @param node this process's name in the register of nodes
     * @param batchSizes is told of how many reads are in each call
     */
    RedisPrimary(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            IntConsumer batchSizes,
            Listener listener) {
        this.uri = settings.uri();
        this.scheduler = scheduler;
        this.listener = listener;
        this.batchSizes = batchSizes;
        this.errorLog = new RedisErrorLog(settings.uri());
        this.readLink = new RedisLink(settings.commandTimeout(), scheduler, errorLog);
        this.scriptLink = new RedisLink(settings.commandTimeout(), scheduler, errorLog, this::lookForPause);
        this.ownClock = settings.clock();
        this.nanoTime = settings.nanoTime();
        this.guards = new GuardProtocol(scriptLink, clock);
        this.register = new NodeRegister(
                keyPrefix,
                node,
                settings.times().registerLife(),
                settings.times().markLife(),
                scriptLink);
        this.tenants = new TenantRegisters(
                keyPrefix, scriptLink, session, settings.times().markLife());
        Duration silence = settings.times().silence().compareTo(settings.commandTimeout()) > 0
                ? settings.times().silence()
                : settings.commandTimeout();
        ClientOptions options = settings.clientOptions();
        ClientOptions connecting = options.mutate()
                .autoReconnect(true)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(options.getSocketOptions()
                        .mutate()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build())
                .build();
        this.resources = ClientResources.builder()
                .reconnectDelay(Delay.fullJitter(FIRST_RECONNECT, SLOWEST_RECONNECT, 50, TimeUnit.MILLISECONDS))
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // What callers write at the same time goes out together, and Redis finds it together.
                        channel.pipeline()
                                .addFirst(
                                        new SilenceHandler(silence),
                                        new FlushConsolidationHandler(MAX_UNFLUSHED, true));
                    }
                })
                .build();
        try {
            this.client = RedisClient.create(resources, settings.uri());
            client.setOptions(connecting);
            // Of a connection that is restored, the client library tells by events alone why it is not.
            this.failedAttempts = resources.eventBus().get().subscribe(event -> {
                if (event instanceof ReconnectFailedEvent failed) {
                    readLink.attemptFailed(failed.getCause());
                    scriptLink.attemptFailed(failed.getCause());
                }
            });
        } catch (Throwable e) {
            Closing.after(e, this::closeResources);
            throw e;
        }
    }

    /** Connects, and waits until the connections stand or the first attempt has failed. */
    void open() {
        if (RedisErrorLog.isNamedBySentinels(uri)) {
            log.warn(
                    "Redis is named by its Sentinels, which usher does not support: they are asked for the primary whenever a"
                            + " connection is made, and a failover without the loss of a connection goes unnoticed. Name the primary"
                            + " itself, as in redis://host:6379");
        }
        every(HEARTBEAT, this::lookForSleep);
        try {
            // In the register first: nothing is kept in memory before.
            CompletableFuture<?> scripts =
                    scriptLink.connect(client, uri, this::useForScripts).toCompletableFuture();
            CompletableFuture.allOf(
                            scripts,
                            scripts.handle((connected, failure) -> null)
                                    .thenCompose(any -> readLink.connect(client, uri, this::useForReads)))
                    .get(CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            readLink.attemptFailed(e);
            scriptLink.attemptFailed(e);
            var unused = errorLog.failed("cannot be reached: " + RedisErrorLog.reasonOf(e));
        }
    }

    /** The tracked session under way, or {@code null} while changes go unseen. */
    @Nullable Session session() {
        Session current = session.get();
        return current.isTracked() ? current : null;
    }

    /**
     * The session in which what Redis answers may be cached in memory, or {@code null} when it may not be. To be asked for before
     * the read.
     */
    @Nullable Session sessionOfReads() {
        Session current = session.get();
        TrackedConnection connection = tracked;
        return current.isTracked() || (connection != null && connection.isRefused()) ? current : null;
    }

    /**
     * The session in which what the source answers in place of Redis may be cached, or {@code null} when it may not be: in a tracked session
     * Redis only tells of changes of keys that this connection has read. To be asked for before the read.
     */
    @Nullable Session sessionWithoutRedis() {
        Session current = session.get();
        return current.isTracked() ? null : current;
    }

    /**
     * What stands under a key, over the connection whose reads are tracked.
     *
     * @return the bytes, or {@code null} when there is nothing, or something else than a string
     */
    byte @Nullable [] get(String key) throws SharedTierException {
        return readLink.<byte @Nullable []>await(readsToWaitFor().get(key));
    }

    /** As {@link #get} for each key, in one round trip. */
    List<byte @Nullable []> getAll(List<String> keys) throws SharedTierException {
        return readLink.await(readsToWaitFor().getAll(keys));
    }

    private BatchedReads readsToWaitFor() throws SharedTierException {
        readLink.requireAsked();
        BatchedReads current = reads;
        if (current == null) {
            throw readLink.failed(readLink.notConnected());
        }
        return current;
    }

    /**
     * What stands under a key and beside it.
     *
     * @param value the bytes, or {@code null} when there is no string
     * @param isOfAnotherType whether there is something else than a string
     * @param left the life it has left, or {@code null} when there is no end to it
     * @param guard what the guard says
     * @param guardLeft the life the guard has left
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Inspection(
            byte @Nullable [] value,
            boolean isOfAnotherType,
            @Nullable Duration left,
            GuardState guard,
            @Nullable Duration guardLeft) {}

    /** Looks at a key without having it tracked. */
    Inspection inspect(String key) throws SharedTierException {
        RedisAsyncCommands<String, byte[]> redis = scriptLink.commandsToWaitFor();
        String guard = KeySpace.guardOf(key);
        CompletableFuture<List<KeyValue<String, byte[]>>> values =
                redis.mget(key, guard).toCompletableFuture();
        CompletableFuture<Long> left = redis.pttl(key).toCompletableFuture();
        CompletableFuture<Long> guardLeft = redis.pttl(guard).toCompletableFuture();
        CompletableFuture<String> type = redis.type(key).toCompletableFuture();
        return scriptLink.await(CompletableFuture.allOf(values, left, guardLeft, type)
                .thenApply(done -> {
                    byte[] value = values.join().get(0).getValueOrElse(null);
                    byte[] guarding = values.join().get(1).getValueOrElse(null);
                    return new Inspection(
                            value,
                            value == null
                                    && !type.join().equals("none")
                                    && !type.join().equals("string"),
                            lifeOf(left.join()),
                            guardOf(guarding, guardLeft.join()),
                            lifeOf(guardLeft.join()));
                }));
    }

    /** A guard outlives its claim by the life of a fence, and is one then; so is a guard that usher has not written. */
    private static GuardState guardOf(byte @Nullable [] guard, long pttl) {
        if (guard == null) {
            return pttl == NO_KEY ? GuardState.NONE : GuardState.FENCE;
        }
        long fence = GuardProtocol.FENCE.toMillis();
        boolean isTimely = pttl > fence && pttl <= fence + GuardProtocol.LEASE.toMillis();
        return isTimely
                        && CLAIM.matcher(new String(guard, StandardCharsets.ISO_8859_1))
                                .matches()
                ? GuardState.CLAIM
                : GuardState.FENCE;
    }

    private static @Nullable Duration lifeOf(long pttl) {
        return pttl < 0 ? null : Duration.ofMillis(pttl);
    }

    /**
     * Some of the keys in Redis.
     *
     * @param names of values, guards and others
     * @param cursor where the next ones begin
     * @param isLast whether there are no next ones
     */
    public record Keys(List<String> names, String cursor, boolean isLast) {

        /** Where the first ones begin. */
        public static final String START = "0";
    }

    /** Goes on through the keys whose names match a pattern, without waiting for the answer. */
    public CompletableFuture<Keys> scan(String cursor, String pattern) {
        RedisAsyncCommands<String, byte[]> redis;
        try {
            redis = scriptLink.commands();
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
        return redis.scan(
                        ScanCursor.of(cursor), ScanArgs.Builder.matches(pattern).limit(SCANNED))
                .thenApply(found -> new Keys(found.getKeys(), found.getCursor(), found.isFinished()))
                .toCompletableFuture();
    }

    /** Whether the last call of either kind has failed. */
    boolean isFailing() {
        return readLink.isFailing() || scriptLink.isFailing();
    }

    /** How Redis is doing, as far as is known without asking. */
    RedisState state() {
        if (!readLink.isConnected() || !scriptLink.isConnected()) {
            return RedisState.UNREACHABLE;
        }
        if (readLink.isLeftAlone() || scriptLink.isLeftAlone()) {
            return RedisState.SILENT;
        }
        return readLink.hasFailedLately() || scriptLink.hasFailedLately() ? RedisState.FAILING : RedisState.ANSWERING;
    }

    /** How many callers wait for a read, about. */
    int waitingForReads() {
        return readLink.waiting();
    }

    /** Whether Redis has no way to tell of changes. */
    boolean isResp2Only() {
        TrackedConnection connection = tracked;
        return connection != null && connection.isResp2Only();
    }

    /** What is wrong with Redis, in words without any of a user, or {@code null} while it answers. */
    @Nullable String lastError() {
        if (state() == RedisState.ANSWERING) {
            return null;
        }
        if (!scriptLink.isConnected()) {
            return scriptLink.notConnected();
        }
        if (!readLink.isConnected()) {
            return readLink.notConnected();
        }
        // An idle node has asked for nothing but the pulse.
        return readLink.isLeftAlone() || scriptLink.isLeftAlone() ? RedisLink.NOT_ASKED : errorLog.latest();
    }

    /** How Redis makes room when its memory is full, or {@code null} while that is not known. */
    @Nullable Eviction eviction() {
        return eviction;
    }

    /** By which old values are kept out of this Redis. */
    public GuardProtocol guards() {
        return guards;
    }

    /** The nodes that share this Redis. */
    NodeRegister register() {
        return register;
    }

    /** The registers of tenants that this node answers for. */
    TenantRegisters tenants() {
        return tenants;
    }

    /** Ends the session for good: from now on nothing that was read is answered again. */
    void endSessions() {
        session.close();
    }

    @Override
    public void close() {
        // The client library waits for its own end, and would leave it to itself.
        boolean interrupted = Thread.interrupted();
        Closing closing = new Closing()
                .step(session::close)
                .step(failedAttempts::dispose)
                .step(() -> client.shutdown(0, 2, TimeUnit.SECONDS))
                .step(this::closeResources);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        closing.end();
    }

    private void closeResources() {
        resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }

    private CompletionStage<?> useForScripts(StatefulRedisConnection<String, byte[]> connected) {
        connected.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                // The next server at this address may have lost the fences, or be another one with another clock.
                clock.forget();
                pauses.forget();
                listener.disconnected(RedisPrimary.this);
            }

            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress address) {
                scheduler.execute(() -> {
                    var unused = lookAtClock(connected.async());
                    lookAtEviction(connected.async());
                    lookAtRole(connected.async());
                });
            }
        });
        lookAtRole(connected.async());
        lookAtEviction(connected.async());
        every(EVICTION_LOOK, () -> lookAtEviction(connected.async()));
        every(LOOK, () -> lookAtClock(connected.async()));
        return lookAtClock(connected.async()).thenCombine(register.register(), (looked, registered) -> null);
    }

    /** Completed on the connection's event loop, before the end of that connection can be. */
    private CompletionStage<?> lookAtClock(RedisAsyncCommands<String, byte[]> redis) {
        return redis.time().whenComplete((time, failure) -> {
            if (failure == null) {
                clock.sample(time, System.nanoTime());
            }
        });
    }

    /** The pulse of the scripts: it finds this machine behind the clock of Redis when that was paused. */
    private CompletionStage<?> lookForPause(RedisAsyncCommands<String, byte[]> redis) {
        long askedAt = nanoTime.getAsLong();
        return redis.time().thenAccept(time -> {
            long shown = ServerClock.millisOf(time);
            if (shown != ServerMoment.UNKNOWN && pauses.detect(shown, askedAt, nanoTime.getAsLong())) {
                distrust();
            }
        });
    }

    /** As {@link #lookForPause}, without waiting for Redis, where the clock of this machine has been put right. */
    private void lookForSleep() {
        long askedAt = nanoTime.getAsLong();
        long shown = ownClock.millis();
        if (sleeps.detect(shown, askedAt, nanoTime.getAsLong())) {
            distrust();
        }
    }

    private void distrust() {
        log.debug(
                "This machine was paused, or a clock was set: nothing is answered from memory until Redis has sent the changes");
        session.distrust(System.nanoTime());
    }

    private void lookAtEviction(RedisAsyncCommands<String, byte[]> redis) {
        var unused = redis.info("memory").thenAccept(info -> {
            Eviction before = eviction;
            Eviction now = Eviction.parse(info);
            eviction = now;
            if (now != null && now.takesYoungGuards() && !now.equals(before)) {
                log.warn(
                        "The maxmemory-policy {} of this Redis may evict a guard that was written a moment ago: a login may then"
                                + " store a row from before a change. Choose allkeys-lru, allkeys-lfu or noeviction",
                        now.policy());
            }
        });
    }

    private void lookAtRole(RedisAsyncCommands<String, byte[]> redis) {
        var unused = redis.info("server").thenCombine(redis.info("replication"), (server, replication) -> {
            ServerRole before = role;
            ServerRole now = ServerRole.parse(server + replication);
            role = now;
            if (now != before && now.advice() != null) {
                log.warn(
                        "Redis at {} is {}, with spring.data.redis.host and spring.data.redis.port, with spring.data.redis.url,"
                                + " or with redis(…) of UserCaches.builder()",
                        errorLog.address(),
                        now.advice());
            }
            return now;
        });
    }

    /** The fences are gone with all the rest, and rows that were read before may not be offered any more. */
    public void flushed() {
        clock.forget();
        try {
            var unused = lookAtClock(scriptLink.commands());
        } catch (SharedTierException e) {
            log.debug("The clock of Redis cannot be read: {}", e.getMessage());
        }
    }

    private CompletionStage<?> useForReads(StatefulRedisConnection<String, byte[]> connected) {
        TrackedConnection connection =
                new TrackedConnection(connected, readLink, register, tenants, session, listener, this::flushed);
        reads = new BatchedReads(connected.async(), batchSizes);
        tracked = connection;
        every(HEARTBEAT, connection::beat);
        return connection.beat();
    }

    private void every(Duration period, Runnable task) {
        Runnable safely = () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                // Otherwise it would never be run again.
                log.debug("A periodic task has failed, and is run again", e);
            }
        };
        var unused = scheduler.scheduleAtFixedRate(safely, period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
    }
}
