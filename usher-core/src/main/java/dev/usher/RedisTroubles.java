package dev.usher;

import static java.util.regex.Pattern.CASE_INSENSITIVE;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
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

    /** All that usher sends, and what the client library sends for it. Only these words of an error go further. */
    private static final Set<String> COMMANDS = Set.of(
            "auth",
            "client",
            "client|maint_notifications",
            "client|setinfo",
            "client|tracking",
            "del",
            "eval",
            "evalsha",
            "exists",
            "get",
            "hdel",
            "hello",
            "hexists",
            "hget",
            "hgetall",
            "hincrby",
            "hmget",
            "hset",
            "info",
            "mget",
            "pexpire",
            "ping",
            "pttl",
            "scan",
            "select",
            "set",
            "strlen",
            "time",
            "type");

    private static final Pattern FORBIDDEN_COMMAND = Pattern.compile("run the '([^']+)' command");
    private static final Pattern FORBIDDEN_KEY =
            Pattern.compile("access (a|one of the|at least one of the|the '.*') key");

    /** Also in the words of proxies. */
    private static final Pattern UNKNOWN_COMMAND = Pattern.compile(
            "(?:unknown|unsupported|disabled)(?: redis)? command\\b:?(?: [`'\"]?(\\w+)[`'\"]?)?", CASE_INSENSITIVE);

    private static final Pattern SCRIPT = Pattern.compile("(?:\\bf_|script: ?)([0-9a-f]{40})");
    private static final Pattern SCRIPT_LINE = Pattern.compile("user_script: ?(\\d{1,4})");

    /** What the other end of a TLS connection has refused, by its name in RFC 8446. */
    private static final Pattern ALERT = Pattern.compile("fatal alert: ([a-z_]{1,40})\\b");

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

    /** Notes that it is known now why there is no connection: the next failure says so in the log, whenever the last line was. */
    void isKnown() {
        nextWarningAt.set(System.nanoTime());
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

    /**
     * What went wrong, and with which command if that was refused, without the texts of Redis: they quote the arguments of the
     * command, and so the user.
     */
    static String reasonOf(@Nullable Throwable failure) {
        String reason = "unknown";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof RedisCommandExecutionException) {
                String detail = detailOf(message);
                return detail == null ? codeOf(message) : codeOf(message) + " (" + detail + ")";
            }
            reason = cause.getClass().getSimpleName();
            Matcher alert = ALERT.matcher(message);
            if (cause instanceof SSLException && alert.find()) {
                reason += " (" + alert.group(1) + ")";
            }
        }
        return reason;
    }

    /** Which command or what else was refused, or {@code null} when the error does not say, or is another one. */
    private static @Nullable String detailOf(String message) {
        Matcher forbidden = FORBIDDEN_COMMAND.matcher(message);
        if (forbidden.find()) {
            return known(forbidden.group(1));
        }
        if (FORBIDDEN_KEY.matcher(message).find()) {
            return "a key";
        }
        Matcher unknown = UNKNOWN_COMMAND.matcher(message);
        if (unknown.find()) {
            String command = known(unknown.group(1));
            command = command == null ? calledIn(message) : command;
            return command == null ? "unknown command" : "unknown command " + command;
        }
        return REFUSED_IN_SCRIPT.matcher(message).find() ? calledIn(message) : null;
    }

    /** The command at the line of a script that an error names. */
    private static @Nullable String calledIn(String message) {
        Matcher script = SCRIPT.matcher(message);
        Matcher line = SCRIPT_LINE.matcher(message);
        return script.find() && line.find()
                ? known(GuardScript.commandAt(script.group(1), Integer.parseInt(line.group(1))))
                : null;
    }

    private static @Nullable String known(@Nullable String command) {
        String lower = command == null ? "" : command.toLowerCase(Locale.ROOT);
        return COMMANDS.contains(lower) ? lower : null;
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
