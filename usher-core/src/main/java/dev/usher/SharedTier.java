package dev.usher;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared tier: plain reads, and the scripts of the guard protocol, on one Redis.
 *
 * <p>Every call is answered or failed within the command timeout, unless it says that it does not wait. Thread-safe.
 */
final class SharedTier implements AutoCloseable {

    /** The life of a fence: whatever was read before a change is refused for at least this long after it. */
    static final Duration FENCE = Duration.ofSeconds(5);

    /** How long a claim lives without being renewed: the work of a dead node is taken over within a second. */
    static final Duration LEASE = Duration.ofMillis(800);

    private static final Logger log = LoggerFactory.getLogger(SharedTier.class);

    private static final Duration HEARTBEAT = Duration.ofMillis(100);
    /** How often the server's clock is looked at. */
    private static final Duration LOOK = Duration.ofSeconds(10);

    /** How often trouble is logged while it lasts. */
    private static final Duration WARNING = Duration.ofSeconds(10);

    private static final Duration FIRST_RECONNECT = Duration.ofMillis(50);
    private static final Duration SLOWEST_RECONNECT = Duration.ofSeconds(1);
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);

    /** What an operator looks for; inside a script it stands behind other words. */
    private static final Pattern ERROR_CODE = Pattern.compile(
            "\\b(OOM|READONLY|NOPERM|NOAUTH|WRONGPASS|MISCONF|LOADING|NOREPLICAS|BUSY|MASTERDOWN|CLUSTERDOWN)\\b");

    private final ClientResources resources;
    private final RedisClient client;
    private final RedisURI uri;
    private final Duration commandTimeout;
    private final ScheduledExecutorService scheduler;
    private final Consumer<String> changed;
    private final ServerClock clock = new ServerClock();
    private final AtomicLong nextWarningAt = new AtomicLong(System.nanoTime());
    private volatile boolean failing;
    private volatile boolean warned;
    private final IntConsumer batchSizes;
    private volatile @Nullable RedisAsyncCommands<String, byte[]> commands;
    private volatile @Nullable TrackedConnection tracked;
    private volatile @Nullable BatchedReads reads;

    /**
     * Not yet connected.
     *
     * @param changed is called, on an event loop, with each key that has changed since it was read
     * @param batchSizes is told of how many reads are in each call
     */
    SharedTier(
            RedisURI uri,
            ClientOptions options,
            Duration commandTimeout,
            ScheduledExecutorService scheduler,
            Consumer<String> changed,
            IntConsumer batchSizes) {
        this.uri = uri;
        this.commandTimeout = commandTimeout;
        this.scheduler = scheduler;
        this.changed = changed;
        this.batchSizes = batchSizes;
        this.resources = ClientResources.builder()
                .reconnectDelay(Delay.fullJitter(FIRST_RECONNECT, SLOWEST_RECONNECT, 50, TimeUnit.MILLISECONDS))
                .build();
        this.client = RedisClient.create(resources, uri);
        SocketOptions socketOptions = options.getSocketOptions();
        client.setOptions(options.mutate()
                .autoReconnect(true)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(
                        socketOptions.mutate().connectTimeout(CONNECT_TIMEOUT).build())
                .build());
    }

    /** Connects, and waits until the connections stand or the first attempt has failed. */
    void open() {
        try {
            CompletableFuture.allOf(
                            connect(this::useForCommands).toCompletableFuture(),
                            connect(this::useForReads).toCompletableFuture())
                    .get(CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            failed("cannot be reached: " + reasonOf(e), null);
        }
    }

    /** The session under way, or {@code null} while changes go unseen. */
    @Nullable Session session() {
        TrackedConnection current = tracked;
        return current == null ? null : current.session();
    }

    /**
     * The session to read in if what is read is to be answered from memory, or {@code null} when it cannot be. To be asked
     * for before the read.
     */
    @Nullable Session sessionToReadIn() {
        TrackedConnection current = tracked;
        return current == null ? null : current.sessionToReadIn();
    }

    /**
     * What stands under a key, over the connection whose reads are tracked.
     *
     * @return the bytes, or {@code null} when there is nothing, or something else than a string
     */
    byte @Nullable [] get(String key) throws SharedTierException {
        BatchedReads current = reads;
        if (current == null) {
            throw failed("is not connected", null);
        }
        try {
            return await(current.get(key));
        } catch (SharedTierException e) {
            if (isWrongType(e.getCause())) {
                return null;
            }
            throw e;
        }
    }

    /** What CLAIM answers. */
    sealed interface Claim {

        /** Somebody else has stored a value meanwhile. */
        @SuppressWarnings("ArrayRecordComponent")
        record Stored(byte[] value) implements Claim {}

        /**
         * The caller may load.
         *
         * @param overAnotherType whether something else than a string stands where the value should be
         */
        record Granted(boolean overAnotherType) implements Claim {}

        /** Somebody else is loading, and holds the claim for this much longer unless it is renewed. */
        record Held(Duration left) implements Claim {}
    }

    /**
     * Asks for the right to load a missing entry.
     *
     * @param token who asks: unique to this load
     * @param unreadable a value that could not be read, and is to be treated as missing
     */
    Claim claim(String key, String token, byte @Nullable [] unreadable) throws SharedTierException {
        byte[][] arguments = unreadable == null
                ? arguments(token, LEASE, FENCE)
                : new byte[][] {bytes(token), bytes(LEASE), bytes(FENCE), unreadable};
        List<?> answer = await(this.<List<?>>run(GuardScript.CLAIM, key, ScriptOutputType.MULTI, arguments));
        String word = new String((byte[]) answer.get(0), StandardCharsets.US_ASCII);
        return switch (word) {
            case "stored" -> new Claim.Stored((byte[]) answer.get(1));
            case "held" -> new Claim.Held(Duration.ofMillis((Long) answer.get(1)));
            default -> new Claim.Granted(answer.size() > 1);
        };
    }

    /** Renews a claim, if it is still held, without waiting for the answer. */
    void renew(String key, String token) {
        renew(key, token, LEASE);
    }

    /** Gives a claim up, if it is still held, without waiting for the answer. */
    void release(String key, String token) {
        renew(key, token, Duration.ZERO);
    }

    private void renew(String key, String token, Duration lease) {
        try {
            // A claim that cannot be renewed runs out, and the fill is then refused: nothing to handle here.
            var unused = run(GuardScript.RENEW, key, ScriptOutputType.INTEGER, arguments(token, lease, FENCE));
        } catch (SharedTierException e) {
            log.debug("The claim on {} was not renewed", key, e);
        }
    }

    /**
     * Stores a loaded value, if the claim is still held and nothing else has been stored.
     *
     * @param unreadable the value under which the claim was granted, if there was one that could not be read
     */
    boolean fill(String key, String token, byte[] value, Duration ttl, byte @Nullable [] unreadable)
            throws SharedTierException {
        byte[][] arguments = unreadable == null
                ? new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE)}
                : new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE), unreadable};
        return isOne(await(run(GuardScript.FILL, key, ScriptOutputType.INTEGER, arguments)));
    }

    /**
     * Stores a row that was read without a claim, if no change can have been missed.
     *
     * <p>Refused as well is a row that was read before the server's clock was first looked at over the connection that
     * stands: the server may have lost its fences since, or be another one.
     *
     * @param readAt a moment of {@link System#nanoTime()} not later than the query
     */
    boolean offer(String key, byte[] value, Duration ttl, long readAt) throws SharedTierException {
        // The age is judged by the server, when it comes to it: a command may lie in a frozen server's buffer for
        // longer
        // than the fence that should have stopped it lives.
        OptionalLong readAtLeastAt = clock.leastAt(readAt);
        if (readAtLeastAt.isEmpty()) {
            return false;
        }
        long tooOldFrom = readAtLeastAt.getAsLong() + FENCE.toMillis();
        byte[][] arguments = {value, bytes(ttl), bytes(FENCE), bytes(Long.toString(tooOldFrom))};
        return isOne(await(run(GuardScript.OFFER, key, ScriptOutputType.INTEGER, arguments)));
    }

    /** Marks a change: drops the value, and refuses whatever was read before. */
    void fence(String key) throws SharedTierException {
        await(sendFence(key));
    }

    /** Sends a fence without waiting. */
    CompletableFuture<?> sendFence(String key) throws SharedTierException {
        return run(GuardScript.FENCE, key, ScriptOutputType.INTEGER, bytes(FENCE));
    }

    /** Whether the last call of Redis has failed. */
    boolean isFailing() {
        return failing;
    }

    @Override
    public void close() {
        try {
            client.shutdown(0, 2, TimeUnit.SECONDS);
        } finally {
            resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
        }
    }

    private CompletionStage<?> connect(Function<StatefulRedisConnection<String, byte[]>, CompletionStage<?>> use) {
        // Once a connection stands, Lettuce restores it by itself; a first one that fails, nobody tries again but us.
        return client.connectAsync(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE), uri)
                .whenComplete((connected, failure) -> {
                    if (failure != null) {
                        var unused = scheduler.schedule(
                                () -> connect(use), SLOWEST_RECONNECT.toMillis(), TimeUnit.MILLISECONDS);
                    }
                })
                .thenCompose(connected -> use.apply(connected).thenApply(any -> connected));
    }

    private CompletionStage<?> useForCommands(StatefulRedisConnection<String, byte[]> connected) {
        connected.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                // Who answers next may have lost the fences, or be another server with another clock.
                clock.forget();
            }

            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress address) {
                scheduler.execute(() -> lookAtClock(connected.async()));
            }
        });
        commands = connected.async();
        var unused = scheduler.scheduleAtFixedRate(
                () -> lookAtClock(connected.async()), LOOK.toMillis(), LOOK.toMillis(), TimeUnit.MILLISECONDS);
        return lookAtClock(connected.async());
    }

    /** Completed on the connection's event loop, before the end of that connection can be. */
    private CompletionStage<?> lookAtClock(RedisAsyncCommands<String, byte[]> redis) {
        return redis.time().whenComplete((time, failure) -> {
            if (failure == null) {
                clock.look(time, System.nanoTime());
            }
        });
    }

    private CompletionStage<?> useForReads(StatefulRedisConnection<String, byte[]> connected) {
        TrackedConnection connection = new TrackedConnection(connected, changed);
        reads = new BatchedReads(connected.async(), batchSizes);
        tracked = connection;
        var unused = scheduler.scheduleAtFixedRate(
                connection::beat, HEARTBEAT.toMillis(), HEARTBEAT.toMillis(), TimeUnit.MILLISECONDS);
        return connection.beat();
    }

    private RedisAsyncCommands<String, byte[]> commands() throws SharedTierException {
        RedisAsyncCommands<String, byte[]> current = commands;
        if (current == null) {
            throw failed("is not connected", null);
        }
        return current;
    }

    private <T> CompletableFuture<T> run(GuardScript script, String key, ScriptOutputType type, byte[]... arguments)
            throws SharedTierException {
        RedisAsyncCommands<String, byte[]> commands = commands();
        String[] keys = {key, KeySpace.guardOf(key)};
        CompletableFuture<T> bySha =
                commands.<T>evalsha(script.sha1(), type, keys, arguments).toCompletableFuture();
        CompletableFuture<T> answer = bySha.exceptionallyCompose(failure -> isNoScript(failure)
                ? commands.eval(script.source(), type, keys, arguments)
                : CompletableFuture.failedStage(failure));
        // Whoever gives up waiting must not find the script executed after a reconnect.
        var unused = answer.whenComplete((result, failure) -> {
            if (answer.isCancelled()) {
                bySha.cancel(true);
            }
        });
        return answer;
    }

    /** Waits for an answer. The wait is too short to be broken off by an interrupt, which is passed on afterwards. */
    private <T> T await(CompletionStage<T> command) throws SharedTierException {
        CompletableFuture<T> future = command.toCompletableFuture();
        long until = System.nanoTime() + commandTimeout.toNanos();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    T answer = future.get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                    noteSuccess();
                    return answer;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (TimeoutException e) {
            future.cancel(true);
            throw failed("did not answer within " + commandTimeout.toMillis() + " ms", null);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            if (isWrongType(cause)) {
                noteSuccess();
                throw new SharedTierException("The key holds another type", cause);
            }
            throw failed("failed: " + reasonOf(cause), null);
        } catch (CancellationException e) {
            throw failed("was closed", null);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void noteSuccess() {
        if (failing) {
            failing = false;
            // Not while it answers one call and refuses the next.
            if (warned && System.nanoTime() - nextWarningAt.get() > 0) {
                warned = false;
                log.info("Redis at {} answers again", address());
            }
        }
    }

    /** A line in the log now and then, not one for each call that fails. */
    private SharedTierException failed(String what, @Nullable Throwable cause) {
        var exception = new SharedTierException("Redis at " + address() + " " + what, cause);
        failing = true;
        long now = System.nanoTime();
        long due = nextWarningAt.get();
        if (now - due >= 0 && nextWarningAt.compareAndSet(due, now + WARNING.toNanos())) {
            warned = true;
            log.warn("{}; the source answers instead", exception.getMessage());
        }
        return exception;
    }

    /** What went wrong, without the texts of Redis: they quote the arguments of the command, and so the user. */
    private static String reasonOf(@Nullable Throwable failure) {
        String reason = "unknown";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof RedisCommandExecutionException) {
                String message = String.valueOf(cause.getMessage());
                Matcher code = ERROR_CODE.matcher(message);
                return code.find() ? code.group() : message.split(" ", 2)[0];
            }
            reason = cause.getClass().getSimpleName();
        }
        return reason;
    }

    private String address() {
        return uri.getHost() + ":" + uri.getPort();
    }

    private static boolean isWrongType(@Nullable Throwable failure) {
        return failure instanceof RedisCommandExecutionException refused
                && String.valueOf(refused.getMessage()).startsWith("WRONGTYPE");
    }

    private static boolean isNoScript(Throwable failure) {
        return failure instanceof RedisNoScriptException || failure.getCause() instanceof RedisNoScriptException;
    }

    private static boolean isOne(Object answer) {
        return Long.valueOf(1).equals(answer);
    }

    private static byte[][] arguments(String token, Duration lease, Duration fence) {
        return new byte[][] {bytes(token), bytes(lease), bytes(fence)};
    }

    private static byte[] bytes(Duration duration) {
        return bytes(Long.toString(duration.toMillis()));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
