package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.bytes;
import static dev.usher.redis.RegisterScripts.text;

import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's entry in the register: each write has a mark that no other has, by which it can be read back, and says how long the node may answer without
 * a heartbeat, and which number it has seen. Thread-safe; no thread waits, but to leave.
 */
final class NodeEntry {

    /** Of the register, as this version of usher knows it. */
    static final String FORMAT = "2";

    private static final Logger log = LoggerFactory.getLogger(NodeEntry.class);

    private final RegisterScripts keys;
    private final Setting setting;
    private final AnswerLimits limits;
    private final RedisLink scripts;
    private final NodeRegister.Server server;
    private final Register register;
    private final String nonce = UUID.randomUUID().toString().substring(0, 8);
    private final AtomicLong marks = new AtomicLong();
    private final AtomicBoolean writing = new AtomicBoolean();
    private volatile boolean writeAgain;
    private final AtomicBoolean beating = new AtomicBoolean();
    private volatile @Nullable String historyToReplace;
    private volatile @Nullable String otherFormat;
    private volatile boolean left;

    /**
     * What the writes say besides.
     *
     * @param homeField the mark of this node's home beside the register
     * @param markLife after which a mark of {@link TenantRegisters} is dropped that is not extended
     * @param life after which a silent node of version 0.1 is dropped
     */
    record Setting(String homeField, Duration markLife, Duration life) {}

    /** What this node knows of the register. */
    interface Register {

        /** What is to be written. */
        Request request();

        /**
         * The entry has been written. Called on the event loop.
         *
         * @param answer of the script
         */
        void entered(List<?> answer, Request request);

        /**
         * A heartbeat is accepted: when it is read back, this node has seen all changes from before its sending.
         *
         * @param register in which the entry is
         */
        void accepted(String register, Written written);

        /** An entry could not be written. */
        void failed(Throwable failure);
    }

    /**
     * What a write says, and asks for.
     *
     * @param register for which it is, as far as this node knows it
     * @param seen the number that this node has seen in it
     * @param from the number after which it wants names
     * @param ended how many open things listeners have ended, by revocation
     * @param connections over which pair of connections it is sent
     */
    record Request(String register, long seen, long from, String ended, long connections) {}

    /**
     * A heartbeat that has written the entry.
     *
     * @param sentAt when it was sent, in {@link System#nanoTime()}
     * @param number the last number of the register when it was written
     * @param connections over which pair of connections it was sent
     * @param limits how long it says that this node may answer without heartbeats
     */
    record Written(String mark, long sentAt, long number, long connections, String limits) {}

    /**
     * Nothing is written yet.
     *
     * @param scripts over which it is written
     */
    NodeEntry(
            RegisterScripts keys,
            Setting setting,
            AnswerLimits limits,
            RedisLink scripts,
            NodeRegister.Server server,
            Register register) {
        this.keys = keys;
        this.setting = setting;
        this.limits = limits;
        this.scripts = scripts;
        this.server = server;
        this.register = register;
    }

    /** The format of the register, when this version of usher does not know it; else {@code null}. */
    @Nullable String otherFormat() {
        return otherFormat;
    }

    /** Whether a write is under way. */
    boolean isBeingWritten() {
        return writing.get();
    }

    /**
     * Writes this node's entry, without waiting; not before the last write is answered. Where heartbeats wait for replicas this is none: the mark of the last
     * heartbeat stays.
     *
     * @return completed when it is answered, or has failed, or there was nothing to write
     */
    CompletionStage<?> write() {
        if (left) {
            return CompletableFuture.completedStage(null);
        }
        writeAgain = true; // before the look at the write under way, which looks here when it ends
        if (!writing.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        writeAgain = false;
        boolean isHeartbeat = !server.acknowledgements().areOfHeartbeats();
        return writeOnce(scripts, isHeartbeat, true).handle((done, failure) -> {
            scripts.note(failure);
            if (failure != null) {
                register.failed(failure);
            }
            writing.set(false);
            if (failure == null && writeAgain) {
                var unused = write();
            }
            return null;
        });
    }

    /**
     * A heartbeat that writes the entry, and can be read back. Where it waits for replicas, it does so on a connection of its own, and holds up nothing else.
     *
     * @return completed when it is answered and acknowledged, or not, or the last one still waits
     */
    CompletionStage<?> beat() {
        if (!server.acknowledgements().areOfHeartbeats()) {
            return write();
        }
        if (left || !beating.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        RedisLink heartbeats = server.acknowledgements().ofHeartbeats();
        return writeOnce(heartbeats, true, false).handle((done, failure) -> {
            heartbeats.note(failure);
            if (failure != null) {
                register.failed(failure);
            }
            beating.set(false);
            return null;
        });
    }

    private CompletionStage<Void> writeOnce(RedisLink link, boolean isHeartbeat, boolean isAcceptedAtOnce) {
        String history = server.history();
        if (history == null) {
            return server.askHistory()
                    .thenCompose(any -> server.history() == null
                            ? CompletableFuture.completedStage(null)
                            : writeOnce(link, isHeartbeat, isAcceptedAtOnce));
        }
        String mark = isHeartbeat ? nonce + '.' + marks.incrementAndGet() : "";
        Request request = register.request();
        String limitsText = limits.text(); // after the request: a limit that is new from now on wants the next entry
        byte[][] arguments = {
            bytes(keys.node()),
            bytes(mark),
            bytes(limitsText),
            bytes(request.register),
            bytes(history),
            bytes(request.seen),
            bytes(request.from),
            bytes(history.equals(historyToReplace) ? "1" : "0"),
            bytes(UUID.randomUUID().toString()),
            bytes(setting.homeField),
            bytes(setting.markLife.toMillis()),
            bytes(setting.life.toMillis()),
            bytes(request.ended)
        };
        try {
            RedisAsyncCommands<String, byte[]> redis = link.commands();
            CompletableFuture<List<?>> answered;
            long sentAt = System.nanoTime();
            synchronized (keys) {
                if (left) {
                    return CompletableFuture.completedStage(null);
                }
                answered = keys.run(redis, RegisterScripts.REGISTER, arguments);
            }
            link.pulseAlong();
            return answered.thenCompose(answer -> {
                boolean isEntered = answered(answer, request);
                if (!isEntered || !isHeartbeat) {
                    return CompletableFuture.completedStage(null);
                }
                String entered = text(answer.get(1));
                Written written = new Written(mark, sentAt, (Long) answer.get(2), request.connections, limitsText);
                if (isAcceptedAtOnce) {
                    register.accepted(entered, written);
                    return CompletableFuture.completedStage(null);
                }
                return server.acknowledgements().ofHeartbeat(redis, history).thenAccept(isAcknowledged -> {
                    if (isAcknowledged) {
                        register.accepted(entered, written);
                    }
                });
            });
        } catch (SharedTierException e) {
            return CompletableFuture.failedStage(e);
        }
    }

    /** Whether the entry has been written. */
    private boolean answered(List<?> answer, Request request) {
        switch (text(answer.get(0))) {
            case "format" -> {
                String format = text(answer.get(1));
                if (!format.equals(otherFormat)) {
                    otherFormat = format;
                    log.warn(
                            "The register of nodes in this Redis has the format {}, and this version of usher knows the format"
                                    + " {} only: the register is left as it is, nothing of Redis is cached in memory, facets that"
                                    + " fail closed are read from the source, and no ban is confirmed",
                            format,
                            FORMAT);
                }
                return false;
            }
            case "history" -> {
                String mine = server.history();
                var unused = server.askHistory().thenAccept(any -> {
                    // Only when the server says so again: this node may have asked another one before.
                    historyToReplace = Objects.equals(mine, server.history()) ? mine : null;
                });
                return false;
            }
            default -> {
                otherFormat = null;
                historyToReplace = null;
                register.entered(answer, request);
                scripts.pulseEvery(limits.pulseNanos());
                return true;
            }
        }
    }

    /**
     * Leaves the register; to be called when nothing is answered any more. It waits for the answer, for the command timeout at
     * most, as the end of the connection would overtake what has not been sent yet; and a node that is left in the register is waited for.
     */
    void leave() {
        synchronized (keys) {
            left = true; // no entry is sent after this
        }
        if (otherFormat != null) {
            return;
        }
        try {
            RedisAsyncCommands<String, byte[]> redis = scripts.commands();
            CompletableFuture<Long> gone =
                    redis.zrem(keys.bySeen(), bytes(keys.node())).toCompletableFuture();
            var unusedToo = redis.zrem(keys.byChange(), bytes(keys.node()));
            var unusedAgain = redis.zincrby(keys.byChange(), 1, bytes("#members"));
            var unused = scripts.await(gone.thenCombine(redis.del(keys.own()), (one, other) -> one));
        } catch (SharedTierException e) {
            // It is taken out after a while.
        }
    }
}
