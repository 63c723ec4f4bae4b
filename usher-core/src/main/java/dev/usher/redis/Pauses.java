package dev.usher.redis;

import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.InstantSource;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds this machine paused, by the clock of Redis and by its own, and then lets nothing be answered from memory until Redis has sent the changes.
 * Thread-safe.
 */
final class Pauses {

    private static final Logger log = LoggerFactory.getLogger(Pauses.class);

    private final CurrentSession session;
    private final InstantSource ownClock;
    private final LongSupplier nanoTime;
    private final PauseDetector byRedis = new PauseDetector();
    private final PauseDetector byOwnClock = new PauseDetector();

    /**
     * Of no reading yet.
     *
     * @param session is told when there was a pause
     * @param ownClock goes on while this machine sleeps
     * @param nanoTime may stand still meanwhile, as {@link System#nanoTime}
     */
    Pauses(CurrentSession session, InstantSource ownClock, LongSupplier nanoTime) {
        this.session = session;
        this.ownClock = ownClock;
        this.nanoTime = nanoTime;
    }

    /** The pulse of the scripts: it finds this machine behind the clock of Redis when that was paused. */
    CompletionStage<?> lookForPause(RedisAsyncCommands<String, byte[]> redis) {
        long askedAt = nanoTime.getAsLong();
        return redis.time().thenAccept(time -> {
            long shown = ServerClock.millisOf(time);
            if (shown != ServerMoment.UNKNOWN && byRedis.detect(shown, askedAt, nanoTime.getAsLong())) {
                distrust();
            }
        });
    }

    /** As {@link #lookForPause}, without waiting for Redis, where the clock of this machine has been put right. */
    void lookForSleep() {
        long askedAt = nanoTime.getAsLong();
        long shown = ownClock.millis();
        if (byOwnClock.detect(shown, askedAt, nanoTime.getAsLong())) {
            distrust();
        }
    }

    /** The next server may have another clock. */
    void forget() {
        byRedis.forget();
    }

    private void distrust() {
        log.debug(
                "This machine was paused, or a clock was set: nothing is answered from memory until Redis has sent the changes");
        session.distrust(System.nanoTime());
    }
}
