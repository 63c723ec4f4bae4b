package dev.usher.redis;

import io.lettuce.core.api.async.RedisAsyncCommands;
import java.util.concurrent.CompletionStage;

/**
 * The heartbeat of this node on one primary: a write, and a look over the tracked connection that finds it. Thread-safe; no thread waits.
 */
interface Heartbeat {

    /**
     * What a look over the tracked connection has shown.
     *
     * @param isEntered whether this node has read back what it has written
     * @param provenAt the sending of the latest heartbeat that counts, in {@link System#nanoTime()}
     * @param isHeartbeat whether that is this look
     */
    record Look(boolean isEntered, long provenAt, boolean isHeartbeat) {

        static final Look NOTHING = new Look(false, 0, false);
    }

    /** After which the next one is due. */
    long beatNanos();

    /** Writes now, whether one is due or not. */
    CompletionStage<?> write();

    /**
     * Begins a heartbeat, which {@link #look} completes: writes, if that is due.
     *
     * @return completed when that is answered, or has failed
     */
    CompletionStage<?> beat();

    /**
     * Looks over the tracked connection: the heartbeat itself, or its second half.
     *
     * @return completed on the event loop; failed where Redis does not answer, or refuses
     */
    CompletionStage<Look> look(RedisAsyncCommands<String, byte[]> tracked);

    /** A session of what is read from now on. */
    default Session sessionFrom(long watermark) {
        return Session.tracked(watermark);
    }

    /** Whether a key that has changed asks for a look. */
    boolean isSignal(String changed);

    /** What is to be done now and then. To be called often. */
    void maintain();

    /** This node is not told of changes any more: what it has written is to be read back anew. */
    void lost();

    /** One of the connections may lead to another server than before: what is written is to be read back anew. */
    void unproven();

    /** Whether what Redis says of a key is believed, as far as revocations say. */
    boolean isBelieved(String key);
}
