package dev.usher.redis;

import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.output.IntegerOutput;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Sends fences to wherever their keys are. While a slot is moved key by key, a script on a value and its guard is refused when one of them is not there: the
 * fence does not wait for the end of the move, but goes as two commands, the guard first. Once it stands, no fill and no offer is taken, and the value that
 * is still there goes with the second one. Thread-safe; no thread waits.
 */
final class ClusterFences {

    private static final int MAX_REDIRECTS = 5;

    /** How long a primary counts as one of a user's that has taken a fence: more than a receipt takes. */
    private static final Duration LATELY = Duration.ofMinutes(1);

    private final ClusterSlots slots;

    /** By slot, the primaries that have taken fences in place of the one that the map names, and when, in {@link System#nanoTime()}. */
    private final ConcurrentMap<Integer, Map<RedisPrimary, Long>> elsewhere = new ConcurrentHashMap<>();

    ClusterFences(ClusterSlots slots) {
        this.slots = slots;
    }

    /** The primaries that have taken fences of a key's slot of late, beside the one that the map names. */
    Set<RedisPrimary> elsewhere(String key) {
        Map<RedisPrimary, Long> taken = elsewhere.get(ClusterSlots.slotOf(key));
        return taken == null ? Set.of() : Set.copyOf(taken.keySet());
    }

    private void taken(String key, RedisPrimary by) {
        if (!slots.primaryOf(key).equals(by)) {
            elsewhere.compute(ClusterSlots.slotOf(key), (slot, known) -> {
                Map<RedisPrimary, Long> all = known == null ? new ConcurrentHashMap<>() : known;
                all.put(by, System.nanoTime());
                return all;
            });
        }
    }

    /**
     * Drops what was taken long ago, and by servers that are known no more. To be called now and then.
     *
     * @param known all primaries
     */
    void sweep(Set<RedisPrimary> known) {
        long now = System.nanoTime();
        elsewhere
                .keySet()
                .forEach(slot -> elsewhere.computeIfPresent(slot, (same, taken) -> {
                    taken.entrySet()
                            .removeIf(one -> !known.contains(one.getKey()) || now - one.getValue() > LATELY.toNanos());
                    return taken.isEmpty() ? null : taken;
                }));
    }

    /** Slots have come to other primaries, by which they are known now. */
    void moved(BitSet moved) {
        moved.stream().forEach(elsewhere::remove);
    }

    /** Completed when the key is fenced. */
    CompletableFuture<?> send(String key) {
        return send(slots.primaryOf(key), key, MAX_REDIRECTS);
    }

    private CompletableFuture<?> send(RedisPrimary primary, String key, int left) {
        CompletableFuture<Object> sent = primary.guards().sendFence(key).thenApply(done -> {
            taken(key, primary);
            return done;
        });
        return sent.exceptionallyCompose(failure -> {
            Redirect redirect = Redirect.in(failure, primary.clusterAddress());
            boolean isMoving = Redirect.isTryAgain(failure)
                    || (redirect != null && redirect.kind().equals(Redirect.ASK));
            if (isMoving) {
                return split(key);
            }
            return follow(
                    redirect, failure, left, next -> send(next, key, left - 1).thenApply(done -> done));
        });
    }

    /** Goes on with the primary that a redirection names, where it is known, after the others have been asked. */
    private <T> CompletableFuture<T> follow(
            @Nullable Redirect redirect,
            Throwable failure,
            int left,
            Function<RedisPrimary, CompletableFuture<T>> next) {
        if (redirect == null || left == 0) {
            return CompletableFuture.failedFuture(failure);
        }
        if (redirect.kind().equals(Redirect.MOVED)) {
            slots.changed();
        }
        RedisPrimary known = slots.primaryAt(redirect.address());
        if (known != null) {
            return next.apply(known);
        }
        return slots.ask().thenCompose(done -> {
            RedisPrimary found = slots.primaryAt(redirect.address());
            return found == null ? CompletableFuture.failedFuture(failure) : next.apply(found);
        });
    }

    private CompletableFuture<Object> split(String key) {
        String guard = KeySpace.guardOf(key);
        Supplier<CompletableFuture<Long>> fence = () -> one(
                guard,
                CommandType.EVAL,
                args -> args.add(GuardScript.BEAT.source())
                        .add(1)
                        .addKey(guard)
                        .add("-")
                        .add(GuardProtocol.FENCE.toMillis()));
        Supplier<CompletableFuture<Long>> drop = () -> one(key, CommandType.DEL, args -> args.addKey(key));
        boolean isValueFirst = Rule.GUARD_FIRST.isOut();
        return (isValueFirst ? drop : fence)
                .get()
                .thenCompose(done -> (isValueFirst ? fence : drop).get())
                .thenApply(done -> done);
    }

    /** A command on one key. */
    private CompletableFuture<Long> one(
            String key, CommandType type, Function<CommandArgs<String, byte[]>, CommandArgs<String, byte[]>> args) {
        Supplier<AsyncCommand<String, byte[], Long>> command = () -> new AsyncCommand<>(new Command<>(
                type,
                new IntegerOutput<>(TextKeysCodec.INSTANCE),
                args.apply(new CommandArgs<>(TextKeysCodec.INSTANCE))));
        return one(slots.primaryOf(key), key, command, false, MAX_REDIRECTS);
    }

    private CompletableFuture<Long> one(
            RedisPrimary primary,
            String key,
            Supplier<AsyncCommand<String, byte[], Long>> command,
            boolean isAsked,
            int left) {
        AsyncCommand<String, byte[], Long> sent = command.get();
        try {
            StatefulRedisConnection<String, byte[]> connection = primary.scripts();
            if (isAsked) {
                // Together, for another command in between would be the one that is let in.
                AsyncCommand<String, byte[], String> asking = new AsyncCommand<>(
                        new Command<>(CommandType.ASKING, new StatusOutput<>(TextKeysCodec.INSTANCE)));
                var unused = connection.dispatch(List.of(asking, sent));
            } else {
                var unused = connection.dispatch(sent);
            }
        } catch (SharedTierException | RuntimeException e) {
            // The latter when the connection is closed for good.
            return CompletableFuture.failedFuture(e);
        }
        CompletableFuture<Long> done = sent.toCompletableFuture().thenApply(count -> {
            taken(key, primary);
            return count;
        });
        return done.exceptionallyCompose(failure -> {
            Redirect redirect = Redirect.in(failure, primary.clusterAddress());
            boolean asks = redirect != null && redirect.kind().equals(Redirect.ASK);
            return follow(redirect, failure, left, next -> one(next, key, command, asks, left - 1));
        });
    }
}
