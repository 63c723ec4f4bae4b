package dev.usher.redis;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The clock of the Redis server, known from samples: for a moment after a sample, it computes the earliest time that the server's clock
 * can have shown.
 *
 * <p>Thread-safe. The event loop of one connection writes the samples.
 */
final class ServerClock {

    /** For the next 30,000 years. */
    private static final Pattern SECONDS = Pattern.compile("\\d{1,12}");

    private static final Pattern MICROS = Pattern.compile("\\d{1,6}");

    private static final Duration FRESH_FOR = Duration.ofSeconds(30);

    private volatile Samples samples = new Samples(new Object(), null, null);

    /**
     * A sample of the server's clock.
     *
     * @param millis in milliseconds since the epoch
     * @param receivedAt when the answer had come, in {@link System#nanoTime()}
     */
    private record Sample(long millis, long receivedAt) {

        boolean covers(long nanoTime) {
            long since = nanoTime - receivedAt;
            return since >= 0 && since < FRESH_FOR.toNanos();
        }

        long leastAt(long nanoTime) {
            // The server answered before the answer came, so at receivedAt its clock showed at least `millis`. It may
            // have run slower than ours since then: a clock that is being corrected is slewed by up to a twelfth.
            long since = (nanoTime - receivedAt) / 1_000_000L;
            return millis + since - since / 10 - 1;
        }
    }

    /**
     * The last two samples. The earlier one is needed for a moment that is older than the latest.
     *
     * @param server another object after each {@link #forget}
     */
    private record Samples(
            Object server,
            @Nullable Sample latest,
            @Nullable Sample earlier) {

        long leastAt(long nanoTime) {
            if (latest != null && latest.covers(nanoTime)) {
                return latest.leastAt(nanoTime);
            }
            return earlier != null && earlier.covers(nanoTime) ? earlier.leastAt(nanoTime) : ServerMoment.UNKNOWN;
        }
    }

    /**
     * Adds a sample.
     *
     * @param time what {@code TIME} answers: seconds and microseconds
     * @param receivedAt when it had come, in {@link System#nanoTime()}
     */
    void sample(List<byte[]> time, long receivedAt) {
        long millis = millisOf(time);
        if (millis == ServerMoment.UNKNOWN) {
            return;
        }
        Samples known = samples;
        samples = new Samples(known.server, new Sample(millis, receivedAt), known.latest);
    }

    /**
     * Milliseconds since the epoch.
     *
     * @param time what {@code TIME} answers: seconds and microseconds
     * @return {@link ReadMark#UNKNOWN} for a time that no clock shows
     */
    static long millisOf(List<byte[]> time) {
        if (time.size() != 2) {
            return ServerMoment.UNKNOWN;
        }
        String seconds = new String(time.get(0), StandardCharsets.ISO_8859_1);
        String micros = new String(time.get(1), StandardCharsets.ISO_8859_1);
        return SECONDS.matcher(seconds).matches() && MICROS.matcher(micros).matches()
                ? Long.parseLong(seconds) * 1000 + Long.parseLong(micros) / 1000
                : ServerMoment.UNKNOWN;
    }

    /** Drops all samples: the next one may be of another server, with another clock. */
    void forget() {
        samples = new Samples(new Object(), null, null);
    }

    /**
     * A moment, by the clock of the connected server.
     *
     * @param nanoTime the moment, of {@link System#nanoTime()}. Without a sample before it, or with an old one only, it is
     *     {@linkplain ServerMoment#UNKNOWN unknown}, and its row is refused
     */
    ServerMoment momentAt(long nanoTime) {
        Samples known = samples;
        return new ServerMoment(known.server, known.leastAt(nanoTime));
    }

    /** Whether a moment is by the clock of the connected server, and the server has not been flushed or reconnected since. */
    @SuppressWarnings("ReferenceEquality") // a server is told apart by identity
    boolean isOf(ServerMoment moment) {
        return samples.server == moment.server();
    }
}
