package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.text;

import io.lettuce.core.GetExArgs;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The register of the nodes that share a Redis, and this node's part in it.
 *
 * <p>A revocation takes a number, and leaves the names of its users (as hashes) beside it. A node that sees a number over its tracked connection has
 * processed every push from before it; it takes the names, forgets what they match, and then writes the number into its entry. When every entry has a
 * revocation's number, no node answers from before it. A node answers from memory only while it reads back, over its tracked connection, what it
 * writes into the register four times within the tightest bound.
 *
 * <p>That holds for a register that is complete. One that is new to a node may have lost entries: then what Redis says is not believed until all that could
 * have been lost must have closed by itself. Thread-safe.
 */
public final class NodeRegister {

    /** A field of the marks. */
    static final String EPOCH = "#epoch";

    /** How long a name is in quarantine, at least. */
    private static final Duration QUARANTINE = Duration.ofSeconds(10);

    /** For how many of the last revocations with open things the entry says how many this node has ended. */
    private static final int MAX_ENDED = 16;

    /** How many accepted writes may still be read back. */
    private static final int MAX_ACCEPTED = 4;

    /** How much of a key a look reads: more than is needed. */
    private static final long MAX_LOOKED_AT = 500;

    private static final long NONE = -1;
    private static final String NO_REGISTER = "-";

    private static final Pattern SIGNAL = Pattern.compile("(\\d{1,9}) (\\S{1,100}) (\\S{1,100}) (\\d{1,15})");

    private final RegisterScripts keys;
    private final Duration life;
    private final Server server;
    private final AnswerLimits limits = new AnswerLimits();
    private final NodeEntry entry;
    private final SilentNodes silent;
    private final Revocations revocations;
    private final Quarantine quarantine = new Quarantine();

    // Of the register that this node knows. Guarded by this, read without a lock where volatile.

    private volatile @Nullable Known known;

    /** Of how the marks are known. */
    private volatile @Nullable Known marksKnown;

    /** The last number whose names this node has processed, and has seen over its tracked connection; or none. */
    private volatile long seen = NONE;

    /** The last number whose names are being processed, or were before this node knew the register. */
    private long processing = NONE;

    /** Whether the first number of the register has been written, or soon will be: it needs no processing, but must be visible. */
    private boolean isTakenOver;

    /** The last number that was visible over the tracked connection, in this session; and in any. */
    private long visible = NONE;

    private long highest = NONE;

    /** The last number whose names are in quarantine; none until all names of the register are, in this session. */
    private long taken = NONE;

    /** The names of numbers that are not being processed yet, by number. */
    private final Deque<Group> pending = new ArrayDeque<>();

    private final Deque<NodeEntry.Written> accepted = new ArrayDeque<>();
    private final Deque<String> endedLately = new ArrayDeque<>();
    private volatile long distrustedUntil = System.nanoTime();
    private volatile boolean isDistrusted;

    /** What the register has to know of its server. */
    interface Server {

        /** The name of its replication history, or {@code null} while that is not known. */
        @Nullable String history();

        /** Asks the server anew. */
        CompletionStage<?> askHistory();

        /** Says that a heartbeat has failed: a server that refuses it may have become a replica. */
        void writeFailed(Throwable failure);

        /** By which its replicas are waited for. */
        Acknowledgements acknowledgements();

        /**
         * Users have been revoked. To be processed without waiting.
         *
         * @param processed to be called when this node has forgotten them, with how many open things it has ended
         */
        void revoked(RevokedKeys users, IntConsumer processed);
    }

    private record Known(String name, long since) {}

    @SuppressWarnings("ArrayRecordComponent")
    private record Group(long number, long[] hashes) {}

    /**
     * What a look over the tracked connection has shown.
     *
     * @param isEntered whether this node is in the register, and has read back what it has written
     * @param provenAt the sending of the latest of its writes that was read back, in {@link System#nanoTime()}
     */
    record Look(boolean isEntered, long provenAt) {

        private static final Look NOTHING = new Look(false, 0);
    }

    /**
     * Not yet in the register.
     *
     * @param keyPrefix what all keys of these caches begin with
     * @param node this node's name
     * @param life after which a silent node is taken out of the register
     * @param markLife after which a mark of {@link TenantRegisters} is dropped that is not extended
     * @param scripts over which it is written
     */
    NodeRegister(String keyPrefix, String node, Duration life, Duration markLife, RedisLink scripts, Server server) {
        this.keys = new RegisterScripts(keyPrefix, node);
        this.life = life;
        this.server = server;
        String homeField = TenantRegisters.fieldOf(keyPrefix);
        this.entry = new NodeEntry(
                keys,
                new NodeEntry.Setting(homeField, markLife, life),
                limits,
                scripts,
                server,
                new NodeEntry.Register() {
                    @Override
                    public NodeEntry.Request request() {
                        return NodeRegister.this.request();
                    }

                    @Override
                    public void entered(List<?> answer, NodeEntry.Request request) {
                        NodeRegister.this.entered(answer, request);
                    }

                    @Override
                    public void accepted(String register, NodeEntry.Written written) {
                        NodeRegister.this.accepted(register, written);
                    }
                });
        this.silent = new SilentNodes(keys, scripts);
        this.revocations = new Revocations(keys, homeField, scripts, server, this, silent);
    }

    /** The revocations in this register. */
    public Revocations revocations() {
        return revocations;
    }

    /** Whether a key that has changed is the signal: users were revoked. */
    boolean isSignal(String changed) {
        return changed.equals(keys.signal());
    }

    /** Says that answers of a facet may be so old: heartbeats are due four times within that. */
    public void bound(Duration bound) {
        limits.bound(bound);
    }

    /** After which the next heartbeat is due. */
    long beatNanos() {
        return limits.beatNanos();
    }

    /** Says how long this node may answer without heartbeats, in a facet that fails closed. */
    public void limit(String facet, Duration limit) {
        limits.limit(facet, limit);
    }

    /** The longest limit of all facets: after that, every node that is lost has closed. */
    private Duration untilClosed() {
        return limits.longest();
    }

    /** Whether what Redis says of a key is believed, as far as revocations say. */
    boolean isBelieved(String key) {
        return !isDistrusted && !quarantine.contains(key);
    }

    /** What was revoked of late. */
    Quarantine quarantine() {
        return quarantine;
    }

    /** {@link NodeEntry#otherFormat}. */
    public @Nullable String otherFormat() {
        return entry.otherFormat();
    }

    // The heartbeat: a write, and the look that reads it back.

    /** {@link NodeEntry#write}. */
    CompletionStage<?> write() {
        return entry.write();
    }

    /** {@link NodeEntry#beat}. */
    CompletionStage<?> beat() {
        return entry.beat();
    }

    private synchronized NodeEntry.Request request() {
        Known current = known;
        return new NodeEntry.Request(
                current == null ? NO_REGISTER : current.name, seen, taken, String.join(",", endedLately));
    }

    private synchronized void entered(List<?> answer, NodeEntry.Request request) {
        String register = text(answer.get(1));
        long number = (Long) answer.get(2);
        long changes = (Long) answer.get(3);
        boolean isNew = (Long) answer.get(4) == 1;
        String epoch = text(answer.get(5));
        boolean isMissing = (Long) answer.get(6) == 1;
        List<?> groups = (List<?>) answer.get(7);
        long now = System.nanoTime();

        Known current = known;
        if (current != null && !current.name.equals(register) && !current.name.equals(request.register())) {
            return; // of a register that has been replaced meanwhile
        }
        if (current == null || !current.name.equals(register) || isMissing) {
            begin(register, number, current != null || isMissing);
        }
        Known marksBefore = marksKnown;
        if (marksBefore == null || !marksBefore.name.equals(epoch)) {
            marksKnown = new Known(epoch, now);
        }
        boolean isAll = isNew || request.from() < 0 || !request.register().equals(register);
        if (isAll || isMissing || request.from() <= taken) {
            long first = number - groups.size() + 1;
            for (int i = 0; i < groups.size(); i++) {
                Group group = new Group(first + i, hashesIn((byte[]) groups.get(i)));
                quarantine.add(group.hashes, AnswerLimits.longer(QUARANTINE, untilClosed()));
                if (group.number > Math.max(processing, taken)) {
                    pending.addLast(group);
                }
            }
            taken = Math.max(taken, number);
        }
        silent.note(changes);
        advance();
    }

    private synchronized void accepted(String register, NodeEntry.Written written) {
        Known current = known;
        if (current == null || !current.name.equals(register)) {
            return; // of a register that has been replaced meanwhile
        }
        accepted.addLast(written);
        if (accepted.size() > MAX_ACCEPTED) {
            accepted.removeFirst();
        }
    }

    /**
     * Takes over a register.
     *
     * @param isReplaced whether this node may have missed revocations: it has known another register, or too many have come since
     */
    private void begin(String register, long number, boolean isReplaced) {
        known = new Known(register, System.nanoTime());
        seen = NONE;
        processing = number;
        isTakenOver = false;
        highest = NONE; // only looks follow each other: one may have been answered before the write that has found this
        visible = NONE;
        taken = NONE;
        pending.clear();
        accepted.clear();
        silent.forget();
        endedLately.clear();
        if (isReplaced) {
            distrustedUntil = System.nanoTime() + untilClosed().toNanos();
            isDistrusted = true;
            server.revoked(RevokedKeys.everyone(), ended -> {});
        }
    }

    /** Looks at the register over the tracked connection, and listens for the signal. Completed on the event loop. */
    CompletionStage<Look> look(RedisAsyncCommands<String, byte[]> tracked) {
        // A command that may write: Redis does not track what it reads, and so pushes no heartbeat to the node that
        // wrote it.
        CompletionStage<byte[]> mine = tracked.getex(keys.own(), new GetExArgs());
        // A part: another's data may be of any size.
        return tracked.getrange(keys.signal(), 0, MAX_LOOKED_AT).thenCombine(mine, (signalled, written) -> {
            Look look = seen(signalled, written);
            return Rule.READ_BACK.isOut() ? accepted() : look;
        });
    }

    /** As if a write that Redis has accepted and an answered look were enough, wherever each of them went. */
    private synchronized Look accepted() {
        NodeEntry.Written last = accepted.peekLast();
        return last == null ? Look.NOTHING : new Look(true, last.sentAt());
    }

    private synchronized Look seen(byte @Nullable [] signalled, byte @Nullable [] written) {
        Matcher now = SIGNAL.matcher(text(signalled));
        Known current = known;
        if (current == null
                || !now.matches()
                || !now.group(1).equals(NodeEntry.FORMAT)
                || !now.group(2).equals(current.name)) {
            return Look.NOTHING; // the next write finds out
        }
        long number = Long.parseLong(now.group(4));
        if (number < highest) {
            begin(current.name, number, true);
            return Look.NOTHING;
        }
        highest = number;
        visible = number;
        advance();
        String mine = text(written);
        NodeEntry.Written readBack = null;
        for (NodeEntry.Written one : accepted) {
            if (mine.startsWith(one.mark() + ' ')) {
                readBack = one;
            }
        }
        return readBack == null || taken < 0 ? Look.NOTHING : new Look(true, readBack.sentAt());
    }

    /** Processes what is both visible and named, unless the register is too new. */
    private void advance() {
        long now = System.nanoTime();
        if (isDistrusted) {
            if (now - distrustedUntil < 0) {
                return;
            }
            isDistrusted = false;
        }
        long next = Math.min(visible, taken);
        if (next < 0 || next < processing || (next == processing && isTakenOver)) {
            return;
        }
        isTakenOver = true;
        List<long[]> hashes = new ArrayList<>();
        for (Group group = pending.peekFirst(); group != null && group.number <= next; group = pending.peekFirst()) {
            hashes.add(group.hashes);
            pending.removeFirst();
        }
        long from = processing + 1;
        processing = next;
        Known in = known;
        if (hashes.isEmpty()) {
            processed(in, next, next, 0);
            return;
        }
        long[] all = hashes.stream().flatMapToLong(Arrays::stream).toArray();
        server.revoked(RevokedKeys.of(all), count -> processed(in, from, next, count));
    }

    private void processed(@Nullable Known in, long from, long to, int count) {
        synchronized (this) {
            if (!Objects.equals(known, in) || to < seen) {
                return;
            }
            seen = to;
            if (count > 0) {
                endedLately.addLast(from + "-" + to + ":" + count);
                if (endedLately.size() > MAX_ENDED) {
                    endedLately.removeFirst();
                }
            }
        }
        var unused = write();
    }

    private static long[] hashesIn(byte[] group) {
        ByteBuffer buffer = ByteBuffer.wrap(group);
        long[] hashes = new long[group.length / Long.BYTES];
        for (int i = 0; i < hashes.length; i++) {
            hashes[i] = buffer.getLong();
        }
        return hashes;
    }

    /** This node is not told of changes any more: what it has written is to be read back anew, and all names are to be taken. */
    synchronized void lost() {
        visible = NONE;
        taken = NONE;
        accepted.clear();
    }

    /** Takes away entries that have long been silent, without waiting for it. To be called with each heartbeat. */
    void maintain() {
        if (silent.isDue(System.nanoTime())) {
            quarantine.sweep();
            Known current = known;
            silent.sweep(current == null ? null : current.name, AnswerLimits.longer(life, untilClosed()));
        }
    }

    /** {@link NodeEntry#leave}. */
    public void leave() {
        entry.leave();
    }

    /** Whether this node has known the register for so long that every node which is not in it has closed. */
    public boolean isComplete(Duration limit) {
        Known current = known;
        Known marksNow = marksKnown;
        return current != null && marksNow != null && hasKnown(current.name, marksNow.name, limit);
    }

    /** Whether this node has known a register and its marks for longer than a node may answer that is in neither. */
    boolean hasKnown(String register, String epoch, Duration limit) {
        long until = limit.toNanos();
        return hasKnown(known, register, until) && hasKnown(marksKnown, epoch, until);
    }

    private static boolean hasKnown(@Nullable Known known, String name, long nanos) {
        return known != null && known.name.equals(name) && System.nanoTime() - known.since > nanos;
    }
}
