package dev.usher.redis;

import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The guard protocol, spoken with one Redis: which node may load what is missing, and what may be stored without being old. Each call is
 * one script, which Redis runs as a whole.
 *
 * <p>Every call is answered or failed within the command timeout, unless it says that it does not wait. Thread-safe.
 */
public final class GuardProtocol {

    /** The life of a fence: whatever was read before a change is refused for at least this long after it. */
    public static final Duration FENCE = Duration.ofSeconds(5);

    /** How long a claim lives without being renewed: the work of a dead node is taken over within a second. */
    public static final Duration LEASE = Duration.ofMillis(800);

    /** How long an absence is stored that only the nodes need which wait for it: they are told of it at once. */
    private static final Duration AWAITED_ABSENCE = Duration.ofSeconds(1);

    /** Of a claim that was granted where there was neither a value nor a guard. */
    private static final String FREE = "FREE";

    private final RedisLink link;
    private final ServerClock clock;

    /**
     * Over a link.
     *
     * @param clock the server's, as it is known from looks over that link
     */
    GuardProtocol(RedisLink link, ServerClock clock) {
        this.link = link;
        this.clock = clock;
    }

    /** What CLAIM answers. */
    public sealed interface Claim {

        /** Another process has stored a value meanwhile. */
        @SuppressWarnings("ArrayRecordComponent")
        record Stored(byte[] value) implements Claim {}

        /**
         * The caller may load.
         *
         * @param overAnotherType whether something else than a string stands where the value should be
         * @param overNothing whether there was neither a value nor a guard
         */
        record Granted(boolean overAnotherType, boolean overNothing) implements Claim {}

        /**
         * Another is loading.
         *
         * @param left how much longer it holds the claim unless it is renewed, a lease at most
         * @param token under which it holds the claim, which stays the same while that is renewed
         */
        record Held(Duration left, String token) implements Claim {}
    }

    /**
     * Asks for the right to load a missing entry, without waiting for the answer.
     *
     * @param token of the caller, unique to this load
     * @param unreadable a value that could not be read, and is to be treated as missing
     */
    public CompletableFuture<Claim> claim(String key, String token, byte @Nullable [] unreadable) {
        byte[][] arguments = unreadable == null
                ? arguments(token, LEASE, FENCE)
                : new byte[][] {bytes(token), bytes(LEASE), bytes(FENCE), unreadable};
        return this.<List<?>, Claim>run(
                GuardScript.CLAIM, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer, 0)) {
                    case "stored" -> new Claim.Stored((byte[]) answer.get(1));
                    case "held" -> new Claim.Held(millis(answer.get(1)), word(answer, 2));
                    default -> {
                        String over = answer.size() > 1 ? word(answer, 1) : "";
                        yield new Claim.Granted(over.equals("WRONGTYPE"), over.equals(FREE));
                    }
                });
    }

    /** What REFRESH answers. */
    public sealed interface Refresh {

        /** There is no need, for this much longer. */
        record Later(Duration left) implements Refresh {}

        /** The caller may load, and replace this value, and no other. */
        @SuppressWarnings("ArrayRecordComponent")
        record Granted(byte[] value) implements Refresh {}

        /** There is nothing to refresh, or another process is loading already. */
        record Unneeded() implements Refresh {}
    }

    /**
     * Asks for the right to load an entry again that will soon be missing.
     *
     * @param token of the caller, unique to this load
     * @param ahead how soon
     */
    public Refresh refresh(String key, String token, Duration ahead) throws SharedTierException {
        byte[][] arguments = {bytes(token), bytes(LEASE), bytes(FENCE), bytes(ahead)};
        return link.await(this.<List<?>, Refresh>run(
                GuardScript.REFRESH, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer, 0)) {
                    case "later" -> new Refresh.Later(millis(answer.get(1)));
                    case "granted" -> new Refresh.Granted((byte[]) answer.get(1));
                    default -> new Refresh.Unneeded();
                }));
    }

    /** Renews a claim, if it is still held, without waiting for the answer. */
    public void renew(String key, String token) {
        // A claim that cannot be renewed runs out, and the fill is then refused: nothing to handle here.
        var unused = isOne(GuardScript.RENEW, key, arguments(token, LEASE, FENCE));
    }

    /**
     * Gives a claim up, if it is still held, without waiting for the answer.
     *
     * @param overNothing whether the claim is known to have been granted over nothing, so that no guard needs to stay
     */
    public void release(String key, String token, boolean overNothing) {
        byte[][] arguments = overNothing
                ? new byte[][] {bytes(token), bytes(Duration.ZERO), bytes(FENCE), bytes(FREE)}
                : arguments(token, Duration.ZERO, FENCE);
        var unused = isOne(GuardScript.RENEW, key, arguments);
    }

    /**
     * Stores a loaded value, if the claim is still held and nothing else stands there than when it was granted, without
     * waiting for the answer.
     *
     * @param replaced the value over which the claim was granted, or {@code null} when there was none
     */
    public CompletableFuture<Fill> fill(
            String key, String token, byte[] value, Duration ttl, byte @Nullable [] replaced) {
        byte[][] arguments = replaced == null
                ? new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE)}
                : new byte[][] {bytes(token), value, bytes(ttl), bytes(FENCE), replaced};
        return isOne(GuardScript.FILL, key, arguments).thenApply(stored -> stored ? Fill.STORED : Fill.REFUSED);
    }

    /** What has become of what a claimant has found. */
    public enum Fill {
        STORED,

        /** It is not stored, and nothing has changed between the claim and this answer. */
        DROPPED,
        REFUSED
    }

    /**
     * Ends a claim whose claimant has found that there is no such user, without waiting for the answer. Nothing is stored, unless
     * another node waits for it.
     *
     * @param value what stands for no user
     * @param overNothing whether the claim was granted over nothing, so that no guard needs to stay
     */
    public CompletableFuture<Fill> absent(String key, String token, byte[] value, boolean overNothing) {
        byte[][] arguments = {bytes(token), value, bytes(AWAITED_ABSENCE), bytes(FENCE), bytes(overNothing ? FREE : "")
        };
        return this.<List<?>, Fill>run(
                GuardScript.ABSENT, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer, 0)) {
                    case "stored" -> Fill.STORED;
                    case "dropped" -> Fill.DROPPED;
                    default -> Fill.REFUSED;
                });
    }

    /**
     * A moment, by the clock of the server that is connected.
     *
     * @param nanoTime the moment, of {@link System#nanoTime()}
     */
    public ServerMoment momentAt(long nanoTime) {
        return clock.momentAt(nanoTime);
    }

    /** What OFFER answers. */
    public enum Offer {
        STORED,
        REFUSED,

        /** The row is stored by a server that may not have had the fences which should have refused it. */
        SUSPECT
    }

    /**
     * Stores a row that was read without a claim, if no change can have been missed.
     *
     * <p>Refused as well is a row that was read before the server's clock was first looked at over the connection that
     * stands: the server may have lost its fences since, or be another one.
     *
     * @param readAt a moment not later than the query
     */
    public Offer offer(String key, byte[] value, Duration ttl, ServerMoment readAt) throws SharedTierException {
        // The age is judged by the server, when it comes to it: a command may lie in the buffer of a frozen server
        // for longer than the fence lives that should have stopped it.
        if (readAt.leastMillis() == ServerMoment.UNKNOWN || !clock.isOf(readAt)) {
            return Offer.REFUSED;
        }
        long tooOldFrom = readAt.leastMillis() + FENCE.toMillis();
        byte[][] arguments = {value, bytes(ttl), bytes(FENCE), bytes(Long.toString(tooOldFrom))};
        // The last look is at the event loop: what comes over a later connection comes after the end of this one.
        return link.await(isOne(GuardScript.OFFER, key, arguments).thenApply(stored -> {
            if (!stored) {
                return Offer.REFUSED;
            }
            return clock.isOf(readAt) ? Offer.STORED : Offer.SUSPECT;
        }));
    }

    /**
     * Marks a change, without waiting for the answer: drops the value, and refuses whatever was read before. Completed on the
     * connection's event loop, before the end of that connection can be.
     */
    public CompletableFuture<?> sendFence(String key) {
        try {
            byte[][] arguments = {bytes(FENCE)};
            return GuardProtocol.<Long, Long>run(
                    link.commands(), GuardScript.FENCE, key, ScriptOutputType.INTEGER, arguments, done -> done);
        } catch (SharedTierException | RuntimeException e) {
            // The latter when the connection is closed for good.
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<Boolean> isOne(GuardScript script, String key, byte[]... arguments) {
        return this.<Long, Boolean>run(script, key, ScriptOutputType.INTEGER, arguments, answer -> answer == 1);
    }

    /** Runs a script, unless Redis does not answer. */
    private <A, T> CompletableFuture<T> run(
            GuardScript script, String key, ScriptOutputType type, byte[][] arguments, Function<A, T> meaning) {
        try {
            return run(link.commandsToWaitFor(), script, key, type, arguments, meaning);
        } catch (SharedTierException | RuntimeException e) {
            // The latter when the connection is closed for good.
            return CompletableFuture.failedFuture(e);
        }
    }

    private static <A, T> CompletableFuture<T> run(
            RedisAsyncCommands<String, byte[]> redis,
            GuardScript script,
            String key,
            ScriptOutputType type,
            byte[][] arguments,
            Function<A, T> meaning) {
        String[] keys = {key, KeySpace.guardOf(key)};
        CompletableFuture<A> bySha =
                redis.<A>evalsha(script.sha1(), type, keys, arguments).toCompletableFuture();
        CompletableFuture<T> answer = bySha.exceptionallyCompose(failure -> isNoScript(failure)
                        ? redis.eval(script.source(), type, keys, arguments)
                        : CompletableFuture.failedStage(failure))
                .thenApply(meaning);
        // A caller that gives up waiting must not find the script executed after a reconnect.
        var unused = answer.whenComplete((result, failure) -> {
            if (answer.isCancelled()) {
                bySha.cancel(true);
            }
        });
        return answer;
    }

    /** Waits for all answers together, no longer than for one; when one fails or does not come in time, the others are withdrawn. */
    public <T> List<T> awaitAll(List<CompletableFuture<T>> commands) throws SharedTierException {
        CompletableFuture<?>[] all = commands.toArray(CompletableFuture[]::new);
        try {
            link.await(CompletableFuture.allOf(all));
        } catch (SharedTierException e) {
            commands.forEach(command -> command.cancel(true));
            throw e;
        }
        return commands.stream().map(CompletableFuture::join).toList();
    }

    private static boolean isNoScript(Throwable failure) {
        return failure instanceof RedisNoScriptException || failure.getCause() instanceof RedisNoScriptException;
    }

    private static String word(List<?> answer, int index) {
        // Another's token may hold any bytes: this charset keeps them apart.
        return new String((byte[]) answer.get(index), StandardCharsets.ISO_8859_1);
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
