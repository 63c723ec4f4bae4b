package dev.usher;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.StatefulRedisConnectionImpl;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.push.PushMessage;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.protocol.ProtocolVersion;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connection whose reads Redis tracks: whoever changes a key that was read over it, Redis says so on it.
 *
 * <p>Its {@link Session} begins when Redis has acknowledged the tracking, and ends when the connection is lost; when Redis
 * says that everything is forgotten, the next one begins. All pushes and replies are processed in the order in which Redis
 * sent them, on one event loop: so when the reply to a heartbeat is processed, every change from before its sending has
 * been.
 */
final class TrackedConnection {

    private static final Logger log = LoggerFactory.getLogger(TrackedConnection.class);

    private final StatefulRedisConnection<String, byte[]> connection;
    private final CurrentSession session;
    private final Consumer<String> changed;
    private final Runnable flushed;
    private final AtomicBoolean beating = new AtomicBoolean();
    private volatile boolean refused;

    /**
     * Takes over a connection.
     *
     * @param session is told when one begins and ends
     * @param changed is called, on the connection's event loop, with each key that has changed
     * @param flushed is called there when all may have changed
     */
    TrackedConnection(
            StatefulRedisConnection<String, byte[]> connection,
            CurrentSession session,
            Consumer<String> changed,
            Runnable flushed) {
        this.connection = connection;
        this.session = session;
        this.changed = changed;
        this.flushed = flushed;
        connection.addListener(this::onPush);
        connection.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                refused = false;
                session.replace(Session.untracked());
            }
        });
    }

    /** Whether Redis will not track, so that there will be no session but an untracked one. */
    boolean isRefused() {
        return refused;
    }

    /**
     * Asks Redis for a sign of life, or for tracking where there is no session; not before the last one is answered.
     *
     * @return completed when it is answered, or there was nothing to ask
     */
    CompletionStage<?> beat() {
        Session current = session.get();
        if (refused || !beating.compareAndSet(false, true)) {
            return CompletableFuture.completedStage(null);
        }
        long sentAt = System.nanoTime();
        CompletionStage<?> answer = current.isTracked()
                ? connection.async().ping()
                : connection.async().clientTracking(TrackingArgs.Builder.enabled());
        return answer.handle((reply, failure) -> {
            if (current.isTracked() && failure == null) {
                current.seenUpTo(sentAt);
            } else if (failure == null && hearsPushes()) {
                session.replace(Session.tracked(sentAt));
            } else if (!current.isTracked() && (failure == null || isRefusal(failure))) {
                refused = true;
                log.warn(
                        "This Redis does not track reads; every answer from memory is asked for again when it is as old as"
                                + " its staleness bound");
            }
            beating.set(false);
            return null;
        });
    }

    private void onPush(PushMessage message) {
        if (!message.getType().equals("invalidate")) {
            return;
        }
        try {
            if (message.getContent(StringCodec.UTF8::decodeKey).get(1) instanceof List<?> keys) {
                keys.forEach(key -> changed.accept((String) key));
                return;
            }
        } catch (RuntimeException e) {
            // A change that could not be understood may be any change.
            log.error("A push of Redis could not be understood; everything is forgotten", e);
        }
        session.renew();
        flushed.run();
    }

    /** In the older protocol Redis grants the tracking all the same, and then says nothing. */
    private boolean hearsPushes() {
        return connection instanceof StatefulRedisConnectionImpl<?, ?> known
                && known.getConnectionState().getNegotiatedProtocolVersion() == ProtocolVersion.RESP3;
    }

    /** Whether it would say the same again: not that it is loading, or busy with somebody's script. */
    private static boolean isRefusal(Throwable failure) {
        String message = String.valueOf(failure.getMessage());
        return failure instanceof RedisCommandExecutionException
                && (message.startsWith("ERR") || message.startsWith("NOPERM"));
    }
}
