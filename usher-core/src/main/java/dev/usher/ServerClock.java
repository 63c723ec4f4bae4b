package dev.usher;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The clock of the Redis server, known from looks at it now and then: of a moment after a look it can be told what the server
 * had shown at least.
 *
 * <p>Thread-safe. The looks are written by the event loop of one connection.
 */
final class ServerClock {

    /** For the next 30,000 years. */
    private static final Pattern SECONDS = Pattern.compile("\\d{1,12}");

    private static final Pattern MICROS = Pattern.compile("\\d{1,6}");

    private static final Duration FRESH_FOR = Duration.ofSeconds(30);

    private volatile Looks looks = new Looks(new Object(), null, null);

    /**
     * What the server showed.
     *
     * @param millis in milliseconds since the epoch
     * @param receivedAt when the answer had come, in {@link System#nanoTime()}
     */
    private record Look(long millis, long receivedAt) {

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
     * The two that are needed to know one from before a moment that has just been.
     *
     * @param server another object after each {@link #forget}
     */
    private record Looks(
            Object server, @Nullable Look latest, @Nullable Look earlier) {

        long leastAt(long nanoTime) {
            if (latest != null && latest.covers(nanoTime)) {
                return latest.leastAt(nanoTime);
            }
            return earlier != null && earlier.covers(nanoTime) ? earlier.leastAt(nanoTime) : ReadMark.UNKNOWN;
        }
    }

    /**
     * Adds a look.
     *
     * @param time what {@code TIME} answers: seconds and microseconds
     * @param receivedAt when it had come, in {@link System#nanoTime()}
     */
    void look(List<byte[]> time, long receivedAt) {
        long millis = millisOf(time);
        if (millis == ReadMark.UNKNOWN) {
            return;
        }
        Looks known = looks;
        looks = new Looks(known.server, new Look(millis, receivedAt), known.latest);
    }

    /**
     * Milliseconds since the epoch.
     *
     * @param time what {@code TIME} answers: seconds and microseconds
     * @return {@link ReadMark#UNKNOWN} for a time that no clock shows
     */
    static long millisOf(List<byte[]> time) {
        if (time.size() != 2) {
            return ReadMark.UNKNOWN;
        }
        String seconds = new String(time.get(0), StandardCharsets.ISO_8859_1);
        String micros = new String(time.get(1), StandardCharsets.ISO_8859_1);
        return SECONDS.matcher(seconds).matches() && MICROS.matcher(micros).matches()
                ? Long.parseLong(seconds) * 1000 + Long.parseLong(micros) / 1000
                : ReadMark.UNKNOWN;
    }

    /** Forgets all looks: who answers next may be another server, with another clock. */
    void forget() {
        looks = new Looks(new Object(), null, null);
    }

    /**
     * A moment, by the clock of the server that is connected.
     *
     * @param nanoTime the moment, of {@link System#nanoTime()}. Where there was no look before it, or only long before it, the
     *     mark is worth nothing
     */
    ReadMark markAt(long nanoTime) {
        Looks known = looks;
        return new ReadMark(known.server, known.leastAt(nanoTime));
    }

    /** Whether the server is still the one whose clock a mark is of, and has forgotten nothing since. */
    @SuppressWarnings("ReferenceEquality") // a server is told apart by identity
    boolean isOf(ReadMark mark) {
        return looks.server == mark.server();
    }
}
