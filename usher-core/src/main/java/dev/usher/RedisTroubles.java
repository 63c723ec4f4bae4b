package dev.usher;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What goes wrong with a Redis, and since when; said in the log now and then, not for each call that fails. Thread-safe. */
final class RedisTroubles {

    private static final Logger log = LoggerFactory.getLogger(RedisTroubles.class);

    /** How often trouble is logged while it lasts. */
    private static final Duration WARNING = Duration.ofSeconds(10);

    /** What an operator looks for; inside a script it stands behind other words. */
    private static final Pattern ERROR_CODE =
            Pattern.compile("\\b(OOM|READONLY|NOPERM|NOAUTH|WRONGPASS|MISCONF|LOADING|NOREPLICAS|BUSY|MASTERDOWN"
                    + "|CLUSTERDOWN|max number of clients)\\b");

    /** Within a script, Redis does not say {@code NOPERM}. */
    private static final Pattern REFUSED_IN_SCRIPT =
            Pattern.compile("ACL failure|can't run this command|can't access at least one of the keys");

    private static final Pattern CODE = Pattern.compile("[A-Z][A-Z0-9_]*");

    private final String address;
    private final AtomicLong nextWarningAt = new AtomicLong(System.nanoTime());
    private volatile @Nullable String latest;
    private volatile boolean warned;

    RedisTroubles(RedisURI uri) {
        this.address = isNamedBySentinels(uri)
                ? uri.getSentinelMasterId() + " of its Sentinels"
                : uri.getHost() + ":" + uri.getPort();
    }

    /** Whether the address is that of Sentinels, which say where the primary is. */
    static boolean isNamedBySentinels(RedisURI uri) {
        return !uri.getSentinels().isEmpty();
    }

    /** Where the server is, without a user name and a password. */
    String address() {
        return address;
    }

    /** Notes that a call has failed. */
    SharedTierException failed(String what) {
        return failed(what, null);
    }

    /**
     * Notes that a call has failed.
     *
     * @param errorCode with which Redis has refused it, or {@code null} when it has not answered
     */
    SharedTierException failed(String what, @Nullable String errorCode) {
        var exception = new SharedTierException("Redis at " + address + " " + what, errorCode);
        latest = what;
        long now = System.nanoTime();
        long due = nextWarningAt.get();
        if (now - due >= 0 && nextWarningAt.compareAndSet(due, now + WARNING.toNanos())) {
            warned = true;
            log.warn("{}; the source answers instead", exception.getMessage());
        }
        return exception;
    }

    /** Notes that a call has been answered where the last one had failed. */
    void ended() {
        // Not while it answers one call and refuses the next.
        if (warned && System.nanoTime() - nextWarningAt.get() > 0) {
            warned = false;
            log.info("Redis at {} answers again", address);
        }
    }

    /** What went wrong last, or {@code null} when nothing ever has; without a word of what was asked for. */
    @Nullable String latest() {
        return latest;
    }

    /** What went wrong, without the texts of Redis: they quote the arguments of the command, and so the user. */
    static String reasonOf(@Nullable Throwable failure) {
        String reason = "unknown";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof RedisCommandExecutionException) {
                return codeOf(String.valueOf(cause.getMessage()));
            }
            reason = cause.getClass().getSimpleName();
        }
        return reason;
    }

    /** The code of the error that Redis has answered, or {@code null} when it has not answered. */
    static @Nullable String codeOf(@Nullable Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof RedisCommandExecutionException) {
                return codeOf(String.valueOf(cause.getMessage()));
            }
        }
        return null;
    }

    private static String codeOf(String message) {
        Matcher code = ERROR_CODE.matcher(message);
        if (code.find()) {
            return code.group();
        }
        if (REFUSED_IN_SCRIPT.matcher(message).find()) {
            return "NOPERM";
        }
        String first = message.split(" ", 2)[0];
        return CODE.matcher(first).matches() ? first : "ERR";
    }
}
