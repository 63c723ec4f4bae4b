package dev.usher.redis;

import io.lettuce.core.KeyValue;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Looks at what a server has stored, without having it tracked: under one key, or under which keys. Thread-safe. */
public final class StoredKeys {

    /** How many keys Redis looks at before it lets others in again. */
    private static final int SCANNED = 1000;

    /** What {@code PTTL} answers where there is no key. */
    private static final long NO_KEY = -2;

    private static final Pattern CLAIM = Pattern.compile("\\S+ \\d+");

    private final RedisLink link;

    /** Looks over this connection. */
    StoredKeys(RedisLink link) {
        this.link = link;
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
        RedisAsyncCommands<String, byte[]> redis = link.commandsToWaitFor();
        String guard = KeySpace.guardOf(key);
        CompletableFuture<List<KeyValue<String, byte[]>>> values =
                redis.mget(key, guard).toCompletableFuture();
        CompletableFuture<Long> left = redis.pttl(key).toCompletableFuture();
        CompletableFuture<Long> guardLeft = redis.pttl(guard).toCompletableFuture();
        CompletableFuture<String> type = redis.type(key).toCompletableFuture();
        return link.await(CompletableFuture.allOf(values, left, guardLeft, type).thenApply(done -> {
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
    CompletableFuture<Keys> scan(String cursor, String pattern) {
        RedisAsyncCommands<String, byte[]> redis;
        try {
            redis = link.commands();
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
        return redis.scan(
                        ScanCursor.of(cursor), ScanArgs.Builder.matches(pattern).limit(SCANNED))
                .thenApply(found -> new Keys(found.getKeys(), found.getCursor(), found.isFinished()))
                .toCompletableFuture();
    }
}
