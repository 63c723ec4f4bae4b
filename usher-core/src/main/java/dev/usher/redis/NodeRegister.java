package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.text;

import io.lettuce.core.GetExArgs;
import io.lettuce.core.KeyValue;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.IntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The register of the nodes that share a Redis, and this node's part in it.
 *
 * <p>A revocation takes a number, and leaves the names of its users (as hashes) beside it. A node that sees a number over its tracked connection has
 * processed every push from before it; it takes the names, forgets what they match, and then writes the number into its entry. When every entry has a
 * revocation's number, no node answers from before it.
 *
 * <p>A node answers from memory only while it has heartbeats, four times within the tightest bound, twice in a large fleet. Some write its entry, over the connection of the scripts, and are read
 * back over the tracked connection. The others are a command that writes and reads the node's own key over the tracked connection: it finds the mark of the last entry there,
 * and counts as long as neither the entry nor the mark of this node's home can have been taken out meanwhile. That is: over the same two connections; without a revocation or a new limit since that entry; and not for long.
 *
 * <p>That holds for a register that is complete. One that is new to a node may have lost entries: then what Redis says is not believed until all that could
 * have been lost must have closed by itself. Thread-safe.
 */
public final class NodeRegister implements Heartbeat {

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

    /** How long this node's own key stays without a heartbeat, as in the script. */
    private static final Duration OWN_STAYS = Duration.ofSeconds(1000);

    /** Of a hash. */
    private static final int HEX_DIGITS = 2 * Long.BYTES;

    private static final long NONE = -1;
    private static final String NO_REGISTER = "-";

    private static final Pattern SIGNAL =
            Pattern.compile("(\\d{1,9}) (\\S{1,100}) (\\S{1,100}) (\\d{1,15})(?: ([0-9a-f ]*))?");

    private final RegisterScripts keys;
    private final String homeField;
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

    /** Counts the pairs of connections that this node has had. */
    private long connections;

    /** When the latest entry was sent that has been read back. */
    private volatile long entryProvenAt = System.nanoTime();

    /** Whether the next heartbeat is to write the entry, whenever the last one was. */
    private volatile boolean isEntryWanted = true;

    /** When the entry was sent last, and is to be sent next. */
    private volatile long entrySentAt = System.nanoTime();

    private volatile long entryDueAt = System.nanoTime();

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

        /** Says that heartbeats after this moment count no more, although Redis had taken them. */
        void provenNoLaterThan(long moment);

        /** How long another server that was the primary before may still be believed. */
        Duration lag();

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

    @SuppressWarnings("ArrayRecordComponent")
    private record Looked(byte @Nullable [] signal, byte @Nullable [] own) {}

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
        this.homeField = TenantRegisters.fieldOf(keyPrefix);
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

                    @Override
                    public void failed(Throwable failure) {
                        NodeRegister.this.failed(failure);
                    }
                });
        this.silent = new SilentNodes(keys, limits, scripts);
        this.revocations = new Revocations(keys, homeField, scripts, server, this, silent);
    }

    /** The revocations in this register. */
    public Revocations revocations() {
        return revocations;
    }

    /** Whether a key that has changed is the signal: users were revoked. */
    @Override
    public boolean isSignal(String changed) {
        return changed.equals(keys.signal());
    }

    /** {@link AnswerLimits#bound}. */
    public void bound(Duration bound) {
        limits.bound(bound);
    }

    /** {@link AnswerLimits#beatNanos}. */
    @Override
    public long beatNanos() {
        return limits.beatNanos();
    }

    /** How long this node may answer without heartbeats, and so how often it has one. */
    AnswerLimits limits() {
        return limits;
    }

    /** Says how long this node may answer without heartbeats, in a facet that fails closed. */
    public void limit(String facet, Duration limit) {
        if (limits.limit(facet, limit)) {
            isEntryWanted = true;
        }
    }

    /** The longest limit of all facets: after that, every node that is lost has closed. */
    private Duration untilClosed() {
        return limits.longest().plus(server.lag());
    }

    /** Whether what Redis says of a key is believed, as far as revocations say. */
    @Override
    public boolean isBelieved(String key) {
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
    @Override
    public CompletionStage<?> write() {
        return entry.write();
    }

    /**
     * Begins a heartbeat, which {@link #look} completes: writes the entry, if that is due.
     *
     * @return as {@link NodeEntry#beat}
     */
    @Override
    public CompletionStage<?> beat() {
        boolean isDue = isEntryWanted || System.nanoTime() - entryDueAt >= 0;
        return isDue || !countsWithoutEntry() ? entry.beat() : CompletableFuture.completedStage(null);
    }

    /** Where heartbeats wait for replicas, each one writes the entry, for that is what they wait for. */
    private boolean countsWithoutEntry() {
        return !server.acknowledgements().areOfHeartbeats() && !Rule.READ_BACK.isOut();
    }

    private synchronized NodeEntry.Request request() {
        Known current = known;
        isEntryWanted = false;
        // The entries of a fleet that has just seen a revocation would come all at once.
        long period = limits.entryNanos();
        entrySentAt = System.nanoTime();
        entryDueAt = entrySentAt + period - ThreadLocalRandom.current().nextLong(period / 4);
        return new NodeEntry.Request(
                current == null ? NO_REGISTER : current.name, seen, taken, String.join(",", endedLately), connections);
    }

    private synchronized void entered(List<?> answer, NodeEntry.Request request) {
        String register = text(answer.get(1));
        long number = (Long) answer.get(2);
        long changes = (Long) answer.get(3);
        boolean isNew = (Long) answer.get(4) == 1;
        String epoch = text(answer.get(5));
        boolean isMissing = (Long) answer.get(6) == 1;
        List<?> groups = (List<?>) answer.get(7);
        limits.nodes((Long) answer.get(8));
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
            take(groups.stream().map(group -> hashesIn((byte[]) group)).toList(), number);
        }
        silent.note(changes);
        advance();
    }

    /**
     * Takes names.
     *
     * @param last the number of the last ones
     */
    private void take(List<long[]> groups, long last) {
        long first = last - groups.size() + 1;
        for (int i = 0; i < groups.size(); i++) {
            Group group = new Group(first + i, groups.get(i));
            quarantine.add(group.hashes, AnswerLimits.longer(QUARANTINE, untilClosed()));
            if (group.number > Math.max(processing, taken)) {
                pending.addLast(group);
            }
        }
        taken = Math.max(taken, last);
    }

    /** A server that refuses scripts takes no fence, though it may have taken other heartbeats since the last entry. */
    private synchronized void failed(Throwable failure) {
        isEntryWanted = true;
        if (RedisLink.isAnswer(failure instanceof CompletionException ? failure.getCause() : failure)) {
            accepted.clear();
            server.provenNoLaterThan(entryProvenAt);
        }
        server.writeFailed(failure);
    }

    private synchronized void accepted(String register, NodeEntry.Written written) {
        Known current = known;
        if (current == null || !current.name.equals(register) || written.connections() != connections) {
            isEntryWanted = true;
            return; // of a register, or over a connection, that has been replaced meanwhile
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
        isEntryWanted = true;
        if (isReplaced) {
            distrustedUntil = System.nanoTime() + untilClosed().toNanos();
            isDistrusted = true;
            server.revoked(RevokedKeys.everyone(), ended -> {});
        }
    }

    /**
     * Looks at the register over the tracked connection, and listens for the signal: the heartbeat itself, or its second half.
     *
     * @return completed on the event loop; failed where Redis does not take the write
     */
    @Override
    public CompletionStage<Look> look(RedisAsyncCommands<String, byte[]> tracked) {
        long sentOver = connections();
        long sentAt = System.nanoTime();
        // A part: another's data may be of any size. First: what comes after it counts for the revocations that it
        // shows.
        CompletionStage<byte[]> signalled = tracked.getrange(keys.signal(), 0, MAX_LOOKED_AT);
        // A write, which a server refuses that takes none. Redis does not track what it reads, so that no entry is
        // pushed to the node that wrote it.
        CompletionStage<byte[]> mine = tracked.getex(keys.own(), GetExArgs.Builder.px(OWN_STAYS));
        CompletionStage<List<KeyValue<String, byte[]>>> homes = tracked.hmget(keys.homes(), homeField);
        return signalled
                .thenCombine(mine, Looked::new)
                .thenCombine(homes, (looked, marks) -> {
                    Look look = seen(looked, marks.get(0).hasValue(), sentOver, sentAt);
                    return Rule.READ_BACK.isOut() ? accepted() : look;
                })
                .whenComplete((look, failure) -> {
                    if (failure != null) {
                        isEntryWanted = true;
                        server.writeFailed(failure);
                    }
                });
    }

    private synchronized long connections() {
        return connections;
    }

    /** As if a write that Redis has accepted and an answered look were enough, wherever each of them went. */
    private synchronized Look accepted() {
        NodeEntry.Written last = accepted.peekLast();
        return last == null ? Look.NOTHING : new Look(true, last.sentAt(), false);
    }

    private synchronized Look seen(Looked looked, boolean isHomeMarked, long sentOver, long sentAt) {
        Look look = seenOf(looked, isHomeMarked && sentOver == connections, sentAt);
        // An entry that is under way may be what is missing.
        if (!look.isHeartbeat() && entrySentAt - sentAt < 0 && !entry.isBeingWritten()) {
            isEntryWanted = true;
        }
        return look;
    }

    private Look seenOf(Looked looked, boolean isMarkedOverThese, long sentAt) {
        Matcher now = SIGNAL.matcher(text(looked.signal));
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
        List<long[]> named = namedIn(now.group(5));
        if (taken >= 0 && taken < number && number - taken <= named.size()) {
            take(named, number);
        } else if (taken < number) {
            var unused = write(); // the names come with the answer
        }
        advance();
        NodeEntry.Written readBack = readBack(text(looked.own));
        if (readBack == null || taken < 0) {
            return Look.NOTHING;
        }
        entryProvenAt = readBack.sentAt();
        boolean isHeartbeat = countsWithoutEntry()
                && isMarkedOverThese
                && number == readBack.number()
                && readBack.limits().equals(limits.text())
                && now.group(3).equals(server.history());
        long countedUntil = readBack.sentAt() + AnswerLimits.COUNTED_WITHOUT_ENTRY.toNanos();
        return isHeartbeat
                ? new Look(true, sentAt - countedUntil < 0 ? sentAt : countedUntil, true)
                : new Look(true, readBack.sentAt(), !countsWithoutEntry());
    }

    /** The entry that the own key shows to have been written. */
    private NodeEntry.@Nullable Written readBack(String mine) {
        NodeEntry.Written found = null;
        for (NodeEntry.Written one : accepted) {
            if (mine.startsWith(one.mark() + ' ')) {
                found = one;
            }
        }
        return found;
    }

    /** The names in a signal, of as many numbers up to its own; none where they cannot be read. */
    private static List<long[]> namedIn(@Nullable String words) {
        List<long[]> groups = new ArrayList<>();
        for (String word : words == null ? new String[0] : words.split(" ", -1)) {
            if (word.isEmpty() || word.length() % HEX_DIGITS != 0) {
                return List.of();
            }
            long[] hashes = new long[word.length() / HEX_DIGITS];
            for (int i = 0; i < hashes.length; i++) {
                hashes[i] = Long.parseUnsignedLong(word, i * HEX_DIGITS, (i + 1) * HEX_DIGITS, 16);
            }
            groups.add(hashes);
        }
        return groups;
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
    @Override
    public synchronized void lost() {
        visible = NONE;
        taken = NONE;
        unproven();
    }

    /** One of the connections may lead to another server than before: what is written is to be read back anew. */
    @Override
    public synchronized void unproven() {
        connections++;
        accepted.clear();
        isEntryWanted = true;
    }

    /** Takes away entries that have long been silent, without waiting for it. To be called often: it is done now and then. */
    @Override
    public void maintain() {
        if (silent.isDue(System.nanoTime())) {
            quarantine.sweep();
            Known current = known;
            silent.sweep(
                    current == null ? null : current.name,
                    AnswerLimits.longer(life, untilClosed().plus(AnswerLimits.COUNTED_WITHOUT_ENTRY)));
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
