package dev.usher.redis;

import io.lettuce.core.KeyValue;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
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
 * <p>No heartbeat is needed for that: the mark is read over the tracked connection, so Redis pushes each change of the register. What is read of a tenant
 * is cached in a session of the tenant's, within that of the connection. While a change is not known to be harmless, that session is held; when the mark is
 * lost, it ends, and the tenant's reads are not cached in memory until the mark is there again. Other tenants, and the home, go on.
 *
 * <p>Thread-safe.
 */
final class TenantRegisters {

    private static final GuardScript MARK = GuardScript.alone("tenant");
    private static final String HOME = "#home:";

    /** How soon a mark that could not be read or set is tried again. */
    private static final Duration RETRY = Duration.ofSeconds(1);

    private final String field;
    private final RedisLink scripts;
    private final CurrentSession session;
    private final Duration life;

    /** By prefix. */
    private final ConcurrentMap<String, Mark> marks = new ConcurrentHashMap<>();

    /** Those that are not known to be there. */
    private final Set<Mark> missing = ConcurrentHashMap.newKeySet();

    private volatile @Nullable RedisAsyncCommands<String, byte[]> tracked;

    /** When the known marks are looked through for those that are to be extended. */
    private volatile long sweepAt = System.nanoTime();

    /** A mark, as this node knows it. Guarded by itself. */
    private static final class Mark {

        private final String prefix;
        private final String key;

        private long triedAt = System.nanoTime() - RETRY.toNanos();
        private long extendAt;

        /** Its name, or {@code null} while it is not known to be there. */
        private @Nullable String name;

        /** In which the tenant's reads are cached, or {@code null} without a name. Read without a lock. */
        private volatile @Nullable Session session;

        /** The epoch of the register beside it, or {@code null} when no node has ever entered. */
        private @Nullable String epoch;

        /** Since when this node knows both. */
        private long knownSince;

        /** Whether it is being read; and whether the register has changed since that read was sent. */
        private boolean isBeingRead;

        private boolean hasChanged;

        private Mark(String prefix) {
            this.prefix = prefix;
            this.key = RegisterScripts.keyOf(prefix);
        }

        private void lose() {
            name = null;
            Session ended = session;
            session = null;
            if (ended != null) {
                ended.end();
            }
        }
    }

    /**
     * No tenants yet.
     *
     * @param home this node's own prefix
     * @param scripts over which marks are set
     * @param session of the connection over which marks are read
     * @param life after which a mark ends that no node extends
     */
    TenantRegisters(String home, RedisLink scripts, CurrentSession session, Duration life) {
        this.field = fieldOf(home);
        this.scripts = scripts;
        this.session = session;
        this.life = life;
    }

    /** The field of the mark of a home. */
    static String fieldOf(String home) {
        return HOME + home;
    }

    static boolean isMark(String field) {
        return field.startsWith(HOME);
    }

    /** From now on this node answers for a prefix. */
    void add(String prefix) {
        Mark mark = new Mark(prefix);
        marks.put(prefix, mark);
        missing.add(mark);
        read(mark);
    }

    /** This node answers for a prefix no more. Its mark ends by itself, for other nodes may need it. */
    void remove(String prefix) {
        Mark mark = marks.remove(prefix);
        if (mark != null) {
            synchronized (mark) {
                mark.lose();
            }
            missing.remove(mark);
        }
    }

    /** The session in which what is read of a tenant may be cached in memory, or {@code null} when it may not be. */
    @Nullable Session sessionOf(String prefix) {
        Mark mark = marks.get(prefix);
        return mark == null ? null : mark.session;
    }

    /**
     * Reads a register that has changed. Called on the event loop of the tracked connection.
     *
     * @param key which may be any key
     * @return whether it is such a register
     */
    boolean changed(String key) {
        String prefix = RegisterScripts.prefixOf(key);
        Mark mark = prefix == null ? null : marks.get(prefix);
        if (mark != null) {
            read(mark);
        }
        return mark != null;
    }

    /** Marks are read over this connection, while there is a tracked session. */
    void readOver(RedisAsyncCommands<String, byte[]> connection) {
        tracked = connection;
    }

    /** A tracked session has begun: what is read from now on is tracked. */
    void sessionBegan() {
        marks.values().forEach(this::read);
    }

    /** Nothing of what was known is known any more: the connection is lost, or Redis has been flushed. The session has ended. */
    void lost() {
        marks.values().forEach(mark -> {
            synchronized (mark) {
                mark.lose();
            }
            missing.add(mark);
        });
    }

    /**
     * Reads the marks that are not known, and extends those that are to be extended, without waiting for it. To be called now and then: it costs
     * next to nothing while all marks are known.
     */
    void maintain() {
        long now = System.nanoTime();
        missing.removeIf(mark -> !mark.equals(marks.get(mark.prefix))); // removed while it was read
        for (Mark mark : missing) {
            boolean isDue;
            synchronized (mark) {
                isDue = mark.name == null && now - mark.triedAt >= RETRY.toNanos();
            }
            if (isDue) {
                read(mark);
            }
        }
        if (now - sweepAt >= 0) {
            sweepAt = now + life.toNanos() / 100;
            marks.values().forEach(mark -> {
                boolean isDue;
                synchronized (mark) {
                    isDue = mark.name != null && now - mark.extendAt >= 0;
                }
                if (isDue) {
                    set(mark);
                }
            });
        }
    }

    private void read(Mark mark) {
        RedisAsyncCommands<String, byte[]> connection = tracked;
        Session current = session.get();
        if (connection == null || !current.isTracked()) {
            return;
        }
        synchronized (mark) {
            mark.triedAt = System.nanoTime();
            if (mark.session != null) {
                mark.session.hold();
            }
            if (mark.isBeingRead) {
                mark.hasChanged = true;
                return;
            }
            mark.isBeingRead = true;
            mark.hasChanged = false;
        }
        CompletionStage<List<KeyValue<String, byte[]>>> answer;
        try {
            answer = connection.hmget(mark.key, field, NodeRegister.EPOCH);
        } catch (RuntimeException e) {
            // The connection is closed for good.
            answered(mark, current, null, null);
            return;
        }
        var unused = answer.whenComplete((fields, failure) -> {
            String name = failure == null ? nameIn(text(fields.get(0))) : null;
            if (answered(mark, current, name, failure == null ? text(fields.get(1)) : null)) {
                read(mark);
            } else if (name == null && (failure == null || "WRONGTYPE".equals(RedisErrorLog.codeOf(failure)))) {
                set(mark);
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
        synchronized (mark) {
            mark.isBeingRead = false;
            boolean isTracked = session.get() == during;
            if (!isTracked || !Objects.equals(mark.name, name)) {
                // A node that has entered the register since may not know of this one.
                mark.lose();
            }
            if (!isTracked || name == null) {
                missing.add(mark);
            } else {
                if (mark.session == null) {
                    mark.name = name;
                    mark.session = Session.within(during);
                    mark.knownSince = System.nanoTime();
                    mark.extendAt = nextExtension();
                    missing.remove(mark);
                } else if (!Objects.equals(mark.epoch, epoch)) {
                    mark.knownSince = System.nanoTime();
                }
                mark.epoch = epoch;
                if (!mark.hasChanged) {
                    mark.session.release();
                } else {
                    mark.session.hold();
                }
            }
            return mark.hasChanged || !isTracked;
        }
    }

    /** Sets or extends a mark. Redis then pushes that the register has changed, and it is read again. */
    private void set(Mark mark) {
        byte[][] arguments = {
            bytes(field),
            bytes(UUID.randomUUID().toString()),
            bytes(Long.toString(life.toMillis())),
            bytes(UUID.randomUUID().toString()),
        };
        try {
            var unused = scripts.commands()
                    .eval(MARK.source(), ScriptOutputType.INTEGER, new String[] {mark.key}, arguments)
                    .whenComplete((done, failure) -> {
                        // A failure is not noted: where the account may not write this one key, Redis is well all the
                        // same.
                        if (failure == null) {
                            synchronized (mark) {
                                mark.extendAt = nextExtension();
                            }
                        }
                    });
        } catch (SharedTierException | RuntimeException e) {
            // It is tried again with a later heartbeat.
        }
    }

    /**
     * Between a quarter and a half of the life from now. The script writes a mark that is older than a quarter, so it is never older than three quarters; and of
     * the nodes that share it, one writes it.
     */
    private long nextExtension() {
        long quarter = life.toNanos() / 4;
        return System.nanoTime() + quarter + ThreadLocalRandom.current().nextLong(quarter);
    }

    /**
     * Whether every node that could answer for a tenant is in this node's own register.
     *
     * @param limit how long a node may answer that has been lost from a register
     * @throws SharedTierException when Redis does not say
     */
    boolean isAlone(String prefix, Duration limit, Duration atMost) throws SharedTierException {
        Mark mark = marks.get(prefix);
        if (mark == null || mark.session == null) {
            // Redis is not asked: the account may not be allowed to.
            return false;
        }
        Map<String, byte[]> fields =
                scripts.await(scripts.commandsToWaitFor().hgetall(mark.key).toCompletableFuture(), atMost);
        String name = nameIn(text(fields.get(field)));
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

    /** Behind the name of a mark stands when it was extended. */
    private static @Nullable String nameIn(@Nullable String mark) {
        if (mark == null) {
            return null;
        }
        int end = mark.indexOf(' ');
        return end < 0 ? mark : mark.substring(0, end);
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
