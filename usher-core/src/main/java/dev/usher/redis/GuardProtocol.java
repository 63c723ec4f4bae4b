package dev.usher.redis;

import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.function.Predicate;
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

    private static final Claim FREELY_GRANTED = new Claim.Granted(false, true);
    private static final Claim ELSEWHERE = new Claim.Elsewhere();

    /** How many claims or fills one command asks for: it keeps Redis from other commands for a quarter of a millisecond at most. */
    private static final int MAX_TOGETHER = 50;

    private static final byte[] FENCE_MILLIS = bytes(FENCE);
    private static final byte[] LEASE_MILLIS = bytes(LEASE);

    private final RedisLink link;
    private final ServerClock clock;
    private final @Nullable ClusterPart part;

    /**
     * Over a link.
     *
     * @param clock the server's, as it is known from looks over that link
     */
    GuardProtocol(RedisLink link, ServerClock clock) {
        this(link, clock, null);
    }

    /**
     * As the other.
     *
     * @param part what the server is in its Cluster, where each key has a slot of its own; else {@code null}
     */
    GuardProtocol(RedisLink link, ServerClock clock, @Nullable ClusterPart part) {
        this.link = link;
        this.clock = clock;
        this.part = part;
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

        /** The key is on another server of the Cluster, or on its way there: nothing is claimed. */
        record Elsewhere() implements Claim {}
    }

    /**
     * The right to load a missing entry, to be asked for.
     *
     * @param token of the caller, unique to this load of the entry
     * @param unreadable a value that could not be read, and is to be treated as missing
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Claiming(String key, String token, byte @Nullable [] unreadable) implements OfOneKey {}

    /**
     * Asks for the right to load missing entries, without waiting for the answers. Those under one token go together, some at a time, so that they keep Redis
     * busy for a moment only.
     *
     * @return an answer for each, in their order; completed as {@link RedisLink#bounded} says
     */
    public CompletableFuture<List<Claim>> claim(List<Claiming> claims, Timeouts timeouts) {
        return inParts(claims, claiming -> claiming.unreadable == null, this::claimTogether, timeouts);
    }

    private CompletableFuture<List<Claim>> claimTogether(List<Claiming> claims) {
        Claiming first = claims.get(0);
        byte[] token = bytes(first.token);
        byte[][] arguments = first.unreadable == null
                ? new byte[][] {token, LEASE_MILLIS, FENCE_MILLIS}
                : new byte[][] {token, LEASE_MILLIS, FENCE_MILLIS, first.unreadable};
        return orElsewhere(
                this.<List<?>, List<Claim>>run(
                        GuardScript.CLAIM,
                        pairsOf(claims),
                        ScriptOutputType.MULTI,
                        arguments,
                        answers -> answers.stream().map(GuardProtocol::claimIn).toList()),
                List.of(ELSEWHERE));
    }

    /** In a Cluster, where each key is asked for by itself: what stands for an answer that the key is elsewhere. */
    private <T> CompletableFuture<T> orElsewhere(CompletableFuture<T> answer, T elsewhere) {
        if (part == null) {
            return answer;
        }
        CompletableFuture<T> known = answer.exceptionally(failure -> {
            if (!Redirect.isRedirect(failure)) {
                throw failure instanceof CompletionException wrapped ? wrapped : new CompletionException(failure);
            }
            link.note(failure);
            return elsewhere;
        });
        var unused = known.whenComplete((done, failure) -> {
            if (known.isCancelled()) {
                answer.cancel(true);
            }
        });
        return known;
    }

    private static Claim claimIn(Object answer) {
        if (!(answer instanceof List<?> words)) {
            return FREELY_GRANTED;
        }
        return switch (word(words, 0)) {
            case "stored" -> new Claim.Stored((byte[]) words.get(1));
            case "held" -> new Claim.Held(millis(words.get(1)), word(words, 2));
            default -> new Claim.Granted(words.size() > 1, false);
        };
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
     * Asks for the right to load an entry again that will soon be missing, without waiting for the answer.
     *
     * @param token of the caller, unique to this load
     * @param ahead how soon
     */
    public CompletableFuture<Refresh> refresh(String key, String token, Duration ahead) {
        byte[][] arguments = {bytes(token), LEASE_MILLIS, FENCE_MILLIS, bytes(ahead)};
        return this.<List<?>, Refresh>run(
                GuardScript.REFRESH, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer, 0)) {
                    case "later" -> new Refresh.Later(millis(answer.get(1)));
                    case "granted" -> new Refresh.Granted((byte[]) answer.get(1));
                    default -> new Refresh.Unneeded();
                });
    }

    /** Renews a claim, if it is still held, without waiting for the answer. */
    public void renew(String key, String token) {
        // A claim that cannot be renewed runs out, and the fill is then refused: nothing to handle here.
        var unused = isOne(GuardScript.RENEW, key, bytes(token), LEASE_MILLIS, FENCE_MILLIS);
    }

    /**
     * Gives a claim up, if it is still held, without waiting for the answer.
     *
     * @param overNothing whether the claim is known to have been granted over nothing, so that no guard needs to stay
     */
    public void release(String key, String token, boolean overNothing) {
        byte[][] arguments = {bytes(token), bytes(Duration.ZERO), FENCE_MILLIS, bytes(overNothing ? FREE : "")};
        var unused = isOne(GuardScript.RENEW, key, arguments);
    }

    /**
     * A loaded value to be stored, if the claim is still held and nothing else stands there than when it was granted.
     *
     * @param replaced the value over which the claim was granted, or {@code null} when there was none
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Filling(String key, String token, byte[] value, Duration ttl, byte @Nullable [] replaced)
            implements OfOneKey {}

    /** Stores loaded values, without waiting for the answers: together, and answered, as {@link #claim} does it. */
    public CompletableFuture<List<Fill>> fill(List<Filling> fills, Timeouts timeouts) {
        return inParts(fills, filling -> filling.replaced == null, this::fillTogether, timeouts);
    }

    private CompletableFuture<List<Fill>> fillTogether(List<Filling> fills) {
        Filling first = fills.get(0);
        List<byte[]> arguments = new ArrayList<>(3 + 2 * fills.size());
        arguments.add(bytes(first.token));
        arguments.add(FENCE_MILLIS);
        for (Filling filling : fills) {
            arguments.add(filling.value);
            arguments.add(bytes(filling.ttl));
        }
        if (first.replaced != null) {
            arguments.add(first.replaced);
        }
        return orElsewhere(
                this.<List<Long>, List<Fill>>run(
                        GuardScript.FILL,
                        pairsOf(fills),
                        ScriptOutputType.MULTI,
                        arguments.toArray(byte[][]::new),
                        answers -> answers.stream()
                                .map(answer -> answer == 1 ? Fill.STORED : Fill.REFUSED)
                                .toList()),
                List.of(Fill.REFUSED));
    }

    /** What has become of what a claimant has found. */
    public enum Fill {
        STORED,

        /** It is not stored, and nothing has changed between the claim and this answer. */
        DROPPED,

        /** It is not stored: something has changed, or the key is on another server of the Cluster. */
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
        byte[][] arguments = {bytes(token), value, bytes(AWAITED_ABSENCE), FENCE_MILLIS, bytes(overNothing ? FREE : "")
        };
        return orElsewhere(
                this.<List<?>, Fill>run(
                        GuardScript.ABSENT, key, ScriptOutputType.MULTI, arguments, answer -> switch (word(answer, 0)) {
                            case "stored" -> Fill.STORED;
                            case "dropped" -> Fill.DROPPED;
                            default -> Fill.REFUSED;
                        }),
                Fill.REFUSED);
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
     * Stores a row that was read without a claim, if no change can have been missed; without waiting for the answer, which comes or fails
     * within the command timeout.
     *
     * <p>Refused as well is a row that was read before the server's clock was first looked at over the connection that
     * stands: the server may have lost its fences since, or be another one.
     *
     * @param readAt a moment not later than the query
     * @return completed as {@link #bounded} says
     */
    public CompletableFuture<Offer> offer(String key, byte[] value, Duration ttl, ServerMoment readAt) {
        // The age is judged by the server, when it comes to it: a command may lie in the buffer of a frozen server
        // for longer than the fence lives that should have stopped it.
        if (readAt.leastMillis() == ServerMoment.UNKNOWN || !clock.isOf(readAt)) {
            return CompletableFuture.completedFuture(Offer.REFUSED);
        }
        long tooOldFrom = readAt.leastMillis() + FENCE.toMillis();
        byte[][] arguments = {value, bytes(ttl), FENCE_MILLIS, bytes(Long.toString(tooOldFrom))};
        // The last look is at the event loop: what comes over a later connection comes after the end of this one.
        return link.bounded(isOne(GuardScript.OFFER, key, arguments).thenApply(stored -> {
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
            byte[][] arguments = {FENCE_MILLIS};
            return GuardProtocol.<Long, Long>run(
                    link.commands(), GuardScript.FENCE, pairOf(key), ScriptOutputType.INTEGER, arguments, done -> done);
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
        return run(script, pairOf(key), type, arguments, meaning);
    }

    private <A, T> CompletableFuture<T> run(
            GuardScript script, String[] keys, ScriptOutputType type, byte[][] arguments, Function<A, T> meaning) {
        try {
            CompletableFuture<T> answer = run(link.commandsToWaitFor(), script, keys, type, arguments, meaning);
            ClusterPart known = part;
            if (known != null) {
                var unused = answer.whenComplete((said, failure) -> {
                    if (Redirect.isOfMap(failure)) {
                        known.changed();
                    }
                });
            }
            return answer;
        } catch (SharedTierException | RuntimeException e) {
            // The latter when the connection is closed for good.
            return CompletableFuture.failedFuture(e);
        }
    }

    /** A request for one user. */
    public sealed interface OfOneKey {

        /** The key of the user's value. */
        String key();

        /** The token of the claim. */
        String token();
    }

    /**
     * Sends requests, together where they can go together.
     *
     * @param canGoTogether of the requests under one token
     * @param send returns an answer for each of its requests
     * @return an answer for each request, in their order
     */
    private <R extends OfOneKey, T> CompletableFuture<List<T>> inParts(
            List<R> requests,
            Predicate<R> canGoTogether,
            Function<List<R>, CompletableFuture<List<T>>> send,
            Timeouts timeouts) {
        List<List<Integer>> parts = new ArrayList<>();
        List<Integer> together = new ArrayList<>();
        for (int i = 0; i < requests.size(); i++) {
            R request = requests.get(i);
            if (part != null || !request.token().equals(requests.get(0).token()) || !canGoTogether.test(request)) {
                parts.add(List.of(i));
                continue;
            }
            if (together.isEmpty()) {
                parts.add(together);
            }
            together.add(i);
            if (together.size() == MAX_TOGETHER) {
                together = new ArrayList<>();
            }
        }
        if (parts.size() == 1) {
            return link.bounded(send.apply(requests), timeouts);
        }
        List<CompletableFuture<List<T>>> sent = new ArrayList<>(parts.size());
        for (List<Integer> part : parts) {
            sent.add(send.apply(part.stream().map(requests::get).toList()));
        }
        return all(sent, timeouts).thenApply(answers -> {
            Map<Integer, T> inOrder = new TreeMap<>();
            for (int i = 0; i < parts.size(); i++) {
                for (int j = 0; j < parts.get(i).size(); j++) {
                    inOrder.put(parts.get(i).get(j), answers.get(i).get(j));
                }
            }
            return List.copyOf(inOrder.values());
        });
    }

    /** The keys of the values of several users, and then those of their guards. */
    private static String[] pairsOf(List<? extends OfOneKey> requests) {
        int count = requests.size();
        String[] keys = new String[2 * count];
        for (int i = 0; i < count; i++) {
            keys[i] = requests.get(i).key();
            keys[count + i] = KeySpace.guardOf(keys[i]);
        }
        return keys;
    }

    /** The keys of a user's value and of its guard. */
    private static String[] pairOf(String key) {
        return new String[] {key, KeySpace.guardOf(key)};
    }

    /** Runs a script by its digest, or by its text where the server does not know it. */
    static <A, T> CompletableFuture<T> run(
            RedisAsyncCommands<String, byte[]> redis,
            GuardScript script,
            String[] keys,
            ScriptOutputType type,
            byte[][] arguments,
            Function<A, T> meaning) {
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

    /**
     * Bounds an answer that no thread waits for by the command timeout. It is completed on the connection's event loop, or on the timer where
     * Redis has not answered; what depends on it must not block.
     *
     * @return the answer, which fails with a {@link SharedTierException}
     */
    public <T extends @Nullable Object> CompletableFuture<T> bounded(CompletableFuture<T> answer) {
        return link.bounded(answer);
    }

    /** Waits for all answers together, no longer than for one; when one fails or does not come in time, the others are withdrawn. */
    public <T> List<T> awaitAll(List<CompletableFuture<T>> commands) throws SharedTierException {
        return awaitAll(commands, System.nanoTime());
    }

    /** As {@link #awaitAll(List)}, for commands that were sent at that moment of {@link System#nanoTime()}. */
    <T> List<T> awaitAll(List<CompletableFuture<T>> commands, long sentAt) throws SharedTierException {
        CompletableFuture<?>[] all = commands.toArray(CompletableFuture[]::new);
        try {
            link.awaitSince(CompletableFuture.allOf(all), sentAt);
        } catch (SharedTierException e) {
            commands.forEach(command -> command.cancel(true));
            throw e;
        }
        return commands.stream().map(CompletableFuture::join).toList();
    }

    /** As {@link #awaitAll}, without a thread that waits; completed as {@link RedisLink#bounded} says. */
    public <T> CompletableFuture<List<T>> all(List<CompletableFuture<T>> commands, Timeouts timeouts) {
        return link.bounded(CompletableFuture.allOf(commands.toArray(CompletableFuture[]::new)), timeouts)
                .handle((done, failure) -> {
                    if (failure == null) {
                        return commands.stream().map(CompletableFuture::join).toList();
                    }
                    commands.forEach(command -> command.cancel(true));
                    throw failure instanceof CompletionException known ? known : new CompletionException(failure);
                });
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

    private static byte[] bytes(Duration duration) {
        return bytes(Long.toString(duration.toMillis()));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
