package dev.usher.redis;

import dev.usher.redis.NodeRegister.Sample;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.StatefulRedisConnectionImpl;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.push.PushMessage;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.protocol.ProtocolVersion;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection whose reads Redis tracks: when a key changes that was read over it, Redis says so on it.
 *
 * <p>Its {@link Session} begins when Redis has acknowledged the tracking and this node is in the register, and ends when the
 * connection is lost; when Redis says that everything is forgotten, the next one begins. All pushes and replies are processed
 * in the order in which Redis sent them, on one event loop: so when the reply to a heartbeat is processed, every change from
 * before its sending has been.
 */
final class TrackedConnection {

    private static final Logger log = LoggerFactory.getLogger(TrackedConnection.class);

    /** After which Redis is asked again that has refused: its rights may have been mended. */
    private static final Duration REFUSED_FOR = Duration.ofSeconds(1);

    private final StatefulRedisConnection<String, byte[]> connection;
    private final RedisLink link;
    private final NodeRegister register;
    private final TenantRegisters tenants;
    private final CurrentSession session;
    private final RedisPrimary.Listener listener;
    private final Runnable flushed;
    private final AtomicBoolean beating = new AtomicBoolean();
    private volatile boolean signalled;
    private volatile boolean refused;
    private volatile long askAgainAt;

    /**
     * Takes over a connection.
     *
     * @param link is told how each heartbeat went
     * @param register is looked at with every heartbeat
     * @param tenants are told when they change
     * @param session is told when one begins and ends
     * @param listener is told of each key that has changed
     * @param flushed is called, on the connection's event loop, when all may have changed
     */
    TrackedConnection(
            StatefulRedisConnection<String, byte[]> connection,
            RedisLink link,
            NodeRegister register,
            TenantRegisters tenants,
            CurrentSession session,
            RedisPrimary.Listener listener,
            Runnable flushed) {
        this.connection = connection;
        this.link = link;
        this.register = register;
        this.tenants = tenants;
        tenants.readOver(connection.async());
        this.session = session;
        this.listener = listener;
        this.flushed = flushed;
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
        register.lost();
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
     * Asks Redis for a sign of life, which is a look at the register, and for tracking where there is no session; not before
     * the last one is answered.
     *
     * @return completed when it is answered, or there was nothing to ask
     */
    CompletionStage<?> beat() {
        if ((refused && System.nanoTime() - askAgainAt < 0) || !beating.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        signalled = false;
        Session current = session.get();
        long sentAt = System.nanoTime();
        CompletionStage<?> tracking = current.isTracked()
                ? CompletableFuture.completedStage(null)
                : connection.async().clientTracking(TrackingArgs.Builder.enabled());
        return register.sample(connection.async())
                .thenCombine(tracking, (sample, any) -> sample)
                .handle((sample, failure) -> {
                    try {
                        link.note(failure);
                        if (failure == null) {
                            answered(current, sentAt, sample);
                        } else if (isRefusal(failure)) {
                            refuse("it refuses CLIENT TRACKING, or the script that registers this node: "
                                    + RedisErrorLog.reasonOf(failure));
                        } else if ("WRONGTYPE".equals(RedisErrorLog.codeOf(failure))) {
                            // Something else stands where the register or its signal should, until it is written again.
                            var unused = register.register();
                        }
                    } finally {
                        beating.set(false);
                    }
                    if (signalled) {
                        var unused = beat();
                    }
                    return null;
                });
    }

    private void answered(Session current, long sentAt, Sample sample) {
        if (!isToldOfChanges()) {
            refuse("the connection speaks RESP2, which has no pushes");
            return;
        }
        boolean registered = sample.isRegistered() && register.isEntered();
        if (registered && current.isTracked()) {
            current.seenUpTo(sentAt);
            tenants.maintain();
        } else if (registered) {
            // Not if the connection was lost meanwhile: Redis does not track the next one yet.
            if (session.replace(current, Session.tracked(sentAt))) {
                tenants.sessionBegan();
                if (refused) {
                    refused = false;
                    log.info("This Redis tracks reads again");
                }
            }
        }
        register.processed(sample);
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
            if (message.getContent(StringCodec.UTF8::decodeKey).get(1) instanceof List<?> keys) {
                keys.forEach(key -> changed((String) key));
                return;
            }
        } catch (RuntimeException e) {
            // A change that could not be understood may be any change.
            listener.notUnderstood(e);
        }
        session.renew();
        tenants.lost();
        tenants.sessionBegan();
        flushed.run();
    }

    private void changed(String key) {
        if (register.isSignal(key)) {
            signalled = true;
            var unused = beat();
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
