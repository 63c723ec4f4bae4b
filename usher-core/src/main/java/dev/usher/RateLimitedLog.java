package dev.usher;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/**
 * A log line that any number of calls may cause: it is written at most once in ten seconds. The next written line ends with
 * the number of lines that were left out in between. Thread-safe.
 *
 * <p>Lines that must not hide each other need an instance each, for instance one for each facet. The class is public for usher's own
 * modules.
 */
public final class RateLimitedLog {

    private static final Duration PERIOD = Duration.ofSeconds(10);

    private final Logger log;
    private final LongSupplier nanoTime;
    private final AtomicLong dueAt;
    private final AtomicLong leftOut = new AtomicLong();

    /**
     * A line that has not been written yet.
     *
     * @param log where it is written
     */
    public RateLimitedLog(Logger log) {
        this(log, System::nanoTime);
    }

    RateLimitedLog(Logger log, LongSupplier nanoTime) {
        this.log = log;
        this.nanoTime = nanoTime;
        this.dueAt = new AtomicLong(nanoTime.getAsLong());
    }

    /**
     * Writes a warning, unless the last line was written less than ten seconds ago.
     *
     * @param message as of SLF4J, with {@code {}} for each argument
     * @param arguments an exception at their end is written with its stack trace
     * @return whether the line was written, if the log writes lines of this level
     */
    public boolean warn(String message, @Nullable Object... arguments) {
        return write(Level.WARN, message, arguments);
    }

    /**
     * Writes an error, unless the last line was written less than ten seconds ago.
     *
     * @param message as of SLF4J, with {@code {}} for each argument
     * @param arguments an exception at their end is written with its stack trace
     * @return whether the line was written, if the log writes lines of this level
     */
    public boolean error(String message, @Nullable Object... arguments) {
        return write(Level.ERROR, message, arguments);
    }

    private boolean write(Level level, String message, @Nullable Object[] arguments) {
        long now = nanoTime.getAsLong();
        long due = dueAt.get();
        if (now - due < 0 || !dueAt.compareAndSet(due, now + PERIOD.toNanos())) {
            leftOut.incrementAndGet();
            return false;
        }
        long count = leftOut.getAndSet(0);
        String line = count == 0 ? message : message + " (such lines left out since the last one: " + count + ")";
        log.atLevel(level).log(line, arguments);
        return true;
    }
}
