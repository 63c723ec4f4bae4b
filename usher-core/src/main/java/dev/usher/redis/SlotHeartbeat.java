package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.bytes;
import static dev.usher.redis.RegisterScripts.text;

import io.lettuce.core.GetExArgs;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.cluster.SlotHash;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The heartbeat on a primary of a Cluster: this node's own key, in one of the primary's slots, written over the connection of the scripts and found over the
 * tracked connection; and the slots that the primary says it has, asked over the latter. Thread-safe; no thread waits.
 *
 * <p>Such an answer is of all slots: another primary's failover is known as soon as any of the others says so.
 *
 * <p>A primary that has lost a slot may not have pushed the changes that were made elsewhere since: what was read of it ends with the look that does not show
 * the slot any more, and no look counts that does not show all of them.
 */
final class SlotHeartbeat implements Heartbeat {

    private static final GuardScript BEAT = GuardScript.BEAT;

    /** How many accepted writes may still be read back. */
    private static final int MAX_ACCEPTED = 4;

    private static final Duration STAYS = Duration.ofSeconds(1000);

    private final String keyPrefix;
    private final String node;
    private final AnswerLimits limits;
    private final RedisLink scripts;
    private final ClusterPart part;
    private final NodeRegister.Server server;
    private final Runnable slotsLost;
    private final String nonce = UUID.randomUUID().toString().substring(0, 8);
    private final AtomicBoolean beating = new AtomicBoolean();

    /** The slots of the session under way; never changed. */
    private volatile BitSet owned = new BitSet();

    /** The primaries of all slots, as this one said last. */
    private volatile Map<Long, String> saidLast = Map.of();

    private volatile @Nullable OwnKey own;

    // Guarded by this.
    private final Deque<Written> accepted = new ArrayDeque<>();
    private long marks;
    private long connections;
    private int avoided = -1;

    private record OwnKey(String name, int slot) {}

    private record Written(String mark, long sentAt) {}

    /**
     * Nothing is written yet.
     *
     * @param limits how often a heartbeat is due
     * @param scripts over which it is written
     * @param slotsLost is called when what was read of some slots is not to be answered any more
     */
    SlotHeartbeat(
            String keyPrefix,
            String node,
            AnswerLimits limits,
            RedisLink scripts,
            ClusterPart part,
            NodeRegister.Server server,
            Runnable slotsLost) {
        this.keyPrefix = keyPrefix;
        this.node = node;
        this.limits = limits;
        this.scripts = scripts;
        this.part = part;
        this.server = server;
        this.slotsLost = slotsLost;
    }

    /** Whether what is read of a slot from now on ends with the session when the slot is lost. */
    boolean covers(int slot) {
        return owned.get(slot);
    }

    @Override
    public long beatNanos() {
        return limits.beatNanos();
    }

    @Override
    public CompletionStage<?> write() {
        return beat();
    }

    @Override
    public CompletionStage<?> beat() {
        OwnKey key = ownKey();
        if (key == null || !beating.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        boolean isAcknowledged = server.acknowledgements().areOfHeartbeats();
        RedisLink link = isAcknowledged ? server.acknowledgements().ofHeartbeats() : scripts;
        return writeOnce(link, key, isAcknowledged).handle((done, failure) -> {
            beating.set(false);
            link.note(failure);
            if (failure != null) {
                failed(failure);
                server.writeFailed(failure);
            }
            return null;
        });
    }

    private CompletionStage<Void> writeOnce(RedisLink link, OwnKey key, boolean isAcknowledged) {
        try {
            RedisAsyncCommands<String, byte[]> redis = link.commands();
            long over;
            String mark;
            synchronized (this) {
                over = connections;
                mark = nonce + '.' + ++marks;
            }
            Written written = new Written(mark, System.nanoTime());
            CompletionStage<Long> sent = write(redis, key.name, mark);
            link.pulseAlong();
            link.pulseEvery(limits.pulseNanos());
            return sent.thenCompose(
                            one -> isAcknowledged ? acknowledged(redis) : CompletableFuture.completedStage(true))
                    .thenAccept(counts -> {
                        if (counts) {
                            accept(written, over);
                        }
                    });
        } catch (SharedTierException e) {
            return CompletableFuture.failedStage(e);
        }
    }

    private CompletionStage<Boolean> acknowledged(RedisAsyncCommands<String, byte[]> redis) {
        String history = server.history();
        return history == null
                ? server.askHistory().thenApply(any -> false)
                : server.acknowledgements().ofHeartbeat(redis, history);
    }

    private static CompletionStage<Long> write(RedisAsyncCommands<String, byte[]> redis, String key, String mark) {
        byte[][] arguments = {bytes(mark), bytes(STAYS.toMillis())};
        return GuardProtocol.<Long, Long>run(
                redis, BEAT, new String[] {key}, ScriptOutputType.INTEGER, arguments, done -> done);
    }

    /**
     * A write of no meaning over a connection: what its replicas acknowledge from now on has come after all that this primary had confirmed.
     *
     * @return failed where the primary has no slot any more
     */
    CompletableFuture<Long> writeOver(RedisAsyncCommands<String, byte[]> redis) {
        OwnKey key = ownKey();
        return key == null
                ? CompletableFuture.failedFuture(new SharedTierException("the primary has no slots", null))
                : write(redis, key.name + ":fence", nonce).toCompletableFuture();
    }

    private synchronized void accept(Written written, long over) {
        if (over == connections) {
            accepted.addLast(written);
            if (accepted.size() > MAX_ACCEPTED) {
                accepted.removeFirst();
            }
        }
    }

    /** A slot that is moved away takes no heartbeats: another one is chosen. */
    private void failed(Throwable failure) {
        if (Redirect.isRedirect(failure)) {
            OwnKey key = own;
            synchronized (this) {
                avoided = key == null ? -1 : key.slot;
            }
            own = null;
        }
        if (Redirect.isOfMap(failure)) {
            part.changed();
        }
    }

    private @Nullable OwnKey ownKey() {
        OwnKey known = own;
        BitSet mine = owned.isEmpty() ? part.slots() : owned;
        if (known != null && mine.get(known.slot)) {
            return known;
        }
        int without;
        synchronized (this) {
            without = avoided;
        }
        if (mine.isEmpty()) {
            return null;
        }
        for (int i = 0; ; i++) {
            String tag = keyPrefix + ":beat:" + Integer.toString(i, Character.MAX_RADIX);
            int slot = SlotHash.getSlot(tag);
            if (mine.get(slot) && (slot != without || mine.cardinality() == 1)) {
                OwnKey chosen = new OwnKey("{" + tag + "}:" + node, slot);
                own = chosen;
                return chosen;
            }
        }
    }

    @Override
    public CompletionStage<Look> look(RedisAsyncCommands<String, byte[]> tracked) {
        OwnKey key = ownKey();
        CompletionStage<Boolean> shown = tracked.clusterSlots().thenApply(this::shown);
        // A write: what it reads is not tracked, and a server that takes none refuses it.
        CompletionStage<byte[]> mine = key == null
                ? CompletableFuture.completedStage(null)
                : tracked.getex(key.name, GetExArgs.Builder.px(STAYS));
        return shown.thenCombine(
                        mine.handle((bytes, failure) -> {
                            if (failure == null) {
                                return text(bytes);
                            }
                            failed(failure);
                            if (Redirect.isRedirect(failure)) {
                                server.writeFailed(failure);
                                return "";
                            }
                            throw failure instanceof CompletionException known
                                    ? known
                                    : new CompletionException(failure);
                        }),
                        (isAll, mark) -> isAll ? seen(mark) : Look.NOTHING)
                .whenComplete((look, failure) -> {
                    if (failure != null) {
                        server.writeFailed(failure);
                    }
                });
    }

    /** The heartbeat was sent before the look at the slots. */
    private synchronized Look seen(String mark) {
        for (Written written : accepted) {
            if (written.mark.equals(mark)) {
                return new Look(true, written.sentAt, true);
            }
        }
        return Look.NOTHING;
    }

    /**
     * Notes the slots that the primary has.
     *
     * @return whether it has any
     */
    private boolean shown(List<Object> answer) {
        Map<Long, String> owners = ownersIn(answer);
        if (!owners.equals(saidLast)) {
            // It has heard of a failover, or of a slot that has moved, of whichever primary.
            saidLast = owners;
            part.changed();
        }
        BitSet now = slotsIn(answer, part.id());
        BitSet before = owned;
        if (now.equals(before)) {
            return !now.isEmpty();
        }
        BitSet lost = (BitSet) before.clone();
        lost.andNot(now);
        owned = now; // before a session begins in which the lost ones would be cached
        if (!lost.isEmpty() && !Rule.SLOT_LOOK.isOut()) {
            part.lost(lost);
            slotsLost.run();
        }
        if (!now.equals(part.slots())) {
            part.changed();
        }
        return !now.isEmpty();
    }

    /** The ids of the primaries in the answer to {@code CLUSTER SLOTS}, by the first slot of each range. */
    private static Map<Long, String> ownersIn(List<?> answer) {
        Map<Long, String> owners = new HashMap<>();
        for (Object range : answer) {
            if (range instanceof List<?> words
                    && words.size() > 2
                    && words.get(0) instanceof Long first
                    && words.get(2) instanceof List<?> primary
                    && primary.size() > 2) {
                owners.put(first, text(primary.get(2)));
            }
        }
        return owners;
    }

    /** The slots of a server in the answer to {@code CLUSTER SLOTS}: ranges, each with its servers, the primary first. */
    static BitSet slotsIn(List<?> answer, String id) {
        BitSet slots = new BitSet(ClusterTopology.SLOTS);
        for (Object range : answer) {
            if (range instanceof List<?> words
                    && words.size() > 2
                    && words.get(0) instanceof Long first
                    && words.get(1) instanceof Long last
                    && words.get(2) instanceof List<?> primary
                    && primary.size() > 2
                    && id.equals(text(primary.get(2)))) {
                slots.set(first.intValue(), (int) Math.min(ClusterTopology.SLOTS, last + 1));
            }
        }
        return slots;
    }

    @Override
    public Session sessionFrom(long watermark) {
        return Session.trackedOfSlots(watermark);
    }

    @Override
    public boolean isSignal(String changed) {
        return false;
    }

    @Override
    public void maintain() {}

    @Override
    public void lost() {
        owned = new BitSet();
        unproven();
    }

    @Override
    public synchronized void unproven() {
        connections++;
        accepted.clear();
    }

    @Override
    public boolean isBelieved(String key) {
        return part.register().isBelieved(key);
    }
}
