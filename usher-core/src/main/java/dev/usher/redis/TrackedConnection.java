package dev.usher.redis;

import dev.usher.redis.Heartbeat.Look;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.StatefulRedisConnectionImpl;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.push.PushMessage;
import io.lettuce.core.protocol.ProtocolVersion;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection whose reads Redis tracks: when a key changes that was read over it, Redis says so on it.
 *
 * <p>Its {@link Session} begins when Redis has acknowledged the tracking and this node is in the register, and ends when the
 * connection is lost; when Redis says that everything is forgotten, the next one begins. All pushes and replies are processed
 * in the order in which Redis sent them, on one event loop: so when a heartbeat is read back, every change from
 * before its sending has been processed.
 */
final class TrackedConnection {

    private static final Logger log = LoggerFactory.getLogger(TrackedConnection.class);

    /** After which Redis is asked again that has refused: its rights may have been mended. */
    private static final Duration REFUSED_FOR = Duration.ofSeconds(1);

    /** The timer that asks is not exact. */
    private static final Duration EARLY = Duration.ofMillis(20);

    private final StatefulRedisConnection<String, byte[]> connection;
    private final RedisLink link;
    private final Heartbeat heartbeat;
    private final TenantRegisters tenants;
    private final PrimaryJudge judge;
    private final CurrentSession session;
    private final RedisPrimary.Listener listener;
    private final Runnable flushed;
    private final LongConsumer proven;
    private final Runnable unproven;
    private final AtomicBoolean looking = new AtomicBoolean();
    private volatile boolean signalled;
    private volatile long lookedAt = System.nanoTime() - Duration.ofDays(1).toNanos();

    /** When the last heartbeat began. A push causes a look that is none: it neither asks the judge nor writes the entry. */
    private volatile long beatAt = lookedAt;

    /** Whether the last look was a heartbeat that counts. */
    private volatile boolean isCounted;

    private volatile boolean refused;
    private volatile long askAgainAt;

    /**
     * Takes over a connection.
     *
     * @param link is told how each heartbeat went
     * @param heartbeat this node's, of which the look goes over the connection
     * @param tenants are told when they change
     * @param judge is asked with every heartbeat whether this is still the primary
     * @param session is told when one begins and ends
     * @param listener is told of each key that has changed
     * @param flushed is called, on the connection's event loop, when all may have changed
     * @param unproven is called when the server may be another one
     * @param proven is told when the latest write of this node was sent that has been read back here
     */
    TrackedConnection(
            StatefulRedisConnection<String, byte[]> connection,
            RedisLink link,
            Heartbeat heartbeat,
            TenantRegisters tenants,
            PrimaryJudge judge,
            CurrentSession session,
            RedisPrimary.Listener listener,
            Runnable flushed,
            LongConsumer proven,
            Runnable unproven) {
        this.connection = connection;
        this.link = link;
        this.heartbeat = heartbeat;
        this.tenants = tenants;
        tenants.readOver(connection.async());
        this.judge = judge;
        this.session = session;
        this.listener = listener;
        this.flushed = flushed;
        this.proven = proven;
        this.unproven = unproven;
        connection.addListener(this::onPush);
        connection.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                notTracked();
            }

            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress address) {
                // Again: where a reconnect was broken off, another may have come first, and be replaced without being
                // lost.
                notTracked();
            }
        });
    }

    /** What is asked from now on goes over another connection, which Redis does not track yet. */
    private void notTracked() {
        refused = false;
        unproven.run();
        heartbeat.lost();
        session.replace(Session.untracked());
        tenants.lost();
    }

    /** Whether Redis will not track, so that there is no session but an untracked one. */
    boolean isRefused() {
        return refused;
    }

    /** Whether that is so because there would be no way to tell. */
    boolean isResp2Only() {
        return refused && !isToldOfChanges();
    }

    /**
     * A heartbeat, if one is due: this node's entry is written now and then, and looked at over this connection. Soon again where the last one did not count, or
     * there is no session yet.
     *
     * @return completed when both are answered, or there was nothing to ask
     */
    CompletionStage<?> beat() {
        heartbeat.maintain();
        long now = System.nanoTime();
        boolean isWell = isCounted && session.get().isTracked();
        long due = isWell ? heartbeat.beatNanos() : AnswerLimits.SHORTEST_BEAT.toNanos();
        if (now - lookedAt < due - EARLY.toNanos() && now - beatAt < heartbeat.beatNanos() - EARLY.toNanos()) {
            return CompletableFuture.completedStage(null);
        }
        lookedAt = now;
        beatAt = now;
        return judge.ask()
                .thenCombine(heartbeat.beat(), (isPrimary, any) -> isPrimary)
                .thenCompose(this::look);
    }

    /**
     * Looks at the register, and asks for tracking where there is no session; not before the last look is answered.
     *
     * @param isPrimary whether a session may begin: this server has just been found to be the primary
     */
    private CompletionStage<?> look(boolean isPrimary) {
        if (!looking.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        signalled = false;
        lookedAt = System.nanoTime();
        Session current = session.get();
        boolean asksForTracking = !current.isTracked() && (!refused || System.nanoTime() - askAgainAt >= 0);
        CompletionStage<?> tracking = asksForTracking
                ? connection.async().clientTracking(TrackingArgs.Builder.enabled())
                : CompletableFuture.completedStage(null);
        CompletionStage<Look> looked = heartbeat.look(connection.async());
        link.pulseAlong();
        link.pulseEvery(2 * heartbeat.beatNanos());
        return looked.whenComplete((look, failure) -> {
                    isCounted = failure == null && look.isHeartbeat();
                    if (failure == null && look.isEntered()) {
                        proven.accept(judge.notAfter(look.provenAt()));
                    }
                })
                .thenCombine(tracking, (look, any) -> look)
                .handle((look, failure) -> {
                    try {
                        link.note(failure);
                        if (failure == null) {
                            answered(current, asksForTracking || current.isTracked(), isPrimary, look);
                        } else if (isRefusal(failure)) {
                            refuse("it refuses CLIENT TRACKING, or the look at the register of nodes: "
                                    + RedisErrorLog.reasonOf(failure));
                        }
                    } finally {
                        looking.set(false);
                    }
                    if (signalled) {
                        var unused = look(false);
                    }
                    return null;
                });
    }

    private void answered(Session current, boolean isAsked, boolean isPrimary, Look look) {
        if (!isToldOfChanges()) {
            if (isAsked) {
                refuse("the connection speaks RESP2, which has no pushes");
            }
            return;
        }
        if (!look.isEntered()) {
            return;
        }
        long provenAt = judge.notAfter(look.provenAt());
        if (current.isTracked()) {
            current.seenUpTo(provenAt);
            tenants.maintain();
        } else if (isAsked && isPrimary) {
            // Not if the connection was lost meanwhile: Redis does not track the next one yet.
            if (session.replace(current, heartbeat.sessionFrom(provenAt))) {
                tenants.sessionBegan();
                if (refused) {
                    refused = false;
                    log.info("This Redis tracks reads again");
                }
            }
        }
    }

    private void refuse(String why) {
        askAgainAt = System.nanoTime() + REFUSED_FOR.toNanos();
        if (!refused) {
            refused = true;
            log.warn(
                    "This Redis does not track reads ({}); its answers are cached in memory for the staleness bound at most,"
                            + " and not at all with a serveStaleFor of 0",
                    why);
            session.replace(Session.untracked());
        }
    }

    private void onPush(PushMessage message) {
        if (!message.getType().equals("invalidate")) {
            return;
        }
        try {
            if (message.getContent().get(1) instanceof List<?> keys) {
                keys.forEach(key -> changed(TextKeysCodec.INSTANCE.decodeKey((ByteBuffer) key)));
                return;
            }
        } catch (RuntimeException e) {
            // A change that could not be understood may be any change.
            listener.notUnderstood(e);
        }
        session.renew();
        heartbeat.lost();
        tenants.lost();
        tenants.sessionBegan();
        flushed.run();
    }

    private void changed(String key) {
        if (heartbeat.isSignal(key)) {
            signalled = true;
            var unused = look(false);
        } else if (!tenants.changed(key)) {
            listener.changed(key);
        }
    }

    /** Over RESP2, Redis agrees to track, and then has no way to tell. */
    private boolean isToldOfChanges() {
        return connection instanceof StatefulRedisConnectionImpl<?, ?> known
                && known.getConnectionState().getNegotiatedProtocolVersion() == ProtocolVersion.RESP3;
    }

    /** It will not, today or tomorrow; what is in the way for now (LOADING, BUSY, …) has words of its own. */
    private static boolean isRefusal(Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        String message = String.valueOf(cause == null ? null : cause.getMessage());
        return cause instanceof RedisCommandExecutionException
                && (message.startsWith("ERR ") || message.startsWith("NOPERM"));
    }
}
