package dev.usher.cli;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Which states of a relay are printed: each other one, but not more than ten in a minute; and one that stays and is not well, again each minute. Not thread-safe.
 */
final class StateLines {

    private static final int MAX_IN_A_MINUTE = 10;
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private String printed = "";
    private String latest = "";
    private long printedAt;
    private long minuteBegan;
    private int linesOfMinute;
    private int left;

    /**
     * The line to print now, or {@code null} for none.
     *
     * @param state in words
     * @param isWell whether the relay follows or stands by, and nothing is wrong
     * @param nanos the time, as of {@link System#nanoTime}
     */
    @Nullable String next(String state, boolean isWell, long nanos) {
        if (printed.isEmpty() || nanos - minuteBegan >= MINUTE) {
            minuteBegan = nanos;
            linesOfMinute = 0;
        }
        boolean isNew = !state.equals(latest);
        latest = state;
        if (linesOfMinute == MAX_IN_A_MINUTE) {
            left += isNew ? 1 : 0;
            return null;
        }
        boolean isDue = isNew || left > 0 || !state.equals(printed) || (!isWell && nanos - printedAt >= MINUTE);
        if (!isDue) {
            return null;
        }
        String line = left == 0 ? state : state + " (" + left + " changes of the state before it were not printed)";
        printed = state;
        printedAt = nanos;
        linesOfMinute++;
        left = 0;
        return line;
    }
}
