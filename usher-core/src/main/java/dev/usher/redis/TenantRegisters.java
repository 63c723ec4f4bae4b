package dev.usher.redis;

import io.lettuce.core.KeyValue;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The registers of other prefixes (tenants) that this node answers for, beside its own.
 *
 * <p>A revocation of a tenant is confirmed through this node's own register, its home: what a node has seen there it has seen of every prefix, since
 * all pushes come over one connection. That is enough while each node that answers for the tenant is in the same register. A process for which the tenant's prefix
 * is its own is not, nor is one with another home. So each home leaves a mark in the tenant's register, {@code {prefix:nodes}}: a field {@code #home:…} with
 * a name that is never used again. A node confirms early only when it finds no mark but its own there, and no node; and a node of the
 * tenant's own register, only when it finds no mark ({@link NodeRegister#isComplete}). Otherwise both wait for the staleness bound.
 *
 * <p>No heartbeat is needed for that: the mark is read over the tracked connection, so Redis tells when the register changes. While that is not known to
 * be harmless, the watermark stands still ({@link #areKnown}); when the mark is lost, the session begins anew, and the tenant's reads
 * are not cached in memory until the mark is there again.
 *
 * <p>Thread-safe.
 */
final class TenantRegisters {

    private static final GuardScript MARK = GuardScript.alone("tenant");
    private static final String HOME = "#home:";

    /** Marks of nodes that are gone end some time; those that are needed are set again, not all of them at once. */
    private static final Duration LIFE = Duration.ofHours(24);

    /** How soon a mark that could not be read or set is tried again. */
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final String field;
    private final RedisLink scripts;
    private final CurrentSession session;
    private final ConcurrentMap<String, Mark> marks = new ConcurrentHashMap<>();
    private volatile @Nullable RedisAsyncCommands<String, byte[]> tracked;

    /** A mark, as this node knows it. Guarded by itself. */
    private static final class Mark {

        private long triedAt = System.nanoTime() - RETRY.toNanos();

        /** Its name, or {@code null} while it is not known to be there. */
        private @Nullable String name;

        /** The epoch of the register beside it, or {@code null} when no node has ever entered. */
        private @Nullable String epoch;

        /** Since when this node knows both. */
        private long knownSince;

        /** Whether it is being read; and whether the register has changed since that read was sent. */
        private boolean isBeingRead;

        private boolean hasChanged;
    }

    /**
     * No tenants yet.
     *
     * @param home this node's own prefix
     * @param scripts over which marks are set
     * @param session is renewed when a mark has been lost
     */
    TenantRegisters(String home, RedisLink scripts, CurrentSession session) {
        this.field = HOME + home;
        this.scripts = scripts;
        this.session = session;
    }

    static boolean isMark(String field) {
        return field.startsWith(HOME);
    }

    private static String keyOf(String prefix) {
        return NodeRegister.keyOf(prefix);
    }

    /** From now on this node answers for a prefix. */
    void add(String prefix) {
        String key = keyOf(prefix);
        marks.put(key, new Mark());
        read(key);
    }

    /** This node answers for a prefix no more. Its mark ends by itself, for other nodes may need it. */
    void remove(String prefix) {
        marks.remove(keyOf(prefix));
    }

    /** Whether a key that has changed is such a register. */
    boolean contains(String changed) {
        return marks.containsKey(changed);
    }

    /** Whether what is read of a tenant may be cached in memory. */
    boolean isMarked(String prefix) {
        Mark mark = marks.get(keyOf(prefix));
        if (mark == null) {
            return false;
        }
        synchronized (mark) {
            return mark.name != null;
        }
    }

    /** Whether no register has changed without this node knowing how. */
    boolean areKnown() {
        return marks.values().stream().noneMatch(TenantRegisters::isUnknown);
    }

    private static boolean isUnknown(Mark mark) {
        synchronized (mark) {
            return mark.name != null && mark.isBeingRead;
        }
    }

    /** A register has changed. Called on the event loop of the tracked connection. */
    void changed(String key) {
        read(key);
    }

    /** Marks are read over this connection, while there is a tracked session. */
    void readOver(RedisAsyncCommands<String, byte[]> connection) {
        tracked = connection;
    }

    /** A tracked session has begun: what is read from now on is tracked. */
    void sessionBegan() {
        marks.keySet().forEach(this::read);
    }

    /** Nothing of what was known is known any more: the connection is lost, or Redis has been flushed. The session has ended. */
    void lost() {
        marks.values().forEach(mark -> {
            synchronized (mark) {
                mark.name = null;
            }
        });
    }

    /** Reads the marks that are not known, without waiting for it. To be called now and then. */
    void readMissing() {
        marks.forEach((key, mark) -> {
            boolean isMissing;
            synchronized (mark) {
                isMissing = mark.name == null && System.nanoTime() - mark.triedAt >= RETRY.toNanos();
            }
            if (isMissing) {
                read(key);
            }
        });
    }

    private void read(String key) {
        Mark mark = marks.get(key);
        RedisAsyncCommands<String, byte[]> connection = tracked;
        Session current = session.get();
        if (mark == null || connection == null || !current.isTracked()) {
            return;
        }
        synchronized (mark) {
            mark.triedAt = System.nanoTime();
            if (mark.isBeingRead) {
                mark.hasChanged = true;
                return;
            }
            mark.isBeingRead = true;
            mark.hasChanged = false;
        }
        CompletionStage<List<KeyValue<String, byte[]>>> answer;
        try {
            answer = connection.hmget(key, field, NodeRegister.EPOCH);
        } catch (RuntimeException e) {
            // The connection is closed for good.
            answered(mark, current, null, null);
            return;
        }
        var unused = answer.whenComplete((fields, failure) -> {
            String name = failure == null ? text(fields.get(0)) : null;
            if (answered(mark, current, name, failure == null ? text(fields.get(1)) : null)) {
                read(key);
            } else if (failure == null && name == null) {
                set(key);
            }
        });
    }

    /**
     * Notes what was read.
     *
     * @param during the session in which the read was sent; in another one it may not be tracked
     * @return whether it is to be read again
     */
    @SuppressWarnings("ReferenceEquality") // a session is told apart by identity
    private boolean answered(Mark mark, Session during, @Nullable String name, @Nullable String epoch) {
        boolean isLost;
        boolean isToBeReadAgain;
        synchronized (mark) {
            boolean isTracked = session.get() == during;
            isLost = isTracked && mark.name != null && !mark.name.equals(name);
            if (!isTracked) {
                mark.name = null;
            } else if (!Objects.equals(mark.name, name) || !Objects.equals(mark.epoch, epoch)) {
                mark.name = name;
                mark.epoch = epoch;
                mark.knownSince = System.nanoTime();
            }
            isToBeReadAgain = mark.hasChanged || !isTracked;
        }
        if (isLost) {
            // A node that has entered the register since does not know of this one.
            session.renew();
        }
        synchronized (mark) {
            mark.isBeingRead = false;
        }
        return isToBeReadAgain;
    }

    /** Sets a mark. Redis then says that the register has changed, and it is read again. */
    private void set(String key) {
        long life = LIFE.toMillis() - ThreadLocalRandom.current().nextLong(LIFE.toMillis() / 2);
        byte[][] arguments = {
            bytes(field), bytes(UUID.randomUUID().toString()), bytes(Long.toString(life)),
        };
        try {
            var unused = scripts.commands()
                    .eval(MARK.source(), ScriptOutputType.INTEGER, new String[] {key}, arguments)
                    .whenComplete((done, failure) -> scripts.note(failure));
        } catch (SharedTierException | RuntimeException e) {
            // It is tried again with a later heartbeat.
        }
    }

    /**
     * Whether every node that could answer for a tenant is in this node's own register.
     *
     * @param limit how long a node may answer that has been lost from a register
     * @throws SharedTierException when Redis does not say
     */
    boolean isAlone(String prefix, Duration limit, Duration atMost) throws SharedTierException {
        String key = keyOf(prefix);
        Mark mark = marks.get(key);
        if (mark == null) {
            return false;
        }
        Map<String, byte[]> fields =
                scripts.await(scripts.commandsToWaitFor().hgetall(key).toCompletableFuture(), atMost);
        String name = text(fields.get(field));
        synchronized (mark) {
            // In another epoch, a node may have been dropped that still answers.
            return name != null
                    && name.equals(mark.name)
                    && Objects.equals(text(fields.get(NodeRegister.EPOCH)), mark.epoch)
                    && System.nanoTime() - mark.knownSince > limit.toNanos()
                    && fields.keySet().stream().allMatch(other -> other.equals(field) || isOfNoNode(other));
        }
    }

    /** Fields of nodes, and marks of other homes, are of nodes that this one does not know. */
    private static boolean isOfNoNode(String field) {
        return field.startsWith("#") && !isMark(field);
    }

    private static @Nullable String text(KeyValue<String, byte[]> field) {
        return text(field.getValueOrElse(null));
    }

    private static @Nullable String text(byte @Nullable [] value) {
        return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
