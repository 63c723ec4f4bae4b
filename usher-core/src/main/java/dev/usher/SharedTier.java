package dev.usher;

import dev.usher.Explanation.Guard;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
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

    /** How many keys Redis looks at before it lets others in again. */
    private static final int SCANNED = 1000;

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
    private final Runnable disconnected;
    private final ServerClock clock = new ServerClock();
    private final CurrentSession session = new CurrentSession();
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
     * @param disconnected is called, on an event loop, when the connection of the scripts is lost
     * @param batchSizes is told of how many reads are in each call
     */
    SharedTier(
            RedisURI uri,
            ClientOptions options,
            Duration commandTimeout,
            ScheduledExecutorService scheduler,
            Consumer<String> changed,
            Runnable disconnected,
            IntConsumer batchSizes) {
        this.uri = uri;
        this.commandTimeout = commandTimeout;
        this.scheduler = scheduler;
        this.changed = changed;
        this.disconnected = disconnected;
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
            failed("cannot be reached: " + reasonOf(e));
        }
    }

    /** The tracked session under way, or {@code null} while changes go unseen. */
    @Nullable Session session() {
        Session current = session.get();
        return current.isTracked() ? current : null;
    }

    /**
     * The session in which what Redis answers may be kept, or {@code null} when it may not be. To be asked for before the
     * read.
     */
    @Nullable Session sessionOfReads() {
        Session current = session.get();
        TrackedConnection connection = tracked;
        return current.isTracked() || (connection != null && connection.isRefused()) ? current : null;
    }

    /**
     * The session in which what the source answers in place of Redis may be kept, or {@code null} when it may not be: nobody
     * is told of a change of what he has not read from Redis. To be asked for before the read.
     */
    @Nullable Session sessionWithoutRedis() {
        Session current = session.get();
        return current.isTracked() ? null : current;
    }

    /**
     * What stands under some keys, over the connection whose reads are tracked.
     *
     * @return for each key the bytes, or {@code null} when there is nothing, or something else than a string
     */
    List<byte @Nullable []> getAll(List<String> keys) throws SharedTierException {
        BatchedReads current = reads;
        if (current == null) {
            throw notConnected();
        }
        return await(current.getAll(keys));
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
     * Asks for the right to load a missing entry, without waiting for the answer.
     *
     * @param token who asks: unique to this load
     * @param unreadable a value that could not be read, and is to be treated as missing
     */
    CompletableFuture<Claim> claim(String key, String token, byte @Nullable [] unreadable) {
        byte[][] arguments = unreadable == null
                ? arguments(token, LEASE, FENCE)
                : new byte[][] {bytes(token), bytes(LEASE), bytes(FENCE), unreadable};
        return this.<List<?>, Claim>run(
                GuardScript.CLAIM, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer)) {
                    case "stored" -> new Claim.Stored((byte[]) answer.get(1));
                    case "held" -> new Claim.Held(millis(answer.get(1)));
                    default -> new Claim.Granted(answer.size() > 1);
                });
    }

    /** What REFRESH answers. */
    sealed interface Refresh {

        /** There is no need, for this much longer. */
        record Later(Duration left) implements Refresh {}

        /** The caller may load, and replace this value, and no other. */
        @SuppressWarnings("ArrayRecordComponent")
        record Granted(byte[] value) implements Refresh {}

        /** There is nothing to refresh, or somebody else is loading already. */
        record Unneeded() implements Refresh {}
    }

    /**
     * Asks for the right to load an entry again that will soon be missing.
     *
     * @param token who asks: unique to this load
     * @param ahead how soon
     */
    Refresh refresh(String key, String token, Duration ahead) throws SharedTierException {
        byte[][] arguments = {bytes(token), bytes(LEASE), bytes(FENCE), bytes(ahead)};
        return await(this.<List<?>, Refresh>run(
                GuardScript.REFRESH, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer)) {
                    case "later" -> new Refresh.Later(millis(answer.get(1)));
                    case "granted" -> new Refresh.Granted((byte[]) answer.get(1));
                    default -> new Refresh.Unneeded();
                }));
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
        // A claim that cannot be renewed runs out, and the fill is then refused: nothing to handle here.
        var unused = isOne(GuardScript.RENEW, key, arguments(token, lease, FENCE));
    }

    /**
     * Stores a loaded value, if the claim is still held and nothing else stands there than when it was granted, without
     * waiting for the answer.
     *
     * @param replaced the value over which the claim was granted, or {@code null} when there was none
     */
    CompletableFuture<Boolean> fill(String key, String token, byte[] value, Duration ttl, byte @Nullable [] replaced) {
        byte[][] arguments = replaced == null
                ? new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE)}
                : new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE), replaced};
        return isOne(GuardScript.FILL, key, arguments);
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
        // The age is judged by the server, when it comes to it: a command may lie in the buffer of a frozen server
        // for longer than the fence lives that should have stopped it.
        OptionalLong readAtLeastAt = clock.leastAt(readAt);
        if (readAtLeastAt.isEmpty()) {
            return false;
        }
        long tooOldFrom = readAtLeastAt.getAsLong() + FENCE.toMillis();
        byte[][] arguments = {value, bytes(ttl), bytes(FENCE), bytes(Long.toString(tooOldFrom))};
        return await(isOne(GuardScript.OFFER, key, arguments));
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
    record Inspection(
            byte @Nullable [] value,
            boolean isOfAnotherType,
            @Nullable Duration left,
            Guard guard,
            @Nullable Duration guardLeft) {}

    /** Looks at a key without having it tracked. */
    Inspection inspect(String key) throws SharedTierException {
        RedisAsyncCommands<String, byte[]> redis = commands;
        if (redis == null) {
            throw notConnected();
        }
        String guard = KeySpace.guardOf(key);
        CompletableFuture<List<KeyValue<String, byte[]>>> values =
                redis.mget(key, guard).toCompletableFuture();
        CompletableFuture<Long> left = redis.pttl(key).toCompletableFuture();
        CompletableFuture<Long> guardLeft = redis.pttl(guard).toCompletableFuture();
        CompletableFuture<String> type = redis.type(key).toCompletableFuture();
        return await(CompletableFuture.allOf(values, left, guardLeft, type).thenApply(done -> {
            byte[] value = values.join().get(0).getValueOrElse(null);
            byte[] guarding = values.join().get(1).getValueOrElse(null);
            return new Inspection(
                    value,
                    value == null && !type.join().equals("none") && !type.join().equals("string"),
                    lifeOf(left.join()),
                    guardOf(guarding, guardLeft.join()),
                    lifeOf(guardLeft.join()));
        }));
    }

    /** A guard outlives its claim by the life of a fence, and is one then. */
    private static Guard guardOf(byte @Nullable [] guard, long pttl) {
        if (guard == null) {
            return Guard.NONE;
        }
        return guard.length > 1 && pttl > FENCE.toMillis() ? Guard.CLAIM : Guard.FENCE;
    }

    private static @Nullable Duration lifeOf(long pttl) {
        return pttl < 0 ? null : Duration.ofMillis(pttl);
    }

    /**
     * Marks a change, without waiting for the answer: drops the value, and refuses whatever was read before. Completed on the
     * connection's event loop, before the end of that connection can be.
     */
    CompletableFuture<?> sendFence(String key) {
        return isOne(GuardScript.FENCE, key, bytes(FENCE));
    }

    /**
     * Some of the keys in Redis.
     *
     * @param names of values, guards and others
     * @param cursor where the next ones begin
     * @param isLast whether there are no next ones
     */
    record Keys(List<String> names, String cursor, boolean isLast) {

        /** Where the first ones begin. */
        static final String START = "0";
    }

    /** Goes on through the keys whose names match a pattern, without waiting for the answer. */
    CompletableFuture<Keys> scan(String cursor, String pattern) {
        RedisAsyncCommands<String, byte[]> redis = commands;
        if (redis == null) {
            return CompletableFuture.failedFuture(notConnected());
        }
        return redis.scan(
                        ScanCursor.of(cursor), ScanArgs.Builder.matches(pattern).limit(SCANNED))
                .thenApply(found -> new Keys(found.getKeys(), found.getCursor(), found.isFinished()))
                .toCompletableFuture();
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
                disconnected.run();
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

    /** The fences are gone with all the rest, and rows that were read before may not be offered any more. */
    private void flushed() {
        clock.forget();
        RedisAsyncCommands<String, byte[]> redis = commands;
        if (redis != null) {
            var unused = lookAtClock(redis);
        }
    }

    private CompletionStage<?> useForReads(StatefulRedisConnection<String, byte[]> connected) {
        TrackedConnection connection = new TrackedConnection(connected, session, changed, this::flushed);
        reads = new BatchedReads(connected.async(), batchSizes);
        tracked = connection;
        var unused = scheduler.scheduleAtFixedRate(
                connection::beat, HEARTBEAT.toMillis(), HEARTBEAT.toMillis(), TimeUnit.MILLISECONDS);
        return connection.beat();
    }

    private CompletableFuture<Boolean> isOne(GuardScript script, String key, byte[]... arguments) {
        return this.<Long, Boolean>run(script, key, ScriptOutputType.INTEGER, arguments, answer -> answer == 1);
    }

    private <A, T> CompletableFuture<T> run(
            GuardScript script, String key, ScriptOutputType type, byte[][] arguments, Function<A, T> meaning) {
        RedisAsyncCommands<String, byte[]> redis = commands;
        if (redis == null) {
            return CompletableFuture.failedFuture(notConnected());
        }
        String[] keys = {key, KeySpace.guardOf(key)};
        CompletableFuture<A> bySha =
                redis.<A>evalsha(script.sha1(), type, keys, arguments).toCompletableFuture();
        CompletableFuture<T> answer = bySha.exceptionallyCompose(failure -> isNoScript(failure)
                        ? redis.eval(script.source(), type, keys, arguments)
                        : CompletableFuture.failedStage(failure))
                .thenApply(meaning);
        // Whoever gives up waiting must not find the script executed after a reconnect.
        var unused = answer.whenComplete((result, failure) -> {
            if (answer.isCancelled()) {
                bySha.cancel(true);
            }
        });
        return answer;
    }

    /** Waits for all answers together, no longer than for one. */
    <T> List<T> awaitAll(List<CompletableFuture<T>> commands) throws SharedTierException {
        CompletableFuture<?>[] all = commands.toArray(CompletableFuture[]::new);
        try {
            await(CompletableFuture.allOf(all));
        } catch (SharedTierException e) {
            commands.forEach(command -> command.cancel(true));
            throw e;
        }
        return commands.stream().map(CompletableFuture::join).toList();
    }

    /** Waits for an answer. The wait is too short to be broken off by an interrupt, which is passed on afterwards. */
    private <T> T await(CompletableFuture<T> command) throws SharedTierException {
        long until = System.nanoTime() + commandTimeout.toNanos();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    T answer = command.get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                    noteSuccess();
                    return answer;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (TimeoutException e) {
            command.cancel(true);
            throw failed("did not answer within " + commandTimeout.toMillis() + " ms");
        } catch (ExecutionException e) {
            throw e.getCause() instanceof SharedTierException known ? known : failed("failed: " + reasonOf(e));
        } catch (CancellationException e) {
            throw failed("was closed");
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

    private SharedTierException notConnected() {
        return failed("is not connected");
    }

    /** A line in the log now and then, not one for each call that fails. */
    private SharedTierException failed(String what) {
        var exception = new SharedTierException("Redis at " + address() + " " + what);
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
    static String reasonOf(@Nullable Throwable failure) {
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

    private static boolean isNoScript(Throwable failure) {
        return failure instanceof RedisNoScriptException || failure.getCause() instanceof RedisNoScriptException;
    }

    private static String word(List<?> answer) {
        return new String((byte[]) answer.get(0), StandardCharsets.US_ASCII);
    }

    private static Duration millis(Object answered) {
        return Duration.ofMillis((Long) answered);
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
