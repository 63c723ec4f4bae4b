package dev.usher.redis;

import static java.util.Objects.requireNonNull;

import io.lettuce.core.KeyValue;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The register of the nodes that share a Redis, and this node's part in it.
 *
 * <p>It is a hash in Redis. Each node has a field with the number of the last revocation that it has <em>seen</em>: what it
 * processes over its tracked connection comes in the order of Redis, so a node that has read the number there has processed
 * the push of every fence from before that number. A node answers from memory only while it is in the register, which every
 * heartbeat looks at. So when every node in it has seen a revocation's number, no node answers from before it.
 *
 * <p>That holds for a register that is complete. One that may have lost a node is in a new <em>epoch</em>, and is believed
 * only after all that was lost must have closed by itself. Thread-safe.
 */
public final class NodeRegister {

    /** How often a node says that it is there. */
    private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(1);

    /** Fields of the register that are no nodes begin with a character that no node's name begins with. */
    static final String EPOCH = "#epoch";

    private static final String REVOCATIONS = "#revocations";

    private static final GuardScript REGISTER = GuardScript.alone("register");

    /** Number, moment, epoch and limits. */
    private static final Pattern MEMBER = Pattern.compile("(\\d{1,18}) \\d+ (\\S+) (\\S*)");

    /** As many revocations as can be counted; more were not counted by nodes. */
    private static final Pattern COUNTED = Pattern.compile("\\d{1,18}");

    private static final Pattern LIMIT = Pattern.compile("([^=,]+)=(\\d{1,15})");

    private static final String KEY_END = ":nodes}";

    private final String key;
    private final String signal;
    private final String node;
    private final Duration life;
    private final Duration markLife;
    private final RedisLink scripts;

    /** How long this node may answer after its last sign of life, by facet. */
    private final ConcurrentMap<String, Duration> limits = new ConcurrentHashMap<>();

    private final AtomicBoolean publishing = new AtomicBoolean();
    private volatile Seen seen = Seen.NOTHING;
    private volatile @Nullable Published published;
    private volatile @Nullable Epoch epoch;
    private volatile boolean left;

    /** What this node has seen: the last revocation of an epoch. */
    record Seen(String epoch, long revocation) {

        /** As an epoch has no such name, it is taken for nothing. */
        private static final Seen NOTHING = new Seen("-", 0);
    }

    /** What the register says of this node, and since when. */
    private record Published(Seen seen, long at) {}

    /**
     * A sample of the register, read over the tracked connection.
     *
     * @param isRegistered whether this node is in it
     * @param seen what can be seen there
     */
    record Sample(boolean isRegistered, Seen seen) {}

    /** The epoch of the register, and since when this node knows it. */
    private record Epoch(String name, long knownSince) {}

    /**
     * A node of the register.
     *
     * @param epoch in which it has seen it
     * @param seen the number of the last revocation that it has seen
     * @param limits how long it may answer after its last sign of life, by facet
     */
    public record Member(String epoch, long seen, Map<String, Duration> limits) {}

    /**
     * What the register says.
     *
     * @param epoch in which it is, or {@code null} when there is none
     * @param members all nodes, by name
     * @param isShared whether nodes of other registers answer for this prefix, too
     */
    public record Snapshot(@Nullable String epoch, Map<String, Member> members, boolean isShared) {}

    /**
     * Not yet in the register.
     *
     * @param keyPrefix what all keys of these caches begin with
     * @param node this node's name
     * @param life after which a node that does not report is dropped
     * @param markLife after which a mark of {@link TenantRegisters} is dropped that is not extended
     * @param scripts over which it is written
     */
    NodeRegister(String keyPrefix, String node, Duration life, Duration markLife, RedisLink scripts) {
        this.key = keyOf(keyPrefix);
        this.signal = key + ":revoked";
        this.node = node;
        this.life = life;
        this.markLife = markLife;
        this.scripts = scripts;
    }

    /** The key of the register of the nodes that share a prefix. */
    static String keyOf(String prefix) {
        return "{" + prefix + KEY_END;
    }

    /** The prefix whose nodes' register has this key, or {@code null} when it is no register's. */
    static @Nullable String prefixOf(String key) {
        return key.startsWith("{") && key.endsWith(KEY_END) ? key.substring(1, key.length() - KEY_END.length()) : null;
    }

    /** Whether a key that has changed is the signal: a revocation waits for the nodes. */
    public boolean isSignal(String changed) {
        return changed.equals(signal);
    }

    /** Says how long this node may answer after its last sign of life. */
    public void limit(String facet, Duration limit) {
        Duration before = limits.get(facet);
        if (before != null && before.compareTo(limit) >= 0) {
            // The register says so already: this node is not to stop answering until it is entered anew.
            return;
        }
        limits.merge(facet, limit, (one, other) -> one.compareTo(other) < 0 ? other : one);
        published = null;
    }

    /** Looks at the register over the tracked connection, and listens for the signal. Completed on the event loop. */
    CompletionStage<Sample> sample(RedisAsyncCommands<String, byte[]> tracked) {
        CompletionStage<Long> listening = tracked.strlen(signal);
        return tracked.hmget(key, EPOCH, REVOCATIONS, node).thenCombine(listening, (fields, any) -> sampleOf(fields));
    }

    private Sample sampleOf(List<KeyValue<String, byte[]>> fields) {
        String name = text(fields.get(0));
        if (name == null) {
            epoch = null;
            return new Sample(false, Seen.NOTHING);
        }
        Epoch known = epoch;
        if (known == null || !known.name.equals(name)) {
            epoch = new Epoch(name, System.nanoTime());
        }
        String revocations = text(fields.get(1));
        // What cannot be read is as good as none: the next entry of any node puts it right, in a new epoch.
        boolean isCounted = revocations != null && COUNTED.matcher(revocations).matches();
        return new Sample(
                fields.get(2).hasValue(), new Seen(name, isCounted ? Long.parseLong(requireNonNull(revocations)) : 0));
    }

    /** This node has processed every change from before a sample, and says so if the register does not know, or now and then. */
    void processed(Sample sample) {
        seen = sample.seen;
        Published before = published;
        if (!sample.isRegistered
                || before == null
                || !before.seen.equals(seen)
                || System.nanoTime() - before.at >= SIGN_OF_LIFE.toNanos()) {
            var unused = register();
        }
    }

    /** This node is not told of changes any more, and the next server at the address may have another register. */
    void lost() {
        epoch = null;
        seen = Seen.NOTHING;
        published = null;
    }

    /** Whether this node could enter what it has seen, since it has been connected. */
    boolean isEntered() {
        return published != null;
    }

    /** Enters what this node has seen, without waiting for the answer. A failed attempt is made again with the next sample. */
    public CompletionStage<?> register() {
        if (left || !publishing.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        Published next = new Published(seen, System.nanoTime());
        return entry(next.seen).handle((done, failure) -> {
            if (failure == null) {
                published = next;
            } else if (RedisErrorLog.reasonOf(failure).equals("READONLY")) {
                // What a replica says is not what the others are told.
                published = null;
            }
            scripts.note(failure);
            publishing.set(false);
            if (failure == null && !next.seen.equals(seen)) {
                var unused = register();
            }
            return null;
        });
    }

    private CompletionStage<?> entry(Seen seen) {
        String answersFor = limits.entrySet().stream()
                .map(limit -> limit.getKey() + '=' + limit.getValue().toMillis())
                .collect(Collectors.joining(","));
        byte[][] arguments = {
            bytes(node),
            bytes(Long.toString(seen.revocation)),
            bytes(seen.epoch),
            bytes(answersFor),
            bytes(Long.toString(life.toMillis())),
            bytes(UUID.randomUUID().toString()),
            bytes(Long.toString(markLife.toMillis()))
        };
        try {
            String[] keys = {key, signal};
            return scripts.commands().eval(REGISTER.source(), ScriptOutputType.INTEGER, keys, arguments);
        } catch (SharedTierException e) {
            return CompletableFuture.failedStage(e);
        }
    }

    /**
     * Leaves the register; to be called when nothing is answered any more. It waits for the answer, for the command timeout at
     * most, as the end of the connection would overtake what has not been sent yet; and a node that is left in the register is waited for.
     */
    public void leave() {
        left = true;
        try {
            var unused = scripts.await(scripts.commands().hdel(key, node).toCompletableFuture());
        } catch (SharedTierException e) {
            // It is dropped after a while.
        }
    }

    /** Gives a revocation its number, which comes after every fence that has been confirmed, and changes the signal. */
    public long revoke(Duration atMost) throws SharedTierException {
        RedisAsyncCommands<String, byte[]> redis = scripts.commandsToWaitFor();
        CompletableFuture<Long> number = redis.hincrby(key, REVOCATIONS, 1).toCompletableFuture();
        var signalled = redis.set(signal, bytes(node));
        return scripts.await(number.thenCombine(signalled, (counted, any) -> counted), atMost);
    }

    /** Reads the register. */
    public Snapshot read(Duration atMost) throws SharedTierException {
        Map<String, byte[]> fields =
                scripts.await(scripts.commandsToWaitFor().hgetall(key).toCompletableFuture(), atMost);
        Map<String, Member> members = new HashMap<>();
        fields.forEach((field, value) -> {
            if (!field.startsWith("#")) {
                members.put(field, memberOf(new String(value, StandardCharsets.UTF_8)));
            }
        });
        byte[] name = fields.get(EPOCH);
        return new Snapshot(
                name == null ? null : new String(name, StandardCharsets.UTF_8),
                members,
                fields.keySet().stream().anyMatch(TenantRegisters::isMark));
    }

    /**
     * Whether a register holds every node that could still answer.
     *
     * @param limit how long a node may answer that has been lost from it
     */
    public boolean isComplete(Snapshot snapshot, Duration limit) {
        Epoch known = epoch;
        return known != null
                && known.name.equals(snapshot.epoch)
                && !snapshot.isShared
                && snapshot.members.containsKey(node)
                && System.nanoTime() - known.knownSince > limit.toNanos();
    }

    /** A field that cannot be read is that of a node that has seen nothing. */
    private static Member memberOf(String text) {
        Matcher member = MEMBER.matcher(text);
        if (!member.matches()) {
            return new Member(Seen.NOTHING.epoch, Seen.NOTHING.revocation, Map.of());
        }
        Map<String, Duration> limits = new HashMap<>();
        // Part by part: a search for the pattern in a long text would begin anew at each character.
        for (String part : member.group(3).split(",", -1)) {
            Matcher limit = LIMIT.matcher(part);
            if (limit.matches()) {
                limits.put(limit.group(1), Duration.ofMillis(Long.parseLong(limit.group(2))));
            }
        }
        return new Member(member.group(2), Long.parseLong(member.group(1)), limits);
    }

    private static @Nullable String text(KeyValue<String, byte[]> field) {
        return field.hasValue() ? new String(field.getValue(), StandardCharsets.UTF_8) : null;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
